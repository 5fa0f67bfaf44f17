"""What a fill does to the account: the half of the machine that backtest and live share.

A fill may come from the simulated exchange or from a real one; it is applied by the same functions.
"""

import numpy as np

from engine.journal import note_level, record_event
from engine.orders import cancel_all_orders, cancel_entries, sum_up_triggers, write_rungs
from engine.positions import arm_all_levels, find_lot, insert_lot, refresh_side, remove_lot
from engine.records import (
    ENTRY,
    LIQUIDATION_FILL,
    LIQUIDATION_LABEL,
    MARKET,
    MAX_EVENTS,
    NO_SIDE,
    OPEN_LABEL,
    PRUNE_OFFSET,
    SHORTFALL_LABEL,
    STOP,
    TAKE_PROFIT_LABEL,
    TOO_MANY_EVENTS,
)
from engine.valuation import is_flat
from gridcore.compile import inlined_kernel, machine_kernel


@inlined_kernel
def keep_fill(account, state, journal, order_id, kind, side, price, qty, fee, maker, mark):
    """Note a fill for a caller that wants to see fills (the stepper); does nothing inside a run."""
    if journal["keep_fills"] == 0:
        return
    count = journal["fill_count"]
    if count >= MAX_EVENTS:
        account["status"] = TOO_MANY_EVENTS
        return
    fill = journal["fills"][count]
    fill["instrument"] = state["instrument"]
    fill["order_id"] = order_id
    fill["kind"] = kind
    fill["side"] = side
    fill["price"] = price
    fill["qty"] = qty
    fill["fee"] = fee
    fill["maker"] = maker
    fill["mark"] = mark
    journal["fill_count"] = count + 1


@inlined_kernel
def open_lot(account, state, instrument, terms, journal, order, side, price, qty, fee):
    """A fill that opens inventory becomes a lot of its own."""
    place = insert_lot(account, state, side, price, qty)
    if place < 0:
        return
    lot = state["lots"][side, place]
    lot["entry_fee"] = fee
    lot["funding"] = 0.0
    lot["open_time"] = state["time"]
    lot["level"] = order["level"]
    lot["generation"] = state["generation"]
    lot["pending"] = 0
    lot["take_profit"] = order["take_profit"]
    lot["stop_loss"] = order["stop_loss"]
    lot["exits_waiting"] = 0
    lot["least_exit"] = 0.0
    if not (np.isnan(order["take_profit"]) and np.isnan(order["stop_loss"])):
        lot["exits_waiting"] = 1
        state["exits_waiting"] = 1
    account["wallet"] -= fee
    state["margin"][side] += price * qty * instrument["multiplier"] / terms["leverage"]
    record_event(account, state, journal, OPEN_LABEL + side, side, price, qty, fee, 0.0, 0.0, lot["id"])
    note_level(journal, lot["level"])
    refresh_side(state, side)


@machine_kernel
def close_lot(account, state, instrument, terms, journal, side, index, price, qty, fee, label):
    """Close a lot or a part of it at `price`. Returns the quantity closed, which is the whole lot when little would be left."""
    lot = state["lots"][side, index]
    whole = lot["qty"]
    if whole - qty < 0.5 * instrument["step_size"]:
        qty = whole
    share = 1.0 if qty == whole else qty / whole
    sign = 1.0 - 2.0 * side
    pnl = sign * (price - lot["entry"]) * qty * instrument["multiplier"]
    entry_fee = lot["entry_fee"] * share
    account["wallet"] += pnl - fee
    account["realized"] += pnl
    if label == TAKE_PROFIT_LABEL + side:
        gain = pnl - fee - entry_fee
        state["grid_profit"][side] += gain
        state["offset_buffer"][side] += gain
    elif label == PRUNE_OFFSET:
        state["offset_buffer"][side] += pnl
    net = pnl - fee - entry_fee
    if net > 0.0:
        state["winning_closes"][side] += 1
        state["gross_profit"] += net
    elif net < 0.0:
        state["losing_closes"][side] += 1
        state["gross_loss"] -= net
    record_event(account, state, journal, label, side, price, qty, fee, pnl, 0.0, lot["id"])
    note_level(journal, lot["level"])
    side_qty = state["qty"][side]
    if qty == whole:
        level = lot["level"]
        if state["next_rung"][side] <= level and level < state["last_rung"][side]:
            # The level may be armed now, but rests no order before the ladder is quoted anew.
            write_rungs(state, instrument, terms, side, state["last_rung"][side])
        remove_lot(state, side, index)
    else:
        lot["qty"] = whole - qty
        lot["entry_fee"] -= entry_fee
        lot["funding"] -= lot["funding"] * share
    margin = state["margin"][side]
    refresh_side(state, side)
    if state["lot_count"][side] > 0:
        state["margin"][side] = margin * (state["qty"][side] / side_qty)
    return qty


