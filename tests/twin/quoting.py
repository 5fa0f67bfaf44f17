"""Entries of one side, nearest first: which rungs are dropped, and where the ladder ends."""

from __future__ import annotations

from collections.abc import Callable

from tests.twin.margin import notional_cap
from tests.twin.records import ENTRY, LONG, SIDES, Book, World
from tests.twin.ticks import at_or_above, at_or_below

SIZE_TOLERANCE = 1e-9  # relative


def resting_entries(book: Book, side: int | None = None) -> float:
    """Notional of the resting entries of an instrument at their own prices."""
    orders = [order for order in book.orders if order.kind == ENTRY and side in (None, order.side)]
    return sum(order.price * order.qty * book.mult for order in orders)


LIMIT_TOLERANCE = 1e-9  # relative: a notional that equals its limit but for binary fractions is allowed


def crosses(book: Book, side: int, price: float, close: float) -> bool:
    """A long rung at or above the close, a short rung at or below it."""
    if side == LONG:
        return at_or_above(price, close, book.tick)
    return at_or_below(price, close, book.tick)


def count(world: World, book: Book, what: str) -> None:
    """In total and, with the instrument's index behind the name, by instrument."""
    world.counters[what] += 1
    world.counters[f"{what}_{book.index}"] += 1


def quote_entries(
    world: World,
    book: Book,
    side: int,
    rungs: list[float],
    quantity: Callable[[float], float],
    close: float,
    cap: float | None,
) -> None:
    """Rest the armed rungs of a side until a limit ends the ladder. `cap`: largest notional of the side, None for none."""
    leverage = world.account["leverage"]
    equity = world.equity()
    for level, price in enumerate(rungs):
        if not book.armed[side][level] or crosses(book, side, price, close):
            continue
        count(world, book, "wanted_rungs")
        qty = quantity(price) if price > 0.0 else 0.0
        too_small = (
            price <= 0.0
            or qty <= 0.0
            or qty < book.min_qty * (1.0 - SIZE_TOLERANCE)
            or qty * price * book.mult < book.min_notional * (1.0 - SIZE_TOLERANCE)
        )
        if too_small:
            count(world, book, "dropped_rungs")
            continue
        notional = qty * price * book.mult
        side_notional = book.notional(side, close) + resting_entries(book, side) + notional
        if cap is not None and side_notional > cap * (1.0 + LIMIT_TOLERANCE):
            world.counters["position_cap_hits"] += 1
            return
        gross = sum(other.notional(each, other.mark) for other in world.books for each in SIDES)
        resting = sum(resting_entries(other) for other in world.books)
        if (gross + resting + notional) / leverage > equity * (1.0 + LIMIT_TOLERANCE):
            world.counters["margin_hits"] += 1
            return
        if side_notional > notional_cap(book.tiers, leverage) * (1.0 + LIMIT_TOLERANCE):
            count(world, book, "tier_cap_hits")
            return
        book.place(ENTRY, side, price, qty, level=level)
