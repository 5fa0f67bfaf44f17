"""What all charts share: thinning of long curves, axes in plain numbers and dates, headings, and the bytes of a PNG."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import Formatter, LogLocator, MaxNLocator, NullFormatter

from backtest.data.timeframe import utc_text
from backtest.report import findings

if TYPE_CHECKING:
    from backtest.result import Result

# Points drawn of a curve: enough for the width of a screen, and each bucket keeps its lowest and highest bar.
MAX_POINTS = 4000
# An axis is logarithmic when its highest value is this many times its lowest.
LOGARITHMIC_FROM = 4.0
WIDTH = 12.0  # inches
DOTS_PER_INCH = 110
# A heading longer than this names the first coins and how many more there are.
LONGEST_HEADING = 90
COINS_NAMED = 3

GAIN, LOSS, NEUTRAL, ACCENT = "#1b7837", "#b2182b", "0.55", "#1f4e9c"


def decimated(values: np.ndarray, points: int = MAX_POINTS) -> np.ndarray:
    """Indices of a curve [bars] to draw, ascending: first and last, and of each of points/2 buckets the lowest and highest bar.

    Bars without a number (NaN, infinity) count neither way; of a bucket that has none, its first bar is kept, so that a gap in
    the curve stays a gap.
    """
    count = values.size
    if count <= points:
        return np.arange(count)
    edges = np.linspace(0, count, points // 2 + 1).astype(np.int64)
    finite = np.isfinite(values)
    low, high = np.where(finite, values, np.inf), np.where(finite, values, -np.inf)
    kept = {0, count - 1}
    for start, end in pairwise(edges):
        if finite[start:end].any():
            kept.update((int(start + np.argmin(low[start:end])), int(start + np.argmax(high[start:end]))))
        else:
            kept.add(int(start))
    return np.array(sorted(kept), dtype=np.int64)


def dates(time: np.ndarray) -> np.ndarray:
    """Open times (int64 ms) as the dates of an axis."""
    return np.asarray(time).astype("datetime64[ms]")


def date_numbers(time: np.ndarray) -> np.ndarray:
    """The same as numbers, for what takes no dates."""
    return np.asarray(date2num(dates(time)), dtype=np.float64)  # type: ignore[no-untyped-call]


def line(axes: Axes, time: np.ndarray, values: np.ndarray, **style: Any) -> None:
    """A curve over time [bars], thinned without losing its extremes."""
    rows = decimated(values)
    if rows.size == 1:  # a line needs two points
        style["marker"] = "o"
    axes.plot(dates(time[rows]), values[rows], **style)


def positional(value: float, digits: int = 4) -> str:
    """A number with `digits` significant digits and never in powers of ten: 0.00001234, 1,235, 99.5."""
    if not np.isfinite(value):
        return "-"
    if abs(value) >= 10.0 ** (digits - 1):
        return f"{value:,.0f}"
    return str(np.format_float_positional(value, precision=digits, fractional=False, trim="-"))


UNITS = ((1e15, "q"), (1e12, "tn"), (1e9, "bn"), (1e6, "m"))


def unit_of(value: float) -> tuple[float, str]:
    """The unit and its word for numbers as great as `value`: from ten million on millions, then billions and so on."""
    return next(((unit, f" {word}") for unit, word in UNITS if abs(value) >= 10.0 * unit), (1.0, ""))


def compact(value: float) -> str:
    """A number for a narrow place: 1,234.5 stays, from ten million on in millions or billions."""
    unit, word = unit_of(value)
    if abs(value) >= 1e20:
        return f"{value:.2e}"
    if word:
        return f"{value / unit:,.1f}{word}"
    return f"{value:,.0f}" if abs(value) >= 1000.0 else positional(value, 3)


class PlainNumbers(Formatter):
    """Ticks with thousands separated and just as many decimals as tell one from the next; no offsets, no powers of ten."""

    def __call__(self, value: float, _: object = None) -> str:
        """The label of one tick."""
        return compact(value)

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """The labels of all ticks together."""
        unit, word = unit_of(max(map(abs, values), default=0.0))
        places = np.asarray(values, dtype=np.float64) / unit
        step = float(np.min(np.diff(places))) if places.size > 1 else float(np.max(np.abs(places), initial=1.0))
        told = [decimals for decimals in range(16) if np.all(np.abs(places - np.round(places, decimals)) <= 1e-3 * step)]
        decimals = told[0] if told else 15
        return [f"{value + 0.0:,.{decimals}f}{word}" for value in places]


class LogNumbers(Formatter):
    """Ticks of a logarithmic axis, each with its own digits."""

    def __call__(self, value: float, _: object = None) -> str:
        """The label of one tick."""
        return compact(value)


def plain_numbers(axis: Any, ticks: int = 6) -> None:
    """Few ticks in plain numbers."""
    axis.set_major_locator(MaxNLocator(nbins=ticks, min_n_ticks=3))
    axis.set_major_formatter(PlainNumbers())


def logarithmic(axes: Axes) -> None:
    """A logarithmic y axis with ticks at 1, 2 and 5."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(base=10.0, subs=(1.0, 2.0, 5.0), numticks=8))
    axes.yaxis.set_major_formatter(LogNumbers())
    axes.yaxis.set_minor_formatter(NullFormatter())


