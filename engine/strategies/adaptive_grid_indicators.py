"""The indicator columns the adaptive grid decides on."""

from __future__ import annotations

from engine.bar import CLOSE, HIGH, LOW
from engine.strategies import adaptive_grid as grid
from gridcore.compile import kernel
from gridcore.indicators import (
    average_true_range_into,
    efficiency_ratio_into,
    kama_from_efficiency_into,
    volatility_into,
    z_score_into,
)
from gridcore.regime import kama_slope_into


@kernel
def fill_indicators(parameters, bars, out, start):
    """Fill `out[:, start:]`, shape (columns, bars), from `bars` (5, bars); earlier columns are read where an indicator recurs.

    The same bits come out in whatever pieces it is called, so that a run and a stepper agree.
    """
    p = parameters[0]
    close = bars[CLOSE]
    for i in range(start, out.shape[1]):
        out[grid.CLOSE, i] = close[i]
    average_true_range_into(bars[HIGH], bars[LOW], close, p["atr_period"], out[grid.ATR], start)
    efficiency_ratio_into(close, p["kama_period"], out[grid.ER], start)
    kama_from_efficiency_into(close, out[grid.ER], p["kama_period"], p["kama_fast"], p["kama_slow"], out[grid.KAMA], start)
    z_score_into(close, p["z_period"], out[grid.ATR], out[grid.Z], start)
    volatility_into(close, p["vol_period"], out[grid.SIGMA], start)
    kama_slope_into(out[grid.KAMA], out[grid.ATR], out[grid.SLOPE], start)
