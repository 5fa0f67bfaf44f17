"""What was held at each close, put together from the event log."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.records import OPEN_LABEL


@dataclass(frozen=True, eq=False)
class Inventory:
    """Positions of one instrument at the closes of a run.

    qty, cost: float64 [2, bars], LONG then SHORT; base units (or contracts) and sum of entry*qty.
    cash: float64 [bars], running sum of realized PnL, funding and (negative) fees, quote currency.
    """

    qty: np.ndarray
    cost: np.ndarray
    cash: np.ndarray
    multiplier: float

    def unrealized(self, close: np.ndarray) -> np.ndarray:
        """Unrealized PnL at each close [bars], quote currency; 0 where nothing is held, whatever the close."""
        total = np.zeros(self.cash.size)
        for side, sign in ((0, 1.0), (1, -1.0)):
            held = self.qty[side] > 0.0
            total[held] += sign * self.multiplier * (close[held] * self.qty[side][held] - self.cost[side][held])
        return total

    def gross_notional(self, close: np.ndarray) -> np.ndarray:
        """Notional of both sides together at each close [bars], quote currency."""
        gross = self.qty.sum(axis=0)
        return np.where(gross > 0.0, self.multiplier * gross * np.where(gross > 0.0, close, 0.0), 0.0)


def inventory(log: np.ndarray, time: np.ndarray, multiplier: float, step_size: float) -> Inventory:
    """Positions at each close of `time` (int64 ms, ascending) from one instrument's events (event_dtype, in order).

    A close gives back `qty*entry`, which is `qty*price` less its price PnL, so no lot has to be followed.
    """
    bars = time.size
    if bars == 0:
        return Inventory(np.zeros((2, 0)), np.zeros((2, 0)), np.zeros(0), multiplier)
    row = np.clip(np.searchsorted(time, log["time"]), 0, bars - 1)
    opening = (log["label"] == OPEN_LABEL) | (log["label"] == OPEN_LABEL + 1)
    closing = ~opening & (log["lot"] >= 0) & (log["qty"] > 0.0)
    sign = 1.0 - 2.0 * log["side"]
    bought = np.where(opening, log["qty"], np.where(closing, -log["qty"], 0.0))
    cost = bought * log["price"] + np.where(closing, sign * log["realized_pnl"] / multiplier, 0.0)
    qty_at = np.zeros((2, bars))
    cost_at = np.zeros((2, bars))
    for side in range(2):
        mine = log["side"] == side
        qty_at[side] = np.cumsum(np.bincount(row[mine], weights=bought[mine], minlength=bars))
        cost_at[side] = np.cumsum(np.bincount(row[mine], weights=cost[mine], minlength=bars))
    # Sums of binary fractions leave dust behind; less than half a step is nothing.
    flat = qty_at < 0.5 * step_size
    qty_at[flat] = 0.0
    cost_at[flat] = 0.0
    cash = np.cumsum(np.bincount(row, weights=log["realized_pnl"] + log["funding"] - log["fee"], minlength=bars))
    return Inventory(qty_at, cost_at, cash, multiplier)
