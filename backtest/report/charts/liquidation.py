"""How far the market stood from liquidating the wallet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from backtest.data.timeframe import utc_text
from backtest.report.charts import drawing

if TYPE_CHECKING:
    from backtest.result import Result

# Percent: beyond this a distance is drawn at the edge, since a price cannot fall further.
FURTHEST = 100.0


def liquidation(result: Result, distance: pd.DataFrame) -> Figure:
    """The move of all prices against the positions that would liquidate, by bar.

    distance: a row for each bar of `result.time`; columns `at_close` and `nearest` (at the bar's extremes), fractions. NaN or
    infinity: nothing held, no such price.
    """
    figure, panels = drawing.canvas([1.0], 4.5, drawing.heading(result, "distance to liquidation"))
    axes = panels[0]
    close, nearest = (100.0 * distance[name].to_numpy(dtype=np.float64) for name in ("at_close", "nearest"))
    drawing.line(axes, result.time, _shown(nearest), color=drawing.LOSS, linewidth=0.8, linestyle="-", label="nearest inside the bar")
    drawing.line(axes, result.time, _shown(close), color="0.35", linewidth=0.9, linestyle=(0, (4, 1.5)), label="at the close")
    axes.axhline(0.0, color="black", linewidth=1.2)
    axes.set_ylabel("distance (% of price)")
    axes.set_ylim(-2.0, FURTHEST + 2.0)
    drawing.plain_numbers(axes.yaxis)
    drawing.subtitle(axes, _words(axes, result, nearest))
    drawing.legend_above(axes)
    drawing.date_axis(axes, *drawing.whole_run(result))
    return drawing.finish(figure, panels)


def _shown(values: np.ndarray) -> np.ndarray:
    """Percent as drawn: beyond FURTHEST at the edge, gaps where nothing was held."""
    return np.where(np.isfinite(values), np.clip(values, 0.0, FURTHEST), np.nan)


def _words(axes: Axes, result: Result, nearest: np.ndarray) -> str:
    """Mark the nearest point and say what the panel shows."""
    words = f"move of all prices that would liquidate, beyond {FURTHEST:g} % drawn at {FURTHEST:g} %"
    finite = np.isfinite(nearest)
    if not finite.any():
        return f"{words}: nothing was held that could be liquidated"
    lowest = int(np.argmin(np.where(finite, nearest, np.inf)))
    point = np.array([min(max(float(nearest[lowest]), 0.0), FURTHEST)])
    axes.scatter(drawing.dates(result.time[lowest : lowest + 1]), point, marker="D", s=36, facecolors="none", edgecolors="black", zorder=5)
    return f"{words}; nearest {max(float(nearest[lowest]), 0.0):,.2f} % on {utc_text(int(result.time[lowest]))} (diamond)"
