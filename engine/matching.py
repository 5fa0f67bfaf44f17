"""The simulated exchange inside one (sub-)bar: the open, then the walk along the path, order by order."""

import numpy as np

from engine.execution import PATH_HIGH_FIRST, PATH_LOW_FIRST
from engine.fills import covered_qty, fill_order
from engine.liquidation import liquidated_here, liquidated_on_the_way
from engine.orders import copy_order, met_by_rising, place_own_exits, refresh_triggers
from engine.positions import find_lot
from engine.records import BOOKS, ENTRY, MARKET_BOOK, RECENTER_LABEL, STOP, TAKE_PROFIT
from engine.risk_gates import watch_floors
from engine.valuation import cannot_breach, rest_of_account, unrealized
from gridcore.chance import uniform_of_keys
from gridcore.compile import machine_kernel
from gridcore.constants import PRICE_TOLERANCE
from gridcore.rounding import floor_to

# More finer bars than a bar can have, so that an instrument and its finer bar make one key.
WALKS_OF_A_BAR = 2**20


@machine_kernel
def high_comes_first(terms, instrument, open_, high, low):
    """Which extreme the path visits first: by default the nearer to the open, and a tie goes to the low."""
    path = terms["path"]
    if path == PATH_LOW_FIRST:
        return False
    if path == PATH_HIGH_FIRST:
        return True
    return (high - open_) < (open_ - low) - PRICE_TOLERANCE * instrument["tick_size"]


@machine_kernel
def note_path_equity(account, equity):
    """Follow peak and drawdown of equity along the walked path."""
    if equity > account["path_peak"]:
        account["path_peak"] = equity
    elif account["path_peak"] - equity > account["path_drawdown_max"] * account["path_peak"]:
        account["path_drawdown_max"] = (account["path_peak"] - equity) / account["path_peak"]
    if account["gated"] == 1:
        watch_floors(account, equity)


@machine_kernel
def fillable(terms, instrument, volume, qty):
    """How much of `qty` a bar of `volume` lets fill, in whole steps."""
    if terms["max_volume_share"] <= 0.0:
        return qty
    return min(qty, floor_to(terms["max_volume_share"] * volume, instrument["step_size"]))


@machine_kernel
def exit_qty(state, order, side):
    """Quantity an exit order can still close: nothing once its lots are gone."""
    if order["lot"] < 0:
        return min(order["qty"], covered_qty(state, order, side))
    index = find_lot(state, side, order["lot"])
    if index < 0:
        return 0.0
    return min(order["qty"], state["lots"][side, index]["qty"])


@machine_kernel
def execute(account, states, instruments, terms, journal, k, book, place, volume):
    """Fill an order whose trigger the path has reached, the price standing at the mark."""
    state = states[k]
    instrument = instruments[k]
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
    fill_order(account, states, instruments, terms, journal, k, book, place, price, qty, fee, maker, state["mark"])


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
def begin_walk(account, states, instruments, terms, k):
    """Make an instrument ready for a (sub-)bar: own exits go live, every order may be tried once."""
    state = states[k]
    if state["exits_waiting"] == 1:
        place_own_exits(account, state, terms, instruments[k])
    for book in range(BOOKS):
        state["cursor"][book] = state["head"][book]


@machine_kernel
def fill_trigger(state, instrument, terms, k, book, order):
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
    place = WALKS_OF_A_BAR * k + state["sub_bar"]
    if uniform_of_keys(terms["touch_seed"], state["time"], place, side, ticks) < terms["touch_probability"]:
        return order["trigger"]
    return order["trigger"] + direction * tick * (1.0 + direction * terms["through_fraction"])


@machine_kernel
def walk_open(account, states, instruments, terms, journal, k, price, volume):
    """The open: queued market orders, the liquidation test, limits, then stops that the open reaches. Returns 1 when it ended the bar."""
    state = states[k]
    value, margin = rest_of_account(states, instruments, terms, k)
    rest = value - margin
    state["mark"] = price
    orders = state["orders"]
    counts = state["order_count"]
    place = state["cursor"]
    # In the order they were queued. The counts are read anew each time: an account left with nothing loses all its orders.
    while place[MARKET_BOOK] < counts[MARKET_BOOK] or place[MARKET_BOOK + 1] < counts[MARKET_BOOK + 1]:
        book = MARKET_BOOK
        if place[MARKET_BOOK] >= counts[MARKET_BOOK] or (
            place[MARKET_BOOK + 1] < counts[MARKET_BOOK + 1]
            and orders[MARKET_BOOK + 1, place[MARKET_BOOK + 1]]["id"] < orders[MARKET_BOOK, place[MARKET_BOOK]]["id"]
        ):
            book = MARKET_BOOK + 1
        place[book] += 1
        execute(account, states, instruments, terms, journal, k, book, place[book] - 1, volume)
        if liquidated_here(account, states, instruments, terms, journal, k, rest) == 1:
            return 1
    keep_waiting(state)
    if liquidated_here(account, states, instruments, terms, journal, k, rest) == 1:
        return 1
    tolerance = PRICE_TOLERANCE * instruments[k]["tick_size"]
    for book in range(MARKET_BOOK):
        direction = met_by_rising(book)
        place = state["cursor"][book]
        while place < state["order_count"][book]:
            order = state["orders"][book, place]
            if direction * (order["trigger"] - price) > tolerance:
                break
            if direction * (fill_trigger(state, instruments[k], terms, k, book, order) - price) > tolerance:
                break
            place += 1
            state["cursor"][book] = place
            if order["alive"] == 1:
                execute(account, states, instruments, terms, journal, k, book, place - 1, volume)
                if liquidated_here(account, states, instruments, terms, journal, k, rest) == 1:
                    return 1
    note_path_equity(account, account["wallet"] + value + unrealized(state, instruments[k], price))
    return 0


