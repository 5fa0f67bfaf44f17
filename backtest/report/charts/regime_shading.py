"""The regimes that the adaptive grid saw, as shading behind a price."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes

from backtest.metrics.regimes import NAMES, regimes
from backtest.report.charts.drawing import date_numbers
from engine.errors import InputError

if TYPE_CHECKING:
    from backtest.result import Result

# Up to so many bars each is shaded by its regime. Of more, about MAX_STRETCHES stretches are: nearly all of them are noise for the
# most part, so a stretch has its most common trend where that makes up LEAST_SHARE of its bars.
MOST_BARS = 2000
MAX_STRETCHES = 160
LEAST_SHARE = 0.1
# Fill and hatch of each regime: lightness and the slope of the hatch tell them apart without colour; noise stays white.
SHADES = {
    "breakout up": ("#b7d7be", "//////"),
    "uptrend": ("#e3f1e5", "///"),
    "downtrend": ("#f3e0df", "\\\\\\"),
    "breakout down": ("#dcb3b1", "\\\\\\\\\\\\"),
}
CODES = {name: code for code, name in NAMES.items()}


def _codes(result: Result) -> np.ndarray | None:
    """Regime code of each bar [bars], 9 where none is known yet; None when the run has no regimes."""
    try:
        names = regimes(result)[result.symbols[0]]
    except InputError:
        return None
    return np.array([CODES.get(name, 9) for name in names.tolist()], dtype=np.int64)


def _of_stretch(codes: np.ndarray) -> int:
    """The most common regime but noise (0) of some bars; noise where it is rare."""
    values, counts = np.unique(codes[codes != 0], return_counts=True)
    if values.size == 0 or counts.max() < LEAST_SHARE * codes.size:
        return 0
    return int(values[np.argmax(counts)])


def stretches(codes: np.ndarray) -> list[tuple[int, int, int]]:
    """Stretches of bars [start, end) and the regime code of each; neighbours of one regime are joined."""
    count = codes.size if codes.size <= MOST_BARS else MAX_STRETCHES
    found: list[tuple[int, int, int]] = []
    for start, end in pairwise(np.linspace(0, codes.size, count + 1).astype(np.int64).tolist()):
        code = _of_stretch(codes[start:end])
        if found and found[-1][2] == code:
            found[-1] = (found[-1][0], end, code)
        else:
            found.append((start, end, code))
    return found


def shade(axes: Axes, result: Result, rows: np.ndarray) -> str:
    """Shade the bars `rows` (ascending, without gaps) by regime and return what the shading means; an empty text without regimes."""
    codes = _codes(result)
    if codes is None or rows.size == 0:
        return ""
    edges = date_numbers(np.append(result.time[rows], result.time[rows[-1]] + result.timeframe.ms))
    found = stretches(codes[rows])
    for name, (colour, hatch) in SHADES.items():
        spans = [(edges[start], edges[end] - edges[start]) for start, end, code in found if code == CODES[name]]
        if spans:
            style: dict[str, Any] = {"facecolor": colour, "edgecolor": "0.6", "hatch": hatch, "linewidth": 0.0, "zorder": 0, "label": name}
            axes.broken_barh(spans, (0.0, 1.0), transform=axes.get_xaxis_transform(), **style)
    if rows.size <= MOST_BARS:
        return "the strategy's regimes"
    return f"the commonest trend where at least {LEAST_SHARE:.0%} of about {round(rows.size / MAX_STRETCHES):,} bars have it"
