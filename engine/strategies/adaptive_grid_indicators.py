"""The indicator columns the adaptive grid decides on."""

from __future__ import annotations

from engine.bar import CLOSE, HIGH, LOW
from engine.strategies import adaptive_grid as grid
from gridcore.compile import kernel
from gridcore.indicators.averages import z_score_with
from gridcore.indicators.efficiency import efficiency_ratio_with, kama_from_efficiency_with
from gridcore.indicators.ranges import average_true_range_with, invert_range_into
from gridcore.indicators.returns import volatility_with
from gridcore.regime import kama_slope_with
from gridcore.rolling import block_length, copy_into, working_rows


@kernel
def fill_indicators(parameters, bars, out, start):
    """Fill `out[:, start:]`, shape (columns, bars), from `bars` (5, bars); earlier columns are read where an indicator recurs.

    The same bits come out in whatever pieces it is called, so that a run and a stepper agree.
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
