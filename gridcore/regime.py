"""Market regimes: five states from the slope of KAMA, and a trend filter from two EMAs and the ADX."""

import numpy as np

from gridcore.compile import kernel, machine_kernel
from gridcore.indicators.ranges import invert_range_into

BREAKOUT_DOWN, DOWNTREND, NOISE, UPTREND, BREAKOUT_UP = -2, -1, 0, 1, 2

# The states of the EMA cross.
DOWN, SIDEWAYS, UP = -1, 0, 1

# A trend of the EMA cross lasts until the ADX falls below this share of its threshold.
ADX_EXIT_SHARE = 0.8


@machine_kernel
def _slopes(before, after, inverse, target):
    for k in range(target.size):
        target[k] = (after[k] - before[k]) * inverse[k]


@kernel
def kama_slope_into(kama, atr, out, start):
    """Fill `out[start:]` with `(kama[i] - kama[i-1])/atr[i]`, ATR per bar; reads `kama[start - 1]`.

    Arrays (bars,), `kama` and `atr` in the unit of price. NaN where `atr` is 0 (below 1e-300), at index 0 and where an input is NaN.
    """
    size = out.size
    if start == 0 and size > 0:
        out[0] = np.nan
    first = max(start, 1)
    if first < size:
        inverse = np.empty(size - first)
        invert_range_into(atr[first:size], inverse)
        _slopes(kama[first - 1 : size - 1], kama[first:size], inverse, out[first:size])


@machine_kernel
def kama_slope_with(kama, inverse, out, start):
    """The same from 1/ATR; `inverse[0]` is that of `start` (see `gridcore.indicators.ranges.invert_range_into`)."""
    size = out.size
    if start == 0 and size > 0:
        out[0] = np.nan
    first = max(start, 1)
    if first < size:
        _slopes(kama[first - 1 : size - 1], kama[first:size], inverse[first - start :], out[first:size])


@kernel
def kama_slope(kama, atr):
    """`(kama[i] - kama[i-1])/atr[i]`, ATR per bar; see `kama_slope_into`."""
    out = np.empty(kama.size)
    kama_slope_into(kama, atr, out, np.int64(0))
    return out


@kernel
def classify_regime(slope, er, threshold, er_threshold):
    """One of the five regimes, -2 to 2 (BREAKOUT_DOWN, DOWNTREND, NOISE, UPTREND, BREAKOUT_UP).

    A slope (ATR per bar) beyond twice `threshold` is a breakout; beyond `threshold`, with an efficiency ratio above
    `er_threshold`, a trend; all comparisons strict. NaN in `slope` is NOISE.
    """
    if slope > 2.0 * threshold:
        return BREAKOUT_UP
    if slope < -2.0 * threshold:
        return BREAKOUT_DOWN
    if er > er_threshold:
        if slope > threshold:
            return UPTREND
        if slope < -threshold:
            return DOWNTREND
    return NOISE


@kernel
def ema_cross_regime(state, ema_fast, ema_slow, adx, hysteresis_bps, adx_threshold):
    """The next state (UP 1, SIDEWAYS 0, DOWN -1) of the EMA cross, given the last `state`.

    UP begins when `ema_fast > ema_slow*(1 + hysteresis_bps/1e4)` and `adx >= adx_threshold`, DOWN mirrored. A trend
    ends when the fast average crosses to the other side of the band or `adx < 0.8*adx_threshold`; it may turn straight
    into the opposite one. EMAs in the unit of price. NaN in any input is SIDEWAYS.
    """
    band = hysteresis_bps / 1e4
    top = ema_slow * (1.0 + band)
    bottom = ema_slow * (1.0 - band)
    if adx >= adx_threshold:
        if ema_fast > top:
            return UP
        if ema_fast < bottom:
            return DOWN
    if adx >= ADX_EXIT_SHARE * adx_threshold:
        if state == UP and ema_fast >= bottom:
            return UP
        if state == DOWN and ema_fast <= top:
            return DOWN
    return SIDEWAYS
