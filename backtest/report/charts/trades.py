"""What the closed lots came to, as a distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from backtest.report.charts import drawing

if TYPE_CHECKING:
    from backtest.result import Result

BINS = 60
FLOOR = 0.5  # where the bars begin, below one, so that a single lot has a bar too
# Results are drawn one by one as far from the middle nine tenths as these are wide; beyond, in the outermost bins, so that a few
# of them do not flatten the rest.
TAIL = 0.05
SIDES = (("LONG", "long", drawing.GAIN, ""), ("SHORT", "short", drawing.LOSS, "////"))


def limits(net: np.ndarray) -> tuple[float, float]:
    """From where to where results are drawn one by one; those beyond go into the outermost bins. net: [lots], one at least."""
    low, high = (float(np.quantile(net, share)) for share in (TAIL, 1.0 - TAIL))
    span = high - low
    low, high = max(float(net.min()), low - span), min(float(net.max()), high + span)
    return (low, high) if high > low else (low - 1.0, high + 1.0)


def edges(low: float, high: float) -> np.ndarray:
    """Edges of about BINS bins from `low` to `high`, zero among them where it lies within: no bin holds both wins and losses."""
    width = (high - low) / BINS
    return width * np.arange(np.floor(low / width), np.ceil(high / width) + 1.0)


def trades(result: Result) -> Figure:
    """Net results of closed lots, longs and shorts one above the other on the same bins. Needs the event log."""
    figure, panels = drawing.canvas([1.0, 1.0], 6.0, drawing.heading(result, "results of closed lots"), sharey=True)
    lots = result.lots[result.lots["closed"].notna()]
    if lots.empty:
        for axes in panels:
            axes.set_axis_off()
        drawing.nothing(panels[0], "No lot was closed.")
        return figure
    net = lots["net"].to_numpy()
    low, high = limits(net)
    bins = edges(low, high)
    for axes, (side, name, colour, hatch) in zip(panels, SIDES, strict=True):
        mine = net[(lots["position_side"] == side).to_numpy()]
        _histogram(axes, mine, bins, colour, hatch)
        _describe(axes, mine, name)
    beyond = int(np.count_nonzero((net < bins[0]) | (net > bins[-1])))
    most = int(np.histogram(np.clip(net, bins[0], bins[-1]), bins)[0].max())
    _axis(panels[1], most, beyond)
    return drawing.finish(figure, panels)


def _histogram(axes: Axes, net: np.ndarray, bins: np.ndarray, colour: str, hatch: str) -> None:
    counts = np.histogram(np.clip(net, bins[0], bins[-1]), bins)[0]
    axes.stairs(counts, bins, fill=True, baseline=FLOOR, facecolor=colour, edgecolor="white", hatch=hatch, linewidth=0.0, alpha=0.7)
    axes.axvline(0.0, color="0.2", linewidth=0.9)
    if net.size:
        axes.axvline(float(np.clip(net.mean(), bins[0], bins[-1])), color="black", linewidth=1.2, linestyle="--", label="mean")
        axes.axvline(float(np.clip(np.median(net), bins[0], bins[-1])), color="black", linewidth=1.2, linestyle=":", label="median")


def _describe(axes: Axes, net: np.ndarray, name: str) -> None:
    words = f"{name}: no closed lots"
    if net.size:
        won = np.count_nonzero(net > 0.0) / net.size
        mean, median, worst, best = (drawing.compact(value) for value in (net.mean(), np.median(net), net.min(), net.max()))
        words = f"{name}: {net.size:,} lots, {won:.1%} won, mean {mean}, median {median}, from {worst} to {best}"
    drawing.subtitle(axes, words)
    axes.set_ylabel("lots (logarithmic)")
    drawing.legend_above(axes)


def _axis(axes: Axes, most: int, beyond: int) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(base=10.0, numticks=6))
    axes.yaxis.set_major_formatter(drawing.LogNumbers())
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(FLOOR, 1.7 * most)
    drawing.plain_numbers(axes.xaxis, 9)
    ends = f"; the outermost bins also hold the {beyond:,} lots beyond" if beyond else ""
    axes.set_xlabel(f"net result of a lot after fees and funding (quote){ends}")
