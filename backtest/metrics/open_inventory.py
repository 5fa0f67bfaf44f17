"""Trapped inventory: the lots that a run ends with, how old they are, and how far the price has to come back for them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from backtest.lots import OPEN
from backtest.metrics.holdings import Coin, coins_of
from engine.errors import InputError
from engine.records import OPEN_LABEL, SIDES

if TYPE_CHECKING:
    from backtest.result import Result

HOUR_MS = 3_600_000
DAY_HOURS, WEEK_HOURS = 24.0, 168.0
COLUMNS = (
    *("symbol", "position_side", "lots", "qty", "notional", "unrealized_pnl", "average_entry", "mark", "entry_distance"),
    *("break_even_move", "average_age_hours", "oldest_age_hours"),
)


def _entry_fees(coin: Coin, side: int, mine: pd.DataFrame) -> float:
    """Entry fees of what is still open, quote currency. mine: the open lots of the side."""
    log = coin.log
    opens = log[log["label"] == OPEN_LABEL + side]
    by_lot = pd.Series(opens["fee"] / opens["qty"], index=opens["lot"])
    return float((by_lot.loc[mine["lot"]].to_numpy() * mine["open_qty"].to_numpy()).sum())


def _break_even(coin: Coin, side: int, mine: pd.DataFrame, fee_maker: float) -> float:
    """Price at which the open lots of a side come out even, fees of entry and exit and their funding counted, quote currency."""
    scale, sign = coin.market.instrument.contract_multiplier, 1.0 - 2.0 * side
    qty = float(mine["open_qty"].sum()) * scale
    cost = float((mine["open_qty"] * mine["entry_price"]).sum()) * scale
    funding_paid = float(coin.ledger.states[coin.place]["lot_funding"][side])
    return (cost + sign * (_entry_fees(coin, side, mine) + funding_paid)) / (qty * (1.0 - sign * fee_maker))


def _row(coin: Coin, side: int, mine: pd.DataFrame, bar_ms: int, fee_maker: float) -> dict[str, Any]:
    mark = float(coin.ledger.states[coin.place]["mark"])
    qty = float(mine["open_qty"].sum())
    entry = float((mine["open_qty"] * mine["entry_price"]).sum()) / qty
    age = (mine["bars_held"].to_numpy() + 1) * (bar_ms / HOUR_MS)
    return {
        "symbol": coin.symbol,
        "position_side": SIDES[side],
        "lots": len(mine),
        "qty": qty,
        "notional": qty * mark * coin.market.instrument.contract_multiplier,
        "unrealized_pnl": float(mine["unrealized_pnl"].sum()),
        "average_entry": entry,
        "mark": mark,
        "entry_distance": entry / mark - 1.0,
        "break_even_move": _break_even(coin, side, mine, fee_maker) / mark - 1.0,
        "average_age_hours": float(age.mean()),
        "oldest_age_hours": float(age.max()),
    }


def open_inventory(result: Result) -> pd.DataFrame:
    """A row for each coin and side that ends the run with open lots.

    qty: base units or contracts. notional, unrealized_pnl: quote currency, at `mark`, the last close. average_entry: by quantity.
    entry_distance: average entry over mark, less 1. break_even_move: fraction by which the price has to move (up: positive) for the
    lots to come out even, with their entry fees, the maker fee of the exit and the funding they have paid. Ages: hours from the
    open of the bar that opened a lot to the last close, the average over lots. Raises InputError without the event log.
    """
    if not result.has_log:
        raise InputError("open_inventory needs the event log, which this run did not record")
    lots = result.lots[result.lots["how"] == OPEN]
    rows = []
    for coin in coins_of(result):
        for side in (0, 1):
            mine = lots[(lots["symbol"] == coin.symbol) & (lots["position_side"] == SIDES[side])]
            if len(mine):
                rows.append(_row(coin, side, mine, result.timeframe.ms, result.execution.fee_maker))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    words = {"symbol": "str", "position_side": "str", "lots": "int64"}
    return table.astype({name: words.get(name, "float64") for name in COLUMNS})


def standing_share(bars_held: np.ndarray, is_open: np.ndarray, bar_ms: int, hours: float) -> float:
    """Of all lots that stand at closes, the share that has stood for `hours` or more by then; NaN when none ever stood.

    bars_held: int64 [lots], as `Result.lots` has it; is_open: bool [lots]. A lot counts from the open of the bar that opened it.
    """
    closes = bars_held + is_open
    young = math.ceil(hours * HOUR_MS / bar_ms) - 1
    total = int(closes.sum())
    return float(np.maximum(closes - young, 0).sum()) / total if total else math.nan


def inventory_metrics(result: Result) -> dict[str, float]:
    """The metrics of open lots and of the age of lots, by name. Needs the event log."""
    lots = result.lots
    is_open = (lots["how"] == OPEN).to_numpy()
    held = lots["bars_held"].to_numpy()
    age = (held[is_open] + 1) * (result.timeframe.ms / HOUR_MS)
    standing = open_inventory(result)
    return {
        "open_lots": float(is_open.sum()),
        "open_notional": float(standing["notional"].sum()),
        "open_lots_average_age_hours": float(age.mean()) if age.size else math.nan,
        "open_lots_oldest_age_hours": float(age.max()) if age.size else math.nan,
        "lots_older_than_day": standing_share(held, is_open, result.timeframe.ms, DAY_HOURS),
        "lots_older_than_week": standing_share(held, is_open, result.timeframe.ms, WEEK_HOURS),
    }
