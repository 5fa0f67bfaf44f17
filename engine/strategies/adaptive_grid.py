"""The adaptive grid: one decision from the indicators of the last closed bar and the account.

It answers the three ways grids fail: trailing when a trend leaves the grid behind, inventory skew and pruning when a
falling market fills it, a circuit breaker when the market crashes.
"""

from __future__ import annotations

import numpy as np

from engine.exits import close_at_market, place_take_profit, rest_ranked_exits
from engine.journal import record_event
from engine.loop import decide_bar, run_alone, run_together
from engine.orders import cancel_entries, cancel_take_profits, sum_up_triggers
from engine.positions import arm_all_levels
from engine.quoting import entries_still_stand, rest_nearest, sum_up_rungs
from engine.records import (
    HALT_LABEL,
    LONG,
    MARKET_BOOK,
    NO_SIDE,
    RESUME_LABEL,
    SHIFT_LABEL,
    SHORT,
)
from engine.stops import plan_stop_stages
from engine.strategies.adaptive_grid_pruning import choose_prune, may_prune
from gridcore.avellaneda_stoikov import bar_reservation_shift, bar_spread
from gridcore.compile import inlined_kernel, kernel_with, machine_kernel
from gridcore.constants import PRICE_TOLERANCE
from gridcore.ladders import arithmetic_level, grid_spacing
from gridcore.regime import classify_regime
from gridcore.risk import value_at_risk_95
from gridcore.rounding import ceil_to, floor_to, tick_above, tick_below

# Columns of the indicator rows.
CLOSE, KAMA, ATR, ER, Z, SIGMA, SLOPE = 0, 1, 2, 3, 4, 5, 6
COLUMNS = 7

memory_dtype = np.dtype(
    [
        ("decided", np.int64),  # 1 after the first decision
        ("has_grid", np.int64),
        ("halted", np.int64),
        ("riding", np.int64),
        ("blocked", np.int64),  # entries blocked by value at risk
        ("entries_quoted", np.int64),  # 1: the last quote could hold entries
        ("entries_complete", np.int64),  # 1: and left no armed rung out
        ("regime", np.int64),  # at the last decision
        ("anchor", np.float64),  # price
        ("center", np.float64),  # reservation price of the grid
        ("half_spread", np.float64),  # price
        ("spacing", np.float64),  # price, as generated
        ("order_notional", np.float64),  # quote currency
        # counters
        ("decisions", np.int64),
        ("halts", np.int64),
        ("resumes", np.int64),
        ("shifts", np.int64),
        ("regenerations", np.int64),
        ("requotes", np.int64),
        ("var_blocked_bars", np.int64),
        ("halted_bars", np.int64),
        ("floor_bars", np.int64),  # decisions at which the spacing floor is the wider
        ("cap_hits", np.int64),  # ladders ended by a limit
        ("skew_capped", np.int64),  # regenerations whose skew met its cap
    ],
    align=True,
)


@inlined_kernel
def level_price(p, memory, state, instrument, side, index):
    """Price of a level: buys for LONG, sells for SHORT. Levels beyond the grid go on by the same formula."""
    if index < p["grid_levels"]:
        return state["rung_price"][side, index]
    return arithmetic_level(memory["center"], memory["half_spread"], memory["spacing"], index, 1.0 - 2.0 * side, instrument["tick_size"])


@machine_kernel
def price_levels(p, state, instrument, memory):
    """Prices of every level of the grid, and the quantity an entry has there."""
    center, half_spread, spacing = memory["center"], memory["half_spread"], memory["spacing"]
    tick, step = instrument["tick_size"], instrument["step_size"]
    multiplier, notional = instrument["multiplier"], memory["order_notional"]
    prices, quantities = state["rung_price"], state["rung_qty"]
    levels = p["grid_levels"]
    for side in range(2):
        sign = 1.0 - 2.0 * side
        for level in range(levels):
            prices[side, level] = arithmetic_level(center, half_spread, spacing, level, sign, tick)
        for level in range(levels):
            price = prices[side, level]
            quantities[side, level] = floor_to(notional / (price * multiplier), step) if price > 0.0 else 0.0
        sum_up_rungs(state, instrument, side, levels)


