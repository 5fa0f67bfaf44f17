"""One instrument inside one (sub-)bar: its orders at the open, then along a part of the path, one by one."""

import numpy as np

from engine.execution import PATH_HIGH_FIRST, PATH_LOW_FIRST
from engine.exits import write_next_exit
from engine.fills import covered_qty, fill_order, left_with_nothing
from engine.liquidation import NO_BREACH, breach_here, breach_on_the_way
from engine.orders import copy_order, met_by_rising, next_living, write_rungs
from engine.positions import find_lot
from engine.records import BOOKS, ENTRY, MARKET_BOOK, RECENTER_LABEL, STOP, TAKE_PROFIT
from engine.risk_gates import watch_floors
from engine.valuation import cannot_breach, unrealized
from gridcore.chance import uniform_of_keys
from gridcore.compile import inlined_kernel, machine_kernel
from gridcore.constants import PRICE_TOLERANCE
from gridcore.rounding import floor_to

# What a walk of one instrument answers: it has arrived; it has to be settled first, an account being left with nothing; or the
# code of a breach (engine.liquidation).
ARRIVED, UNSETTLED = 0, 10

# More finer bars than a bar can have, so that an instrument and its finer bar make one key.
WALKS_OF_A_BAR = 2**20


@inlined_kernel
def high_comes_first(terms, instrument, open_, high, low):
    """Which extreme the path visits first: by default the nearer to the open, and a tie goes to the low."""
    path = terms["path"]
    if path == PATH_LOW_FIRST:
        return False
    if path == PATH_HIGH_FIRST:
        return True
    return (high - open_) < (open_ - low) - PRICE_TOLERANCE * instrument["tick_size"]


@inlined_kernel
def note_path_equity(account, equity):
    """Follow peak and drawdown of equity along the walked path."""
    if equity > account["path_peak"]:
        account["path_peak"] = equity
    elif account["path_peak"] - equity > account["path_drawdown_max"] * account["path_peak"]:
        account["path_drawdown_max"] = (account["path_peak"] - equity) / account["path_peak"]
    if account["gated"] == 1:
        watch_floors(account, equity)


@inlined_kernel
def fillable(terms, instrument, volume, qty):
    """How much of `qty` a bar of `volume` lets fill, in whole steps."""
    if terms["max_volume_share"] <= 0.0:
        return qty
    return min(qty, floor_to(terms["max_volume_share"] * volume, instrument["step_size"]))


@inlined_kernel
def exit_qty(state, order, side):
    """Quantity an exit order can still close: nothing once its lots are gone."""
    if order["lot"] < 0:
        return min(order["qty"], covered_qty(state, order, side))
    index = find_lot(state, side, order["lot"])
    if index < 0:
        return 0.0
    return min(order["qty"], state["lots"][side, index]["qty"])


@machine_kernel
def execute(account, state, instrument, terms, journal, book, place, volume):
    """Fill an order whose trigger the path has reached, the price standing at the mark."""
    order = state["orders"][book, place]
    side = book % 2
    sign = 1.0 - 2.0 * side
    kind = book // 2
    qty = order["qty"]
    if kind != ENTRY and not (book >= MARKET_BOOK and order["lot"] < 0):
        qty = exit_qty(state, order, side)
        if qty <= 0.0:
            order["alive"] = 0
            if order["attached"] == 1:
                state["attached_count"] -= 1
            return
    qty = fillable(terms, instrument, volume, qty)
    if qty <= 0.0:
        return
    if kind in (ENTRY, TAKE_PROFIT):
        price = order["price"]
        rate = terms["fee_maker"]
        maker = 1
    else:
        slip = terms["slippage_stop"]
        if book >= MARKET_BOOK and order["label"] >= RECENTER_LABEL:
            slip = terms["slippage"]
        reference = order["price"] if kind == STOP else state["mark"]
        if kind == STOP and (state["mark"] - reference) * sign < 0.0:
            # The market opened beyond the stop.
            reference = state["mark"]
        opens = book >= MARKET_BOOK and order["lot"] < 0
        price = reference * (1.0 + sign * slip) if opens else reference * (1.0 - sign * slip)
        rate = terms["fee_taker"]
        maker = 0
    fee = price * qty * instrument["multiplier"] * rate
    fill_order(account, state, instrument, terms, journal, book, place, price, qty, fee, maker, state["mark"])


