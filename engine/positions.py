"""The lots of a side: kept in order of entry, worst first, so that the one that closes next is the last.

A long is better the lower it was bought, a short the higher it was sold; of equal entries the older is better.
"""

import numpy as np

from engine.records import MAX_LOTS, TOO_MANY_LOTS
from gridcore.compile import machine_kernel


@machine_kernel
def copy_lot(source, target):
    """Copy a lot field by field: assigning whole records goes byte by byte in compiled code."""
    target["entry"] = source["entry"]
    target["qty"] = source["qty"]
    target["entry_fee"] = source["entry_fee"]
    target["funding"] = source["funding"]
    target["open_time"] = source["open_time"]
    target["id"] = source["id"]
    target["level"] = source["level"]
    target["generation"] = source["generation"]
    target["pending"] = source["pending"]
    target["take_profit"] = source["take_profit"]
    target["stop_loss"] = source["stop_loss"]
    target["exits_waiting"] = source["exits_waiting"]
    target["least_exit"] = source["least_exit"]


@machine_kernel
def refresh_side(state, side):
    """Sums over the lots of a side, made afresh so that nothing drifts; a flat side forgets its stops and margin."""
    lots = state["lots"]
    count = state["lot_count"][side]
    qty = 0.0
    cost = 0.0
    funding = 0.0
    oldest = np.int64(0)
    oldest_id = np.int64(-1)
    for j in range(count):
        lot = lots[side, j]
        qty += lot["qty"]
        cost += lot["qty"] * lot["entry"]
        funding += lot["funding"]
        if oldest_id < 0 or lot["id"] < oldest_id:
            oldest_id = lot["id"]
            oldest = lot["open_time"]
    state["qty"][side] = qty
    state["cost"][side] = cost
    state["lot_funding"][side] = funding
    state["oldest_time"][side] = oldest
    state["planned_fresh"][side] = 0
    if count == 0:
        state["stage_one_fired"][side] = 0
        state["margin"][side] = 0.0


@machine_kernel
def insert_lot(account, state, side, entry, qty):
    """Make room for a new lot in its rank and return its index (-1: the table is full). The caller fills the rest."""
    count = state["lot_count"][side]
    if count >= MAX_LOTS:
        account["status"] = TOO_MANY_LOTS
        return -1
    lots = state["lots"]
    sign = 1.0 - 2.0 * side
    place = count
    # The new lot is the youngest, so it goes before (is worse than) lots of the same entry.
    while place > 0 and sign * lots[side, place - 1]["entry"] <= sign * entry:
        copy_lot(lots[side, place - 1], lots[side, place])
        place -= 1
    lot = lots[side, place]
    lot["entry"] = entry
    lot["qty"] = qty
    lot["id"] = state["next_lot_id"]
    state["next_lot_id"] += 1
    state["lot_count"][side] = count + 1
    if count + 1 > state["lots_max"]:
        state["lots_max"] = count + 1
    return place


@machine_kernel
def find_lot(state, side, lot_id):
    """Index of a lot by its id, -1 when it is gone. Searched from the end where lots close."""
    lots = state["lots"]
    for j in range(state["lot_count"][side] - 1, -1, -1):
        if lots[side, j]["id"] == lot_id:
            return j
    return -1


@machine_kernel
def remove_lot(state, side, index):
    """Take a lot out of the table; its level is armed again when the grid is still the one that opened it."""
    lots = state["lots"]
    lot = lots[side, index]
    if lot["level"] >= 0 and lot["generation"] == state["generation"]:
        state["armed"][side, lot["level"]] = 1
        state["rearmed"] = 1
    last = state["lot_count"][side] - 1
    for j in range(index, last):
        copy_lot(lots[side, j + 1], lots[side, j])
    state["lot_count"][side] = last


@machine_kernel
def arm_all_levels(state):
    """Every level of both sides may be quoted again."""
    state["rearmed"] = 1
    armed = state["armed"]
    for side in range(2):
        for level in range(armed.shape[1]):
            armed[side, level] = 1
