"""Order books: one for each kind and side, sorted by trigger, nearest to the price first.

`book = 2*kind + side`. Orders of the books 0 (LONG entries), 3 (SHORT take-profits) and 4 (LONG stops) are met by a
falling price, those of 1, 2 and 5 by a rising one.
"""

import numpy as np

from engine.records import ENTRY, MARKET, MAX_LOTS, STOP, TAKE_PROFIT, TOO_MANY_ORDERS
from gridcore.compile import machine_kernel


@machine_kernel
def met_by_rising(book):
    """+1.0 when a rising price meets the orders of the book, -1.0 when a falling one does."""
    return 1.0 if book == 1 or book == 2 or book == 5 else -1.0


@machine_kernel
def copy_order(source, target):
    """Copy an order field by field: assigning whole records goes byte by byte in compiled code."""
    target["trigger"] = source["trigger"]
    target["price"] = source["price"]
    target["qty"] = source["qty"]
    target["id"] = source["id"]
    target["lot"] = source["lot"]
    target["level"] = source["level"]
    target["label"] = source["label"]
    target["covers_below"] = source["covers_below"]
    target["stage"] = source["stage"]
    target["alive"] = source["alive"]
    target["attached"] = source["attached"]
    target["take_profit"] = source["take_profit"]
    target["stop_loss"] = source["stop_loss"]


@machine_kernel
def write_order(order, order_id, trigger, price, qty, lot, level, label):
    """Fill in a new, living order of the strategy's own, without exits for its lot."""
    order["trigger"] = trigger
    order["price"] = price
    order["qty"] = qty
    order["id"] = order_id
    order["lot"] = lot
    order["level"] = level
    order["label"] = label
    order["covers_below"] = 0
    order["stage"] = 0
    order["alive"] = 1
    order["attached"] = 0
    order["take_profit"] = np.nan
    order["stop_loss"] = np.nan


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
    state["orders_placed"] += 1
    return place


@machine_kernel
def limit_trigger(terms, instrument, price, direction):
    """Path price that fills a limit order at `price`: a touch, or so far beyond it. `direction` +1 for sells, -1 for buys."""
    return price + direction * (terms["through"] * instrument["tick_size"] + terms["through_fraction"] * price)


@machine_kernel
def cancel_book(state, book):
    """Cancel every order of a book except lots' own exits."""
    if state["attached_count"] == 0:
        state["order_count"][book] = 0
        state["head"][book] = 0
        return
    orders = state["orders"]
    kept = 0
    for j in range(state["head"][book], state["order_count"][book]):
        if orders[book, j]["alive"] == 1 and orders[book, j]["attached"] == 1:
            if kept != j:
                copy_order(orders[book, j], orders[book, kept])
            kept += 1
    state["order_count"][book] = kept
    state["head"][book] = 0


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
    for book in range(state["order_count"].shape[0]):
        state["order_count"][book] = 0
        state["head"][book] = 0
    state["attached_count"] = 0
    state["exits_waiting"] = 0
    state["resting_notional"][0] = 0.0
    state["resting_notional"][1] = 0.0
    for side in range(2):
        for j in range(state["lot_count"][side]):
            state["lots"][side, j]["pending"] = 0
    refresh_triggers(state)


@machine_kernel
def refresh_triggers(state):
    """Find the nearest trigger above and below among the living orders."""
    orders = state["orders"]
    up = np.inf
    down = -np.inf
    for book in range(6):
        head = state["head"][book]
        count = state["order_count"][book]
        while head < count and orders[book, head]["alive"] == 0:
            head += 1
        state["head"][book] = head
        if head < count:
            trigger = orders[book, head]["trigger"]
            if met_by_rising(book) > 0.0:
                up = min(up, trigger)
            else:
                down = max(down, trigger)
    state["up_trigger"] = up
    state["down_trigger"] = down


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
