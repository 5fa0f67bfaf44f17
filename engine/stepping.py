"""One bar at a time, for a caller in Python: list the orders, match them on a copy, apply fills, close the bar.

Everything here stands on the functions that the bar loop runs; a caller that goes decide, match, apply, close over the bars
gets the loop's events and equity to the last bit.
"""

import numpy as np

from engine.bar import CLOSE, VOLUME, account_gross, close_at_last, close_bar, settle_funding
from engine.fills import apply_fill
from engine.loop import exchange_bar, write_everything
from engine.matching import exit_qty, keep_waiting
from engine.orders import place_own_exits, refresh_triggers
from engine.records import (
    ABSENT,
    BOOKS,
    DELISTED_LABEL,
    ENTRY,
    GAP,
    LIQUIDATION_FILL,
    MARKET_BOOK,
    MAX_LOTS,
    TRADED,
    f8,
    fill_dtype,
    i8,
    lot_dtype,
    order_dtype,
    state_dtype,
)
from engine.valuation import account_equity
from gridcore.compile import entry_kernel

# A state as 8-byte words: the plain fields, then the table of lots, then the table of orders.
assert state_dtype.fields is not None
LOTS_WORD = state_dtype.fields["lots"][1] // 8
ORDERS_WORD = state_dtype.fields["orders"][1] // 8
LOT_WORDS = lot_dtype.itemsize // 8
ORDER_WORDS = order_dtype.itemsize // 8

# An order wanted during the coming bar.
wanted_dtype = np.dtype(
    [
        ("instrument", i8),  # index in the stepper's instruments
        ("id", i8),  # within the instrument; never used again
        ("kind", i8),  # engine.records.ENTRY, TAKE_PROFIT, STOP or MARKET
        ("side", i8),  # position side: 0 LONG, 1 SHORT
        ("price", f8),  # limit or stop price, quote currency; NaN: at market
        ("qty", f8),  # base units or contracts; of an exit, what is left to close
        ("lot", i8),  # lot it closes; -1: opens one, or closes all that a side's stop covers
        ("level", i8),  # grid level, -1: none
        ("label", i8),  # index into engine.records.LABELS: the event its fill will be
    ],
    align=True,
)

# A fill as the stepper hands it out and takes it.
assert fill_dtype.fields is not None
step_fill_dtype = np.dtype(
    [
        ("time", i8),  # ms UTC: open time of the (sub-)bar, or the exchange's own time
        ("sub_bar", i8),  # which walk of the bar it came in, 0 for the first; own exits go live from one to the next
        *((name, fill_dtype.fields[name][0]) for name in fill_dtype.fields),
    ],
    align=True,
)

# A funding settlement of the bar in hand.
settlement_dtype = np.dtype([("instrument", i8), ("rate", f8), ("mark", f8)], align=True)

# Answers of `apply_fills`.
UNKNOWN_ORDER, TOO_MUCH = -1, -2


@entry_kernel
def copy_words(source, target, first, last):
    """Copy the words first..last-1."""
    for j in range(first, last):
        target[j] = source[j]


@entry_kernel
def copy_states(states, source, target):
    """Copy the living part of each state: plain fields, lots and orders up to their counts.

    `source` and `target` are int64 words of state records, (instruments, words); `source` are those of `states`.
    """
    for k in range(states.shape[0]):
        state = states[k]
        copy_words(source[k], target[k], 0, LOTS_WORD)
        for side in range(2):
            first = LOTS_WORD + side * MAX_LOTS * LOT_WORDS
            copy_words(source[k], target[k], first, first + state["lot_count"][side] * LOT_WORDS)
        for book in range(BOOKS):
            first = ORDERS_WORD + book * MAX_LOTS * ORDER_WORDS
            copy_words(source[k], target[k], first, first + state["order_count"][book] * ORDER_WORDS)


@entry_kernel
def complete_books(accounts, states, instruments, all_terms):
    """Write every order that is quoted and not yet in its book, for somebody who looks at the books."""
    for k in range(states.shape[0]):
        write_everything(accounts[0], states[k], instruments[k], all_terms[0])


@entry_kernel
def place_waiting_exits(accounts, states, instruments, all_terms, wanted):
    """Rest the own exits that wait, of the instruments k with wanted[k] == 1."""
    for k in range(states.shape[0]):
        if wanted[k] == 1 and states[k]["exits_waiting"] == 1:
            place_own_exits(accounts[0], states[k], all_terms[0], instruments[k])


