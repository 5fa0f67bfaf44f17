"""Which lot the adaptive grid closes to shed inventory: five methods, the first that fires."""

from engine.records import MARKET_BOOK, PRUNE_DEVIANCE, PRUNE_FUNDING, PRUNE_GAP, PRUNE_OFFSET, PRUNE_OLDEST
from gridcore.compile import inlined_kernel, machine_kernel

MILLISECONDS_PER_HOUR = 3_600_000.0


@machine_kernel
def worst_lot(state, side):
    """Index of the worst lot that is not being closed, -1 for none."""
    for j in range(state["lot_count"][side]):
        if state["lots"][side, j]["pending"] == 0:
            return j
    return -1


@machine_kernel
def prune_by_age(state, side, p):
    """Index of the side's oldest lot if it is past its age, else -1."""
    limit = p["max_position_age_hours"] * MILLISECONDS_PER_HOUR
    if not state["time"] - state["oldest_time"][side] > limit:
        return -1
    oldest = -1
    for j in range(state["lot_count"][side]):
        lot = state["lots"][side, j]
        if lot["pending"] == 0 and (oldest < 0 or lot["id"] < state["lots"][side, oldest]["id"]):
            oldest = j
    if oldest >= 0 and state["time"] - state["lots"][side, oldest]["open_time"] > limit:
        return oldest
    return -1


@machine_kernel
def prune_by_funding(state, side, p, close, memory):
    """Index of the lot that paid most funding if funding eats the side's grid profit, else -1."""
    if not state["lot_funding"][side] > 0.0:
        # The least that counts is not negative, so this needs no division.
        return -1
    floor = memory["order_notional"] * memory["spacing"] / close
    if not state["lot_funding"][side] > p["funding_cost_ratio"] * max(state["grid_profit"][side], floor):
        return -1
    most = -1
    paid = 0.0
    # From the best lot on, so that of equal payers (but for binary fractions) the best is taken.
    for j in range(state["lot_count"][side] - 1, -1, -1):
        lot = state["lots"][side, j]
        if lot["pending"] == 0 and (most < 0 or lot["funding"] > paid + 1e-9 * abs(paid)):
            most = j
            paid = lot["funding"]
    return most


@machine_kernel
def prune_by_offset(state, instrument, side, p, close, spacing):
    """Index of the worst lot deep under water whose loss past profit can pay for, else -1."""
    buffer = state["offset_buffer"][side]
    if not buffer > 0.0:
        return -1
    sign = 1.0 - 2.0 * side
    for j in range(state["lot_count"][side]):
        lot = state["lots"][side, j]
        if lot["pending"] == 1:
            continue
        depth = sign * (lot["entry"] - close)
        if not depth > p["prune_depth_mult"] * spacing:
            return -1
        if depth > 0.0 and depth * lot["qty"] * instrument["multiplier"] <= buffer:
            return j
    return -1


@machine_kernel
def choose_prune(state, instrument, side, p, close, kama, atr, memory):
    """The lot of a side to close at the next open and the reason: the first method that fires. Index -1 for none."""
    worst = 0
    if state["order_count"][MARKET_BOOK + side] > 0:
        worst = worst_lot(state, side)
        if worst < 0:
            return -1, 0
    sign = 1.0 - 2.0 * side
    if p["prune_deviance"] == 1 and sign * (kama - close) > p["deviance_sigma"] * atr:
        return worst, PRUNE_DEVIANCE
    if p["prune_oldest"] == 1:
        index = prune_by_age(state, side, p)
        if index >= 0:
            return index, PRUNE_OLDEST
    if memory["has_grid"] == 0:
        return -1, 0
    if p["prune_gap"] == 1 and sign * (state["lots"][side, worst]["entry"] - close) > p["gap_prune_mult"] * memory["spacing"]:
        return worst, PRUNE_GAP
    if p["prune_funding"] == 1:
        index = prune_by_funding(state, side, p, close, memory)
        if index >= 0:
            return index, PRUNE_FUNDING
    if p["prune_offset"] == 1:
        index = prune_by_offset(state, instrument, side, p, close, memory["spacing"])
        if index >= 0:
            return index, PRUNE_OFFSET
    return -1, 0


@inlined_kernel
def may_prune(p, state, side, close, kama, atr, memory):
    """Whether a method of `choose_prune` may fire for a side that holds lots; mostly none does, and this is cheaper to tell."""
    sign = 1.0 - 2.0 * side
    depth = sign * (state["lots"][side, 0]["entry"] - close)
    paid = state["lot_funding"][side]
    least = p["funding_cost_ratio"] * (1.0 - 1e-9)
    return (
        sign * (kama - close) > p["deviance_sigma"] * atr
        or depth > min(p["gap_prune_mult"], p["prune_depth_mult"]) * memory["spacing"]
        or state["time"] - state["oldest_time"][side] > p["max_position_age_hours"] * MILLISECONDS_PER_HOUR
        or (
            paid > 0.0
            and paid * close >= least * memory["order_notional"] * memory["spacing"]
            and paid >= least * state["grid_profit"][side]
        )
    )
