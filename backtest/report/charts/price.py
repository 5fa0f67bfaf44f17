"""The price of one coin with its fills, its lots from entry to exit, and the strategy's regimes as shading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from backtest.ledger import closes_on
from backtest.report.charts import drawing
from backtest.report.charts.regime_shading import shade
from engine.records import LIQUIDATION_LABEL, OPEN_LABEL

if TYPE_CHECKING:
    from backtest.result import Result

# Fills and lots drawn one by one. Of more fills an even sample is shown, of more lots those held longest, since the others are
# points at this scale; the legend says so. Liquidations are all drawn.
MAX_FILLS = 250
MAX_LOTS = 150

# Name, marker, colour and whether filled: told apart by shape and lightness as well as by colour.
FILL_STYLES = (
    ("long opened", "^", drawing.GAIN, True),
    ("long closed", "v", drawing.GAIN, False),
    ("short opened", "v", drawing.LOSS, True),
    ("short closed", "^", drawing.LOSS, False),
)
LOT_STYLES = (("LONG", "long", drawing.GAIN, "solid"), ("SHORT", "short", drawing.LOSS, "dashed"))


def _within(time: np.ndarray, window: tuple[int, int]) -> np.ndarray:
    return np.asarray((time >= window[0]) & (time < window[1]))


def _sampled(rows: np.ndarray) -> np.ndarray:
    return rows[np.linspace(0, rows.size - 1, MAX_FILLS).astype(np.int64)] if rows.size > MAX_FILLS else rows


def draw_fills(axes: Axes, result: Result, window: tuple[int, int]) -> None:
    """Markers where orders of the window filled."""
    log = result.ledgers[0].events
    log = log[(log["lot"] >= 0) & _within(log["time"], window)]
    opening = (log["label"] == OPEN_LABEL) | (log["label"] == OPEN_LABEL + 1)
    liquidated = log["label"] == LIQUIDATION_LABEL
    for place, (name, marker, colour, filled) in enumerate(FILL_STYLES):
        all_rows = np.flatnonzero((log["side"] == place // 2) & (opening == (place % 2 == 0)) & ~liquidated)
        if all_rows.size == 0:
            continue
        rows = _sampled(all_rows)
        counted = f"{rows.size:,} of {all_rows.size:,}" if rows.size < all_rows.size else f"{rows.size:,}"
        axes.scatter(
            drawing.dates(log["time"][rows]),
            log["price"][rows],
            s=22.0 if rows.size < 200 else 12.0,
            marker=marker,
            facecolors=colour if filled else "none",
            edgecolors=colour,
            linewidths=0.7,
            alpha=0.8,
            label=f"{name} ({counted})",
            zorder=4,
        )
    rows = np.flatnonzero(liquidated)
    if rows.size:
        times, prices = drawing.dates(log["time"][rows]), log["price"][rows]
        axes.scatter(times, prices, s=120, marker="X", color="black", label=f"liquidation ({rows.size:,} lots)", zorder=6)


def _ends(lots: pd.DataFrame, end: int, last_price: float) -> tuple[np.ndarray, np.ndarray]:
    """Time (int64 ms) and price at which each lot ends: its exit, or the end of the run at the last price."""
    closed = lots["closed"].notna().to_numpy()
    times = np.full(len(lots), end, dtype=np.int64)
    times[closed] = lots["closed"][closed].to_numpy(dtype="datetime64[ms]").astype(np.int64)
    return times, np.where(closed, lots["exit_price"].to_numpy(), last_price)


def draw_lots(axes: Axes, result: Result, window: tuple[int, int]) -> None:
    """Lines from entry to exit of the lots that stood within the window."""
    lots = result.lots
    if lots.empty:
        return
    close = closes_on(result.time, result.markets[0])
    opened = lots["opened"].to_numpy(dtype="datetime64[ms]").astype(np.int64)
    ended, exits = _ends(lots, int(result.time[-1]), float(close[-1]))
    held = ended - opened
    there = (opened < window[1]) & (ended >= window[0])
    for side, name, colour, dashes in LOT_STYLES:
        mine = np.flatnonzero(there & (lots["position_side"] == side).to_numpy())
        if mine.size == 0:
            continue
        drawn = np.sort(mine[np.argsort(-held[mine], kind="stable")[:MAX_LOTS]])
        starts = np.column_stack((drawing.date_numbers(opened[drawn]), lots["entry_price"].to_numpy()[drawn]))
        ends = np.column_stack((drawing.date_numbers(ended[drawn]), exits[drawn]))
        counted = f"longest {drawn.size:,} of {mine.size:,}" if drawn.size < mine.size else f"{mine.size:,}"
        label = f"{name} lots ({counted})"
        pairs = np.stack((starts, ends), axis=1)
        style: dict[str, Any] = {"colors": colour, "linestyles": dashes, "linewidths": 0.8, "alpha": 0.55}
        axes.add_collection(LineCollection(list(pairs), label=label, zorder=3, **style))


def draw_price(axes: Axes, result: Result, window: tuple[int, int]) -> None:
    """The panel of a window [from, to) in int64 ms: close, fills, lots and regimes, as far as they are known."""
    rows = np.flatnonzero(_within(result.time, window))
    close = closes_on(result.time, result.markets[0])
    drawing.line(axes, result.time[rows], close[rows], color="0.25", linewidth=0.9, zorder=5, label="close")
    limits = axes.get_ylim()
    words = "price"
    if result.has_log:
        draw_lots(axes, result, window)
        draw_fills(axes, result, window)
        words = "price, fills, lots from entry to exit" if len(result.lots) else "price, no fills"
    _fit(axes, close[rows], limits)
    shaded = shade(axes, result, rows)
    axes.set_ylabel(f"{result.symbols[0]} price (quote)")
    drawing.plain_numbers(axes.yaxis)
    drawing.subtitle(axes, f"{words}{f'; shading: {shaded}' if shaded else ''}")


def _fit(axes: Axes, close: np.ndarray, limits: tuple[float, float]) -> None:
    """The limits of the price alone, with room for fills within half its range: a lot from far above must not flatten the rest."""
    finite = close[np.isfinite(close)]
    if not finite.size:
        return
    span = float(finite.max() - finite.min()) or abs(float(finite[0])) * 0.01 or 1.0
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, float(finite.min()) - 0.25 * span), min(high, float(finite.max()) + 0.25 * span))
    if limits[0] == limits[1]:
        axes.set_ylim(float(finite[0]) - span, float(finite[0]) + span)


def price(result: Result, window: tuple[int, int] | None = None) -> Figure:
    """The price of one coin; window: int64 ms [from, to), the whole run if None."""
    shown = drawing.whole_run(result) if window is None else window
    figure, panels = drawing.canvas([1.0], 6.0, drawing.heading(result, "price with fills and lots", shown))
    draw_price(panels[0], result, shown)
    panels[0].legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=5, fontsize=8, frameon=False)
    drawing.date_axis(panels[0], *shown)
    return drawing.finish(figure, panels)
