"""Efficiency ratio and the adaptive moving average that rests on it.

Source: Perry J. Kaufman, "Trading Systems and Methods"; TA-Lib: KAMA. Differs from TA-Lib on one point: a window without
any movement has an efficiency ratio of 0, not 1.
"""

import numpy as np

from gridcore.compile import kernel, machine_kernel
from gridcore.rolling import block_length, fill_missing, window_sums, working_rows

# KAMA is carried over this many bars at a time.
STRIDE = 4


@machine_kernel
def _absolute_changes(values, later, target):
    for k in range(later.size):
        target[k] = abs(later[k] - values[k])


@machine_kernel
def _efficiency(values, later, ratio):
    """Turn path lengths in `ratio` into net movement over path length."""
    for k in range(ratio.size):
        length = ratio[k]
        # Rounding may put a straight path a hair above 1.
        ratio[k] = min(abs(later[k] - values[k]) / length, 1.0) if length != 0.0 else 0.0


@kernel
def efficiency_ratio_into(close, period, out, start):
    """Fill `out[start:]` with the efficiency ratio, 0 to 1: net movement over `period` bars divided by the path's length.

    `abs(C[i] - C[i-n]) / sum(abs(C[k] - C[k-1]), k = i-n+1..i)`, 0 when nothing moved. First value at `period`.
    """
    block = block_length(period, out.size - start)
    efficiency_ratio_with(working_rows(block, period), close, period, out, start)


@machine_kernel
def efficiency_ratio_with(work, close, period, out, start):
    """The same, given rows to work in (see `working_rows`)."""
    size = out.size
    first = fill_missing(out, start, period)
    row = work[1, 0]
    block = row.size - period
    for begin in range(first, size, block):
        end = min(begin + block, size)
        oldest = begin - period
        changes = row[: end - oldest - 1]
        _absolute_changes(close[oldest : end - 1], close[oldest + 1 : end], changes)
        window_sums(changes, work[0], period, out[begin:end])
        _efficiency(close[oldest : end - period], close[begin:end], out[begin:end])


@kernel
def efficiency_ratio(close, period):
    """Efficiency ratio (no unit, 0 to 1) of the last `period` moves; first value at `period`. See `efficiency_ratio_into`."""
    out = np.empty(close.size)
    efficiency_ratio_into(close, period, out, np.int64(0))
    return out


@machine_kernel
def _steps(ratio, before, close, slow_share, spread, decay, lost):
    """For each bar what is left of the distance to the close, and how much of the close's change adds to it."""
    for k in range(decay.size):
        share = ratio[k] * spread + slow_share
        left = 1.0 - share * share
        decay[k] = left
        lost[k] = left * (close[k] - before[k])


@machine_kernel
def _four_steps(decay, lost, close, decay_of_four, target):
    """Four steps as one, ending at each element from the fourth on: the decay, and the average of a distance of 0 before."""
    decay_1 = decay[1:]
    decay_2 = decay[2:]
    decay_3 = decay[3:]
    lost_1 = lost[1:]
    lost_2 = lost[2:]
    lost_3 = lost[3:]
    for k in range(target.size):
        late = decay_3[k] * decay_2[k]
        decay_of_four[k] = late * (decay_1[k] * decay[k])
        lost_late = lost_3[k] + decay_3[k] * lost_2[k]
        lost_early = lost_1[k] + decay_1[k] * lost[k]
        target[k] = close[k] - (lost_late + late * lost_early)


@machine_kernel
def _carry(decay, closes, averages):
    """Add to each of `averages[4:]` what is left of the distance four bars before, when the close was `closes[k]`."""
    for k in range(averages.size - STRIDE):
        averages[k + STRIDE] += decay[k] * (averages[k] - closes[k])


@kernel
def kama_from_efficiency_into(close, ratio, period, fast, slow, out, start):
    """The same as `kama_into`, from an efficiency ratio of the same `period` that is at hand (`ratio[start - 3:]` is read)."""
    work = working_rows(block_length(period, out.size - start), STRIDE)
    kama_from_efficiency_with(work, close, ratio, period, fast, slow, out, start)


@machine_kernel
def kama_from_efficiency_with(work, close, ratio, period, fast, slow, out, start):
    """The same, given rows to work in (see `working_rows`).

    From bar to bar the average would have to wait for the one before. So the distance `K - C` is carried over four bars
    at once, four of them under way at a time: with `d = 1 - sc` and the close's changes `D`, one bar is
    `K[i] - C[i] = d[i]*(K[i-1] - C[i-1]) - d[i]*D[i]`, and the two factors of four such steps do not need K.
    """
    size = out.size
    begin = fill_missing(out, start, period)
    slow_share = 2.0 / (slow + 1.0)
    spread = 2.0 / (fast + 1.0) - slow_share
    while begin < min(period + STRIDE, size):
        share = ratio[begin] * spread + slow_share
        before = close[period - 1] if begin == period else out[begin - 1]
        out[begin] = before + share * share * (close[begin] - before)
        begin += 1
    lag = STRIDE - 1
    rows = work[0]
    decays = work[1, 0]
    block = decays.size - lag
    for first in range(begin, size, block):
        end = min(first + block, size)
        oldest = first - lag
        count = end - oldest
        closes = close[oldest:end]
        _steps(ratio[oldest:end], close[oldest - 1 : end - 1], closes, slow_share, spread, rows[0, :count], rows[1])
        _four_steps(rows[0], rows[1], closes[lag:], decays, out[first:end])
        _carry(decays, close[first - STRIDE : end - STRIDE], out[first - STRIDE : end])


@kernel
def kama_into(close, period, fast, slow, out, start):
    """Fill `out[start:]` with Kaufman's adaptive moving average, continuing from the four values before. TA-Lib: KAMA.

    `sc = (ER*(2/(fast+1) - 2/(slow+1)) + 2/(slow+1))^2`, `K[i] = K[i-1] + sc*(C[i] - K[i-1])`, seeded with
    `K[period-1] = C[period-1]`, which is not shown: the first value is at `period`.
    """
    ratio = np.empty(out.size)
    efficiency_ratio_into(close, period, ratio, max(start - STRIDE + 1, 0))
    kama_from_efficiency_into(close, ratio, period, fast, slow, out, start)


@kernel
def kama(close, period, fast, slow):
    """Kaufman's adaptive moving average, in the unit of `close`; first value at `period`. See `kama_into`."""
    out = np.empty(close.size)
    kama_into(close, period, fast, slow, out, np.int64(0))
    return out
