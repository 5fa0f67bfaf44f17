"""The pictures of an optimization, each a PNG; the same outcome gives the same bytes. They read in grey as well."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from backtest.optimization.evidence.overfitting import Overfitting
from backtest.optimization.optimize import Choice, Outcome
from backtest.optimization.records import DESIGN, Trial
from backtest.optimization.report.importance import extent
from backtest.optimization.space import Dimension, Space
from backtest.report.heat_map import heat_map

BLUE, GREY, RED = "#1f4e9c", "0.6", "#b2182b"
# Bins a side of the heat map of a range of numbers.
BINS = 6
# Of the scores of a picture at most this share may lie below its lower edge: one ruin would flatten all others.
HIDDEN_SHARE = 0.1


def png(figure: Figure, title: str) -> bytes:
    """The figure as a PNG file without the name or the version of the library."""
    sink = io.BytesIO()
    figure.savefig(sink, format="png", dpi=110, metadata={"Software": None, "Title": title})
    return sink.getvalue()


def _figure(width: float, height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    panels = np.atleast_1d(np.asarray(figure.subplots(rows, columns, **options))).ravel()
    for axes in panels:
        axes.grid(color="0.92", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    return figure, list(panels)


def out_of_sample(outcome: Outcome) -> Figure:
    """Growth of one unit over the test parts and the holdout, one after the other: best set, defaults, holding the coins."""
    figure, (axes,) = _figure(12.0, 4.8)
    dates = outcome.out_of_sample_days.astype("datetime64[D]")
    styles = {"buy_and_hold": ("holding the coins", GREY, "--"), "defaults": ("defaults", "black", ":"), "best": ("best set", BLUE, "-")}
    for name, (label, colour, line) in styles.items():
        returns = outcome.out_of_sample[name]
        growth = np.cumprod(1.0 + returns)
        for place, (first, stop) in enumerate(_stretches(outcome)):
            own = np.concatenate(([growth[first - 1] if first else 1.0], growth[first:stop]))
            when = np.concatenate((dates[first : first + 1], dates[first:stop] + 1))  # a day's return is known at its end
            shown = f"{label} ({growth[-1] - 1.0:+.1%})" if place == 0 else None
            axes.plot(when, own, color=colour, linestyle=line, linewidth=1.4 if name == "best" else 1.1, label=shown)
    if outcome.split.holdout is not None:
        edges: Any = np.array([outcome.split.holdout.begin, outcome.split.holdout.end]).astype("datetime64[ms]")
        axes.axvspan(edges[0], edges[1], color="#f2d9a6", alpha=0.45, linewidth=0.0, label="holdout")
    axes.axhline(1.0, color="0.8", linewidth=0.8, zorder=0)
    axes.set_ylabel("growth of 1")
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.legend(loc="best", fontsize=8, frameon=False)
    axes.set_title(
        f"{_mark(outcome)}test parts one after the other, then the holdout; no line where nothing was tested", loc="left", fontsize=10
    )
    return figure


def _stretches(outcome: Outcome) -> list[tuple[int, int]]:
    """Runs of days without a hole, as [first, stop) places; in robust mode a train part lies between two tests."""
    days = outcome.out_of_sample_days
    breaks = np.flatnonzero(np.diff(days) > 1) + 1
    return list(pairwise([0, *breaks.tolist(), days.size]))


def history(choice: Choice, mark: str = "") -> Figure:
    """Score of every trial in the order it was run, and the best feasible one so far."""
    figure, (axes,) = _figure(12.0, 4.2)
    place = np.arange(1, len(choice.trials) + 1)
    scores = np.array([trial.value for trial in choice.trials])
    feasible = np.array([trial.feasible for trial in choice.trials])
    design = np.array([trial.kind == DESIGN for trial in choice.trials])
    for rows, colour, shape, label in (
        (design & feasible, GREY, "o", "design"),
        (~design & feasible, BLUE, "o", "search"),
        (~feasible, RED, "x", "breaks a constraint"),
    ):
        if rows.any():
            axes.scatter(place[rows], scores[rows], s=12, marker=shape, color=colour, linewidths=0.7, label=f"{label} ({rows.sum():,})")
    best = np.maximum.accumulate(np.where(feasible, scores, -np.inf))
    axes.plot(place, np.where(np.isfinite(best), best, np.nan), color="black", linewidth=1.2, drawstyle="steps-post", label="best so far")
    _cut(axes, scores)
    axes.set_xlabel("trial")
    axes.set_ylabel("score")
    axes.legend(loc="lower right", fontsize=8, frameon=True, framealpha=0.9)
    axes.set_title(f"{mark}score of every trial", loc="left", fontsize=10)
    return figure


def _cut(axes: Axes, scores: np.ndarray) -> None:
    """Leave the worst scores below the edge of the picture when they would flatten the rest, and say how many."""
    low, high = float(np.quantile(scores, HIDDEN_SHARE)), float(scores.max())
    margin = 0.06 * (high - low)
    hidden = int(np.count_nonzero(scores < low - margin))
    if hidden and high > low and low - float(scores.min()) > (high - low):
        axes.set_ylim(low - margin, high + margin)
        axes.text(0.005, 0.01, f"{hidden:,} worse ones below the edge", transform=axes.transAxes, fontsize=8, color="0.35")


def importance(shares: dict[str, float], mark: str = "") -> Figure:
    """Bars of the parameters' shares, largest on top."""
    shown = dict(list(shares.items())[:16])
    figure, (axes,) = _figure(12.0, 1.0 + 0.26 * len(shown))
    axes.barh(list(shown)[::-1], list(shown.values())[::-1], color=BLUE)
    axes.set_xlabel("share")
    axes.set_title(f"{mark}importance of parameters", loc="left", fontsize=10)
    return figure