def date_axis(axes: Axes, first: int, end: int) -> None:
    """Dates in UTC from `first` to `end`, int64 ms."""
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    left, right = dates(np.array([first, end]))
    axes.set_xlim(left, right)
    axes.set_xlabel("UTC")


def whole_run(result: Result) -> tuple[int, int]:
    """Open of the first bar and end of the last one, int64 ms."""
    return int(result.time[0]), int(result.time[-1]) + result.timeframe.ms


def heading(result: Result, shown: str, window: tuple[int, int] | None = None) -> str:
    """Two lines: strategy and coins with SIMULATED and LIQUIDATED where they apply; what is shown, from when to when."""
    first = findings.title(result)
    if len(first) > LONGEST_HEADING:
        others = len(result.symbols) - COINS_NAMED
        named = ", ".join(result.symbols[:COINS_NAMED])
        first = first.replace(", ".join(result.symbols), f"{named} and {others} more" if others > 0 else named)
        first = textwrap.shorten(first, LONGEST_HEADING, placeholder=" ...")
    if not result.time.size:
        return f"{first}\n{shown}"
    start, end = whole_run(result) if window is None else window
    return f"{first}\n{shown}, {utc_text(start)} to {utc_text(end)} UTC, bars of {result.timeframe}"


def canvas(rows: Sequence[float], height: float, titled: str, **options: Any) -> tuple[Figure, list[Axes]]:
    """A figure `height` inches high with one panel a row (relative heights), all ready to be drawn on."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    FigureCanvasAgg(figure)
    shape = {"height_ratios": list(rows)}
    panels = list(np.atleast_1d(figure.subplots(len(rows), 1, sharex=len(rows) > 1, gridspec_kw=shape, **options)))
    figure.suptitle(titled, fontweight="bold", fontsize=11)
    return figure, panels


def finish(figure: Figure, panels: Sequence[Axes]) -> Figure:
    """Grid behind the data, no frame on the right and above, labels of the panels in line."""
    for axes in panels:
        axes.grid(color="0.92", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    figure.align_ylabels(panels)
    return figure


def subtitle(axes: Axes, words: str) -> None:
    """What one panel shows, at its upper left; long words are wrapped."""
    axes.set_title("\n".join(textwrap.wrap(words, 150)), loc="left", fontsize=10)


def legend_above(axes: Axes, columns: int = 7) -> None:
    """The legend above the panel at the right, where it hides no data; none without labels."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            ncols=columns,
            fontsize=8,
            frameon=False,
            borderaxespad=0.2,
            handletextpad=0.4,
            columnspacing=1.2,
        )


def nothing(axes: Axes, words: str) -> None:
    """Words in place of data."""
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", color="0.3", fontsize=11)


@contextmanager
def default_style() -> Iterator[None]:
    """The library's own look, whatever a matplotlibrc on this machine says: the same result gives the same picture."""
    with matplotlib.style.context("default", after_reset=True):
        yield


def png(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG. Only its heading is written beside the picture: no date, no version."""
    sink = io.BytesIO()
    # The library would write its version and, on request, the date; a title is all a reader needs.
    figure.savefig(sink, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None, "Title": figure.get_suptitle()})
    return sink.getvalue()