@inlined_kernel
def regenerate(p, x, account, state, instrument, terms, memory):
    """A new grid round the anchor: spacing by volatility, centre shifted against the inventory, every level armed."""
    anchor = memory["anchor"]
    notional = p["order_pct"] * account["equity"] * instrument["weight"] * terms["exposure"]
    inventory = 0.0
    if notional > 0.0:
        net_qty = state["qty"][LONG] - state["qty"][SHORT]
        inventory = net_qty * instrument["multiplier"] * x[CLOSE] / notional
    spacing = grid_spacing(p["grid_spacing_k"], x[ATR], p["spacing_floor"], anchor)
    shift = bar_reservation_shift(anchor, inventory, p["gamma"], x[SIGMA], p["as_time_horizon"])
    limit = p["skew_cap"] * spacing
    if abs(shift) > limit:
        memory["skew_capped"] += 1
    memory["center"] = anchor - min(max(shift, -limit), limit)
    memory["half_spread"] = 0.5 * bar_spread(anchor, x[ATR], p["gamma"], p["kappa"], x[SIGMA], p["as_time_horizon"])
    memory["spacing"] = spacing
    memory["order_notional"] = notional
    memory["has_grid"] = 1
    memory["regenerations"] += 1
    cancel_entries(state)
    price_levels(p, state, instrument, memory)
    state["generation"] += 1
    arm_all_levels(state)


@inlined_kernel
def quote_entries(p, account, state, instrument, terms, memory, regime, allowed, generated):
    """Entries of the sides the regime allows, LONG before SHORT; nothing is done when what rests would come out again."""
    cap = p["max_position_pct"] * account["equity"] * instrument["weight"] * terms["exposure"]
    if (
        not generated
        and allowed == (memory["entries_quoted"] == 1)
        and memory["entries_complete"] == 1
        and entries_still_stand(account, state, instrument, terms, cap)
    ):
        return
    cancel_entries(state)
    memory["entries_quoted"] = 1 if allowed else 0
    memory["entries_complete"] = 1
    state["rearmed"] = 0
    if not allowed:
        return
    for side in range(2):
        wanted = regime >= 0 if side == LONG else regime <= 0 and p["allow_short"] == 1
        if wanted:
            complete, ended = rest_nearest(account, state, instrument, terms, side, p["grid_levels"], cap, generated)
            memory["cap_hits"] += ended
            memory["entries_complete"] = min(memory["entries_complete"], complete)


@inlined_kernel
def quote_exits(p, close, account, state, instrument, terms, memory, side, riding):
    """Take-profits of a side: the best lot takes the nearest level of the other side; riding lots carry none."""
    tick = instrument["tick_size"]
    count = state["lot_count"][side]
    if count == 0:
        return
    ranked = count
    any_pending = state["order_count"][MARKET_BOOK + side] > 0
    if any_pending:
        ranked = 0
        for j in range(count):
            if state["lots"][side, j]["pending"] == 0:
                ranked += 1
    if side == LONG and riding == 1:
        ranked -= int(np.ceil(p["trailing_reserve_pct"] * ranked - 1e-9))
    least = p["tp_min_profit"] + max(0.0, 2.0 * terms["fee_maker"])
    if ranked > 0 and not any_pending and rest_ranked_exits(account, state, instrument, terms, side, ranked, close, least):
        return
    rank = 0
    for j in range(count - 1, -1, -1):
        if rank >= ranked:
            break
        lot = state["lots"][side, j]
        if any_pending and lot["pending"] == 1:
            continue
        price = level_price(p, memory, state, instrument, 1 - side, rank)
        if lot["least_exit"] == 0.0:
            entry = lot["entry"]
            lot["least_exit"] = ceil_to(entry * (1.0 + least), tick) if side == LONG else floor_to(entry * (1.0 - least), tick)
        if side == LONG:
            price = max(price, lot["least_exit"])
            if price <= close + PRICE_TOLERANCE * tick:
                price = tick_above(close, tick)
        else:
            price = min(price, lot["least_exit"])
            if price >= close - PRICE_TOLERANCE * tick:
                price = tick_below(close, tick)
        rank += 1
        place_take_profit(account, state, instrument, terms, side, j, price)


