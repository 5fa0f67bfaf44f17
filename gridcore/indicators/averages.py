"""Simple and exponential moving averages, and the distance from the simple one in ATR."""

import numpy as np

from gridcore.compile import kernel
from gridcore.rolling import block_length, copy_into, fill_missing, rolling_sum_into, scratch_rows, window_sums


@kernel
def simple_moving_average_into(values, period, out, start):
    """Fill `out[start:]` with the mean of the last `period` values, in their unit. First value at period - 1. TA-Lib: SMA."""
    rolling_sum_into(values, period, out, start)
    for i in range(start, out.size):
        out[i] /= period


@kernel
def simple_moving_average(values, period):
    """Mean of the last `period` values, in their unit; first value at period - 1. TA-Lib: SMA."""
    out = np.empty(values.size)
    simple_moving_average_into(values, period, out, np.int64(0))
    return out


@kernel
def exponential_moving_average_into(values, period, out, start):
    """Fill `out[start:]` with the exponential moving average, continuing from `out[start - 1]`. TA-Lib: EMA.

    `out[i] = out[i-1] + 2/(period + 1)*(values[i] - out[i-1])`, seeded at period - 1 with the mean of the first `period`.
    """
    begin = fill_missing(out, start, period - 1)
    if begin >= out.size:
        return
    if begin == period - 1:
        total = 0.0
        for i in range(period):
            total += values[i]
        out[begin] = total / period
        begin += 1
    share = 2.0 / (period + 1.0)
    average = out[begin - 1]
    for i in range(begin, out.size):
        average += share * (values[i] - average)
        out[i] = average


@kernel
def exponential_moving_average(values, period):
    """Exponential moving average, in the unit of `values`; first value at period - 1. TA-Lib: EMA."""
    out = np.empty(values.size)
    exponential_moving_average_into(values, period, out, np.int64(0))
    return out


@kernel
def _distances(close, atr, share, target):
    """Turn sums in `target` into the close's distance from `share` of them, in ATR."""
    for k in range(target.size):
        target[k] = (close[k] - share * target[k]) / atr[k] if atr[k] > 0.0 else np.nan


@kernel
def z_score_into(close, period, atr, out, start):
    """Fill `out[start:]` with `(close - SMA_period)/atr`, the distance from the mean in ATR. NaN where `atr` is 0 or NaN."""
    z_score_with(scratch_rows(block_length(period, out.size - start), period), close, period, atr, out, start)


@kernel
def z_score_with(rows, close, period, atr, out, start):
    """The same, given `rows` to work in (see `scratch_rows`)."""
    size = out.size
    first = fill_missing(out, start, period - 1)
    block = rows.shape[1] - period
    for begin in range(first, size, block):
        end = min(begin + block, size)
        copy_into(close[begin - period + 1 : end], rows[0])
        window_sums(rows, period, out[begin:end])
        _distances(close[begin:end], atr[begin:end], 1.0 / period, out[begin:end])


@kernel
def z_score(close, period, atr):
    """`(close - SMA_period)/atr`, in ATR; NaN where `atr` (same shape, same unit as `close`) is 0 or NaN."""
    out = np.empty(close.size)
    z_score_into(close, period, atr, out, np.int64(0))
    return out