def slices(space: Space, choice: Choice, names: Sequence[str], mark: str = "") -> Figure:
    """Score against each of these parameters; the line is where the chosen set stands."""
    figure, panels = _figure(12.0, 3.2 * (-(-len(names) // 3)), -(-len(names) // 3), min(3, len(names)), squeeze=False)
    scores = np.array([trial.value for trial in choice.trials])
    design = np.array([trial.kind == DESIGN for trial in choice.trials])
    for axes, name in zip(panels, names, strict=False):
        dimension = next(one for one in space if one.name == name)
        values = extent(space, choice.trials, name)
        axes.scatter(values[design], scores[design], s=9, color=GREY, label="design")
        axes.scatter(values[~design], scores[~design], s=9, color=BLUE, label="search")
        axes.axvline(extent(space, [choice.trial], name)[0], color="black", linewidth=1.0, label="chosen")
        _scale(axes, dimension)
        _cut(axes, scores)
        axes.set_xlabel(name)
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    panels[0].set_ylabel("score")
    panels[0].legend(fontsize=7, frameon=True, framealpha=0.9, loc="lower right")
    figure.suptitle(f"{mark}score by parameter, all others as they fell", fontsize=10, x=0.01, ha="left")
    return figure


def _scale(axes: Axes, dimension: Dimension) -> None:
    if dimension.log:
        axes.set_xscale("log")
        ticks = np.geomspace(dimension.low, dimension.high, 4)
        axes.set_xticks(ticks, [f"{tick:.3g}" for tick in ticks])
        axes.set_xticks([], minor=True)
    if dimension.values is not None:
        axes.set_xticks(range(len(dimension.values)), [str(value) for value in dimension.values])


def pair_map(space: Space, trials: Sequence[Trial], x: str, y: str, simulated: bool) -> Figure:
    """Median score over the two parameters that matter most, in bins."""
    frame = pd.DataFrame({name: _binned(next(one for one in space if one.name == name), extent(space, trials, name)) for name in (x, y)})
    frame["score"] = [trial.guided for trial in trials]
    frame.attrs["simulated"] = simulated
    # Among guided values a broken constraint is far below every score; its size says nothing.
    frame["score"] = frame["score"].clip(lower=min(trial.value for trial in trials))
    drawn = heat_map(frame, x, y, "score")
    drawn.set_size_inches(12.0, 5.0)
    return drawn


def _binned(dimension: Dimension, values: np.ndarray) -> list[Any]:
    """The middle of each value's bin; switches, words and short ranges of whole numbers are their own bins."""
    if dimension.values is not None or (dimension.integer and dimension.high - dimension.low < BINS):
        return [dimension.decoded(float(value)) for value in values]
    unit = np.clip((dimension.to_unit(values) * BINS).astype(np.int64), 0, BINS - 1)
    middles = dimension.from_unit((np.arange(BINS) + 0.5) / BINS)
    return [float(f"{middles[k]:.4g}") for k in unit]


def neighbours(choice: Choice, mark: str = "") -> Figure:
    """Scores of the chosen set's neighbours, with half the best score."""
    figure, (axes,) = _figure(12.0, 3.4)
    around = choice.plateau
    scores = around.scores[np.isfinite(around.scores)]
    low = min(float(np.quantile(scores, HIDDEN_SHARE / 2.0)), 0.0)
    shown = scores[scores >= low]
    axes.hist(shown, bins=24, color=GREY, edgecolor="white")
    axes.axvline(around.best, color="black", linewidth=1.2, label=f"best score {around.best:.3f}")
    if around.best > 0.0:
        axes.axvline(0.5 * around.best, color=RED, linewidth=1.2, linestyle="--", label="half of it")
    axes.set_xlabel("score" + (f" ({scores.size - shown.size} worse ones left of the edge)" if shown.size < scores.size else ""))
    axes.set_ylabel("neighbours")
    axes.legend(fontsize=8, frameon=False)
    axes.set_title(f"{mark}{around.scores.size} neighbours within 15 % of the chosen values", loc="left", fontsize=10)
    return figure


def logits(found: Overfitting, mark: str = "") -> Figure:
    """Where the in-sample winner ranked out-of-sample in each split; left of zero is the lower half."""
    figure, (axes,) = _figure(12.0, 3.4)
    edge = float(np.abs(found.logits).max()) + 1e-9
    bins = np.linspace(-edge, edge, 41).tolist()
    axes.hist(found.logits[found.logits > 0.0], bins=bins, color=BLUE, label="upper half")
    axes.hist(
        found.logits[found.logits <= 0.0],
        bins=bins,
        color=RED,
        hatch="//",
        edgecolor="white",
        label=f"lower half ({found.probability:.0%})",
    )
    axes.axvline(0.0, color="black", linewidth=1.0)
    axes.set_xlabel("logit of the winner's out-of-sample rank")
    axes.set_ylabel("splits")
    axes.legend(fontsize=8, frameon=False)
    axes.set_title(f"{mark}cross-validation of the design", loc="left", fontsize=10)
    return figure


def _mark(outcome: Outcome) -> str:
    return "SIMULATED: " if outcome.simulated else ""
