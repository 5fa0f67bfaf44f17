"""The chart to look at first, price, equity and drawdown one above the other, for the whole run and for its worst drawdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from backtest.metrics import worst_drawdowns
from backtest.report.charts import drawing
from backtest.report.charts.equity import draw_drawdown, draw_equity, draw_own_equity
from backtest.report.charts.price import draw_price
from engine.errors import InputError

if TYPE_CHECKING:
    from backtest.result import Result

# Around the worst drawdown as much again is shown, as a share of its own length from peak to trough, and some bars at least.
MARGIN = 0.2
LEAST_MARGIN_BARS = 16
# A drawdown longer than this is shown where it fell most within as many bars, or single fills could not be told apart.
LONGEST_BARS = 960


def _stacked(result: Result, window: tuple[int, int] | None, shown: str) -> Figure:
    single = len(result.symbols) == 1
    figure, panels = drawing.canvas(
        [3.2, 1.8, 1.0] if single else [2.0, 1.0], 9.5 if single else 6.0, drawing.heading(result, shown, window)
    )
    if result.time.size:
        span = drawing.whole_run(result) if window is None else window
        rows = np.flatnonzero((result.time >= span[0]) & (result.time < span[1]))
        if single:
            draw_price(panels[0], result, span)
        (draw_equity if window is None else draw_own_equity)(panels[-2], result, rows)
        draw_drawdown(panels[-1], result, rows)
        drawing.date_axis(panels[-1], *span)
        if single and (handles := panels[0].get_legend_handles_labels())[0]:
            figure.legend(*handles, loc="outside lower center", ncols=5, fontsize=8, frameon=False)
    return drawing.finish(figure, panels)


def overview(result: Result) -> Figure:
    """Price with fills, lots and regimes (one coin only), equity against buy-and-hold, and drawdown at closes."""
    shown = "price, equity and drawdown" if len(result.symbols) == 1 else "equity and drawdown of all coins together"
    return _stacked(result, None, shown)


def worst_window(result: Result) -> tuple[int, int] | None:
    """The deepest drawdown, from peak to trough or where it is steepest, with a margin on both sides: int64 ms [from, to).

    None when equity never closed below its peak.
    """
    found = worst_drawdowns(result, 1)
    if found.empty:
        return None
    moments = np.array([found[name].iloc[0].value // 1_000_000 for name in ("from", "trough")])
    start, trough = np.searchsorted(result.time, moments)
    start, trough = _steepest(result.equity_values, max(int(start) - 1, 0), int(trough))
    margin = max(int(MARGIN * (trough - start)), LEAST_MARGIN_BARS)
    last = result.time.size - 1
    return int(result.time[max(start - margin, 0)]), int(result.time[min(trough + margin, last)]) + result.timeframe.ms


def _steepest(equity: np.ndarray, start: int, end: int) -> tuple[int, int]:
    """Of the bars start to end, both included, the LONGEST_BARS over which equity fell most; all of them when they are fewer."""
    if end - start < LONGEST_BARS:
        return start, end
    falls = equity[start : end + 1 - LONGEST_BARS] - equity[start + LONGEST_BARS : end + 1]
    steepest = start + int(np.argmax(falls))
    return steepest, steepest + LONGEST_BARS


def worst_drawdown(result: Result) -> Figure:
    """The overview of the deepest drawdown alone, where it is steepest. Raises InputError when equity never closed below its peak."""
    window = worst_window(result)
    if window is None:
        raise InputError("there is no drawdown to draw: equity never closed below its peak")
    return _stacked(result, window, "the steepest part of the deepest drawdown")
