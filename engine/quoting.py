"""Entries a strategy quotes: one by one with or without exits of their own, or a ladder, within every limit."""

import numpy as np

from engine.orders import limit_trigger, next_living, place_order, write_order, write_rungs
from engine.records import ENTRY, MAX_LOTS, TOO_MANY_ORDERS
from gridcore.compile import inlined_kernel, machine_kernel
from gridcore.constants import PRICE_TOLERANCE

PLACED, TOO_SMALL, PAST_LIMIT = 1, 0, -1
# Rungs of a ladder that are written into their book when it is quoted; most bars reach none of the others.
RUNGS_AT_ONCE = 2
# What equals a minimum or a limit but for binary fractions passes.
LIMIT_TOLERANCE = 1e-9  # relative


@inlined_kernel
def crosses(instrument, side, price, close):
    """Whether a limit entry at `price` would cross the market at `close` (a touch counts)."""
    sign = 1.0 - 2.0 * side
    return sign * (price - close) >= -PRICE_TOLERANCE * instrument["tick_size"]


@inlined_kernel
def entry_room(account, state, instrument, terms, side, cap):
    """Highest notional that the side's resting entries may reach together, quote currency.

    Within `cap` (the side's highest notional, infinite for none) and the notional the tiers allow at this leverage, lots at the
    last close counted; and so that the account's initial margin does not pass its equity.
    """
    allowed = 1.0 + LIMIT_TOLERANCE
    scale = instrument["multiplier"] * state["mark"]
    lots = scale * state["qty"][side]
    room = min(cap, instrument["leverage_cap"]) * allowed - lots
    other = scale * state["qty"][1 - side] + state["resting_notional"][1 - side] + account["others_notional"]
    return min(room, account["equity"] * allowed * terms["leverage"] - lots - other)


@machine_kernel
def place_within(account, state, instrument, terms, side, level, price, qty, room, take_profit, stop_loss):
    """Quote a post-only entry if it is large enough and the side's resting entries stay within `room` (see `entry_room`)."""
    if account["stopped"] == 1 or account["paused"] == 1:
        return PAST_LIMIT
    state["wanted_rungs"] += 1
    notional = qty * price * instrument["multiplier"]
    enough = 1.0 - LIMIT_TOLERANCE
    if not (
        price > 0.0
        and qty > 0.0
        and qty >= instrument["min_qty"] * enough
        and notional >= instrument["min_notional"] * enough
        and np.isfinite(notional)
    ):
        state["dropped_rungs"] += 1
        return TOO_SMALL
    resting = state["resting_notional"][side] + notional
    if resting > room:
        lots = instrument["multiplier"] * state["mark"] * state["qty"][side]
        if lots + resting > instrument["leverage_cap"] * (1.0 + LIMIT_TOLERANCE):
            state["tier_cap_hits"] += 1
        return PAST_LIMIT
    trigger = limit_trigger(terms, instrument, price, 2.0 * side - 1.0)
    place = place_order(account, state, ENTRY, side, trigger, price, qty, -1, level, side)
    if place >= 0:
        order = state["orders"][2 * ENTRY + side, place]
        order["take_profit"] = take_profit
        order["stop_loss"] = stop_loss
    state["entries_placed"] += 1
    state["resting_notional"][side] = resting
    return PLACED


@machine_kernel
def place_bracket_entry(account, state, instrument, terms, side, level, price, qty, cap, take_profit, stop_loss):
    """Quote a post-only entry of `qty` at `price` if it is large enough and within every limit.

    The lot it opens rests its own `take_profit` (limit) and `stop_loss` (stop) prices from the next (sub-)bar on; NaN: none.
    `cap` is the highest notional of the side (quote currency), infinite for none; `level` is the grid level it spends when
    it fills, -1 for none. Returns PLACED, TOO_SMALL (counted) or PAST_LIMIT.
    """
    room = entry_room(account, state, instrument, terms, side, cap)
    return place_within(account, state, instrument, terms, side, level, price, qty, room, take_profit, stop_loss)


@machine_kernel
def place_entry(account, state, instrument, terms, side, level, price, qty, cap):
    """Quote a post-only entry without exits of its own; see `place_bracket_entry`."""
    return place_bracket_entry(account, state, instrument, terms, side, level, price, qty, cap, np.nan, np.nan)


