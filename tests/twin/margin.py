"""Maintenance margin and the price at which it is breached, found by halving and by nothing cleverer."""

from __future__ import annotations

from collections.abc import Callable

from tests.twin.records import SIDES, Book, World


def maintenance(notional: float, tiers: list[dict[str, float]]) -> float:
    """`notional*rate - cum` of the tier the notional falls in; nothing for nothing."""
    if notional <= 0.0:
        return 0.0
    tier = tiers[0]
    for candidate in tiers:
        if notional > candidate["floor"]:
            tier = candidate
    return notional * tier["rate"] - tier["cum"]


def notional_cap(tiers: list[dict[str, float]], leverage: float) -> float:
    """Notional cap of the highest tier that allows the leverage."""
    cap = 0.0
    for tier in tiers:
        if tier["max_leverage"] >= leverage:
            cap = tier["cap"]
    return cap


def cross_excess(world: World, prices: list[float]) -> float:
    """Equity less the maintenance margin of both sides of every instrument, each at its price."""
    excess = world.wallet
    for book, price in zip(world.books, prices, strict=True):
        for side in SIDES:
            if book.qty(side) > 0.0:
                excess += book.unrealized(side, price) - maintenance(book.notional(side, price), book.tiers)
    return excess


def isolated_excess(book: Book, side: int, price: float) -> float:
    """The side's margin and unrealized PnL less its maintenance margin."""
    return book.margin[side] + book.unrealized(side, price) - maintenance(book.notional(side, price), book.tiers)


def breach_price(excess: Callable[[float], float], start: float, end: float) -> float:
    """Where a function positive at `start` and not at `end` crosses zero: halve until the two ends touch."""
    if excess(start) <= 0.0:
        return start
    safe, breached = start, end
    while True:
        middle = 0.5 * (safe + breached)
        if middle in (safe, breached):
            return breached
        if excess(middle) > 0.0:
            safe = middle
        else:
            breached = middle