@inlined_kernel
def decide(p, x, account, state, instrument, terms, journal, memory):
    """Edit the order list of an instrument for the coming bar, from the indicator row `x` of the last closed bar.

    A row that is not finite decides nothing: what rests stays.
    """
    close = x[CLOSE]
    kama = x[KAMA]
    atr = x[ATR]
    er = x[ER]
    if not np.isfinite(close + kama + atr + er + x[Z] + x[SIGMA] + x[SLOPE]):
        return
    memory["decisions"] += 1
    regime = classify_regime(x[SLOPE], er, p["regime_threshold"], p["er_trend_threshold"])
    requote = state["changed"] == 1 or memory["decided"] == 0
    regime_changed = memory["decided"] == 1 and regime != memory["regime"]
    generate = memory["has_grid"] == 0 or regime_changed

    if memory["halted"] == 0 and x[Z] < p["halt_z_threshold"]:
        memory["halted"] = 1
        memory["halts"] += 1
        requote = True
        record_event(account, state, journal, HALT_LABEL, NO_SIDE, close, 0.0, 0.0, 0.0, 0.0, -1)
    elif memory["halted"] == 1 and x[Z] > p["resume_z_threshold"]:
        memory["halted"] = 0
        memory["resumes"] += 1
        generate = True
        record_event(account, state, journal, RESUME_LABEL, NO_SIDE, close, 0.0, 0.0, 0.0, 0.0, -1)
    halted = memory["halted"] == 1
    generated = False

    trending = regime >= 1 and er > p["trailing_activation_er"]
    if not halted:
        for side in range(2):
            if state["lot_count"][side] > 0 and may_prune(p, state, side, close, kama, atr, memory):
                index, label = choose_prune(state, instrument, side, p, close, kama, atr, memory)
                if index >= 0:
                    close_at_market(account, state, side, index, label)
                    requote = True
        trailed = False
        if trending and memory["has_grid"] == 1:
            trigger = p["trailing_trigger_level"]
            if trigger == 0 or trigger > p["grid_levels"]:
                trigger = p["grid_levels"]
            over = close - level_price(p, memory, state, instrument, SHORT, trigger - 1)
            if over > 0.0:
                memory["anchor"] += 0.5 * over
                memory["shifts"] += 1
                trailed = True
                record_event(account, state, journal, SHIFT_LABEL, NO_SIDE, memory["anchor"], 0.0, 0.0, 0.0, 0.0, -1)
        if memory["has_grid"] == 1:
            drift = close - memory["anchor"]
            if regime < 1:
                drift = abs(drift)
            else:
                drift = -drift
            generate = generate or drift > p["regen_drift"] * memory["spacing"]
        if generate or trailed:
            if not trailed:
                memory["anchor"] = close
            regenerate(p, x, account, state, instrument, terms, memory)
            generated = True
    else:
        memory["halted_bars"] += 1

    gross = instrument["multiplier"] * close * (state["qty"][LONG] + state["qty"][SHORT])
    blocked = value_at_risk_95(gross, x[SIGMA], p["var_horizon_bars"]) > p["max_drawdown_pct"] * account["equity"]
    riding = 1 if trending else 0
    requote = requote or generated or regime_changed or blocked != (memory["blocked"] == 1) or riding != memory["riding"]
    memory["decided"] = 1
    memory["regime"] = regime
    memory["riding"] = riding
    memory["blocked"] = 1 if blocked else 0
    if blocked:
        memory["var_blocked_bars"] += 1
    if p["grid_spacing_k"] * atr < p["spacing_floor"] * close:
        memory["floor_bars"] += 1

    if requote:
        memory["requotes"] += 1
        allowed = not halted and not blocked and memory["order_notional"] > 0.0
        quote_entries(p, account, state, instrument, terms, memory, regime, allowed, generated)
        cancel_take_profits(state)
        quote_exits(p, close, account, state, instrument, terms, memory, LONG, riding)
        quote_exits(p, close, account, state, instrument, terms, memory, SHORT, riding)
    if p["atr_sl_mult"] > 0.0:
        distance = p["atr_sl_mult"] * atr
        plan_stop_stages(account, state, instrument, LONG, distance)
        plan_stop_stages(account, state, instrument, SHORT, distance)
    state["changed"] = 0
    sum_up_triggers(state, instrument["tick_size"])


alone = kernel_with(run_alone, __name__, decide=decide)
together = kernel_with(run_together, __name__, decide=decide)
decide_once = kernel_with(decide_bar, __name__, decide=decide)