@entry_kernel
def order_qty(state, book, order):
    """What an order asks for: its quantity, of an exit at most what it can still close."""
    if book // 2 == ENTRY or (book >= MARKET_BOOK and order["lot"] < 0):
        return order["qty"]
    return exit_qty(state, order, book % 2)


@entry_kernel
def drop_idle_closes(state):
    """Drop the queued closes whose lot is gone, as the open of a traded bar does."""
    if state["order_count"][MARKET_BOOK] + state["order_count"][MARKET_BOOK + 1] == 0:
        return
    for book in range(MARKET_BOOK, BOOKS):
        for place in range(state["order_count"][book]):
            order = state["orders"][book, place]
            if order_qty(state, book, order) <= 0.0:
                order["alive"] = 0
    keep_waiting(state)


@entry_kernel
def list_orders(states, out):
    """Write the orders that may fill to `out` (wanted_dtype), by instrument and book, nearest first. Returns how many there are.

    When there are more than `out` holds, the rest is counted and not written.
    """
    count = 0
    for k in range(states.shape[0]):
        state = states[k]
        for book in range(BOOKS):
            for place in range(state["head"][book], state["order_count"][book]):
                order = state["orders"][book, place]
                if order["alive"] == 0:
                    continue
                qty = order_qty(state, book, order)
                if qty <= 0.0:
                    continue
                if count < out.shape[0]:
                    row = out[count]
                    row["instrument"] = k
                    row["id"] = order["id"]
                    row["kind"] = book // 2
                    row["side"] = book % 2
                    row["price"] = order["price"]
                    row["qty"] = qty
                    row["lot"] = order["lot"]
                    row["level"] = order["level"]
                    row["label"] = order["label"]
                count += 1
    return count


@entry_kernel
def keep_only(states, orders):
    """Take every order out of the states that is not in `orders` (wanted_dtype), by instrument and id."""
    size = orders.shape[0]
    place_in_orders = 0
    for k in range(states.shape[0]):
        state = states[k]
        for book in range(BOOKS):
            for place in range(state["head"][book], state["order_count"][book]):
                order = state["orders"][book, place]
                if order["alive"] == 0:
                    continue
                # The list is mostly in the order of the books, so the next one is looked at first.
                found = False
                for _ in range(size):
                    if place_in_orders >= size:
                        place_in_orders = 0
                    row = orders[place_in_orders]
                    place_in_orders += 1
                    if row["id"] == order["id"] and row["instrument"] == k:
                        found = True
                        break
                if not found:
                    order["alive"] = 0
        keep_waiting(state)
        refresh_triggers(state)


@entry_kernel
def match_bar(accounts, states, instruments, all_terms, journals, kinds, bars, own_path, no_sub_bars, column, traded, walked, sub_bar_of):
    """The simulated exchange on one bar: its own path, or its finer bars one after the other.

    `bars` float64 (instruments, 5, walks) holds the bar itself (walks = 1) or its finer bars; `kinds` int8 (instruments, walks)
    says what each is, and is changed. `own_path` int64 (instruments, walks) is -1 everywhere and `no_sub_bars` empty. Sets
    `walked` (instruments,) to each instrument's last walk, -1 for none, and `sub_bar_of` (MAX_EVENTS,) to the walk of each fill.
    """
    account = accounts[0]
    terms = all_terms[0]
    journal = journals[0]
    count = states.shape[0]
    walks = kinds.shape[1]
    for k in range(count):
        walked[k] = -1
    for j in range(walks):
        fills = journal["fill_count"]
        liquidations = account["liquidations"]
        for k in range(count):
            states[k]["sub_bar"] = j
            if kinds[k, j] == TRADED:
                walked[k] = j
        exchange_bar(account, states, instruments, terms, journal, j, kinds, bars, own_path, 0, no_sub_bars, column, traded)
        for f in range(fills, journal["fill_count"]):
            sub_bar_of[f] = j
        if account["liquidations"] > liquidations and (count == 1 or terms["isolated"] == 0):
            return
        for k in range(count):
            if count > 1 and states[k]["ended"] == 1:
                for later in range(j + 1, walks):
                    if kinds[k, later] == TRADED:
                        kinds[k, later] = GAP


@entry_kernel
def find_order(state, order_id):
    """Book and place of a living order, -1 for none."""
    for book in range(BOOKS):
        for place in range(state["head"][book], state["order_count"][book]):
            order = state["orders"][book, place]
            if order["id"] == order_id and order["alive"] == 1:
                return book, place
    return -1, -1


