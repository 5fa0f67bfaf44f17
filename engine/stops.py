"""Resting stops of a side, in two stages. Mostly they are only planned, and written when a bar comes near them."""

import numpy as np

from engine.orders import cancel_book, come_nearer, next_living, place_order, write_order
from engine.records import MARKET_BOOK, STOP, STOP_LABEL
from gridcore.compile import inlined_kernel, machine_kernel
from gridcore.rounding import ceil_to


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
