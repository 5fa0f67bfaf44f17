"""How near a run came to liquidation: by what fraction all prices of a wallet had to move at once, at each close and within each bar."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from backtest.inventory import Inventory
from backtest.ledger import Ledger, highs_on, lows_on
from backtest.metrics.holdings import Coin, coins_of, is_part_of_shared
from backtest.metrics.liquidation_move import Holding, distance_to_liquidation
from engine.records import FUNDING_LABEL, LIQUIDATION_LABEL, LONG, OPEN_LABEL, SHORT, TAKE_PROFIT_LABEL

if TYPE_CHECKING:
    from backtest.result import Result

# Events that leave lots where they stand for as long as prices move against them.
_NOT_REDUCING = (OPEN_LABEL, OPEN_LABEL + 1, TAKE_PROFIT_LABEL, TAKE_PROFIT_LABEL + 1, FUNDING_LABEL)


class _Book(NamedTuple):
    """What backs positions: a wallet with its coins, or the margin of one isolated side. balance: quote currency [bars]."""

    balance: np.ndarray
    coins: Sequence[Coin]
    held: Sequence[Inventory]

    def moment(self, rows: np.ndarray, shift: int, low: Sequence[np.ndarray], high: Sequence[np.ndarray]) -> np.ndarray:
        """Distance on bars `rows`, from prices `low` and `high` [bars] of each coin, with what was held `shift` bars earlier."""
        holdings = tuple(
            _holding(coin, one, rows - shift, down[rows], up[rows])
            for coin, one, down, up in zip(self.coins, self.held, low, high, strict=True)
        )
        middle = tuple(0.5 * (one.down + one.up) for one in holdings)
        return distance_to_liquidation(self.balance[rows - shift], holdings, middle)

    def held_at(self) -> np.ndarray:
        """Whether anything is held at each close, bool [bars]."""
        return np.asarray(np.any([one.qty > 0.0 for one in self.held], axis=(0, 1)))


def _holding(coin: Coin, held: Inventory, rows: np.ndarray, down: np.ndarray, up: np.ndarray) -> Holding:
    tiers = coin.market.instrument.tier_table
    qty = held.multiplier * held.qty[:, rows]
    cost = held.multiplier * held.cost[:, rows]
    known = ~np.isnan(down)  # before a coin's first bar there is no price, and nothing held
    down, up = np.where(known, down, 1.0), np.where(known, up, 1.0)
    return Holding(down, up, qty[LONG], qty[SHORT], cost[LONG] - cost[SHORT], tiers["floor"], tiers["rate"], tiers["cum"])


def _isolated_margin(coin: Coin, side: int, leverage: float) -> np.ndarray:
    """Margin of one isolated side at each close [bars], quote currency: notional over leverage of entries, released with the quantity."""
    log = coin.log
    log = log[(log["side"] == side) & (log["lot"] >= 0) & (log["qty"] > 0.0)]
    half_step = 0.5 * coin.market.instrument.step_size
    values, margin, held = np.zeros(log.size), 0.0, 0.0
    scale = coin.market.instrument.contract_multiplier / leverage
    for i, (label, price, qty) in enumerate(zip(log["label"].tolist(), log["price"].tolist(), log["qty"].tolist(), strict=True)):
        if label == OPEN_LABEL + side:
            margin, held = margin + price * qty * scale, held + qty
        else:
            left = held - qty if held - qty >= half_step else 0.0
            margin, held = (margin * (left / held) if left else 0.0), left
        values[i] = margin
    before = np.searchsorted(log["time"], coin.ledger.time, side="right")
    return np.concatenate((np.zeros(1), values))[before]


def _one_side(held: Inventory, side: int) -> Inventory:
    keep = np.array([[1.0], [0.0]]) if side == LONG else np.array([[0.0], [1.0]])
    return Inventory(held.qty * keep, held.cost * keep, held.cash, held.multiplier)


def _books(ledger: Ledger, coins: Sequence[Coin], account: Any) -> list[_Book]:
    """What backs the positions of a wallet."""
    held = [coin.inventory() for coin in coins]
    if account.margin != "isolated":
        balance = ledger.capital + np.sum([one.cash for one in held], axis=0)
        return [_Book(balance, coins, held)]
    sides = [(coin, one, side) for coin, one in zip(coins, held, strict=True) for side in (LONG, SHORT)]
    return [_Book(_isolated_margin(coin, side, account.leverage), [coin], [_one_side(one, side)]) for coin, one, side in sides]


def _steady(ledger: Ledger, coins: Sequence[Coin]) -> np.ndarray:
    """Bars without a close that may have come before the worst price: what was held before them met their extremes, bool [bars]."""
    steady = np.ones(ledger.time.size, dtype=bool)
    for coin in coins:
        log = coin.log
        times = log["time"][~np.isin(log["label"], _NOT_REDUCING)]
        steady[np.clip(np.searchsorted(ledger.time, times), 0, steady.size - 1)] = False
    return steady


def _lower(values: np.ndarray, rows: np.ndarray, found: np.ndarray) -> None:
    values[rows] = np.fmin(values[rows], found)


def _at_close(book: _Book, values: np.ndarray) -> None:
    """Lower `values` [bars] to the book's distance at closes."""
    close = [coin.close for coin in book.coins]
    rows = np.flatnonzero(book.held_at())
    _lower(values, rows, book.moment(rows, 0, close, close))