@machine_kernel
def keep_waiting(state):
    """Drop the market orders that have filled; those that volume held back wait for the next bar."""
    orders = state["orders"]
    for book in range(MARKET_BOOK, BOOKS):
        kept = 0
        for place in range(state["order_count"][book]):
            if orders[book, place]["alive"] == 1:
                if kept != place:
                    copy_order(orders[book, place], orders[book, kept])
                kept += 1
        state["order_count"][book] = kept


@machine_kernel
def fill_trigger(state, instrument, terms, book, order):
    """Path price that fills an order in this (sub-)bar: its trigger; a limit's one tick further when its coin falls tails.

    A coin belongs to a price, a side of the book (buy or sell), an instrument and a (sub-)bar, and to nothing else: orders at one
    price share it, and neither the order of evaluation nor other orders change it. Tails means that the order fills as one
    whose price lies a tick further, so a book in whole ticks stays sorted.
    """
    if terms["touch_probability"] >= 1.0 or book // 2 == STOP:
        return order["trigger"]
    tick = instrument["tick_size"]
    direction = met_by_rising(book)
    side = 1 if direction > 0.0 else 0
    ticks = int(max(0.0, np.floor(order["price"] / tick + 0.5)))
    place = WALKS_OF_A_BAR * state["instrument"] + state["sub_bar"]
    if uniform_of_keys(terms["touch_seed"], state["time"], place, side, ticks) < terms["touch_probability"]:
        return order["trigger"]
    return order["trigger"] + direction * tick * (1.0 + direction * terms["through_fraction"])


@inlined_kernel
def pass_order(account, state, instrument, terms, book, place):
    """Move on behind the order at `place` to the next living one; what is not yet written of a book is, when it comes next."""
    place = next_living(state, book, place)
    if book < 2 and place == state["order_count"][book] and state["next_rung"][book] < state["last_rung"][book]:
        write_rungs(state, instrument, terms, book, state["last_rung"][book])
        place = next_living(state, book, place)
    elif 2 <= book < 4 and place == state["order_count"][book] and state["next_exit"][book - 2] < state["last_exit"][book - 2]:
        write_next_exit(account, state, instrument, terms, book - 2)
        place = next_living(state, book, place)
    state["cursor"][book] = place


@machine_kernel
def fill_market_orders(account, state, instrument, terms, journal, volume, rest, others_hold):
    """Fill the queued market orders in the order they were queued, the price standing at the open."""
    orders = state["orders"]
    counts = state["order_count"]
    place = state["cursor"]
    while place[MARKET_BOOK] < counts[MARKET_BOOK] or place[MARKET_BOOK + 1] < counts[MARKET_BOOK + 1]:
        book = MARKET_BOOK
        if place[MARKET_BOOK] >= counts[MARKET_BOOK] or (
            place[MARKET_BOOK + 1] < counts[MARKET_BOOK + 1]
            and orders[MARKET_BOOK + 1, place[MARKET_BOOK + 1]]["id"] < orders[MARKET_BOOK, place[MARKET_BOOK]]["id"]
        ):
            book = MARKET_BOOK + 1
        place[book] += 1
        execute(account, state, instrument, terms, journal, book, place[book] - 1, volume)
        if left_with_nothing(account, state):
            return UNSETTLED
        breach = breach_here(account, state, instrument, terms, rest, others_hold)
        if breach != NO_BREACH:
            return breach
    keep_waiting(state)
    return ARRIVED


@inlined_kernel
def walk_open(account, state, instrument, terms, journal, value, margin, price, volume):
    """The open: queued market orders, the liquidation test, limits, then stops that the open reaches.

    `value` and `margin` are unrealized PnL and maintenance margin of the account's other instruments. Returns ARRIVED or why it
    stopped; called again, it goes on from there.
    """
    rest = value - margin
    others_hold = margin > 0.0
    state["mark"] = price
    if state["order_count"][MARKET_BOOK] + state["order_count"][MARKET_BOOK + 1] > 0:
        code = fill_market_orders(account, state, instrument, terms, journal, volume, rest, others_hold)
        if code != ARRIVED:
            return code
    breach = breach_here(account, state, instrument, terms, rest, others_hold)
    if breach != NO_BREACH:
        return breach
    tolerance = PRICE_TOLERANCE * instrument["tick_size"]
    near = state["near"]
    reached = price >= state["up_trigger"] - tolerance or price <= state["down_trigger"] + tolerance
    for book in range(MARKET_BOOK if reached else 0):
        direction = met_by_rising(book)
        while direction * (near[book] - price) <= tolerance:
            place = state["cursor"][book]
            order = state["orders"][book, place]
            if direction * (fill_trigger(state, instrument, terms, book, order) - price) > tolerance:
                break
            execute(account, state, instrument, terms, journal, book, place, volume)
            pass_order(account, state, instrument, terms, book, place + 1)
            if left_with_nothing(account, state):
                return UNSETTLED
            breach = breach_here(account, state, instrument, terms, rest, others_hold)
            if breach != NO_BREACH:
                return breach
    note_path_equity(account, account["wallet"] + value + unrealized(state, instrument, price))
    return ARRIVED


