"""What was held: long, short and net, and the leverage that comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from backtest.metrics.holdings import coins_of
from backtest.report.charts import drawing

if TYPE_CHECKING:
    from backtest.result import Result

# Up to so many bars each is drawn. Of more, MAX_STRETCHES stretches are, since a grid fills and empties all the time: of each its
# extremes and its mean.
MOST_BARS = 1000
MAX_STRETCHES = 400


class Stretched(NamedTuple):
    """Lowest, highest and mean value of each stretch of bars [stretches], and the edges between them as dates [stretches + 1]."""

    edges: np.ndarray
    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray


def stretched(time: np.ndarray, values: np.ndarray, bar_ms: int) -> Stretched:
    """The bars one by one or in MAX_STRETCHES stretches. time: int64 ms [bars], one at least; values: [bars], NaN counts as nothing."""
    starts = np.linspace(0, time.size, (time.size if time.size <= MOST_BARS else MAX_STRETCHES) + 1).astype(np.int64)[:-1]
    edges = drawing.dates(np.append(time[starts], time[-1] + bar_ms))
    known = np.isfinite(values)
    low = np.minimum.reduceat(np.where(known, values, np.inf), starts)
    high = np.maximum.reduceat(np.where(known, values, -np.inf), starts)
    count = np.add.reduceat(known, starts, dtype=np.int64)
    total = np.add.reduceat(np.where(known, values, 0.0), starts)
    mean = np.divide(total, count, out=np.full(starts.size, np.nan), where=count > 0)
    return Stretched(edges, np.where(count > 0, low, np.nan), np.where(count > 0, high, np.nan), mean)


def notionals(result: Result) -> np.ndarray:
    """Notional of longs and of shorts of all coins at each close, float64 [2, bars], quote currency, both positive."""
    total = np.zeros((2, result.time.size))
    for coin in coins_of(result):
        own = np.concatenate((np.zeros((2, 1)), coin.notional()), axis=1)
        total += own[:, np.searchsorted(coin.ledger.time, result.time, side="right")]
    return total


def _stairs(axes: Axes, found: Stretched, far: np.ndarray, near: np.ndarray | float, colour: str, hatch: str, label: str) -> None:
    """The area between two values of each stretch."""
    base = np.broadcast_to(near, far.shape)
    style: dict[str, Any] = {"facecolor": colour, "edgecolor": "white" if hatch else colour, "hatch": hatch, "linewidth": 0.0}
    axes.fill_between(found.edges, np.append(far, far[-1]), np.append(base, base[-1]), step="post", label=label or None, **style)


def _mean(axes: Axes, found: Stretched, label: str) -> None:
    axes.step(found.edges, np.append(found.mean, found.mean[-1]), where="post", color="black", linewidth=0.9, label=label or None)


def inventory(result: Result) -> Figure:
    """Notional held long (above zero) and short (below), net, and gross notional over equity, at closes. Needs the event log."""
    figure, panels = drawing.canvas([1.6, 1.0, 1.0], 7.5, drawing.heading(result, "inventory and leverage"))
    longs, shorts = notionals(result)
    several = result.time.size > MOST_BARS
    stretch = f", in {MAX_STRETCHES} stretches of about {round(result.time.size / MAX_STRETCHES):,} bars" if several else ""
    _sides(panels[0], result, longs, shorts, stretch)
    _net(panels[1], result, longs - shorts, several)
    _leverage(panels[2], result, longs + shorts, several)
    drawing.date_axis(panels[2], *drawing.whole_run(result))
    return drawing.finish(figure, panels)


def _sides(axes: Axes, result: Result, longs: np.ndarray, shorts: np.ndarray, stretch: str) -> None:
    bar = result.timeframe.ms
    held = stretched(result.time, longs, bar), stretched(result.time, -shorts, bar)
    _stairs(axes, held[0], held[0].high, 0.0, "#7fb58c", "", "long, most" if stretch else "long")
    _stairs(axes, held[1], held[1].low, 0.0, "#d98b92", "////", "short, most" if stretch else "short")
    if stretch:
        _mean(axes, held[0], "mean")
        _mean(axes, held[1], "")
    axes.axhline(0.0, color="0.3", linewidth=0.8)
    axes.set_ylabel("notional (quote)")
    drawing.plain_numbers(axes.yaxis)
    nothing = "" if longs.any() or shorts.any() else ": nothing was ever held"
    drawing.subtitle(axes, f"longs and shorts held at closes{stretch}{nothing}")
    drawing.legend_above(axes)
    if nothing:
        axes.set_ylim(-1.0, 1.0)


def _net(axes: Axes, result: Result, net: np.ndarray, several: bool) -> None:
    found = stretched(result.time, net, result.timeframe.ms)
    if several:
        _stairs(axes, found, found.high, found.low, "0.75", "", "from lowest to highest")
    _mean(axes, found, "mean" if several else "")
    axes.axhline(0.0, color="0.3", linewidth=0.8)
    axes.set_ylabel("net (quote)")
    drawing.plain_numbers(axes.yaxis, 4)
    drawing.subtitle(axes, "longs less shorts")
    drawing.legend_above(axes)
    if not net.any():
        axes.set_ylim(-1.0, 1.0)


def _leverage(axes: Axes, result: Result, gross: np.ndarray, several: bool) -> None:
    equity = result.equity_values
    leverage = np.divide(gross, equity, out=np.full(gross.size, np.nan), where=equity > 0.0)
    found = stretched(result.time, leverage, result.timeframe.ms)
    _stairs(axes, found, found.high, 0.0, "#9db4d8", "", "most" if several else "")
    if several:
        _mean(axes, found, "mean")
    highest = float(np.nanmax(leverage)) if np.isfinite(leverage).any() else 0.0
    drawing.subtitle(axes, f"leverage: gross notional over equity (highest at a close {highest:,.2f}x)")
    axes.set_ylabel("leverage (x)")
    axes.set_ylim(0.0, highest * 1.1 if highest > 0.0 else 1.0)
    drawing.plain_numbers(axes.yaxis, 4)
    drawing.legend_above(axes)
