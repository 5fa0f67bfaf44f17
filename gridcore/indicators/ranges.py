"""True range and its Wilder average."""

import numpy as np

from gridcore.compile import kernel
from gridcore.rolling import fill_missing


@kernel
def _true_ranges(high, low, before, target):
    """True ranges, given the closes of the bars before."""
    for k in range(target.size):
        target[k] = max(high[k] - low[k], max(abs(high[k] - before[k]), abs(low[k] - before[k])))


@kernel
def true_range(high, low, close):
    """`max(H - L, abs(H - C[i-1]), abs(L - C[i-1]))`, in the unit of price; first value at 1. TA-Lib: TRANGE."""
    out = np.empty(close.size)
    first = fill_missing(out, np.int64(0), np.int64(1))
    if first < out.size:
        _true_ranges(high[first:], low[first:], close[: close.size - 1], out[first:])
    return out


@kernel
def average_true_range_into(high, low, close, period, out, start):
    """Fill `out[start:]` with Wilder's average true range, continuing from `out[start - 1]`. TA-Lib: ATR.

    At `period` the mean of TR[1..period], then `(ATR*(period - 1) + TR)/period`. Unit of price.
    """
    size = out.size
    first = fill_missing(out, start, period)
    if first >= size:
        return
    _true_ranges(high[first:size], low[first:size], close[first - 1 : size - 1], out[first:size])
    begin = first
    if first == period:
        total = 0.0
        for i in range(1, period):
            total += max(high[i] - low[i], max(abs(high[i] - close[i - 1]), abs(low[i] - close[i - 1])))
        out[first] = (total + out[first]) / period
        begin += 1
    # Wilder's formula with the division taken out of the chain from bar to bar, where it would cost most of the time.
    decay = (period - 1.0) / period
    share = 1.0 / period
    average = out[begin - 1]
    for i in range(begin, size):
        average = average * decay + out[i] * share
        out[i] = average


@kernel
def average_true_range(high, low, close, period):
    """Wilder's average true range, in the unit of price; first value at `period`. See `average_true_range_into`."""
    out = np.empty(close.size)
    average_true_range_into(high, low, close, period, out, np.int64(0))
    return out
