"""Order books: one for each kind and side, sorted by trigger, nearest to the price first.

`book = 2*kind + side`. Orders of the books 0 (LONG entries), 3 (SHORT take-profits) and 4 (LONG stops) are met by a
falling price, those of 1, 2 and 5 by a rising one.
"""

import numpy as np

from engine.records import BOOKS, ENTRY, MARKET, MARKET_BOOK, MAX_LOTS, STOP, TAKE_PROFIT, TOO_MANY_ORDERS
from gridcore.compile import inlined_kernel, machine_kernel

# The nearest triggers of empty books: infinitely far on the side that `met_by_rising` says.
NO_TRIGGERS = (-np.inf, np.inf, np.inf, -np.inf, -np.inf, np.inf)


@inlined_kernel
def met_by_rising(book):
    """+1.0 when a rising price meets the orders of the book, -1.0 when a falling one does."""
    return 1.0 if book == 1 or book == 2 or book == 5 else -1.0


@inlined_kernel
def copy_order(source, target):
    """Copy an order field by field: assigning whole records goes byte by byte in compiled code."""
    target["trigger"] = source["trigger"]
    target["price"] = source["price"]
    target["qty"] = source["qty"]
    target["id"] = source["id"]
    target["lot"] = source["lot"]
    target["covers_below"] = source["covers_below"]
    target["take_profit"] = source["take_profit"]
    target["stop_loss"] = source["stop_loss"]
    target["level"] = source["level"]
    target["label"] = source["label"]
    target["stage"] = source["stage"]
    target["alive"] = source["alive"]
    target["attached"] = source["attached"]


@inlined_kernel
def write_order(order, order_id, trigger, price, qty, lot, level, label):
    """Fill in a new, living order of the strategy's own, without exits for its lot."""
    order["trigger"] = trigger
    order["price"] = price
    order["qty"] = qty
    order["id"] = order_id
    order["lot"] = lot
    order["covers_below"] = 0
    order["take_profit"] = np.nan
    order["stop_loss"] = np.nan
    order["level"] = level
    order["label"] = label
    order["stage"] = 0
    order["alive"] = 1
    order["attached"] = 0


@inlined_kernel
def come_nearer(state, book, trigger):
    """Take up the trigger of an order that was written into a book."""
    if met_by_rising(book) > 0.0:
        state["near"][book] = min(state["near"][book], trigger)
    else:
        state["near"][book] = max(state["near"][book], trigger)


@machine_kernel
def place_order(account, state, kind, side, trigger, price, qty, lot, level, label):
    """Put an order into its book and return its record's index, -1 when the book is full."""
    book = 2 * kind + side
    count = state["order_count"][book]
    if count >= MAX_LOTS:
        account["status"] = TOO_MANY_ORDERS
        return -1
    orders = state["orders"]
    place = count
    if kind != MARKET:
        direction = met_by_rising(book)
        while place > 0 and direction * orders[book, place - 1]["trigger"] > direction * trigger:
            copy_order(orders[book, place - 1], orders[book, place])
            place -= 1
    write_order(orders[book, place], state["next_order_id"], trigger, price, qty, lot, level, label)
    state["next_order_id"] += 1
    state["order_count"][book] = count + 1
    # It may stand before orders that have filled and are still in the book.
    state["head"][book] = min(state["head"][book], place)
    if kind != MARKET:
        come_nearer(state, book, trigger)
    state["orders_placed"] += 1
    return place


@inlined_kernel
def limit_trigger(terms, instrument, price, direction):
    """Path price that fills a limit order at `price`: a touch, or so far beyond it. `direction` +1 for sells, -1 for buys."""
    return price + direction * (terms["through"] * instrument["tick_size"] + terms["through_fraction"] * price)


@machine_kernel
def write_rungs(state, instrument, terms, side, stop):
    """Write a ladder's rungs from `next_rung` to `stop - 1` into their book; their sizes and limits were tested when they were quoted."""
    book = 2 * ENTRY + side
    orders = state["orders"]
    sign = 1.0 - 2.0 * side
    beyond = -sign * terms["through"] * instrument["tick_size"]
    scale = 1.0 - sign * terms["through_fraction"]
    place = state["order_count"][book]
    order_id = state["next_order_id"]
    for level in range(state["next_rung"][side], stop):
        if state["armed"][side, level] == 1:
            price = state["rung_price"][side, level]
            trigger = price * scale + beyond
            write_order(orders[book, place], order_id, trigger, price, state["rung_qty"][side, level], -1, level, side)
            come_nearer(state, book, trigger)
            place += 1
            order_id += 1
    state["next_order_id"] = order_id
    state["order_count"][book] = place
    state["next_rung"][side] = stop


@machine_kernel
def write_all_rungs(state, instrument, terms):
    """Write every rung that rests and is not yet in its book."""
    for side in range(2):
        if state["next_rung"][side] < state["last_rung"][side]:
            write_rungs(state, instrument, terms, side, state["last_rung"][side])


