"""Efficiency ratio and the adaptive moving average that rests on it.

Source: Perry J. Kaufman, "Trading Systems and Methods"; TA-Lib: KAMA. Differs from TA-Lib on one point: a window without
any movement has an efficiency ratio of 0, not 1.
"""

import numpy as np

from gridcore.compile import kernel
from gridcore.rolling import block_length, fill_missing, scratch_rows, window_sums


@kernel
def _absolute_changes(values, later, target):
    for k in range(later.size):
        target[k] = abs(later[k] - values[k])


@kernel
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
    size = out.size
    first = fill_missing(out, start, period)
    block = block_length(period, size - first)
    levels = scratch_rows(block, period)
    for begin in range(first, size, max(block, 1)):
        end = min(begin + block, size)
        oldest = begin - period
        _absolute_changes(close[oldest : end - 1], close[oldest + 1 : end], levels[0])
        window_sums(levels, period, out[begin:end])
        _efficiency(close[oldest : end - period], close[begin:end], out[begin:end])


@kernel
def efficiency_ratio(close, period):
    """Efficiency ratio (no unit, 0 to 1) of the last `period` moves; first value at `period`. See `efficiency_ratio_into`."""
    out = np.empty(close.size)
    efficiency_ratio_into(close, period, out, np.int64(0))
    return out


@kernel
def kama_from_efficiency_into(close, ratio, period, fast, slow, out, start):
    """The same as `kama_into`, from an efficiency ratio of the same `period` that is at hand (`ratio[start:]` is read)."""
    size = out.size
    first = fill_missing(out, start, period)
    if first >= size:
        return
    slow_share = 2.0 / (slow + 1.0)
    spread = 2.0 / (fast + 1.0) - slow_share
    # Squared smoothing constants first: they vectorize, the recursion does not.
    for i in range(first, size):
        share = ratio[i] * spread + slow_share
        out[i] = share * share
    average = close[period - 1] if first == period else out[first - 1]
    for i in range(first, size):
        average += out[i] * (close[i] - average)
        out[i] = average


@kernel
def kama_into(close, period, fast, slow, out, start):
    """Fill `out[start:]` with Kaufman's adaptive moving average, continuing from `out[start - 1]`. TA-Lib: KAMA.

    `sc = (ER*(2/(fast+1) - 2/(slow+1)) + 2/(slow+1))^2`, `K[i] = K[i-1] + sc*(C[i] - K[i-1])`, seeded with
    `K[period-1] = C[period-1]`, which is not shown: the first value is at `period`.
    """
    ratio = np.empty(out.size)
    efficiency_ratio_into(close, period, ratio, start)
    kama_from_efficiency_into(close, ratio, period, fast, slow, out, start)


@kernel
def kama(close, period, fast, slow):
    """Kaufman's adaptive moving average, in the unit of `close`; first value at `period`. See `kama_into`."""
    out = np.empty(close.size)
    kama_into(close, period, fast, slow, out, np.int64(0))
    return out
