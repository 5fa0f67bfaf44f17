"""Simple and exponential moving averages, and the distance from the simple one in ATR."""

import numpy as np

from gridcore.compile import kernel
from gridcore.rolling import fill_missing, rolling_sum_into


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
def z_score_into(close, period, atr, out, start):
    """Fill `out[start:]` with `(close - SMA_period)/atr`, the distance from the mean in ATR. NaN where `atr` is 0 or NaN."""
    simple_moving_average_into(close, period, out, start)
    for i in range(start, out.size):
        out[i] = (close[i] - out[i]) / atr[i] if atr[i] > 0.0 else np.nan


@kernel
def z_score(close, period, atr):
    """`(close - SMA_period)/atr`, in ATR; NaN where `atr` (same shape, same unit as `close`) is 0 or NaN."""
    out = np.empty(close.size)
    z_score_into(close, period, atr, out, np.int64(0))
    return out
