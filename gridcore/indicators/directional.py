"""Wilder's strength and direction indicators: RSI, +DI, -DI, ADX.

They carry more state than their own output, so they are computed over whole arrays only.

Source: J. Welles Wilder, "New Concepts in Technical Trading Systems" (1978); TA-Lib: RSI, PLUS_DI, MINUS_DI, ADX.
"""

import numpy as np

from gridcore.compile import kernel


@kernel
def relative_strength_index(close, period):
    """RSI, 0 to 100: `100*G/(G + L)` of the Wilder averages of gains and losses; 0 when nothing moved. First value at `period`.

    The averages begin at `period` as means over the first `period` changes. `period` is at least 2. TA-Lib: RSI.
    """
    size = close.size
    out = np.full(size, np.nan)
    if size <= period:
        return out
    gain = 0.0
    loss = 0.0
    for i in range(1, size):
        change = close[i] - close[i - 1]
        rise = max(change, 0.0)
        fall = max(-change, 0.0)
        if i <= period:
            gain += rise / period
            loss += fall / period
        else:
            gain = (gain * (period - 1.0) + rise) / period
            loss = (loss * (period - 1.0) + fall) / period
        if i >= period:
            moved = gain + loss
            out[i] = 100.0 * gain / moved if moved != 0.0 else 0.0
    return out


@kernel
def directional_movement(high, low, close, period):
    """The directional movement system: arrays (+DI, -DI, ADX), each 0 to 100. TA-Lib: PLUS_DI, MINUS_DI, ADX.

    A bar's movement is its rise of the high or its fall of the low, whichever is larger and positive. Movements and true
    ranges are summed by Wilder's rule `S - S/n + x` (the first n-1 plainly); `DI = 100*S_movement/S_range`, 0 without any
    range. `DX = 100*abs(+DI - -DI)/(+DI + -DI)`; ADX is its mean over the first n, then Wilder's average; a DX that is
    undefined counts as 0 in the mean and leaves the average as it is. First values at `period` and `2*period - 1`.
    `period` is at least 2.
    """
    size = close.size
    plus = np.full(size, np.nan)
    minus = np.full(size, np.nan)
    index = np.full(size, np.nan)
    plus_sum = 0.0
    minus_sum = 0.0
    range_sum = 0.0
    average = 0.0
    for i in range(1, size):
        rise = high[i] - high[i - 1]
        fall = low[i - 1] - low[i]
        plus_move = rise if rise > 0.0 and rise > fall else 0.0
        minus_move = fall if fall > 0.0 and fall > rise else 0.0
        true_range = max(high[i] - low[i], max(abs(high[i] - close[i - 1]), abs(low[i] - close[i - 1])))
        if i >= period:
            plus_sum -= plus_sum / period
            minus_sum -= minus_sum / period
            range_sum -= range_sum / period
        plus_sum += plus_move
        minus_sum += minus_move
        range_sum += true_range
        if i < period:
            continue
        plus[i] = 100.0 * (plus_sum / range_sum) if range_sum != 0.0 else 0.0
        minus[i] = 100.0 * (minus_sum / range_sum) if range_sum != 0.0 else 0.0
        both = plus[i] + minus[i]
        strength = 100.0 * (abs(plus[i] - minus[i]) / both) if both != 0.0 else np.nan
        if i < 2 * period:
            average += 0.0 if np.isnan(strength) else strength / period
        elif not np.isnan(strength):
            average = (average * (period - 1.0) + strength) / period
        if i >= 2 * period - 1:
            index[i] = average
    return plus, minus, index


@kernel
def plus_di(high, low, close, period):
    """+DI, 0 to 100; first value at `period`. See `directional_movement`."""
    return directional_movement(high, low, close, period)[0]


@kernel
def minus_di(high, low, close, period):
    """-DI, 0 to 100; first value at `period`. See `directional_movement`."""
    return directional_movement(high, low, close, period)[1]


@kernel
def average_directional_index(high, low, close, period):
    """ADX, 0 to 100; first value at `2*period - 1`. See `directional_movement`."""
    return directional_movement(high, low, close, period)[2]
