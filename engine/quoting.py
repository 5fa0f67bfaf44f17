"""What a strategy may do with the order list: quote entries and exits, queue market orders, place stops."""

import numpy as np

from engine.orders import cancel_book, come_nearer, limit_trigger, next_living, place_order, write_order, write_rungs
from engine.records import ENTRY, MARKET, MARKET_BOOK, MAX_LOTS, STOP, STOP_LABEL, TAKE_PROFIT, TAKE_PROFIT_LABEL, TOO_MANY_ORDERS
from gridcore.compile import inlined_kernel, machine_kernel
from gridcore.constants import PRICE_TOLERANCE
from gridcore.rounding import ceil_to, floor_to, tick_above, tick_below

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
    """Write the next of the ranked exits into its book. Its lot is the best that is worse than that of the one before."""
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


@machine_kernel
def place_stop(account, state, side, price, qty, covers_below, stage):
    """Place a reduce-only stop of a side over the lots with ids below `covers_below`. A price that is not positive is no order."""
    if not price > 0.0:
        return
    book = 2 * STOP + side
    place = state["order_count"][book]
    if state["attached_count"] == 0 and (place == 0 or stage == 2):
        # The two stages alone, the nearer first: nothing to sort.
        write_order(state["orders"][book, place], state["next_order_id"], price, price, qty, -1, -1, STOP_LABEL + side)
        state["next_order_id"] += 1
        state["orders_placed"] += 1
        state["order_count"][book] = place + 1
        come_nearer(state, book, price)
    else:
        place = place_order(account, state, STOP, side, price, price, qty, -1, -1, STOP_LABEL + side)
    if place >= 0:
        order = state["orders"][book, place]
        order["covers_below"] = covers_below
        order["stage"] = stage


@machine_kernel
def covered_by_stops(state, side):
    """Lots that a stop placed now covers, their quantity and their average entry (NaN for none): all that are not being closed."""
    if state["order_count"][MARKET_BOOK + side] == 0:
        count = state["lot_count"][side]
        if count == 0:
            return 0, 0.0, np.nan
        return count, state["qty"][side], state["cost"][side] / state["qty"][side]
    count = 0
    qty = 0.0
    cost = 0.0
    for j in range(state["lot_count"][side]):
        lot = state["lots"][side, j]
        if lot["pending"] == 0:
            count += 1
            qty += lot["qty"]
            cost += lot["qty"] * lot["entry"]
    if count == 0:
        return 0, 0.0, np.nan
    return count, qty, cost / qty


@machine_kernel
def place_stages(account, state, instrument, side, count, total, average, distance, tick_round, covers_below, fired):
    """The two stops of a side over `count` lots of `total` quantity and `average` entry with ids below `covers_below`."""
    sign = 1.0 - 2.0 * side
    # Away from the market's noise: longs' stops round down, shorts' up, which is one formula for the mirrored price.
    first = -sign * ceil_to(-sign * average + distance, tick_round)
    second = -sign * ceil_to(-sign * average + 1.5 * distance, tick_round)
    if fired == 1:
        place_stop(account, state, side, second, total, covers_below, 2)
        return
    step = instrument["step_size"]
    closing = total
    if count > 1:
        closing = min(total, ceil_to(0.5 * total, step))
    place_stop(account, state, side, first, closing, covers_below, 1)
    if total - closing >= 0.5 * step:
        place_stop(account, state, side, second, total - closing, covers_below, 2)


@machine_kernel
def place_stop_stages(account, state, instrument, side, distance, tick_round):
    """Two resting stops below the average entry of a long side (above, of a short one), `distance` and 1.5 times it away.

    Stage 1 closes half of the quantity (all of a single lot), stage 2 the rest; once stage 1 has fired only stage 2 stands.
    """
    cancel_book(state, 2 * STOP + side)
    count, total, average = covered_by_stops(state, side)
    if count > 0:
        fired = state["stage_one_fired"][side]
        place_stages(account, state, instrument, side, count, total, average, distance, tick_round, state["next_lot_id"], fired)


@machine_kernel
def plan_afresh(account, state, instrument, side, distance):
    """Plan the stops of a side after its lots have changed, or place them where nothing can be planned."""
    book = 2 * STOP + side
    cancel_book(state, book)
    state["planned_lots"][side] = 0
    state["head"][book] = next_living(state, book, 0)
    count = state["lot_count"][side]
    if count == 0:
        return
    qty = state["qty"][side]
    if can_be_planned(state, instrument, side, state["cost"][side] / qty, distance) and (count == 1 or qty > 4.0 * instrument["step_size"]):
        fired = state["stage_one_fired"][side]
        state["planned_lots"][side] = count
        state["planned_average"][side] = state["cost"][side] / qty
        state["planned_qty"][side] = qty
        state["planned_distance"][side] = distance
        state["planned_below"][side] = state["next_lot_id"]
        state["planned_fired"][side] = fired
        state["planned_orders"][side] = 1 if count == 1 or fired == 1 else 2
        state["planned_fresh"][side] = 1
        state["orders_placed"] += state["planned_orders"][side]
        return
    place_stop_stages(account, state, instrument, side, distance, instrument["tick_size"])
    state["head"][book] = next_living(state, book, 0)


@inlined_kernel
def can_be_planned(state, instrument, side, average, distance):
    """Whether both stops of a side surely have a price and stand alone in their book."""
    room = 2.0 * instrument["tick_size"]
    alone = state["attached_count"] == 0 and state["order_count"][MARKET_BOOK + side] == 0
    return alone and distance > room and average - 1.5 * distance > room


@inlined_kernel
def plan_stop_stages(account, state, instrument, side, distance):
    """Decide the stops of `place_stop_stages` and write them into their book only when a bar comes near them.

    Nothing is planned where it takes the rounding to tell how many stops there will be; they are placed at once. The nearest
    triggers of the books are kept up, but not their sum (`sum_up_triggers`).
    """
    if state["lot_count"][side] + state["order_count"][2 * STOP + side] == 0:
        state["planned_lots"][side] = 0
    elif (
        state["planned_fresh"][side] == 1
        and state["planned_lots"][side] > 0
        and can_be_planned(state, instrument, side, state["planned_average"][side], distance)
    ):
        state["planned_distance"][side] = distance
        state["orders_placed"] += state["planned_orders"][side]
    else:
        plan_afresh(account, state, instrument, side, distance)


@machine_kernel
def write_planned_stops(account, state, instrument):
    """Write the planned stops of both sides into their books; they were counted when they were planned."""
    placed = state["orders_placed"]
    for side in range(2):
        count = state["planned_lots"][side]
        if count > 0:
            state["planned_lots"][side] = 0
            place_stages(
                account,
                state,
                instrument,
                side,
                count,
                state["planned_qty"][side],
                state["planned_average"][side],
                state["planned_distance"][side],
                instrument["tick_size"],
                state["planned_below"][side],
                state["planned_fired"][side],
            )
            state["head"][2 * STOP + side] = next_living(state, 2 * STOP + side, state["head"][2 * STOP + side])
    state["orders_placed"] = placed
