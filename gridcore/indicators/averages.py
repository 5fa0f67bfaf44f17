"""Simple and exponential moving averages, and the distance from the simple one in ATR."""

import numpy as np

from gridcore.compile import kernel, machine_kernel
from gridcore.indicators.ranges import invert_range_into
from gridcore.rolling import block_length, fill_missing, rolling_sum_into, window_sums, working_rows


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


@machine_kernel
def _distances(close, inverse, share, target):
    """Turn sums in `target` into the close's distance from `share` of them, in ATR."""
    for k in range(target.size):
        target[k] = (close[k] - share * target[k]) * inverse[k]


@kernel
def z_score_into(close, period, atr, out, start):
    """Fill `out[start:]` with `(close - SMA_period)/atr`, the distance from the mean in ATR. NaN where `atr` is 0 (below 1e-300) or NaN."""
    inverse = np.empty(out.size - start)
    invert_range_into(atr[start : out.size], inverse)
    z_score_with(working_rows(block_length(period, out.size - start), period), close, period, inverse, out, start)


@machine_kernel
def z_score_with(work, close, period, inverse, out, start):
    """The same from 1/ATR (`inverse[0]` is that of `start`; see `invert_range_into`), given rows to work in (see `working_rows`)."""
    size = out.size
    first = fill_missing(out, start, period - 1)
    block = work.shape[2] - period
    for begin in range(first, size, block):
        end = min(begin + block, size)
        window_sums(close[begin - period + 1 : end], work[0], period, out[begin:end])
        _distances(close[begin:end], inverse[begin - start :], 1.0 / period, out[begin:end])


@kernel
def z_score(close, period, atr):
    """`(close - SMA_period)/atr`, in ATR; NaN where `atr` (same shape, same unit as `close`) is 0 or NaN."""
    out = np.empty(close.size)
    z_score_into(close, period, atr, out, np.int64(0))
    return out