@inlined_kernel
def next_trigger(state, instrument, terms, book, limit, tolerance, direction):
    """Trigger of the next order of a book within reach of `limit`, and whether there is one."""
    trigger = state["near"][book]
    if direction * (trigger - limit) > tolerance:
        return limit, False
    trigger = fill_trigger(state, instrument, terms, book, state["orders"][book, state["cursor"][book]])
    return trigger, direction * (trigger - limit) <= tolerance


@inlined_kernel
def walk_to(account, state, instrument, terms, journal, value, margin, start, target, volume):
    """Walk the price from its mark on the way from `start` to `target`, filling orders in the order it meets their triggers.

    Arguments and answers as of `walk_open`; called again, it goes on from where it stopped.
    """
    direction = 1.0 if target > start else -1.0
    tolerance = PRICE_TOLERANCE * instrument["tick_size"]
    # Rising prices meet SHORT entries, LONG take-profits and SHORT stops; falling ones their mirrors.
    side = 1 if direction > 0.0 else 0
    entry_book = 2 * ENTRY + side
    exit_book = 2 * TAKE_PROFIT + 1 - side
    stop_book = 2 * STOP + side
    rest = value - margin
    others_hold = margin > 0.0
    low = min(start, target)
    high = max(start, target)
    cross = terms["isolated"] == 0
    safe = cross and cannot_breach(account["wallet"] + rest, state, instrument, low, high)
    near = state["near"]
    nearest = min(min(direction * near[entry_book], direction * near[exit_book]), direction * near[stop_book])
    if safe and nearest - direction * target > tolerance:
        # Most ways meet nothing.
        state["mark"] = target
        note_path_equity(account, account["wallet"] + value + unrealized(state, instrument, target))
        return ARRIVED
    while True:
        entry_trigger, entry = next_trigger(state, instrument, terms, entry_book, target, tolerance, direction)
        exit_trigger, exit_ = next_trigger(state, instrument, terms, exit_book, target, tolerance, direction)
        stop_trigger, stop = next_trigger(state, instrument, terms, stop_book, target, tolerance, direction)
        book = -1
        trigger = target
        # At the same price limits go before stops and entries before take-profits.
        if stop:
            book, trigger = stop_book, stop_trigger
        if exit_ and (book < 0 or direction * (exit_trigger - trigger) <= tolerance):
            book, trigger = exit_book, exit_trigger
        if entry and (book < 0 or direction * (entry_trigger - trigger) <= tolerance):
            book, trigger = entry_book, entry_trigger
        # The path never turns back nor leaves the segment, whatever the tolerance let through.
        trigger = min(max(trigger, low), high)
        if direction * (trigger - state["mark"]) < 0.0:
            trigger = state["mark"]
        if not safe:
            breach = breach_on_the_way(account, state, instrument, terms, rest, trigger)
            if breach != NO_BREACH:
                return breach
        state["mark"] = trigger
        if book < 0:
            break
        place = state["cursor"][book]
        execute(account, state, instrument, terms, journal, book, place, volume)
        pass_order(account, state, instrument, terms, book, place + 1)
        if left_with_nothing(account, state):
            return UNSETTLED
        note_path_equity(account, account["wallet"] + value + unrealized(state, instrument, trigger))
        breach = breach_here(account, state, instrument, terms, rest, others_hold)
        if breach != NO_BREACH:
            return breach
        safe = cross and cannot_breach(account["wallet"] + rest, state, instrument, low, high)
    note_path_equity(account, account["wallet"] + value + unrealized(state, instrument, target))
    return ARRIVED
