"""The drawdowns of a run one by one: from where, how deep, how long until made good."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from backtest.lots import utc
from backtest.metrics.equity import drawdowns, under_water_stays
from engine.errors import InputError

if TYPE_CHECKING:
    from backtest.result import Result

COLUMNS = ("from", "trough", "to", "depth", "bars")


def recovery_bars(drawdown: np.ndarray) -> float:
    """Bars from the deepest close to the first one at or above the peak before it; NaN without a drawdown or a recovery.

    drawdown: float64 [bars], positive fractions of the peak at closes. Of several equally deep closes the first counts.
    """
    if drawdown.size == 0 or not np.max(drawdown) > 0.0:
        return math.nan
    trough = int(np.argmax(drawdown))
    made_good = np.flatnonzero(drawdown[trough:] <= 0.0)
    return float(made_good[0]) if made_good.size else math.nan


def worst_drawdowns(result: Result, n: int = 5) -> pd.DataFrame:
    """The `n` deepest drawdowns at closes, deepest first; fewer rows when there were fewer.

    Columns: from (first bar that closes below the peak), trough (bar of the deepest close), to (first bar that closes at the
    peak again, NaT when the run ends below it), depth (positive fraction of the peak), bars (closes below the peak).
    Times are open times of bars, UTC. Raises InputError when n is not a whole number of at least 1.
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise InputError(f"n = {n!r} is refused: it must be a whole number of at least 1")
    drawdown = drawdowns(result.equity_values, result.capital)
    starts, ends = under_water_stays(drawdown)
    depth = np.array([np.max(drawdown[start:end]) for start, end in zip(starts, ends, strict=True)])
    worst = np.argsort(-depth, kind="stable")[:n] if depth.size else np.zeros(0, dtype=np.int64)
    trough = np.array([starts[k] + int(np.argmax(drawdown[starts[k] : ends[k]])) for k in worst], dtype=np.int64)
    over = ends[worst] < drawdown.size
    recovered = result.time[np.minimum(ends[worst], max(drawdown.size - 1, 0))]
    columns = {
        "from": utc(result.time[starts[worst]]),
        "trough": utc(result.time[trough]),
        "to": pd.Series(utc(recovered)).where(over),
        "depth": depth[worst] if depth.size else np.zeros(0),
        "bars": ends[worst] - starts[worst],
    }
    return pd.DataFrame(columns, columns=list(COLUMNS))
