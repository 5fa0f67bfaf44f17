"""Where the profit came from, part by part, as steps from zero to the total."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from backtest.report.charts import drawing

if TYPE_CHECKING:
    from backtest.result import Result

TOTAL = "total"


class Step(NamedTuple):
    """One bar of the waterfall: it goes from `start` to `start + change`, quote currency."""

    name: str
    start: float
    change: float


def steps(result: Result) -> list[Step]:
    """The parts of the profit that are not zero, each from where the one before ended, and the total from zero."""
    parts = result.attribution[TOTAL]
    found: list[Step] = []
    reached = 0.0
    for name, change in parts.drop(TOTAL).items():
        if change != 0.0:
            found.append(Step(str(name).replace("_", " "), reached, float(change)))
            reached += float(change)
    return [*found, Step(TOTAL, 0.0, float(parts[TOTAL]))]


def waterfall(result: Result) -> Figure:
    """The parts of the profit: gains plain, losses hatched, the total dark."""
    figure, panels = drawing.canvas([1.0], 5.0, drawing.heading(result, "where the profit came from"))
    axes, found = panels[0], steps(result)
    for place, step in enumerate(found):
        total = step.name == TOTAL
        colour = "0.35" if total else drawing.GAIN if step.change > 0.0 else drawing.LOSS
        hatch = "" if total or step.change > 0.0 else "////"
        axes.bar(place, step.change, 0.62, bottom=step.start, facecolor=colour, edgecolor="white", hatch=hatch, zorder=2)
        # The end as a line: it shows a part too small for a bar, and leads to the next one.
        end, far = step.start + step.change, 0.31 if total else 0.69
        axes.plot([place - 0.31, place + far], [end, end], color="0.25", linewidth=1.0, zorder=3)
    _label(axes, found)
    axes.axhline(0.0, color="0.2", linewidth=0.9)
    axes.set_xticks(range(len(found)), ["\n".join(textwrap.wrap(step.name, 12)) for step in found])
    axes.set_xlim(-0.6, max(len(found), 4) - 0.4)
    axes.set_ylabel("profit or loss (quote)")
    drawing.plain_numbers(axes.yaxis)
    drawing.subtitle(axes, "parts of the change of equity; they sum to the total; gains plain, losses hatched")
    drawing.finish(figure, panels)
    axes.grid(visible=False, axis="x")
    return figure


def _label(axes: Axes, found: list[Step]) -> None:
    """The figure of each step beyond its end, with room made for it."""
    ends = np.array([(step.start, step.start + step.change) for step in found])
    span = float(ends.max() - ends.min()) or 10.0
    axes.set_ylim(min(float(ends.min()), 0.0) - 0.1 * span, max(float(ends.max()), 0.0) + 0.1 * span)
    for place, step in enumerate(found):
        above = step.change >= 0.0
        where = step.start + step.change
        shift = (0, 3 if above else -3)
        words = f"{'+' if above else ''}{drawing.compact(step.change)}"
        va = "bottom" if above else "top"
        axes.annotate(words, (place, where), shift, textcoords="offset points", ha="center", va=va, fontsize=9)