@machine_kernel
def rest_ladder(account, state, instrument, terms, side, prices, quantities, levels, cap):
    """Quote the armed rungs of a side, nearest first, into an empty book of entries.

    `prices` and `quantities` have shape (2, at least `levels`), the prices of a side going away from the market. The same as
    `place_entry` rung by rung: a rung that would cross or is too small is left out, a rung past a limit ends the ladder.
    Returns (1 when no armed rung was left out for crossing or a limit, 1 when a limit ended the ladder).
    """
    if account["stopped"] == 1:
        return 0, 1
    if account["paused"] == 1:
        return 0, 0
    book = 2 * ENTRY + side
    orders = state["orders"]
    armed = state["armed"]
    multiplier = instrument["multiplier"]
    close = state["mark"]
    sign = 1.0 - 2.0 * side
    edge = sign * close - PRICE_TOLERANCE * instrument["tick_size"]
    least_qty = instrument["min_qty"] * (1.0 - LIMIT_TOLERANCE)
    least_notional = instrument["min_notional"] * (1.0 - LIMIT_TOLERANCE)
    room = entry_room(account, state, instrument, terms, side, cap)
    beyond = -sign * terms["through"] * instrument["tick_size"]
    scale = 1.0 - sign * terms["through_fraction"]
    resting = state["resting_notional"][side]
    order_id = state["next_order_id"]
    place = state["order_count"][book]
    complete = 1
    wanted = 0
    dropped = 0
    for level in range(levels):
        if armed[side, level] == 0:
            continue
        price = prices[side, level]
        if sign * price >= edge:
            complete = 0
            continue
        wanted += 1
        qty = quantities[side, level]
        notional = qty * price * multiplier
        if not (price > 0.0 and qty > 0.0 and qty >= least_qty and notional >= least_notional and notional < np.inf):
            dropped += 1
            continue
        if resting + notional > room:
            if multiplier * close * state["qty"][side] + resting + notional > instrument["leverage_cap"] * (1.0 + LIMIT_TOLERANCE):
                state["tier_cap_hits"] += 1
            complete = -1
            break
        if place >= MAX_LOTS:
            account["status"] = TOO_MANY_ORDERS
            break
        write_order(orders[book, place], order_id, price * scale + beyond, price, qty, -1, level, side)
        resting += notional
        order_id += 1
        place += 1
    placed = place - state["order_count"][book]
    state["wanted_rungs"] += wanted
    state["dropped_rungs"] += dropped
    state["orders_placed"] += placed
    state["entries_placed"] += placed
    state["next_order_id"] = order_id
    state["order_count"][book] = place
    state["resting_notional"][side] = resting
    state["head"][book] = next_living(state, book, state["head"][book])
    if complete < 0:
        return 0, 1
    return complete, 0


@machine_kernel
def sum_up_rungs(state, instrument, side, levels):
    """Set the notional of the strategy's whole ladder of a side, NaN when a rung is too small for an order."""
    least_qty = instrument["min_qty"] * (1.0 - LIMIT_TOLERANCE)
    least_notional = instrument["min_notional"] * (1.0 - LIMIT_TOLERANCE)
    prices, quantities = state["rung_price"], state["rung_qty"]
    multiplier = instrument["multiplier"]
    total = 0.0
    large = True
    for level in range(levels):
        price = prices[side, level]
        qty = quantities[side, level]
        notional = qty * price * multiplier
        large = large and (price > 0.0 and qty > 0.0 and qty >= least_qty and notional >= least_notional)
        total += notional
    state["rungs"] = levels
    state["rung_total"][side] = total if large else np.nan


@machine_kernel
def rest_nearest(account, state, instrument, terms, side, levels, cap, all_armed):
    """Quote the armed rungs of the strategy's ladder, `rung_price` and `rung_qty` of the state, into an empty book of entries.

    The same as `rest_ladder`, but where every rung is large enough and within the limits only the nearest are written now and
    the others when the price comes to them. `all_armed` says that every level is armed. Returns what `rest_ladder` does.
    """
    prices = state["rung_price"]
    quantities = state["rung_qty"]
    ready = account["stopped"] == 0 and account["paused"] == 0 and state["order_count"][2 * ENTRY + side] == 0
    if not (ready and state["rung_total"][side] < np.inf):
        return rest_ladder(account, state, instrument, terms, side, prices, quantities, levels, cap)
    multiplier = instrument["multiplier"]
    sign = 1.0 - 2.0 * side
    edge = sign * state["mark"] - PRICE_TOLERANCE * instrument["tick_size"]
    complete = 1
    first = 0
    stop = min(RUNGS_AT_ONCE, levels)
    wanted = levels
    resting = state["rung_total"][side]
    if not all_armed or sign * prices[side, 0] >= edge:
        armed = state["armed"]
        resting = 0.0
        wanted = 0
        first = levels
        for level in range(levels):
            if armed[side, level] == 0:
                continue
            price = prices[side, level]
            if sign * price >= edge:
                complete = 0
                continue
            if wanted < RUNGS_AT_ONCE:
                first = min(first, level)
                stop = level + 1
            wanted += 1
            resting += quantities[side, level] * price * multiplier
        if wanted == 0:
            return complete, 0
    if resting > entry_room(account, state, instrument, terms, side, cap):
        return rest_ladder(account, state, instrument, terms, side, prices, quantities, levels, cap)
    state["next_rung"][side] = first
    state["last_rung"][side] = levels
    write_rungs(state, instrument, terms, side, stop)
    state["wanted_rungs"] += wanted
    state["orders_placed"] += wanted
    state["entries_placed"] += wanted
    state["resting_notional"][side] = resting
    return complete, 0


@inlined_kernel
def entries_still_stand(account, state, instrument, terms, cap):
    """Whether quoting anew would give the entries that rest: no level armed since, nothing crosses, every limit holds."""
    if state["rearmed"] == 1:
        return False
    for side in range(2):
        book = 2 * ENTRY + side
        head = state["head"][book]
        if head < state["order_count"][book] and crosses(instrument, side, state["orders"][book, head]["price"], state["mark"]):
            return False
        if state["resting_notional"][side] > entry_room(account, state, instrument, terms, side, cap):
            return False
    return True