@inlined_kernel
def cancel_book(state, book):
    """Cancel every order of a book except lots' own exits."""
    if book < 2:
        state["last_rung"][book] = state["next_rung"][book]
    elif book < 4:
        state["last_exit"][book - 2] = state["next_exit"][book - 2]
    state["head"][book] = 0
    if state["attached_count"] == 0:
        state["order_count"][book] = 0
        if book < MARKET_BOOK:
            state["near"][book] = np.inf * met_by_rising(book)
        return
    keep_attached(state, book)


@machine_kernel
def keep_attached(state, book):
    """Take every order out of a book that is not a lot's own exit."""
    orders = state["orders"]
    kept = 0
    for j in range(state["order_count"][book]):
        if orders[book, j]["alive"] == 1 and orders[book, j]["attached"] == 1:
            if kept != j:
                copy_order(orders[book, j], orders[book, kept])
            kept += 1
    state["order_count"][book] = kept
    if book < MARKET_BOOK:
        next_living(state, book, 0)


@machine_kernel
def cancel_entries(state):
    """Cancel every entry that rests."""
    for side in range(2):
        cancel_book(state, 2 * ENTRY + side)
        state["resting_notional"][side] = 0.0


@machine_kernel
def cancel_take_profits(state):
    """Cancel every take-profit the strategy has placed; lots' own exits stay."""
    for side in range(2):
        cancel_book(state, 2 * TAKE_PROFIT + side)


@machine_kernel
def cancel_all_orders(state):
    """Cancel every order of the instrument, lots' own exits and queued market orders too."""
    for book in range(BOOKS):
        state["order_count"][book] = 0
        state["head"][book] = 0
    state["attached_count"] = 0
    state["exits_waiting"] = 0
    for side in range(2):
        state["resting_notional"][side] = 0.0
        state["planned_lots"][side] = 0
        state["last_rung"][side] = state["next_rung"][side]
        state["last_exit"][side] = state["next_exit"][side]
        for j in range(state["lot_count"][side]):
            state["lots"][side, j]["pending"] = 0
    refresh_triggers(state)


@inlined_kernel
def next_living(state, book, place):
    """First order of a book that is alive, from `place` on: sets the book's nearest trigger and returns the order's index."""
    orders = state["orders"]
    count = state["order_count"][book]
    while place < count and orders[book, place]["alive"] == 0:
        place += 1
    state["near"][book] = orders[book, place]["trigger"] if place < count else np.inf * met_by_rising(book)
    return place


@inlined_kernel
def planned_edge(state, side, tick):
    """A price that a side's planned stops lie beyond, or at: below it for LONG, above for SHORT. Infinite without a plan."""
    sign = 1.0 - 2.0 * side
    if state["planned_lots"][side] == 0:
        return -sign * np.inf
    distance = state["planned_distance"][side]
    if state["planned_fired"][side] == 1:
        distance *= 1.5
    # Rounding moves a stop away from the average; the tick more leaves room for binary fractions.
    return state["planned_average"][side] - sign * (distance - tick)


@inlined_kernel
def sum_up_triggers(state, tick):
    """Set the nearest trigger above and below from those of the books and the planned stops."""
    near = state["near"]
    state["up_trigger"] = min(min(near[1], near[2]), min(near[5], planned_edge(state, 1, tick)))
    state["down_trigger"] = max(max(near[0], near[3]), max(near[4], planned_edge(state, 0, tick)))


@machine_kernel
def refresh_triggers(state):
    """Find the nearest trigger above and below among the living orders."""
    for book in range(MARKET_BOOK):
        state["head"][book] = next_living(state, book, state["head"][book])
    sum_up_triggers(state, state["tick_size"])


@machine_kernel
def place_own_exits(account, state, terms, instrument):
    """Rest the exits that lots carry themselves and that were attached in an earlier (sub-)bar."""
    lots = state["lots"]
    for side in range(2):
        sign = 1.0 - 2.0 * side
        for j in range(state["lot_count"][side] - 1, -1, -1):
            lot = lots[side, j]
            if lot["exits_waiting"] == 0:
                continue
            lot["exits_waiting"] = 0
            if not np.isnan(lot["take_profit"]):
                price = lot["take_profit"]
                trigger = limit_trigger(terms, instrument, price, sign)
                place = place_order(account, state, TAKE_PROFIT, side, trigger, price, lot["qty"], lot["id"], -1, 2 + side)
                if place >= 0:
                    state["orders"][2 * TAKE_PROFIT + side, place]["attached"] = 1
                    state["attached_count"] += 1
            if not np.isnan(lot["stop_loss"]):
                price = lot["stop_loss"]
                place = place_order(account, state, STOP, side, price, price, lot["qty"], lot["id"], -1, 4 + side)
                if place >= 0:
                    state["orders"][2 * STOP + side, place]["attached"] = 1
                    state["attached_count"] += 1
    state["exits_waiting"] = 0
    refresh_triggers(state)
