"""The static grid: fixed rungs round an anchor, each filled rung resting its exit one rung nearer; re-centred when left."""

from __future__ import annotations

import numpy as np

from engine.exits import close_at_market, place_take_profit
from engine.loop import decide_bar, run_alone, run_together
from engine.orders import cancel_entries, cancel_take_profits, refresh_triggers
from engine.positions import arm_all_levels
from engine.quoting import entries_still_stand, rest_nearest, sum_up_rungs
from engine.records import LONG, RECENTER_LABEL, SHORT
from gridcore.compile import inlined_kernel, kernel_with, machine_kernel
from gridcore.constants import PRICE_TOLERANCE
from gridcore.rounding import ceil_to, floor_to

# Columns of the indicator rows.
CLOSE = 0
COLUMNS = 1

memory_dtype = np.dtype(
    [
        ("has_grid", np.int64),
        ("incomplete", np.int64),  # 1: a rung was left out and is tried again at the next decision
        ("anchor", np.float64),  # price
        ("order_notional", np.float64),  # quote currency
        # counters
        ("decisions", np.int64),
        ("recenters", np.int64),
        ("requotes", np.int64),
        ("cap_hits", np.int64),  # ladders ended by a limit
    ],
    align=True,
)


@machine_kernel
def rung_price(anchor, step, side, rung, tick):
    """Price of rung 1, 2, ... of a side; rung 0 is the anchor, rounded the same way."""
    if side == LONG:
        return floor_to(anchor * (1.0 - rung * step), tick)
    return ceil_to(anchor * (1.0 + rung * step), tick)


@machine_kernel
def price_rungs(p, state, instrument, memory):
    """Prices of every rung round the anchor, and the quantity an entry has there."""
    for side in range(2):
        for rung in range(1, p["grid_levels"] + 1):
            price = rung_price(memory["anchor"], p["step"], side, rung, instrument["tick_size"])
            wanted = p["order_qty"]
            if wanted <= 0.0 and price > 0.0:
                wanted = memory["order_notional"] / (price * instrument["multiplier"])
            state["rung_price"][side, rung - 1] = price
            state["rung_qty"][side, rung - 1] = floor_to(wanted, instrument["step_size"])
        sum_up_rungs(state, instrument, side, p["grid_levels"])


@machine_kernel
def quote(p, account, state, instrument, terms, memory):
    """Entries of every armed rung, nearest first, and the exits of what is held."""
    cancel_entries(state)
    cancel_take_profits(state)
    memory["requotes"] += 1
    memory["incomplete"] = 0
    state["rearmed"] = 0
    tick = instrument["tick_size"]
    for side in range(2):
        if side == LONG or p["allow_short"] == 1:
            complete, ended = rest_nearest(account, state, instrument, terms, side, p["grid_levels"], np.inf, False)
            memory["cap_hits"] += ended
            if complete == 0:
                memory["incomplete"] = 1
    for side in range(2):
        for j in range(state["lot_count"][side] - 1, -1, -1):
            lot = state["lots"][side, j]
            if lot["pending"] == 0 and lot["generation"] == state["generation"]:
                # Rung j has the place j - 1 in the table; a lot's exit stands one rung nearer than its entry, whose place is its level.
                price = rung_price(memory["anchor"], p["step"], side, 0, tick)
                if lot["level"] > 0:
                    price = state["rung_price"][side, lot["level"] - 1]
                place_take_profit(account, state, instrument, terms, side, j, price)


@inlined_kernel
def decide(p, x, account, state, instrument, terms, journal, memory):
    """Edit the order list of an instrument for the coming bar, from the last close."""
    close = x[CLOSE]
    if not np.isfinite(close):
        return
    memory["decisions"] += 1
    tick = instrument["tick_size"]
    recenter = memory["has_grid"] == 0
    if not recenter:
        beyond = PRICE_TOLERANCE * tick
        lowest = state["rung_price"][LONG, p["grid_levels"] - 1]
        highest = state["rung_price"][SHORT, p["grid_levels"] - 1]
        if close < lowest - beyond or close > highest + beyond:
            recenter = True
            memory["recenters"] += 1
            for side in range(2):
                for j in range(state["lot_count"][side] - 1, -1, -1):
                    close_at_market(account, state, side, j, RECENTER_LABEL)
    if recenter:
        memory["anchor"] = close
        memory["order_notional"] = p["order_pct"] * account["equity"] * instrument["weight"] * terms["exposure"]
        memory["has_grid"] = 1
        cancel_entries(state)
        price_rungs(p, state, instrument, memory)
        state["generation"] += 1
        arm_all_levels(state)
    if recenter or state["changed"] == 1 or memory["incomplete"] == 1 or not entries_still_stand(account, state, instrument, terms, np.inf):
        quote(p, account, state, instrument, terms, memory)
        state["changed"] = 0
        refresh_triggers(state)


alone = kernel_with(run_alone, __name__, decide=decide)
together = kernel_with(run_together, __name__, decide=decide)
decide_once = kernel_with(decide_bar, __name__, decide=decide)
