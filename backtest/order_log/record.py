"""What happened to the orders of a bar, told from the books before and after each of its steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from backtest.order_log.replay import OpenStepper
from engine.records import BOOKS, ENTRY, LIQUIDATION_FILL, MARKET_BOOK, f8, i8
from engine.stepping import wanted_dtype

# In the order in which the rows of a bar stand.
ACTIONS = ("CANCEL", "PLACE", "REFUSE", "FILL", "EXPIRE")
CANCEL, PLACE, REFUSE, FILL, EXPIRE = range(5)
REASONS = (
    "",
    "OWN_EXIT",  # PLACE: a lot's own take-profit or stop, which goes live with the (sub-)bar after its fill
    "TOO_SMALL",  # REFUSE: below the smallest quantity or notional
    "TIER_CAP",  # REFUSE: past the notional that the tiers allow at this leverage
    "LIMIT",  # REFUSE: past the position cap or the account's initial margin
    "VALUE_AT_RISK",  # REFUSE: the strategy quoted no entries in this decision
    "NEVER_RESTED",  # REFUSE: placed and withdrawn in the same decision
    "NOTHING_TO_CLOSE",  # EXPIRE: another order closed what it was for
    "LIQUIDATED",  # EXPIRE: the exchange cancels what rests
    "DELISTED",  # EXPIRE
    "STOPPED",  # EXPIRE: the account takes no more entries
)
_CODE = {reason: code for code, reason in enumerate(REASONS)}

row_dtype = np.dtype(
    [
        ("time", i8),  # open time of the bar, ms UTC
        ("bar", i8),
        ("instrument", i8),
        ("action", i8),
        ("reason", i8),
        ("order", i8),  # id within the instrument, -1: none
        ("kind", i8),
        ("side", i8),  # 0 LONG, 1 SHORT, 2 none
        ("price", f8),  # of the order; of a fill, the price it filled at; NaN: at market, none
        ("qty", f8),  # base units or contracts; of a fill, what filled
        ("remaining", f8),  # what still rests after a fill, else NaN
        ("lot", i8),
        ("level", i8),
        ("label", i8),
        ("count", i8),  # orders a row stands for; of VALUE_AT_RISK decisions
    ],
    align=True,
)
_ORDER_FIELDS = ("instrument", "kind", "side", "price", "qty", "lot", "level", "label")
# Counters of the engine whose change tells what a decision was refused.
_COUNTERS = ("wanted_rungs", "entries_placed", "dropped_rungs", "tier_cap_hits", "next_order_id")
_EXIT_BOOKS = range(2 * (ENTRY + 1), MARKET_BOOK)


def _keys(orders: np.ndarray, field_name: str = "id") -> np.ndarray:
    """One number an order: instrument and id."""
    return (orders["instrument"] << 40) + orders[field_name]


def _without(orders: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The orders that are not among the others, in their order."""
    if len(others) == 0 or len(orders) == 0:
        return orders
    mine, theirs = _keys(orders), _keys(others)
    if np.array_equal(mine, theirs):  # most bars change nothing
        return orders[:0]
    return orders[np.isin(mine, theirs, invert=True)]


