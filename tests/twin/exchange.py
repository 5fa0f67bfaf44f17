"""The exchange inside one bar: the open, then the path to the first extreme, the second, the close, in lockstep."""

from __future__ import annotations

import math

from tests.twin.chance import tails
from tests.twin.ledger import breaches, close_lot, count_liquidation, fire_stop, liquidate_everything, open_lot
from tests.twin.margin import cross_excess
from tests.twin.records import CLOSE_LABEL, ENTRY, LONG, SHORT, SIGN, STOP, TAKE_PROFIT, Book, Order, World
from tests.twin.ticks import SAME_PRICE, at_or_above, at_or_below, floor_to

Candle = tuple[float, float, float, float, float]  # open, high, low, close, volume
OPEN, HIGH, LOW, CLOSE, VOLUME = range(5)


def walk_candles(world: World, candles: dict[int, Candle], traded: list[int]) -> None:
    """Walk one (sub-)bar. `candles`: by instrument; `traded`: those of them in which orders can fill, the rest are gaps."""
    for book in world.books:
        for order in book.orders:
            order.live = True  # a lot's own exits wait for the (sub-)bar after its fill
    if joint_breach(world, candles, traded):
        return
    for phase in range(4):
        for index in traded:
            if world.over:
                return
            if index in world.ended:
                continue
            book, candle = world.books[index], candles[index]
            book.volume = candle[VOLUME]
            if phase == 0:
                walk_open(world, book, candle[OPEN])
            else:
                walk_segment(world, book, path(candle, book.tick, world.execution["path"])[phase])
    for index, candle in candles.items():
        world.books[index].mark = candle[CLOSE]


def path(candle: Candle, tick: float, rule: str) -> list[float]:
    """Open, the nearer extreme (a tie goes to the low), the other one, close."""
    to_high, to_low = candle[HIGH] - candle[OPEN], candle[OPEN] - candle[LOW]
    high_first = to_high < to_low - SAME_PRICE * tick
    if rule != "nearest":
        high_first = rule == "high_first"
    first, second = (HIGH, LOW) if high_first else (LOW, HIGH)
    return [candle[OPEN], candle[first], candle[second], candle[CLOSE]]


def joint_breach(world: World, candles: dict[int, Candle], traded: list[int]) -> bool:
    """Because coins fall together: all at their low, then all at their high, with the positions of the start."""
    wanted = len(world.books) > 1 and not world.isolated and world.account["joint"] == "worst"
    if not wanted or not traded or world.flat():
        return False
    for extreme in (LOW, HIGH):
        prices = [candles[book.index][extreme] if book.index in traded else book.mark for book in world.books]
        if cross_excess(world, prices) <= 0.0:
            count_liquidation(world, "joint", 0.0, 0.0)
            world.counters["joint_liquidations"] += 1
            liquidate_everything(world, prices)
            return True
    return False


def falls_to(order: Order) -> bool:
    """A falling price triggers buys at a limit and stops of longs; a rising one the rest."""
    return order.side == (SHORT if order.kind == TAKE_PROFIT else LONG)


def trigger(world: World, book: Book, order: Order) -> float:
    """The price the path must reach: a stop's own; a limit's own and `through` ticks and basis points beyond it.

    A limit whose coin falls tails in this (sub-)bar asks for what one a tick further away would ask for.
    """
    if order.kind == STOP:
        return order.price
    price = order.price
    if unlucky(world, book, order):
        price += -book.tick if falls_to(order) else book.tick
    beyond: float = world.execution["through"] * book.tick + price * world.execution["through_bps"] / 1e4
    return price - beyond if falls_to(order) else price + beyond


def unlucky(world: World, book: Book, order: Order) -> bool:
    """The coin of the order's price fell tails; a probability of one throws none."""
    probability: float = world.execution["touch_probability"]
    if probability == 1.0:
        return False
    ticks = math.floor(order.price / book.tick + 0.5)
    found = tails(probability, world.execution["touch_seed"], world.time, book.index, world.sub_bar, not falls_to(order), ticks)
    world.counters["coins tails" if found else "coins heads"] += 1
    return found


def reached(world: World, book: Book, order: Order, price: float) -> bool:
    """The path at `price` has met the order's trigger."""
    if falls_to(order):
        return at_or_below(price, trigger(world, book, order), book.tick)
    return at_or_above(price, trigger(world, book, order), book.tick)


