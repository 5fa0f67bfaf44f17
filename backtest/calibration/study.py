"""`calibrate_fills`: real fills against the engine's rules, and the settings that they suggest."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from backtest.calibration.orders import NEVER, read_orders
from backtest.calibration.touches import touches
from backtest.data.market import Market
from backtest.lots import utc
from engine.errors import InputError
from engine.execution import Execution

if TYPE_CHECKING:
    from rich.table import Table

# Upper ends of the ranges of depth, basis points, above those that go less than a tick beyond.
_DEPTHS = (1.0, 2.0, 3.0, 5.0, 10.0, 20.0, np.inf)
NOT_REACHED, MERE_TOUCH = "not reached", "less than a tick"
LEAST_ORDERS = 50


@dataclass(frozen=True)
class Suggestion:
    """A setting of `Execution` as the fills have it.

    value: None where `orders`, the number of orders it rests on, are too few; `why` is the sentence that tells it.
    """

    setting: str
    value: float | None
    orders: int
    why: str


@dataclass(frozen=True, eq=False)
class FillCalibration:
    """What real fills say of the engine's assumptions.

    symbol, simulated: of the market. execution: the rule compared with.
    by_depth: a row for each range of how far the path went beyond a limit price: depth, orders, filled, fill_ratio (fraction of the
    orders that filled), through_one_tick and engine (fraction that a fill one tick through, and that `execution`, fills).
    slippage: a row for each kind of order that filled: kind, orders, median_bps, low_bps (5 %), high_bps (95 %), mean_bps, engine_bps,
    left_out (fills without order_price). Positive: worse than the order's price.
    orders: a row an order: order_id, kind, side, position_side, limit, placed_at, filled_at, engine_at, filled (fraction),
    depth_bps, slippage_bps, outcome (BOTH, ONLY_MINE, ONLY_ENGINE, NEITHER, or empty) and left_out, why it has none.
    suggestions: settings, with the number of orders each rests on.
    """

    symbol: str
    simulated: bool
    execution: Execution
    by_depth: pd.DataFrame
    slippage: pd.DataFrame
    orders: pd.DataFrame
    suggestions: tuple[Suggestion, ...]

    def suggested(self, execution: Execution | None = None) -> Execution:
        """`execution` (default: the one compared with) with the settings that enough orders speak for.

        `touch_probability` is left as it is: a threshold and a chance at a touch are two ways to tell one shortfall.
        """
        known = {one.setting: one.value for one in self.suggestions if one.value is not None and one.setting != "touch_probability"}
        base = execution or self.execution
        if "through_bps" in known:
            known["through"] = 0.0
        return base.replace(**known)

    def sentences(self) -> list[str]:
        """What the tables say in words."""
        from backtest.calibration.rendering import sentences

        return sentences(self)

    def tables(self) -> list[Table]:
        """The tables for a terminal."""
        from backtest.calibration.rendering import calibration_tables

        return calibration_tables(self)

    def __repr__(self) -> str:
        from backtest.calibration.rendering import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from backtest.calibration.rendering import as_html

        return as_html(self)


def _depth_names(table: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """The range of depth of each order, and all ranges in order."""
    labels = [NOT_REACHED, MERE_TOUCH, f"to {_DEPTHS[0]:g} bp"]
    labels += [f"{low:g} to {high:g} bp" for low, high in pairwise(_DEPTHS[:-1])] + [f"over {_DEPTHS[-2]:g} bp"]
    places = 2 + np.searchsorted(_DEPTHS, table["depth_bps"].to_numpy(), side="left")
    places = np.where(table["depth_ticks"] < 1.0 - 1e-6, 1, places)
    return np.where(table["depth_bps"] < 0.0, 0, places), labels


def _by_depth(table: pd.DataFrame) -> pd.DataFrame:
    """Fill ratio by depth; `table` holds the orders that count."""
    places, labels = _depth_names(table)
    mine, engine = (table["filled"] > 0.0).to_numpy(), (table["engine_time"] != NEVER).to_numpy()
    ticked = (table["depth_ticks"] >= 1.0 - 1e-6).to_numpy()
    rows = []
    for place, label in enumerate(labels):
        here = places == place
        count = int(here.sum())
        shares = (float(given[here].mean()) if count else np.nan for given in (mine, ticked, engine))
        rows.append((label, count, int(mine[here].sum()), *shares))
    return pd.DataFrame(rows, columns=["depth", "orders", "filled", "fill_ratio", "through_one_tick", "engine"])


def _slippage_bps(table: pd.DataFrame) -> np.ndarray:
    """What each fill gave up against its order's price, basis points; NaN where one is not known."""
    sign = np.where(table["side"] == "BUY", 1.0, -1.0)
    known = table["reference"] & (table["filled"] > 0.0)
    return np.where(known, sign * (table["price"] / table["limit"] - 1.0) * 1e4, np.nan)


def _slippage(table: pd.DataFrame, execution: Execution) -> pd.DataFrame:
    stop = execution.slippage if execution.slippage_stop is None else execution.slippage_stop
    assumed = {"LIMIT": 0.0, "STOP": stop * 1e4, "MARKET": execution.slippage * 1e4}
    rows = []
    for kind, engine in assumed.items():
        here = table[(table["kind"] == kind) & (table["filled"] > 0.0)]
        if len(here) == 0:
            continue
        values = here["slippage_bps"].dropna().to_numpy()
        low, median, high = np.quantile(values, (0.05, 0.5, 0.95)) if values.size else (np.nan,) * 3
        mean = float(values.mean()) if values.size else np.nan
        rows.append((kind, values.size, median, low, high, mean, engine, len(here) - values.size))
    columns = ["kind", "orders", "median_bps", "low_bps", "high_bps", "mean_bps", "engine_bps", "left_out"]
    return pd.DataFrame(rows, columns=columns)