@machine_kernel
def close_covered(account, state, instrument, terms, journal, order, side, price, qty, fee):
    """A side's stop closes the lots it covers, worst first, up to its quantity."""
    step = instrument["step_size"]
    fee_per_unit = fee / qty
    remaining = qty
    j = 0
    while remaining > 0.5 * step and j < state["lot_count"][side]:
        lot = state["lots"][side, j]
        if lot["id"] >= order["covers_below"] or lot["pending"] == 1:
            j += 1
            continue
        if order["stage"] == 1:
            state["stage_one_fired"][side] = 1
        count = state["lot_count"][side]
        take = min(remaining, lot["qty"])
        if lot["qty"] - take < 0.5 * step:
            take = lot["qty"]
        remaining -= close_lot(account, state, instrument, terms, journal, side, j, price, take, fee_per_unit * take, order["label"])
        if state["lot_count"][side] == count:
            break


@machine_kernel
def covered_qty(state, order, side):
    """Quantity of the lots that a side's stop covers and that still stand."""
    total = 0.0
    for j in range(state["lot_count"][side]):
        lot = state["lots"][side, j]
        if lot["id"] < order["covers_below"] and lot["pending"] == 0:
            total += lot["qty"]
    return total


@machine_kernel
def stop_trading(account, states, terms):
    """No entry of any instrument rests from now on, and none will be quoted."""
    account["stopped"] = 1
    for j in range(terms["instruments"]):
        cancel_entries(states[j])
        # The other books stay as they are: an instrument may be in the middle of its walk.
        sum_up_triggers(states[j], states[j]["tick_size"])


@machine_kernel
def settle_when_flat(account, states, terms, journal, k):
    """Once everything is closed a negative wallet is credited to zero, and an account with nothing left stops trading."""
    if account["wallet"] <= 0.0 and is_flat(states, terms):
        if account["wallet"] < 0.0:
            missing = -account["wallet"]
            account["wallet"] = 0.0
            account["shortfall"] += missing
            record_event(account, states[k], journal, SHORTFALL_LABEL, NO_SIDE, 0.0, 0.0, 0.0, missing, 0.0, -1)
        stop_trading(account, states, terms)
        for j in range(terms["instruments"]):
            cancel_all_orders(states[j])


