"""Exits a strategy quotes: take-profits on lots, ranked take-profits written one at a time, closes at market."""

import numpy as np

from engine.orders import come_nearer, limit_trigger, place_order, write_order
from engine.records import MARKET, MAX_LOTS, TAKE_PROFIT, TAKE_PROFIT_LABEL
from gridcore.compile import inlined_kernel, machine_kernel
from gridcore.constants import PRICE_TOLERANCE
from gridcore.rounding import ceil_to, floor_to, tick_above, tick_below


@inlined_kernel
def place_take_profit(account, state, instrument, terms, side, index, price):
    """Rest a reduce-only limit at `price` on the lot at `index` of a side. A price that is not positive is no order."""
    if not price > 0.0:
        return
    lot = state["lots"][side, index]
    direction = 1.0 - 2.0 * side
    trigger = limit_trigger(terms, instrument, price, direction)
    book = 2 * TAKE_PROFIT + side
    place = state["order_count"][book]
    orders = state["orders"]
    if place < MAX_LOTS and (place == 0 or direction * (trigger - orders[book, place - 1]["trigger"]) >= 0.0):
        # It goes to the end of the book, as mostly: nothing to sort.
        write_order(orders[book, place], state["next_order_id"], trigger, price, lot["qty"], lot["id"], -1, TAKE_PROFIT_LABEL + side)
        state["next_order_id"] += 1
        state["orders_placed"] += 1
        state["order_count"][book] = place + 1
        come_nearer(state, book, trigger)
        return
    place_order(account, state, TAKE_PROFIT, side, trigger, price, lot["qty"], lot["id"], -1, TAKE_PROFIT_LABEL + side)


@inlined_kernel
def ranked_exit_price(state, instrument, side, index, rank, close, least):
    """Exit of the lot at `index`: the level of the other side that its rank has, at least `least` of the entry away, beyond `close`."""
    tick = instrument["tick_size"]
    lot = state["lots"][side, index]
    if lot["least_exit"] == 0.0:
        entry = lot["entry"]
        lot["least_exit"] = ceil_to(entry * (1.0 + least), tick) if side == 0 else floor_to(entry * (1.0 - least), tick)
    price = state["rung_price"][1 - side, rank]
    if side == 0:
        price = max(price, lot["least_exit"])
        return tick_above(close, tick) if price <= close + PRICE_TOLERANCE * tick else price
    price = min(price, lot["least_exit"])
    return tick_below(close, tick) if price >= close - PRICE_TOLERANCE * tick else price


@machine_kernel
def write_next_exit(account, state, instrument, terms, side):
    """Write the next of the ranked exits into its book. Its lot is the best that is worse than that of the one before.

    Ranks go on in order because within a bar lots leave from the two ends alone: by an exit that was written, or by a stop.
    """
    sign = 1.0 - 2.0 * side
    rank = state["next_exit"][side]
    for j in range(state["lot_count"][side] - 1, -1, -1):
        lot = state["lots"][side, j]
        behind = sign * (lot["entry"] - state["exit_entry"][side])
        if behind < 0.0 or (behind == 0.0 and lot["id"] <= state["exit_lot"][side]):
            continue
        if lot["pending"] == 0 and lot["id"] < state["exits_below"][side]:
            write_ranked_exit(account, state, instrument, terms, side, j, rank)
            return
    state["last_exit"][side] = rank


@inlined_kernel
def write_ranked_exit(account, state, instrument, terms, side, index, rank):
    """Write the exit of the lot at `index`, which was counted when it was quoted."""
    lot = state["lots"][side, index]
    price = ranked_exit_price(state, instrument, side, index, rank, state["exit_close"][side], state["least_gain"])
    place_take_profit(account, state, instrument, terms, side, index, price)
    state["orders_placed"] -= 1
    state["next_exit"][side] = rank + 1
    state["exit_entry"][side] = lot["entry"]
    state["exit_lot"][side] = lot["id"]


@machine_kernel
def write_all_exits(account, state, instrument, terms):
    """Write every ranked exit that rests and is not yet in its book."""
    for side in range(2):
        while state["next_exit"][side] < state["last_exit"][side]:
            write_next_exit(account, state, instrument, terms, side)


@inlined_kernel
def rest_ranked_exits(account, state, instrument, terms, side, ranked, close, least):
    """Quote the exits of a side's `ranked` best lots at the levels of the other side, nearest first, into an empty book.

    No lot of the side is being closed. Only the first is written now, the others when the price comes to them. Returns whether
    it could be done: every one surely has a price, and a level of its own.
    """
    tick = instrument["tick_size"]
    if not (
        ranked <= state["rungs"]
        and state["attached_count"] == 0
        and state["rung_price"][1 - side, ranked - 1] > 0.0
        and close > 2.0 * tick
        and (side == 0 or state["lots"][side, 0]["entry"] * (1.0 - least) > 2.0 * tick)
    ):
        return False
    state["exit_close"][side] = close
    state["least_gain"] = least
    state["exits_below"][side] = state["next_lot_id"]
    state["last_exit"][side] = ranked
    state["orders_placed"] += ranked
    write_ranked_exit(account, state, instrument, terms, side, state["lot_count"][side] - 1, 0)
    return True


@machine_kernel
def close_at_market(account, state, side, index, label):
    """Queue a market order that closes the lot at `index` of a side at the next open. Does nothing when one is queued."""
    lot = state["lots"][side, index]
    if lot["pending"] == 1:
        return
    lot["pending"] = 1
    place_order(account, state, MARKET, side, np.nan, np.nan, lot["qty"], lot["id"], -1, label)
