"""How far the path went beyond each limit order while it rested, and when the engine would have filled it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from backtest.calibration.orders import NEVER
from backtest.data.market import Market
from engine.execution import Execution
from gridcore.constants import PRICE_TOLERANCE

# Strategies requote just after a close: an order placed in this share of a bar counts as placed before it, and one that is cancelled
# in it as cancelled before it.
LATE_SHARE = 0.1
# Why an order says nothing of the fill ratio.
NOT_LIMIT, UNKNOWN_LIFE, TOO_SHORT, NO_BARS = "not a limit order", "no placed_at", "rested through no whole bar", "outside the bars"


@dataclass(frozen=True)
class Bars:
    """The finest bars of a market: open times (ms), lows and highs, those that traded alone; `length` of each in ms."""

    time: np.ndarray
    low: np.ndarray
    high: np.ndarray
    length: int

    @classmethod
    def of(cls, market: Market) -> Bars:
        """Finer bars where the market has them, else its own."""
        source = market if market.sub_bars is None else market.sub_bars
        traded = source.volume > 0.0
        return cls(source.time[traded], source.low[traded], source.high[traded], source.timeframe.ms)


def _rested(bars: Bars, placed: int, filled: int, canceled: int) -> tuple[int, int]:
    """First bar, and the one behind the last, that count for an order.

    The bar of a fill counts, and so does the bar of a cancel, although the price may have been reached after it: else a touch in such a
    bar would count where it filled and would not where it did not, and every order that lives for less than a bar would look filled.
    """
    late = int(LATE_SHARE * bars.length)
    first = int(np.searchsorted(bars.time, placed - late, side="left"))
    if filled != NEVER:
        row = int(np.searchsorted(bars.time, filled, side="right")) - 1
        inside = row >= 0 and filled < bars.time[row] + bars.length
        return first, row + 1 if inside else first
    stop = int(np.searchsorted(bars.time, canceled - late, side="right"))
    begun = first < bars.time.size and bars.time[first] < canceled
    return first, max(stop, first + 1) if begun else stop


def touches(orders: pd.DataFrame, market: Market, execution: Execution) -> pd.DataFrame:
    """What the bars say of each order, on the orders' own index.

    Columns: left_out ("" or why the order says nothing), depth_bps (how far the path went beyond the limit price to the end of the bar
    of its fill or its cancel, basis points; negative: not reached), depth_ticks, engine_time (open of the bar in which the rule of
    `execution` fills it, every touch counted, NEVER).
    """
    bars, tick = Bars.of(market), market.instrument.tick_size
    tolerance = PRICE_TOLERANCE * tick
    count = len(orders)
    left_out = np.full(count, "", dtype=object)
    depth_bps, depth_ticks, engine = np.full(count, np.nan), np.full(count, np.nan), np.full(count, NEVER, np.int64)
    end = int(bars.time[-1]) + bars.length if bars.time.size else 0
    for place, order in enumerate(orders.itertuples(index=False)):
        if order.kind != "LIMIT":
            left_out[place] = NOT_LIMIT
            continue
        if order.placed == NEVER:
            left_out[place] = UNKNOWN_LIFE
            continue
        last = order.time if order.time != NEVER else order.canceled
        if bars.time.size == 0 or order.placed < bars.time[0] or last > end:
            left_out[place] = NO_BARS
            continue
        first, stop = _rested(bars, order.placed, order.time, order.canceled)
        if stop <= first:
            left_out[place] = TOO_SHORT
            continue
        beyond = order.limit - bars.low[first:stop] if order.side == "BUY" else bars.high[first:stop] - order.limit
        deepest = float(beyond.max())
        deepest = 0.0 if abs(deepest) <= tolerance else deepest
        depth_bps[place], depth_ticks[place] = deepest / order.limit * 1e4, deepest / tick
        needed = execution.through * tick + execution.through_bps / 1e4 * order.limit
        reached = beyond >= needed - tolerance
        if reached.any():
            engine[place] = bars.time[first + int(np.argmax(reached))]
    columns = {"left_out": left_out, "depth_bps": depth_bps, "depth_ticks": depth_ticks, "engine_time": engine}
    return pd.DataFrame(columns, index=orders.index)