@inlined_kernel
def fill_order(account, state, instrument, terms, journal, book, place, price, qty, fee, maker, mark):
    """Apply the fill of one order: `qty` at `price` for `fee`, while the market stood at `mark`.

    The caller sees to it that an account which this leaves with nothing is settled (`left_with_nothing`).
    """
    order = state["orders"][book, place]
    kind = book // 2
    side = book % 2
    keep_fill(account, state, journal, order["id"], kind, side, price, qty, fee, maker, mark)
    state["changed"] = 1
    notional = price * qty * instrument["multiplier"]
    account["turnover"] += notional
    if maker == 1:
        account["maker_notional"] += notional
    else:
        account["slippage_cost"] += abs(price - mark) * qty * instrument["multiplier"]
    order["alive"] = 0
    if kind == ENTRY:
        state["entries_filled"] += 1
        if order["level"] >= 0:
            state["armed"][side, order["level"]] = 0
        open_lot(account, state, instrument, terms, journal, order, side, price, qty, fee)
        # What volume left of it is cancelled, so the whole order rests no more.
        state["resting_notional"][side] -= order["price"] * order["qty"] * instrument["multiplier"]
        return
    if order["lot"] >= 0:
        index = find_lot(state, side, order["lot"])
        if index >= 0:
            closed = close_lot(account, state, instrument, terms, journal, side, index, price, qty, fee, order["label"])
            waits = kind == MARKET or order["attached"] == 1
            if waits and order["qty"] - closed >= 0.5 * instrument["step_size"] and find_lot(state, side, order["lot"]) >= 0:
                # Limited by volume, a market order or a lot's own exit waits with its remainder for the next bar.
                order["qty"] -= closed
                order["alive"] = 1
            elif order["attached"] == 1:
                state["attached_count"] -= 1
    elif kind == STOP:
        close_covered(account, state, instrument, terms, journal, order, side, price, qty, fee)
    else:
        open_lot(account, state, instrument, terms, journal, order, side, price, qty, fee)


@inlined_kernel
def left_with_nothing(account, state):
    """Whether an instrument's last fill may have left the account without money and positions (`settle_when_flat` knows)."""
    return account["wallet"] <= 0.0 and state["lot_count"][0] + state["lot_count"][1] == 0


@machine_kernel
def liquidate_side(account, state, instrument, terms, journal, side, price):
    """Close every lot of a side at the liquidation price, best first, for the liquidation fee."""
    if state["lot_count"][side] == 0:
        return
    qty = state["qty"][side]
    rate = terms["liquidation_fee"] * instrument["multiplier"]
    keep_fill(account, state, journal, -1, LIQUIDATION_FILL, side, price, qty, price * qty * rate, 0, price)
    account["turnover"] += price * qty * instrument["multiplier"]
    while state["lot_count"][side] > 0:
        index = state["lot_count"][side] - 1
        lot_qty = state["lots"][side, index]["qty"]
        close_lot(account, state, instrument, terms, journal, side, index, price, lot_qty, price * lot_qty * rate, LIQUIDATION_LABEL)


@machine_kernel
def finish_liquidation(account, states, terms, journal, k):
    """After the lots are closed: cancel orders, arm all levels, credit a shortfall, stop trading if so agreed."""
    if terms["isolated"] == 1 or is_flat(states, terms):
        # A cross account is liquidated once, however many sides it held.
        account["liquidations"] += 1
    for j in range(terms["instruments"]):
        if terms["isolated"] == 0 or j == k:
            cancel_all_orders(states[j])
            arm_all_levels(states[j])
            states[j]["changed"] = 1
    settle_when_flat(account, states, terms, journal, k)
    if terms["continue_after_liquidation"] == 0:
        stop_trading(account, states, terms)


@machine_kernel
def apply_fill(account, states, instruments, terms, journal, fill):
    """Apply a fill that names its order by id, as the stepper and live trading do. Returns 1 when the order is known."""
    k = fill["instrument"]
    state = states[k]
    side = fill["side"]
    if fill["kind"] == LIQUIDATION_FILL:
        liquidate_side(account, state, instruments[k], terms, journal, side, fill["price"])
        finish_liquidation(account, states, terms, journal, k)
        return 1
    book = 2 * fill["kind"] + side
    for place in range(state["head"][book], state["order_count"][book]):
        order = state["orders"][book, place]
        if order["id"] == fill["order_id"] and order["alive"] == 1:
            price, qty, fee = fill["price"], fill["qty"], fill["fee"]
            fill_order(account, state, instruments[k], terms, journal, book, place, price, qty, fee, fill["maker"], fill["mark"])
            if left_with_nothing(account, state):
                settle_when_flat(account, states, terms, journal, k)
            return 1
    return 0
