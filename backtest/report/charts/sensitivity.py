"""The rows of the sensitivity table as dots beside the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from backtest.report.charts import drawing
from backtest.sensitivity.table import Row, Sensitivity, signed_percent

if TYPE_CHECKING:
    from backtest.result import Result

# Name, marker and filling of a row by what became of it.
MARKS = {"sign kept": ("o", True), "sign changes": ("D", False), "LIQUIDATED": ("X", True)}


def _kind(row: Row) -> str:
    return "LIQUIDATED" if row.liquidated else "sign changes" if row.sign_changed else "sign kept"


def sensitivity(result: Result, found: Sensitivity) -> Figure:
    """Total return of the same run under each assumption; the run itself as a line."""
    rows = found.rows
    figure, panels = drawing.canvas([1.0], 1.8 + 0.3 * max(len(rows), 2), drawing.heading(result, "the same run under other assumptions"))
    axes = panels[0]
    run = 100.0 * found.run.total_return
    values = np.array([100.0 * row.total_return for row in rows])
    for kind, (marker, filled) in MARKS.items():
        places = [place for place, row in enumerate(rows) if _kind(row) == kind]
        if places:
            colour = drawing.ACCENT if kind == "sign kept" else drawing.LOSS
            face = colour if filled else "none"
            axes.scatter(
                values[places], places, s=42, marker=marker, facecolors=face, edgecolors=colour, linewidths=1.2, zorder=3, label=kind
            )
    axes.hlines(range(len(rows)), np.full(len(rows), run), values, color="0.6", linewidth=0.9, zorder=1)
    axes.axvline(run, color="black", linewidth=1.2, label=f"this run ({signed_percent(found.run.total_return)})")
    axes.axvline(0.0, color="0.3", linewidth=1.2, linestyle=":", label="no profit, no loss")
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel("total return (%); scenarios, not bounds")
    drawing.plain_numbers(axes.xaxis, 9)
    drawing.legend_above(axes)
    drawing.finish(figure, panels)
    _write_values(axes, found, run)
    return figure


def _write_values(axes: Axes, found: Sensitivity, run: float) -> None:
    """The return of each row beside its dot, on the side away from the run."""
    low, high = axes.get_xlim()
    axes.set_xlim(low - 0.07 * (high - low), high + 0.07 * (high - low))
    for place, row in enumerate(found.rows):
        value = 100.0 * row.total_return
        if not np.isfinite(value):
            axes.annotate("no figure", (run, place), (7, 0), textcoords="offset points", va="center", fontsize=8)
        else:
            right = value >= run
            shift = (7 if right else -7, 0)
            side = "left" if right else "right"
            style: dict[str, Any] = {"textcoords": "offset points", "ha": side, "va": "center", "fontsize": 8}
            axes.annotate(signed_percent(row.total_return), (value, place), shift, **style)