def _in_bars(book: _Book, ledger: Ledger, values: np.ndarray, steady: np.ndarray) -> None:
    """Lower `values` [bars] to the book's distance at the extremes of the bars, which are no further away than the close."""
    low = [lows_on(ledger.time, coin.market) for coin in book.coins]
    high = [highs_on(ledger.time, coin.market) for coin in book.coins]
    held = book.held_at()
    rows = np.flatnonzero(held)
    _lower(values, rows, book.moment(rows, 0, low, high))
    rows = np.flatnonzero(held[:-1] & steady[1:]) + 1
    changed = np.any([np.diff(one.cash) != 0.0 for one in book.held], axis=0)
    changed |= np.any([np.diff(one.qty, axis=1) != 0.0 for one in book.held], axis=(0, 1))
    rows = rows[changed[rows - 1]]  # otherwise it is the account that the bar ends with
    _lower(values, rows, book.moment(rows, 1, low, high))


@dataclass(frozen=True, eq=False)
class LiquidationDistance:
    """Distance to liquidation of a result: by what fraction all prices of a wallet had to move at once to liquidate it.

    For one coin that is the distance of the price to the liquidation price, as a fraction of the price. In a shared wallet every coin
    moves by the same fraction against its own position, from its own extreme of the bar. With isolated margin each side stands
    alone. Of several wallets or sides the nearest counts. NaN where nothing is held, infinite where no move gets there; NaN
    everywhere without the event log, and for one coin's part of a shared wallet, whose margin is the whole wallet's.
    """

    result: Result

    @cached_property
    def _wallets(self) -> list[tuple[Ledger, list[Coin], list[_Book]]]:
        """Wallets that can be told: each with its coins and what backs their positions."""
        if not self.result.has_log or is_part_of_shared(self.result):
            return []
        groups = [(ledger, [coin for coin in coins_of(self.result) if coin.ledger is ledger]) for ledger in self.result.ledgers]
        return [(ledger, coins, _books(ledger, coins, self.result.account)) for ledger, coins in groups if ledger.time.size]

    def _together(self, parts: list[tuple[Ledger, np.ndarray]]) -> np.ndarray:
        """The nearest of the wallets at each bar of the result [bars]."""
        values = np.full(self.result.time.size, math.nan)
        for ledger, own in parts:
            _lower(values, np.searchsorted(self.result.time, ledger.time), own)
        return values

    @cached_property
    def at_close(self) -> np.ndarray:
        """At each close [bars], with what is held then; exact."""
        parts = []
        for ledger, _, books in self._wallets:
            values = np.full(ledger.time.size, math.nan)
            for book in books:
                _at_close(book, values)
            parts.append((ledger, values))
        return self._together(parts)

    @cached_property
    def nearest(self) -> np.ndarray:
        """Nearest within each bar [bars]; 0 in a bar with a liquidation.

        The order of prices inside a bar is not known. What is held after it meets its extremes; so does what was held before it,
        unless a stop, a prune or another close but a take-profit may have come first.
        """
        parts = []
        for ledger, coins, books in self._wallets:
            values, steady = np.full(ledger.time.size, math.nan), _steady(ledger, coins)
            for book in books:
                _in_bars(book, ledger, values, steady)
            died = ledger.events["time"][ledger.events["label"] == LIQUIDATION_LABEL]
            values[np.isin(ledger.time, died)] = 0.0
            parts.append((ledger, values))
        return self._together(parts)

    @cached_property
    def smallest(self) -> float:
        """The nearest of the run: 0 after a liquidation, infinite when no move could get there, NaN when nothing was held."""
        known = self.nearest[~np.isnan(self.nearest)]
        return float(known.min()) if known.size else math.nan
