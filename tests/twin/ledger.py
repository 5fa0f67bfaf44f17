"""How a fill, a funding settlement and a liquidation change the account."""

from __future__ import annotations

from functools import partial

from tests.twin.margin import breach_price, cross_excess, isolated_excess
from tests.twin.records import (
    CLOSE_LABEL,
    LONG,
    OPEN_LABEL,
    SIDES,
    SIGN,
    STOP,
    STOP_LABEL,
    TAKE_PROFIT,
    Book,
    Lot,
    Order,
    World,
)


def open_lot(world: World, book: Book, order: Order, qty: float) -> None:
    """An entry fills at its own price, maker fee; its level is spent; own exits attach and wait for the next (sub-)bar."""
    fee = order.price * qty * book.mult * world.execution["fee_maker"]
    lot = Lot(book.next_lot, order.side, order.price, qty, fee, world.time, order.level, book.generation)
    book.next_lot += 1
    book.lots.append(lot)
    book.margin[order.side] += order.price * qty * book.mult / world.account["leverage"]
    if 0 <= order.level < len(book.armed[order.side]):
        book.armed[order.side][order.level] = False
    book.filled = True
    world.wallet -= fee
    world.log(book, OPEN_LABEL[order.side], order.side, order.price, qty, fee=fee, lot=lot.id, level=lot.level)
    if order.take_profit is not None:
        book.place(TAKE_PROFIT, order.side, order.take_profit, qty, lot=lot.id, own=True, live=False)
    if order.stop_loss is not None:
        book.place(STOP, order.side, order.stop_loss, qty, lot=lot.id, own=True, live=False)


def close_lot(world: World, book: Book, lot: Lot, qty: float, price: float, label: str, fee_rate: float) -> None:
    """Close a lot or a part of it: price PnL by lot, fee to the wallet, entry fee and funding of the lot pro rata."""
    side = lot.side
    if lot.qty - qty < 0.5 * book.step:  # what would be left cannot be traded: take the whole lot
        qty = lot.qty
    held = book.qty(side)
    pnl = SIGN[side] * (price - lot.entry) * qty * book.mult
    fee = price * qty * book.mult * fee_rate
    entry_fee = lot.entry_fee * qty / lot.qty

    if qty == lot.qty:
        book.lots.remove(lot)
        book.orders = [order for order in book.orders if order.lot != lot.id]
        book.market_orders = [order for order in book.market_orders if order.lot is not lot]
        if lot.generation == book.generation and 0 <= lot.level < len(book.armed[side]):
            book.armed[side][lot.level] = True
    else:
        lot.funding -= lot.funding * qty / lot.qty
        lot.entry_fee -= entry_fee
        lot.qty -= qty

    if book.qty(side) > 0.0:
        book.margin[side] *= book.qty(side) / held
    else:
        book.margin[side] = 0.0
        book.stage_one_fired[side] = False

    if label == CLOSE_LABEL[side]:  # a take-profit
        book.grid_profit[side] += pnl - fee - entry_fee
        book.buffer[side] += pnl - fee - entry_fee
    if label == "PRUNE_OFFSET":
        book.buffer[side] += pnl
    book.filled = True
    world.wallet += pnl - fee
    world.counters[label] += 1
    world.log(book, label, side, price, qty, fee=fee, realized_pnl=pnl, lot=lot.id, level=lot.level)


def fire_stop(world: World, book: Book, order: Order, qty: float, price: float) -> None:
    """A stop closes covered lots that are still there, worst first, up to its quantity."""
    if order.own:
        lots = [lot for lot in book.lots if lot.id == order.lot]
    else:
        lots = [lot for lot in book.ranked(order.side) if lot.id < order.covers_below][::-1]
    closed = 0.0
    for lot in lots:
        left = qty - closed
        if left < 0.5 * book.step:
            break
        before = lot.qty
        part = min(left, before)
        if before - part < 0.5 * book.step:
            part = before
        if order.stage == 1:
            book.stage_one_fired[order.side] = True
        if 0.0 < part < before:
            world.counters["lots_stopped_in_part"] += 1
        close_lot(world, book, lot, part, price, STOP_LABEL[order.side], world.execution["fee_taker"])
        closed += part
    if closed == 0.0:
        world.counters["stops_with_nothing_left"] += 1