@machine_kernel
def next_order(state, instrument, terms, k, book, limit, tolerance, direction):
    """Index and trigger of the next living order within reach of `limit`, -1 and `limit` for none; moves the cursor past dead ones."""
    place = state["cursor"][book]
    count = state["order_count"][book]
    while place < count and state["orders"][book, place]["alive"] == 0:
        place += 1
    state["cursor"][book] = place
    if place < count and direction * (state["orders"][book, place]["trigger"] - limit) <= tolerance:
        trigger = fill_trigger(state, instrument, terms, k, book, state["orders"][book, place])
        if direction * (trigger - limit) <= tolerance:
            return place, trigger
    return -1, limit


@machine_kernel
def walk_to(account, states, instruments, terms, journal, k, target, volume):
    """Walk the price from its mark to `target`, filling orders in the order it meets their triggers. Returns 1 when the bar ended."""
    state = states[k]
    instrument = instruments[k]
    start = state["mark"]
    direction = 1.0 if target > start else -1.0
    tolerance = PRICE_TOLERANCE * instrument["tick_size"]
    # Rising prices meet SHORT entries, LONG take-profits and SHORT stops; falling ones their mirrors.
    side = 1 if direction > 0.0 else 0
    entry_book = 2 * ENTRY + side
    exit_book = 2 * TAKE_PROFIT + 1 - side
    stop_book = 2 * STOP + side
    value, margin = rest_of_account(states, instruments, terms, k)
    rest = value - margin
    low = min(start, target)
    high = max(start, target)
    safe = False
    tested = False
    while True:
        entry, entry_trigger = next_order(state, instrument, terms, k, entry_book, target, tolerance, direction)
        exit_, exit_trigger = next_order(state, instrument, terms, k, exit_book, target, tolerance, direction)
        stop, stop_trigger = next_order(state, instrument, terms, k, stop_book, target, tolerance, direction)
        book = -1
        place = -1
        trigger = target
        # At the same price limits go before stops and entries before take-profits.
        if stop >= 0:
            book, place, trigger = stop_book, stop, stop_trigger
        if exit_ >= 0 and (book < 0 or direction * (exit_trigger - trigger) <= tolerance):
            book, place, trigger = exit_book, exit_, exit_trigger
        if entry >= 0 and (book < 0 or direction * (entry_trigger - trigger) <= tolerance):
            book, place, trigger = entry_book, entry, entry_trigger
        # The path never turns back nor leaves the segment, whatever the tolerance let through.
        trigger = min(max(trigger, low), high)
        if direction * (trigger - state["mark"]) < 0.0:
            trigger = state["mark"]
        if not tested:
            safe = terms["isolated"] == 0 and cannot_breach(account["wallet"] + rest, state, instrument, low, high)
            tested = True
        if not safe and liquidated_on_the_way(account, states, instruments, terms, journal, k, rest, trigger) == 1:
            return 1
        state["mark"] = trigger
        if book < 0:
            break
        state["cursor"][book] = place + 1
        execute(account, states, instruments, terms, journal, k, book, place, volume)
        tested = False
        note_path_equity(account, account["wallet"] + value + unrealized(state, instrument, trigger))
        if liquidated_here(account, states, instruments, terms, journal, k, rest) == 1:
            return 1
    note_path_equity(account, account["wallet"] + value + unrealized(state, instrument, target))
    return 0


@machine_kernel
def nothing_can_happen(account, state, instrument, terms, high, low):
    """Whether a single instrument's bar reaches no trigger and cannot liquidate: the quiet path."""
    tolerance = PRICE_TOLERANCE * instrument["tick_size"]
    if high >= state["up_trigger"] - tolerance or low <= state["down_trigger"] + tolerance:
        return False
    if state["order_count"][MARKET_BOOK] + state["order_count"][MARKET_BOOK + 1] + state["exits_waiting"] > 0:
        return False
    if state["lot_count"][0] + state["lot_count"][1] == 0:
        return True
    if terms["isolated"] == 1:
        return False
    return cannot_breach(account["wallet"], state, instrument, low, high)


@machine_kernel
def walk_quietly(account, state, instrument, terms, open_, high, low, close):
    """Pass a (sub-)bar of a wallet with a single instrument in which nothing can happen. Returns 0 when something may."""
    if not nothing_can_happen(account, state, instrument, terms, high, low):
        return 0
    if state["lot_count"][0] + state["lot_count"][1] > 0:
        at_high = account["wallet"] + unrealized(state, instrument, high)
        at_low = account["wallet"] + unrealized(state, instrument, low)
        if account["gated"] == 1:
            note_path_equity(account, account["wallet"] + unrealized(state, instrument, open_))
        if high_comes_first(terms, instrument, open_, high, low):
            note_path_equity(account, at_high)
            note_path_equity(account, at_low)
        else:
            note_path_equity(account, at_low)
            note_path_equity(account, at_high)
    state["mark"] = close
    return 1


@machine_kernel
def walk_path(account, states, instruments, terms, journal, open_, high, low, close, volume):
    """Walk one (sub-)bar of a wallet with a single instrument. Returns 1 when a liquidation ended the bar."""
    state = states[0]
    begin_walk(account, states, instruments, terms, 0)
    ended = walk_open(account, states, instruments, terms, journal, 0, open_, volume)
    high_first = high_comes_first(terms, instruments[0], open_, high, low)
    for phase in range(1, 4):
        if ended == 0:
            target = close
            if phase < 3:
                target = high if high_first == (phase == 1) else low
            ended = walk_to(account, states, instruments, terms, journal, 0, target, volume)
    refresh_triggers(state)
    state["mark"] = close
    return ended