@dataclass
class Recorder:
    """Notes the rows of one wallet, bar after bar.

    step: the stepper that is driven. rows: an array of `row_dtype` a bar that has any.
    """

    step: OpenStepper
    rows: list[np.ndarray] = field(default_factory=list)

    def __post_init__(self) -> None:
        count = len(self.step.symbols)
        self.resting = self.step.resting  # after the last bar
        self._decided = self.resting
        self._before = {name: self.step.states[name].copy() for name in _COUNTERS}
        names = self.step.memory.dtype.names or ()
        self._blocks = "var_blocked_bars" in names
        self._blocked = np.zeros(count, np.int64)
        self._bar: list[np.ndarray] = []

    def decided(self) -> None:
        """Note what the decision changed: cancels, placements, refusals."""
        decided = self.step.resting
        placed = _without(decided, self.resting)
        self._note(_without(self.resting, decided), CANCEL)
        self._note(placed, PLACE)
        for k in range(len(self.step.symbols)):
            self._refusals(k, int(np.count_nonzero(placed["instrument"] == k)))
        self._decided = decided

    def matched(self, time: int, bar: int, fills: np.ndarray, delisted: Sequence[str]) -> None:
        """Note what the bar did: own exits that went live, fills, and orders that ended without one."""
        after = self.step.resting
        exits = self._own_exits()
        self._note(exits, PLACE, "OWN_EXIT")
        # Joining arrays of records is slow, so it is left out where there is nothing to join.
        there = np.concatenate([self._decided, exits]) if len(exits) else self._decided
        self._fills(fills, there, after)
        if len(there) > len(after) or len(fills):
            self._ends(_without(there, after), fills, delisted)
        if self._bar:
            rows = self._bar[0] if len(self._bar) == 1 else np.concatenate(self._bar)
            rows["time"], rows["bar"] = time, bar
            self.rows.append(rows[np.argsort(rows["action"], kind="stable")])
            self._bar.clear()
        self.resting = after

    # --- parts ---------------------------------------------------------------------------------------------------------------

    def _note(self, orders: np.ndarray, action: int, reason: str = "") -> None:
        """A row for each order."""
        if len(orders) == 0:
            return
        rows = np.empty(len(orders), row_dtype)
        for name in _ORDER_FIELDS:
            rows[name] = orders[name]
        rows["order"], rows["action"], rows["reason"] = orders["id"], action, _CODE[reason]
        rows["remaining"], rows["count"] = np.nan, 1
        self._bar.append(rows)

    def _refuse(self, instrument: int, reason: str, count: int) -> None:
        """A row for `count` orders that were not placed."""
        if count <= 0:
            return
        row = np.zeros(1, row_dtype)
        row["instrument"], row["action"], row["reason"], row["count"] = instrument, REFUSE, _CODE[reason], count
        row["side"], row["kind"] = 2, ENTRY
        for name in ("order", "lot", "level", "label"):
            row[name] = -1
        for name in ("price", "qty", "remaining"):
            row[name] = np.nan
        self._bar.append(row)

    def _refusals(self, k: int, placed: int) -> None:
        """What the engine counted for an instrument since the last decision."""
        state, step = self.step.states[k], self.step
        change = {name: int(state[name] - self._before[name][k]) for name in _COUNTERS}
        past = change["wanted_rungs"] - change["entries_placed"] - change["dropped_rungs"]
        self._refuse(k, "TOO_SMALL", change["dropped_rungs"])
        self._refuse(k, "TIER_CAP", change["tier_cap_hits"])
        self._refuse(k, "LIMIT", past - change["tier_cap_hits"])
        self._refuse(k, "NEVER_RESTED", change["next_order_id"] - placed)
        if self._blocks:
            blocked = int(step.memory["var_blocked_bars"][k])
            self._refuse(k, "VALUE_AT_RISK", blocked - int(self._blocked[k]))
            self._blocked[k] = blocked
        for name in _COUNTERS:
            self._before[name][k] = state[name]

    def _own_exits(self) -> np.ndarray:
        """Exits of the lots themselves that were placed in the bar, whether they still rest or not.

        The records of a book outlive their orders until it is written anew, which only a decision does.
        """
        found = []
        for k, state in enumerate(self.step.states):
            first, last = int(self._before["next_order_id"][k]), int(state["next_order_id"])
            if first == last:
                continue
            for book in _EXIT_BOOKS:
                records = state["orders"][book]
                new = records[(records["id"] >= first) & (records["id"] < last) & (records["attached"] == 1)]
                found.append(_as_wanted(new[np.unique(new["id"], return_index=True)[1]], k, book))
            self._before["next_order_id"][k] = last
        return np.concatenate(found) if found else np.empty(0, wanted_dtype)

    def _fills(self, fills: np.ndarray, there: np.ndarray, after: np.ndarray) -> None:
        """A row for each fill, with what is left of its order."""
        if len(fills) == 0:
            return
        left = {key: float(order["qty"]) for key, order in zip(_keys(after).tolist(), after, strict=True)}
        known = dict(zip(_keys(there).tolist(), there, strict=True))
        rows = np.zeros(len(fills), row_dtype)
        for name in ("instrument", "kind", "side", "price", "qty"):
            rows[name] = fills[name]
        rows["order"], rows["action"], rows["count"], rows["remaining"] = fills["order_id"], FILL, 1, np.nan
        for row, key in zip(rows[::-1], _keys(fills, "order_id")[::-1].tolist(), strict=True):
            if row["kind"] == LIQUIDATION_FILL:
                row["order"] = row["lot"] = row["level"] = row["label"] = -1
                continue
            row["remaining"] = left.get(key, 0.0)
            left[key] = row["remaining"] + row["qty"]
            for name in ("lot", "level", "label"):
                row[name] = known[key][name]
        self._bar.append(rows)

    def _ends(self, gone: np.ndarray, fills: np.ndarray, delisted: Sequence[str]) -> None:
        """Rows for the orders that ended in the bar without a fill, and why as far as it is known."""
        gone = gone[np.isin(_keys(gone), _keys(fills, "order_id"), invert=True)]
        liquidated = fills[fills["kind"] == LIQUIDATION_FILL]["instrument"]
        for k in np.unique(gone["instrument"]).tolist():
            mine = gone[gone["instrument"] == k]
            entries = mine["kind"] == ENTRY
            if len(liquidated) and (k in liquidated or self.step.settings.account.margin == "cross"):
                self._note(mine, EXPIRE, "LIQUIDATED")
                continue
            if self.step.symbols[k] in delisted:
                self._note(mine, EXPIRE, "DELISTED")
                continue
            self._note(mine[entries], EXPIRE, "STOPPED")
            self._note(mine[~entries], EXPIRE, "NOTHING_TO_CLOSE")


def _as_wanted(records: np.ndarray, instrument: int, book: int) -> np.ndarray:
    """Records of a book as `wanted_dtype`."""
    assert 0 <= book < BOOKS
    orders = np.empty(len(records), wanted_dtype)
    orders["instrument"], orders["kind"], orders["side"] = instrument, book // 2, book % 2
    for name in ("id", "price", "qty", "lot", "level", "label"):
        orders[name] = records[name]
    return orders
