"""Returns by calendar month as a map of shades with the numbers in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from backtest.report.charts import drawing

if TYPE_CHECKING:
    from backtest.result import Result

NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "whole year")


def _number(value: float, decimals: int) -> str:
    """Percent with a sign in few letters."""
    if abs(value) < 99.95:
        return f"{round(value, decimals) + 0.0:+.{decimals}f}"
    return f"{'+' if value > 0 else ''}{drawing.compact(round(value))}"


def months(result: Result) -> Figure:
    """A row a year, a column a month and the whole year last; dark is a loss, light a gain, hatched: no bars."""
    table = result.monthly_returns
    values = 100.0 * table.to_numpy(dtype=np.float64)
    figure, panels = drawing.canvas([1.0], 1.9 + 0.5 * len(table), drawing.heading(result, "returns by month"))
    axes = panels[0]
    # Zero in the middle. Shades by the months alone, a few extreme ones at the edge: the years would wash them out.
    known = np.abs(values[:, :12][np.isfinite(values[:, :12])])
    high = float(np.percentile(known, 95.0)) or 1.0
    decimals = 1 if high >= 1.0 else 2
    drawn = np.ma.masked_invalid(values)
    axes.imshow(drawn, aspect="auto", cmap="cividis", vmin=-high, vmax=high)
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            light = value > 0.1 * high
            weight = "bold" if column == 12 else "normal"
            axes.text(
                column,
                row,
                _number(value, decimals),
                ha="center",
                va="center",
                fontsize=9,
                color="black" if light else "white",
                fontweight=weight,
            )
        else:
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1.0, 1.0, facecolor="white", edgecolor="0.8", hatch="///", linewidth=0.0))
    axes.set_xticks(range(13), NAMES)
    axes.set_yticks(range(len(table)), [str(year) for year in table.index])
    axes.axvline(11.5, color="white", linewidth=4.0)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("UTC months; dark: loss, light: gain, hatched: no bars; the first and the last may be in part")
    drawing.subtitle(axes, "return in percent of the equity at the end of the month before")
    return figure