@entry_kernel
def apply_fills(accounts, states, instruments, all_terms, journals, fills, last_fill):
    """Apply fills (step_fill_dtype) in their order; kind and side of a fill are taken from the order it names.

    `last_fill` (instruments,) is the last walk of the bar that an instrument had a fill in, -1 for none; it is moved on.
    Returns (how many were applied, 0 or why the next one was not).
    """
    account = accounts[0]
    terms = all_terms[0]
    applied = 0
    trouble = 0
    for f in range(fills.shape[0]):
        fill = fills[f]
        k = fill["instrument"]
        state = states[k]
        if fill["kind"] != LIQUIDATION_FILL:
            if fill["sub_bar"] > last_fill[k]:
                # A new walk of the bar: what was attached in an earlier one rests by now.
                if state["exits_waiting"] == 1:
                    place_own_exits(account, state, terms, instruments[k])
                last_fill[k] = fill["sub_bar"]
            book, place = find_order(state, fill["order_id"])
            if book < 0 and state["exits_waiting"] == 1:
                place_own_exits(account, state, terms, instruments[k])
                book, place = find_order(state, fill["order_id"])
            if book < 0:
                trouble = UNKNOWN_ORDER
                break
            if fill["qty"] > order_qty(state, book, state["orders"][book, place]) + 0.5 * instruments[k]["step_size"]:
                trouble = TOO_MUCH
                break
            fill["kind"] = book // 2
            fill["side"] = book % 2
        apply_fill(account, states, instruments, terms, journals[0], fill)
        applied += 1
    for k in range(states.shape[0]):
        keep_waiting(states[k])
        refresh_triggers(states[k])
    return applied, trouble


@entry_kernel
def close_step(accounts, states, instruments, all_terms, journals, kinds, bars, walked, last_fill, settlements, delisted):
    """Close a bar: marks, funding and delisting by instrument, statistics. Returns equity, quote currency.

    `kinds` and `walked`, `last_fill` (see `match_bar`, `apply_fills`) and `delisted` (1: it was the last bar) have shape
    (instruments,), `bars` (instruments, 5); `settlements` are of `settlement_dtype`, in time order.
    """
    account = accounts[0]
    terms = all_terms[0]
    journal = journals[0]
    for k in range(states.shape[0]):
        if kinds[k] == ABSENT:
            continue
        state = states[k]
        if kinds[k] == GAP:
            state["gap_bars"] += 1
        elif walked[k] >= 0:
            drop_idle_closes(state)
            if state["exits_waiting"] == 1 and walked[k] > last_fill[k]:
                place_own_exits(account, state, terms, instruments[k])
        state["mark"] = bars[k, CLOSE]
    for k in range(states.shape[0]):
        if kinds[k] == ABSENT:
            continue
        for s in range(settlements.shape[0]):
            if settlements[s]["instrument"] == k:
                settle_funding(account, states, instruments, journal, k, s, s + 1, settlements["rate"], settlements["mark"])
        if delisted[k] == 1:
            close_at_last(account, states, instruments, terms, journal, k, 0.0, DELISTED_LABEL)
    equity = account_equity(account, states, instruments, terms)
    close_bar(account, equity, account_gross(states, instruments, terms))
    return equity


@entry_kernel
def walk_kinds(states, kinds, bars, out):
    """What each walk of a bar is for each instrument, into `out` int8 (instruments, walks); `kinds` (instruments,) are the bar's.

    `bars` is (instruments, 5, walks). An instrument that does not trade in the bar stands at its mark in every finer one.
    """
    walks = out.shape[1]
    for k in range(out.shape[0]):
        for j in range(walks):
            out[k, j] = kinds[k]
            if kinds[k] != TRADED:
                if walks > 1:
                    bars[k, CLOSE, j] = states[k]["mark"]
            elif bars[k, VOLUME, j] <= 0.0:
                out[k, j] = GAP


@entry_kernel
def take_fills(journals, sub_bar_of, time, length, out):
    """Copy the journal's fills to `out` (step_fill_dtype), with the open time of the walk of each; a walk lasts `length` ms."""
    fills = journals[0]["fills"]
    for f in range(out.shape[0]):
        fill = fills[f]
        row = out[f]
        row["time"] = time + sub_bar_of[f] * length
        row["sub_bar"] = sub_bar_of[f]
        row["instrument"] = fill["instrument"]
        row["order_id"] = fill["order_id"]
        row["kind"] = fill["kind"]
        row["side"] = fill["side"]
        row["price"] = fill["price"]
        row["qty"] = fill["qty"]
        row["fee"] = fill["fee"]
        row["maker"] = fill["maker"]
        row["mark"] = fill["mark"]
