"""What each pruning method cost and what it saved: the price some hours after a prune, against the price it closed at."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from backtest.metrics.holdings import Coin, coins_of
from engine.errors import InputError
from engine.records import LABELS, PRUNE_DEVIANCE, PRUNE_OFFSET

if TYPE_CHECKING:
    from backtest.result import Result

HOURS = (1, 4, 24)
HOUR_MS = 3_600_000
COLUMNS = (
    *("symbol", "kind", "closes", "qty", "notional", "realized_pnl", "fees"),
    *(f"{what}_{hours}h" for hours in HOURS for what in ("missed", "unknown")),
)
_COUNTS = ("closes", *(f"unknown_{hours}h" for hours in HOURS))


def _price_after(coin: Coin, time: np.ndarray, hours: int) -> np.ndarray:
    """Close of the last bar that is over `hours` after the opens `time` [events]; NaN where the run ends before, or a bar is longer."""
    ends = coin.ledger.time + (coin.ledger.time[1] - coin.ledger.time[0] if coin.ledger.time.size > 1 else HOUR_MS)
    row = np.searchsorted(ends, time + hours * HOUR_MS, side="right") - 1
    known = (row >= 0) & (time + hours * HOUR_MS <= ends[-1]) & (coin.ledger.time[np.maximum(row, 0)] >= time)
    return np.where(known, coin.close[np.maximum(row, 0)], math.nan)


def _row(coin: Coin, log: np.ndarray, label: int) -> dict[str, Any]:
    """The prunes of one kind of one coin. log: its events of that kind."""
    scale = coin.market.instrument.contract_multiplier
    values: dict[str, Any] = {
        "symbol": coin.symbol,
        "kind": LABELS[label],
        "closes": log.size,
        "qty": float(log["qty"].sum()),
        "notional": float((log["price"] * log["qty"]).sum() * scale),
        "realized_pnl": float(log["realized_pnl"].sum()),
        "fees": float(log["fee"].sum()),
    }
    for hours in HOURS:
        after = _price_after(coin, log["time"], hours)
        known = ~np.isnan(after)
        missed = ((1.0 - 2.0 * log["side"]) * (after - log["price"]) * log["qty"] * scale)[known]
        values[f"missed_{hours}h"] = float(missed.sum()) if known.any() else math.nan
        values[f"unknown_{hours}h"] = int(np.count_nonzero(~known))
    return values


def _rows(result: Result) -> Iterator[dict[str, Any]]:
    for coin in coins_of(result):
        log = coin.log
        for label in range(PRUNE_DEVIANCE, PRUNE_OFFSET + 1):
            mine = log[log["label"] == label]
            if mine.size:
                yield _row(coin, mine, label)


def prune_outcomes(result: Result) -> pd.DataFrame:
    """A row for each coin and kind of prune that closed something.

    closes: lots closed, parts too. qty: base units or contracts. notional, realized_pnl, fees: quote currency, at the prune.
    missed_1h, missed_4h, missed_24h: what the same quantity would have made from the price of the prune to the close that many hours
    later, quote currency, fees and funding left out: above zero the prune cost that much, below zero it saved it.
    unknown_1h and so on: closes for which that price is not known, since the run ends before or a bar is longer than that; they are in
    no sum. NaN where no price is known. Raises InputError without the event log.
    """
    if not result.has_log:
        raise InputError("prune_outcomes needs the event log, which this run did not record")
    table = pd.DataFrame(list(_rows(result)), columns=list(COLUMNS))
    words = {"symbol": "str", "kind": "str"}
    return table.astype({name: words.get(name, "int64" if name in _COUNTS else "float64") for name in COLUMNS})
