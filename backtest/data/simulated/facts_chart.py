"""The stylised facts drawn: a real market beside a simulated one, panel by panel on the same scales, and their table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from backtest.data.market import Market
from backtest.data.simulated import stylised_facts as facts
from backtest.data.simulated.facts_table import facts_table, market_facts
from backtest.data.timeframe import DAY, HOUR, utc_text

_UP, _DOWN, _LINE, _GREY = "#2a9d8f", "#d1495b", "#1d3557", "#999999"
_PANEL_HEIGHT, _TABLE_ROW = 2.6, 0.19  # inches
_ZOOM = 2 * DAY


def facts_chart(markets: Sequence[Market], path: str | Path, extra: Sequence[Mapping[str, float]] | None = None) -> None:
    """Draw the markets side by side and write the picture to `path` (its ending names the format).

    Each market, all with bars of one length, is a column: price, two days around the wildest bar, distribution of
    returns, autocorrelation of their size, volatility by hour; under them the table of stylised facts. `extra` adds
    facts, one mapping a market. Columns of simulated markets say SIMULATED.
    """
    headings = [_heading(market) for market in markets]
    added = [{} for _ in markets] if extra is None else [dict(more) for more in extra]
    table = facts_table({name: market_facts(market) | more for name, market, more in zip(headings, markets, added, strict=True)})
    panels = (_price, _zoom, _distribution, _memory, _hours)
    heights = [_PANEL_HEIGHT] * len(panels) + [_TABLE_ROW * (len(table) + 1)]
    figure = Figure(figsize=(6.5 * len(markets), sum(heights) + 2.5), layout="constrained")
    grid = figure.add_gridspec(len(heights), len(markets), height_ratios=heights)
    label = "SIMULATED market beside a real one" if len({market.simulated for market in markets}) > 1 else ""
    figure.suptitle(label or ("SIMULATED market" if markets[0].simulated else "Real market"), fontsize=14)
    for row, draw in enumerate(panels):
        axes = [figure.add_subplot(grid[row, column]) for column in range(len(markets))]
        for market, ax in zip(markets, axes, strict=True):
            draw(ax, market)
        if draw not in (_price, _zoom):
            _share_scale(axes)
        if row == 0:
            for heading, ax in zip(headings, axes, strict=True):
                ax.set_title(heading, fontsize=11, fontweight="bold")
    _table(figure.add_subplot(grid[-1, :]), table)
    figure.savefig(path, dpi=110)


def _heading(market: Market) -> str:
    label = f"SIMULATED {market.symbol}" if market.simulated else market.symbol
    return f"{label} {market.timeframe}, {utc_text(market.time[0])[:10]} to {utc_text(market.end_time)[:10]}"


def _dates(time: np.ndarray) -> np.ndarray:
    return time.astype("datetime64[ms]")


def _price(ax: Axes, market: Market) -> None:
    first = max(0, len(market) - 365 * DAY // market.timeframe.ms)
    ax.plot(_dates(market.time[first:]), market.close[first:], color=_LINE, linewidth=0.5)
    ax.set_yscale("log")
    ax.set_ylabel("price, last year")
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.6g}")
    ax.yaxis.set_minor_formatter(lambda value, _: f"{value:,.6g}")
    ax.tick_params(axis="y", which="both", labelsize=7)


def _zoom(ax: Axes, market: Market) -> None:
    """Candles of two days, the wildest bar of the last year a third of the way in, and the volume under them."""
    last_year = slice(max(1, len(market) - 365 * DAY // market.timeframe.ms), len(market))
    ranges = np.log(market.high[last_year] / market.low[last_year])
    count = _ZOOM // market.timeframe.ms
    first = max(0, last_year.start + int(np.argmax(ranges)) - count // 3)
    rows = slice(first, min(len(market), first + count))
    place = np.arange(rows.stop - rows.start)
    opens, closes = market.open[rows], market.close[rows]
    colours = np.where(closes >= opens, _UP, _DOWN)
    ax.vlines(place, market.low[rows], market.high[rows], colors=colours.tolist(), linewidth=0.6)
    ax.bar(place, np.abs(closes - opens), bottom=np.minimum(opens, closes), width=0.8, color=colours.tolist())
    low, high = market.low[rows].min(), market.high[rows].max()
    ax.set_ylim(low - 0.3 * (high - low), high + 0.05 * (high - low))
    below = ax.twinx()
    below.bar(place, market.volume[rows], width=0.8, color=_GREY, alpha=0.6)
    below.set_ylim(0, 5 * market.volume[rows].max())
    below.set_yticks([])
    ax.set_ylabel("the wildest bar of the year")
    marks = place[(market.time[rows] % (12 * HOUR)) == 0]
    ax.set_xticks(marks, [utc_text(time)[5:] for time in market.time[rows][marks]])
    ax.tick_params(labelsize=7)


def _distribution(ax: Axes, market: Market) -> None:
    returns = facts.log_returns(market.close)
    scaled = (returns - returns.mean()) / returns.std()
    edges = np.linspace(-16.0, 16.0, 97)
    counts, _ = np.histogram(scaled, edges)
    density = counts / (scaled.size * np.diff(edges))
    middle = 0.5 * (edges[1:] + edges[:-1])
    ax.semilogy(middle[counts > 0], density[counts > 0], ".", color=_LINE, markersize=4, label="returns of a bar")
    ax.semilogy(middle, np.exp(-0.5 * middle**2) / np.sqrt(2.0 * np.pi), color=_GREY, linewidth=1, label="Gaussian")
    ax.set_ylim(1e-6, 2.0)
    ax.set_xlabel("standard deviations", fontsize=8)
    ax.set_ylabel("density")
    ax.legend(fontsize=7, loc="upper right")


def _memory(ax: Axes, market: Market) -> None:
    size = np.abs(facts.log_returns(market.close))
    longest = min(30 * DAY // market.timeframe.ms, size.size // 4)
    lags = np.unique(np.geomspace(1, longest, 90).astype(int))
    ax.semilogx(lags * (market.timeframe.ms / HOUR), [facts.autocorrelation(size, int(lag)) for lag in lags], color=_LINE, linewidth=1)
    ax.axhline(0.0, color=_GREY, linewidth=0.8)
    ax.set_xlabel("hours apart", fontsize=8)
    ax.set_ylabel("autocorrelation of |r|")


def _hours(ax: Axes, market: Market) -> None:
    size = np.abs(facts.log_returns(market.close))
    ax.bar(np.arange(24), facts.hourly_profile(market.time[1:], size), color=_LINE, width=0.7)
    ax.axhline(1.0, color=_GREY, linewidth=0.8)
    ax.set_xlabel("hour of the day, UTC", fontsize=8)
    ax.set_ylabel("volatility, mean 1")


def _share_scale(axes: Sequence[Axes]) -> None:
    low, high = min(ax.get_ylim()[0] for ax in axes), max(ax.get_ylim()[1] for ax in axes)
    for ax in axes:
        ax.set_ylim(low, high)


def _table(ax: Axes, rows: list[tuple[str, ...]]) -> None:
    ax.axis("off")
    drawn = ax.table(
        cellText=[list(row) for row in rows[1:]], colLabels=list(rows[0]), loc="upper center", cellLoc="right", edges="horizontal"
    )
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(8)
    drawn.scale(1.0, 0.95)
    for (_, column), cell in drawn.get_celld().items():
        if column == 0:
            cell.get_text().set_horizontalalignment("left")