def fillable(world: World, book: Book, wanted: float) -> float:
    """At most a share of the bar's volume fills, in whole steps; 0 is no limit."""
    share: float = world.execution["max_volume_share"]
    if share == 0.0:
        return wanted
    part = min(wanted, floor_to(share * book.volume, book.step))
    if part < wanted:
        world.counters["fills_limited_by_volume"] += 1
    return max(part, 0.0)


def slipped(world: World, price: float, side: int, share: float) -> float:
    """A market order that closes a side gives up a share of the price."""
    return price * (1.0 - SIGN[side] * share)


def stop_slippage(world: World) -> float:
    """Charged on stops and prunes."""
    given = world.execution.get("slippage_stop")
    return float(world.execution["slippage"] if given is None else given)


def walk_open(world: World, book: Book, price: float) -> None:
    """Queued market orders; liquidation; limits the open reaches, at their own price; stops the open reaches, at the open."""
    book.mark = price
    for queued in list(book.market_orders):
        lot = queued.lot
        part = fillable(world, book, lot.qty)
        if part <= 0.0:
            continue
        share = stop_slippage(world) if queued.label.startswith("PRUNE") else world.execution["slippage"]
        paid = slipped(world, price, lot.side, share)
        close_lot(world, book, lot, part, paid, queued.label, world.execution["fee_taker"])
        if breaches(world, book, price, price, "after_fill"):
            return
    if breaches(world, book, price, price, "at_open"):
        return
    for kind in (ENTRY, TAKE_PROFIT, STOP):
        for side in (LONG, SHORT):
            there = [o for o in book.orders if o.kind == kind and o.side == side and o.live and reached(world, book, o, price)]
            # Nearest first: what triggers on a fall from the highest price down, what triggers on a rise from the lowest up.
            there.sort(key=lambda order: (-order.price if falls_to(order) else order.price, order.number))
            for order in there:
                if order not in book.orders:
                    continue  # its lot has gone
                if fill(world, book, order, price) and breaches(world, book, price, price, "after_fill"):
                    return
    world.look()


def walk_segment(world: World, book: Book, end: float) -> None:
    """From where the instrument stands to `end`, orders in the order the price meets their triggers."""
    falling = end < book.mark
    tried: set[int] = set()
    while True:
        ahead = [
            order
            for order in book.orders
            if order.live and order.number not in tried and falls_to(order) == falling and reached(world, book, order, end)
        ]
        if not ahead:
            break
        triggers = [trigger(world, book, order) for order in ahead]
        nearest = max(triggers) if falling else min(triggers)
        # At the same price limits before stops, entries before take-profits, the nearer limit (whose coin asked for a tick more)
        # before the further one, then in order of placement.
        same = [o for o, at in zip(ahead, triggers, strict=True) if abs(at - nearest) <= SAME_PRICE * book.tick]
        away = -1 if falling else 1
        order = min(same, key=lambda o: ((ENTRY, TAKE_PROFIT, STOP).index(o.kind), away * round(o.price / book.tick), o.number))
        tried.add(order.number)
        point = max(min(nearest, book.mark), end) if falling else min(max(nearest, book.mark), end)
        if breaches(world, book, book.mark, point, "path"):
            return
        book.mark = point
        if fill(world, book, order, order.price):
            world.look()
            if breaches(world, book, point, point, "after_fill"):
                return
    if breaches(world, book, book.mark, end, "path"):
        return
    book.mark = end
    world.look()


def fill(world: World, book: Book, order: Order, stop_price: float) -> bool:
    """Fill a resting order: limits at their own price, never better; stops at `stop_price` less slippage.

    False: the bar's volume allows nothing and the order goes on resting. A part filled is all that this order gets.
    """
    lot = book.find(order.lot)
    part = fillable(world, book, lot.qty if lot is not None else order.qty)
    if part <= 0.0:
        return False
    if not order.own:
        book.orders.remove(order)
    if order.kind == ENTRY:
        open_lot(world, book, order, part)
    elif order.kind == STOP:
        fire_stop(world, book, order, part, slipped(world, stop_price, order.side, stop_slippage(world)))
    elif lot is not None:
        close_lot(world, book, lot, part, order.price, CLOSE_LABEL[order.side], world.execution["fee_maker"])
    return True