def _too_few(setting: str, orders: int, least: int, what: str) -> Suggestion:
    return Suggestion(setting, None, orders, f"No {setting} is suggested: it takes {least:,} {what}, and there are {orders:,}.")


def _through(table: pd.DataFrame, least: int) -> Suggestion:
    """The depth at which the engine fills as many of the orders that were reached as the exchange did."""
    reached = table[table["depth_bps"] >= 0.0]
    count, filled = len(reached), int((reached["filled"] > 0.0).sum())
    if count < least:
        return _too_few("through_bps", count, least, "limit orders that the bars reached")
    if filled == 0:
        return Suggestion("through_bps", None, count, f"No through_bps is suggested: none of {count:,} orders that were reached filled.")
    depths = np.sort(reached["depth_bps"].to_numpy())[::-1]
    value = 0.0 if filled == count else min(round(float(depths[filled - 1] + depths[filled]) / 2.0, 2), 1000.0)
    agree = float(np.mean((reached["depth_bps"] >= value) == (reached["filled"] > 0.0)))
    return Suggestion(
        "through_bps",
        value,
        count,
        f"through_bps = {value:g}: so the engine fills {filled:,} of {count:,} orders that were reached, as the exchange did; "
        f"order by order the two agree on {agree:.0%}.",
    )


def _touch(table: pd.DataFrame, least: int) -> Suggestion:
    """The share of the orders that the path reached and did not pass by a tick, and that filled."""
    mere = table[(table["depth_bps"] >= 0.0) & (table["depth_ticks"] < 1.0 - 1e-6)]
    count = len(mere)
    if count < least:
        return _too_few("touch_probability", count, least, "limit orders that the bars reached and did not pass by a tick")
    share = float((mere["filled"] > 0.0).mean())
    return Suggestion(
        "touch_probability", share, count, f"touch_probability = {share:.2f}: that share of {count:,} orders filled at a mere touch."
    )


def _slip(slippage: pd.DataFrame, kind: str, setting: str, least: int) -> Suggestion:
    rows = slippage[slippage["kind"] == kind]
    count = int(rows["orders"].sum())
    if count < least:
        return _too_few(setting, count, least, f"filled {kind.lower()} orders with an order_price")
    mean = float(rows["mean_bps"].iloc[0])
    value = min(max(round(mean / 1e4, 7), 0.0), 0.49)
    return Suggestion(setting, value, count, f"{setting} = {value:g}: the mean of {count:,} {kind.lower()} orders, {mean:.2f} bp.")


def _outcomes(table: pd.DataFrame) -> np.ndarray:
    mine, engine = table["filled"] > 0.0, table["engine_time"] != NEVER
    words = np.select([mine & engine, mine, engine], ["BOTH", "ONLY_MINE", "ONLY_ENGINE"], "NEITHER")
    return np.where(table["left_out"] == "", words, "")


def _moments(values: pd.Series) -> pd.Series:
    times = pd.Series(utc(np.maximum(values.to_numpy(), 0)), index=values.index)
    return times.where(values != NEVER)


def calibrate_fills(
    my_fills: pd.DataFrame, market: Market, execution: Execution | None = None, *, least_orders: int = LEAST_ORDERS
) -> FillCalibration:
    """Compare the fills of a real account with what the engine would have filled on a market's bars.

    my_fills: a row for each fill and for each order that did not fill. It must have time (of the fill, UTC), side (BUY or SELL),
    kind (LIMIT, STOP, MARKET), price (of the fill; of an unfilled order its limit), qty (0: unfilled). It may have order_id (rows
    of one order are added up), order_price (limit or stop price, of a market order the price seen when it was sent; without it a
    limit fill counts at its own price and no slippage is known), order_qty, placed_at, canceled_at, position_side, symbol.
    Unfilled limit orders need placed_at and canceled_at; without them a fill ratio would be that of the lucky ones.
    market: the bars of the same market at the same time; its finer bars are used where it has them.
    execution: the rule compared with (default: `bt.Execution()`); its touch_probability is left aside.
    least_orders: no setting is suggested on fewer.
    A bar counts for an order that was placed before it or in its first tenth. The bar of a fill counts whole, and so does that of a
    cancel, unless the cancel came in its first tenth: a touch after it counts against the fills.
    Raises InputError, one sentence, for a table that does not fit.
    """
    if isinstance(least_orders, bool) or not isinstance(least_orders, int) or least_orders < 1:
        raise InputError(f"least_orders = {least_orders!r} is refused: it must be a whole number of at least 1")
    if not isinstance(market, Market):
        raise InputError(f"market is a {type(market).__name__}: it must be a bt.Market with the bars that the orders rested through")
    execution = execution or Execution()
    orders = read_orders(my_fills, market.symbol)
    table = orders.join(touches(orders, market, execution))
    table["slippage_bps"], table["outcome"] = _slippage_bps(table), _outcomes(table)
    counted = table[table["left_out"] == ""]
    slippage = _slippage(table, execution)
    shown = pd.DataFrame(
        {
            **{name: table[name] for name in ("order_id", "kind", "side", "position_side", "limit")},
            "placed_at": _moments(table["placed"]),
            "filled_at": _moments(table["time"]),
            "engine_at": _moments(table["engine_time"]),
            **{name: table[name] for name in ("filled", "depth_bps", "slippage_bps", "outcome", "left_out")},
        }
    )
    suggestions = (
        _through(counted, least_orders),
        _touch(counted, least_orders),
        _slip(slippage, "STOP", "slippage_stop", least_orders),
        _slip(slippage, "MARKET", "slippage", least_orders),
    )
    return FillCalibration(market.symbol, market.simulated, execution, _by_depth(counted), slippage, shown, suggestions)
