"""The indicator columns the adaptive grid decides on, and the settings they depend on."""

from __future__ import annotations

from typing import Any

from engine.bar import CLOSE, HIGH, LOW
from engine.strategies import adaptive_grid as grid
from gridcore.compile import kernel
from gridcore.indicators.averages import z_score_with
from gridcore.indicators.efficiency import efficiency_ratio_with, kama_from_efficiency_with
from gridcore.indicators.ranges import average_true_range_with, invert_range_into
from gridcore.indicators.returns import volatility_with
from gridcore.regime import kama_slope_with
from gridcore.rolling import block_length, copy_into, working_rows

# The parameters that the columns depend on, and no others.
INDICATOR_SETTINGS = ("kama_period", "kama_fast", "kama_slow", "atr_period", "z_period", "vol_period")


def indicator_settings(parameters: Any) -> tuple[int, ...]:
    """The values of exactly the parameters that the columns depend on: where they are equal, the columns are, to the bit.

    parameters: an `AdaptiveGrid`, or a row of its record.
    """
    if hasattr(parameters, INDICATOR_SETTINGS[0]):
        return tuple(getattr(parameters, name) for name in INDICATOR_SETTINGS)
    return tuple(int(parameters[name]) for name in INDICATOR_SETTINGS)


@kernel
def fill_indicators(parameters, bars, out, start):
    """Fill `out[:, start:]`, shape (columns, bars), from `bars` (5, bars); earlier columns are read where an indicator recurs.

    The same bits come out in whatever pieces it is called, so that a run and a stepper agree. All columns of a block of
    bars are made while the block is in the cache.
    """
    p = parameters[0]
    size = out.shape[1]
    longest = max(p["kama_period"], p["z_period"], p["vol_period"])
    block = block_length(longest, size - start)
    work = working_rows(block, longest + 3)
    inverse = work[3, 1]
    for begin in range(start, size, max(block, 1)):
        end = min(begin + block, size)
        close = bars[CLOSE, :end]
        atr = out[grid.ATR, :end]
        ratio = out[grid.ER, :end]
        kama = out[grid.KAMA, :end]
        copy_into(close[begin:], out[grid.CLOSE, begin:end])
        average_true_range_with(work, bars[HIGH, :end], bars[LOW, :end], close, p["atr_period"], atr, begin)
        efficiency_ratio_with(work, close, p["kama_period"], ratio, begin)
        kama_from_efficiency_with(work, close, ratio, p["kama_period"], p["kama_fast"], p["kama_slow"], kama, begin)
        invert_range_into(atr[begin:], inverse[: end - begin])
        z_score_with(work, close, p["z_period"], inverse, out[grid.Z, :end], begin)
        kama_slope_with(kama, inverse, out[grid.SLOPE, :end], begin)
        volatility_with(work, close, p["vol_period"], out[grid.SIGMA, :end], begin)
