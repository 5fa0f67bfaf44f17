"""The static grid's decision: fixed rungs round an anchor, re-centred when a close leaves them."""

from __future__ import annotations

from typing import Any

from tests.twin.quoting import quote_entries
from tests.twin.records import LONG, SHORT, SIDES, TAKE_PROFIT, Book, World
from tests.twin.ticks import SAME_PRICE, ceil_to, floor_to


class Memory:
    """Anchor and order notional, fixed at the (re-)centring."""

    def __init__(self, anchor: float, order_notional: float) -> None:
        self.anchor = anchor
        self.order_notional = order_notional


def rung(book: Book, side: int, anchor: float, step: float, j: int) -> float:
    """LONG rung j at `floor_tick(anchor*(1 - j*step))`, SHORT at `ceil_tick(anchor*(1 + j*step))`."""
    if side == LONG:
        return floor_to(anchor * (1.0 - j * step), book.tick)
    return ceil_to(anchor * (1.0 + j * step), book.tick)


def decide(world: World, book: Book, parameters: dict[str, Any], close: float) -> None:
    """Recompute all orders from what is armed and what is held."""
    levels, step = parameters["grid_levels"], parameters["step"]
    notional = parameters["order_pct"] * world.equity() * book.weight * world.exposure
    memory: Memory | None = book.memory
    if memory is None:
        memory = book.memory = Memory(close, notional)
        book.armed = [[True] * levels, [True] * levels]
    else:
        lowest = rung(book, LONG, memory.anchor, step, levels)
        highest = rung(book, SHORT, memory.anchor, step, levels)
        if close < lowest - SAME_PRICE * book.tick or close > highest + SAME_PRICE * book.tick:
            world.counters["recentrings"] += 1
            for side in SIDES:
                for lot in book.ranked(side):
                    book.queue_market_close(lot, "RECENTER")
            memory = book.memory = Memory(close, notional)
            book.generation += 1
            book.arm_all()

    def quantity(price: float) -> float:
        fixed = parameters["order_qty"]
        return floor_to(fixed if fixed > 0.0 else memory.order_notional / (price * book.mult), book.step)

    book.cancel_quotes()
    book.filled = False
    for side in SIDES:
        if world.closed_to_entries or (side == SHORT and not parameters["allow_short"]):
            continue
        if memory.order_notional <= 0.0 and parameters["order_qty"] <= 0.0:
            continue
        rungs = [rung(book, side, memory.anchor, step, j) for j in range(1, levels + 1)]
        quote_entries(world, book, side, rungs, quantity, close, cap=None)

    for side in SIDES:
        for lot in book.ranked(side):
            if lot.generation != book.generation:
                continue
            price = rung(book, side, memory.anchor, step, lot.level)  # rung j-1 of a lot of rung j = level + 1
            if price > 0.0:
                book.place(TAKE_PROFIT, side, price, lot.qty, lot=lot.id)
