"""True range and its Wilder average."""

import numpy as np

from gridcore.compile import kernel, machine_kernel
from gridcore.rolling import block_length, fill_missing, working_rows

# Wilder's average is carried over this many bars at a time.
STRIDE = 4
DEAD = 1e-300


@machine_kernel
def _true_ranges(high, low, before, target):
    """True ranges, given the closes of the bars before: the largest of the three differences, with less to compute."""
    for k in range(target.size):
        target[k] = max(high[k], before[k]) - min(low[k], before[k])


@machine_kernel
def _weighted_ranges(ranges, decay, share, target):
    """What the last four true ranges give to an average: `target[k]` from `ranges[k : k + 4]`, the last the newest."""
    second = ranges[1:]
    third = ranges[2:]
    newest = ranges[3:]
    square = decay * decay
    for k in range(target.size):
        target[k] = share * ((newest[k] + decay * third[k]) + square * (second[k] + decay * ranges[k]))


@machine_kernel
def _carry(averages, decay):
    """Add to each of `averages[4:]` what is left of the average four bars before."""
    for k in range(averages.size - STRIDE):
        averages[k + STRIDE] += decay * averages[k]


@kernel
def true_range(high, low, close):
    """`max(H - L, abs(H - C[i-1]), abs(L - C[i-1]))`, in the unit of price; first value at 1. TA-Lib: TRANGE."""
    out = np.empty(close.size)
    first = fill_missing(out, np.int64(0), np.int64(1))
    if first < out.size:
        _true_ranges(high[first:], low[first:], close[: close.size - 1], out[first:])
    return out


@machine_kernel
def _early_average(high, low, close, period, out, i):
    """The average at one of the first bars: the mean at `period`, then Wilder's step."""
    if i > period:
        newest = max(high[i], close[i - 1]) - min(low[i], close[i - 1])
        return (out[i - 1] * (period - 1.0) + newest) / period
    total = 0.0
    for k in range(1, period + 1):
        total += max(high[k], close[k - 1]) - min(low[k], close[k - 1])
    return total / period


@kernel
def average_true_range_into(high, low, close, period, out, start):
    """Fill `out[start:]` with Wilder's average true range, continuing from the four values before. TA-Lib: ATR.

    At `period` the mean of TR[1..period], then `(ATR*(period - 1) + TR)/period`. Unit of price.
    """
    average_true_range_with(working_rows(block_length(period, out.size - start), STRIDE), high, low, close, period, out, start)


@machine_kernel
def average_true_range_with(work, high, low, close, period, out, start):
    """The same, given rows to work in (see `working_rows`).

    From bar to bar the average would have to wait for the one before. Written out over four bars, with d = (p-1)/p,
    `A[i] = d^4*A[i-4] + (TR[i] + d*TR[i-1] + d^2*TR[i-2] + d^3*TR[i-3])/p`, four of them are under way at a time.
    """
    size = out.size
    begin = fill_missing(out, start, period)
    decay = (period - 1.0) / period
    share = 1.0 / period
    while begin < min(period + STRIDE, size):
        out[begin] = _early_average(high, low, close, period, out, begin)
        begin += 1
    ranges = work[0, 0]
    lag = STRIDE - 1
    for first in range(begin, size, ranges.size - lag):
        end = min(first + ranges.size - lag, size)
        oldest = first - lag
        _true_ranges(high[oldest:end], low[oldest:end], close[oldest - 1 : end - 1], ranges[: end - oldest])
        _weighted_ranges(ranges, decay, share, out[first:end])
        _carry(out[first - STRIDE : end], (decay * decay) * (decay * decay))


@machine_kernel
def invert_range_into(atr, target):
    """`target[k] = 1/atr[k]`, NaN where `atr` is 0 or NaN: one division serves every column that counts in ATR.

    Below 1e-300, where a market comes that has not moved for ten thousand bars, an average counts as 0.
    """
    for k in range(target.size):
        target[k] = 1.0 / atr[k] if atr[k] > DEAD else np.nan


@kernel
def average_true_range(high, low, close, period):
    """Wilder's average true range, in the unit of price; first value at `period`. See `average_true_range_into`."""
    out = np.empty(close.size)
    average_true_range_into(high, low, close, period, out, np.int64(0))
    return out
