"""Charts of a result: price with fills, equity against buy-and-hold, drawdown. The same result gives the same bytes."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from backtest.ledger import closes_on
from backtest.metrics.equity import drawdowns
from backtest.report import findings
from engine.records import LIQUIDATION_LABEL, OPEN_LABEL

if TYPE_CHECKING:
    from backtest.result import Result

# Points drawn of a curve: enough for the width of a screen, and each bucket keeps its lowest and highest bar.
MAX_POINTS = 4000
# A chart of equity is logarithmic when its highest value is this many times its lowest.
LOGARITHMIC_FROM = 4.0
# Fills drawn one by one; of more, an even sample is shown and the legend says so. Liquidations are all drawn.
MAX_FILLS = 250

# Told apart by shape and lightness as well as by colour.
FILL_STYLES = (
    ("long opened", "^", "#1b7837", True),
    ("long closed", "v", "#1b7837", False),
    ("short opened", "v", "#b2182b", True),
    ("short closed", "^", "#b2182b", False),
)


def decimated(values: np.ndarray, points: int = MAX_POINTS) -> np.ndarray:
    """Indices of a curve [bars] to draw, ascending: first and last, and of each of points/2 buckets the lowest and highest bar."""
    count = values.size
    if count <= points:
        return np.arange(count)
    edges = np.linspace(0, count, points // 2 + 1).astype(np.int64)
    kept = {0, count - 1}
    for start, end in pairwise(edges):
        part = values[start:end]
        if np.isnan(part).all():
            continue
        kept.update((int(start + np.nanargmin(part)), int(start + np.nanargmax(part))))
    return np.array(sorted(kept), dtype=np.int64)


def _dates(time: np.ndarray) -> np.ndarray:
    return time.astype("datetime64[ms]")


def _line(axes: Axes, time: np.ndarray, values: np.ndarray, **style: Any) -> None:
    rows = decimated(values)
    axes.plot(_dates(time[rows]), values[rows], **style)


def _short(value: float, _: object = None) -> str:
    """Axis label: thousands separated, no more digits than needed."""
    return f"{value:,.0f}" if abs(value) >= 100.0 else f"{value:,.4g}"


def _fills(axes: Axes, result: Result) -> None:
    log = result.ledgers[0].events
    log = log[log["lot"] >= 0]
    opening = (log["label"] == OPEN_LABEL) | (log["label"] == OPEN_LABEL + 1)
    liquidated = log["label"] == LIQUIDATION_LABEL
    for place, (name, marker, colour, filled) in enumerate(FILL_STYLES):
        rows = np.flatnonzero((log["side"] == place // 2) & (opening == (place % 2 == 0)) & ~liquidated)
        if rows.size == 0:
            continue
        label = f"{name} ({rows.size:,})"
        if rows.size > MAX_FILLS:
            rows = rows[np.linspace(0, rows.size - 1, MAX_FILLS).astype(np.int64)]
            label = f"{name} ({MAX_FILLS:,} of {label.split('(')[1]}"
        size = 22.0 if rows.size < 200 else 12.0
        face = colour if filled else "none"
        axes.scatter(
            _dates(log["time"][rows]),
            log["price"][rows],
            s=size,
            marker=marker,
            facecolors=face,
            edgecolors=colour,
            linewidths=0.7,
            alpha=0.8,
            label=label,
            zorder=3,
        )
    rows = np.flatnonzero(liquidated)
    if rows.size:
        times, prices = _dates(log["time"][rows]), log["price"][rows]
        axes.scatter(times, prices, s=120, marker="X", color="black", label=f"liquidation ({rows.size:,} lots)", zorder=6)


def _price(axes: Axes, result: Result) -> None:
    symbol, market = result.symbols[0], result.markets[0]
    close = closes_on(result.time, market)
    _line(axes, result.time, close, color="0.25", linewidth=0.7, zorder=5, label="close")
    if result.has_log:
        _fills(axes, result)
    axes.set_ylabel(f"{symbol} price")
    axes.yaxis.set_major_formatter(FuncFormatter(_short))
    axes.set_title("price and fills", loc="left", fontsize=10)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=6, fontsize=8, frameon=False, borderaxespad=0.2, handletextpad=0.3)


def _equity(axes: Axes, result: Result) -> None:
    total, held = result.metrics["total_return"], result.metrics["buy_and_hold_return"]
    _line(axes, result.time, result.buy_and_hold_values, color="0.55", linewidth=1.0, linestyle="--", label=f"buy and hold ({held:+.1%})")
    _line(axes, result.time, result.equity_values, color="#1f4e9c", linewidth=1.3, label=f"equity ({total:+.1%})")
    axes.axhline(result.capital, color="0.8", linewidth=0.8, zorder=0)
    title = "equity against buy and hold"
    drawn = np.concatenate((result.equity_values, result.buy_and_hold_values))
    drawn = drawn[np.isfinite(drawn)]
    if drawn.size and drawn.min() > 0.0 and drawn.max() > LOGARITHMIC_FROM * drawn.min():
        # On a linear axis the flatter of the two curves would look like no curve at all.
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(base=10.0, subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_minor_formatter(NullFormatter())
        title += ", logarithmic"
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_ylabel("equity (quote)")
    axes.yaxis.set_major_formatter(FuncFormatter(_short))
    axes.legend(loc="best", fontsize=8, frameon=False)


def _drawdown(axes: Axes, result: Result) -> None:
    depth = -100.0 * drawdowns(result.equity_values, result.capital)
    rows = decimated(depth)
    axes.fill_between(_dates(result.time[rows]), depth[rows], 0.0, color="#b2182b", alpha=0.35, linewidth=0.0)
    axes.plot(_dates(result.time[rows]), depth[rows], color="#b2182b", linewidth=0.7)
    inside, closes = result.metrics["max_drawdown"], result.metrics["max_drawdown_close"]
    deepest = f"deepest {findings.percent(closes)}" + ("" if math.isnan(inside) else f", inside bars {findings.percent(inside)}")
    axes.set_title(f"drawdown at closes ({deepest})", loc="left", fontsize=10)
    axes.set_ylabel("drawdown (%)")
    axes.set_ylim(top=0.0)
    axes.set_xlabel("UTC")


def overview(result: Result) -> Figure:
    """Price with fills (one coin only), equity against buy-and-hold, and drawdown at closes, one above the other."""
    single = len(result.symbols) == 1
    heights = [3.0, 2.0, 1.0] if single else [2.0, 1.0]
    figure = Figure(figsize=(12.0, 9.0 if single else 6.0), layout="constrained")
    FigureCanvasAgg(figure)
    panels = list(figure.subplots(len(heights), 1, sharex=True, gridspec_kw={"height_ratios": heights}))
    figure.suptitle(findings.title(result), fontweight="bold")
    if result.time.size:
        if single:
            _price(panels[0], result)
        _equity(panels[-2], result)
        _drawdown(panels[-1], result)
        locator = AutoDateLocator()  # type: ignore[no-untyped-call]
        panels[-1].xaxis.set_major_locator(locator)
        panels[-1].xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
        panels[-1].set_xlim(_dates(result.time[:1])[0], _dates(result.time[-1:])[0] + np.timedelta64(result.timeframe.ms, "ms"))
    for axes in panels:
        axes.grid(color="0.92", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    figure.align_ylabels(panels)
    return figure


def write_charts(result: Result, folder: Path) -> None:
    """One PNG a coin (chart_BTCUSDT.png), and chart_portfolio.png when there are several."""
    several = len(result.symbols) > 1
    names = {f"chart_{symbol}.png": result[symbol] for symbol in result.symbols if result.has_log or not result.is_shared}
    if several:
        names["chart_portfolio.png"] = result
    for name, one in names.items():
        # The drawing library would write its version and, on request, the date; a title is all a reader needs.
        overview(one).savefig(folder / name, dpi=110, metadata={"Software": None, "Title": findings.title(one)})