def pay_funding(world: World, book: Book, rate: float, mark_price: float) -> None:
    """Each side held pays `qty*mark*rate`: long pays a positive rate, short receives it. Shared out over its lots."""
    if rate == 0.0:
        return
    for side in SIDES:
        qty = book.qty(side)
        if qty <= 0.0:
            continue
        amount = -SIGN[side] * qty * book.mult * mark_price * rate
        world.wallet += amount
        for lot in book.lots:
            if lot.side == side:
                lot.funding += amount * lot.qty / qty
        world.counters["FUNDING"] += 1
        world.log(book, "FUNDING", side, mark_price, qty, funding=amount)


def prices_with(world: World, book: Book, price: float) -> list[float]:
    """One instrument at a price, the others marked where they stand."""
    return [price if other is book else other.mark for other in world.books]


def breaches(world: World, book: Book, start: float, end: float, reason: str) -> bool:
    """Walk one instrument's price from `start` to `end`. If the account cannot bear it, liquidate and say so.

    Both prices are the same at the open and after a fill: then the liquidation is at that price. On the way it is at the
    root between them.
    """
    if world.isolated:
        for side in SIDES:
            if book.qty(side) > 0.0 and isolated_excess(book, side, end) <= 0.0:
                price = breach_price(partial(isolated_excess, book, side), start, end)
                count_liquidation(world, reason, start, end)
                liquidate_side(world, book, side, price)
                return True
    elif not world.flat() and cross_excess(world, prices_with(world, book, end)) <= 0.0:
        price = breach_price(lambda p: cross_excess(world, prices_with(world, book, p)), start, end)
        count_liquidation(world, reason, start, end)
        liquidate_everything(world, prices_with(world, book, price))
        return True
    if credit_shortfall(world, book):  # a close past the wallet left nothing without a breach
        stop_trading(world)
        end_bar_for_all(world)
        return True
    return False


def count_liquidation(world: World, reason: str, start: float, end: float) -> None:
    """Which of the branches was taken."""
    world.counters["liquidations"] += 1
    if reason == "path":
        reason = "on_path_down" if end < start else "on_path_up"
    world.counters["liquidations_" + reason] += 1


def liquidate_everything(world: World, prices: list[float]) -> None:
    """Cross margin: every lot of every instrument closes at its price, best first, LONG first, liquidation fee."""
    last = [book for book in world.books if book.lots][-1]
    for book, price in zip(world.books, prices, strict=True):
        for side in SIDES:
            for lot in book.side_lots(side):
                close_lot(world, book, lot, lot.qty, price, "LIQUIDATION", world.execution["liquidation_fee"])
    for book in world.books:
        book.cancel_everything()
        book.filled = True
    credit_shortfall(world, last)
    if world.account["after_liquidation"] == "stop" or world.wallet <= 0.0:
        stop_trading(world)
    end_bar_for_all(world)


def liquidate_side(world: World, book: Book, side: int, price: float) -> None:
    """Isolated margin: the side closes, the instrument's orders are cancelled and its bar ends."""
    for lot in book.side_lots(side):
        close_lot(world, book, lot, lot.qty, price, "LIQUIDATION", world.execution["liquidation_fee"])
    world.counters["liquidations_isolated_" + ("long" if side == LONG else "short")] += 1
    book.cancel_everything()
    world.ended.add(book.index)
    credit_shortfall(world, book)
    if world.account["after_liquidation"] == "stop" or (world.flat() and world.wallet <= 0.0):
        stop_trading(world)


def credit_shortfall(world: World, book: Book) -> bool:
    """Once everything is closed a negative wallet is credited to zero."""
    if not world.flat() or world.wallet >= 0.0:
        return False
    missing = -world.wallet
    world.wallet = 0.0
    world.counters["SHORTFALL"] += 1
    world.log(book, "SHORTFALL", realized_pnl=missing)
    return True


def stop_trading(world: World) -> None:
    """No entry rests or is quoted any more."""
    world.stopped = True
    for book in world.books:
        book.orders = [order for order in book.orders if order.kind != "ENTRY"]


def end_bar_for_all(world: World) -> None:
    """Nothing more happens in this bar."""
    world.over = True
