"""The adaptive grid's decision, rule by rule in the order of its description."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tests.twin.quoting import quote_entries
from tests.twin.records import LONG, SHORT, SIDES, SIGN, STOP, TAKE_PROFIT, Book, Lot, World
from tests.twin.ticks import at_or_above, at_or_below, ceil_to, floor_to, one_tick_above, one_tick_below

Row = dict[str, float]


@dataclass
class Grid:
    """Fixed at a regeneration."""

    anchor: float
    spacing: float
    centre: float  # r, the reservation price
    spread: float  # delta
    order_notional: float

    def level(self, book: Book, side: int, j: int) -> float:
        """`buy[j] = floor_tick(r - delta/2 - j*spacing)`, `sell[j] = ceil_tick(r + delta/2 + j*spacing)`."""
        if side == LONG:
            return floor_to(self.centre - self.spread / 2.0 - j * self.spacing, book.tick)
        return ceil_to(self.centre + self.spread / 2.0 + j * self.spacing, book.tick)


@dataclass
class Memory:
    """What the strategy remembers between decisions."""

    grid: Grid | None = None
    decided: bool = False
    halted: bool = False
    regime: int = 0
    riding: bool = False
    blocked: bool = False


def decide(world: World, book: Book, parameters: dict[str, Any], rows: list[Row]) -> None:
    """Edit the orders wanted during this bar, from the row of the bar before."""
    row = rows[world.bar - 1]
    if not all(math.isfinite(row[name]) for name in ("close", "kama", "atr", "er", "z", "sigma", "regime")):
        world.counters["decisions_without_inputs"] += 1
        return
    if world.bar < 2 or not math.isfinite(rows[world.bar - 2]["kama"]) or row["atr"] == 0.0:  # no slope
        world.counters["decisions_without_inputs"] += 1
        return
    if book.memory is None:
        book.memory = Memory()
        book.armed = [[True] * parameters["grid_levels"], [True] * parameters["grid_levels"]]
    memory: Memory = book.memory
    close, regime = row["close"], int(row["regime"])
    before = (memory.regime, memory.halted, memory.riding, memory.blocked)

    # Halt or resume.
    resumed = False
    if not memory.halted and row["z"] < parameters["halt_z_threshold"]:
        memory.halted = True
        world.counters["halts"] += 1
        world.log(book, "CIRCUIT_BREAKER_HALT", price=close)
    elif memory.halted and row["z"] > parameters["resume_z_threshold"]:
        memory.halted, resumed = False, True
        world.counters["resumes"] += 1
        world.log(book, "CIRCUIT_BREAKER_RESUME", price=close)

    # Prune at most one lot a side.
    pruned = False
    if not memory.halted:
        for side in SIDES:
            label, lot = choose_prune(world, book, parameters, row, side)
            if lot is not None:
                book.queue_market_close(lot, label)
                pruned = True

    # Trailing up.
    trending = regime >= 1 and row["er"] > parameters["trailing_activation_er"]
    shifted_anchor = None
    if not memory.halted and trending and memory.grid is not None:
        level = parameters["trailing_trigger_level"]
        if level == 0 or level > parameters["grid_levels"]:
            level = parameters["grid_levels"]
        top = memory.grid.level(book, SHORT, level - 1)
        if close > top:
            shifted_anchor = memory.grid.anchor + 0.5 * (close - top)
            world.counters["shifts"] += 1
            world.log(book, "TRAILING_SHIFT", price=shifted_anchor)
    memory.riding = trending

    # Value at risk.
    gross = book.notional(LONG, close) + book.notional(SHORT, close)
    value_at_risk = gross * 1.65 * row["sigma"] * math.sqrt(parameters["var_horizon_bars"])
    memory.blocked = value_at_risk > parameters["max_drawdown_pct"] * world.equity()
    world.counters["var_blocked_decisions"] += memory.blocked

    # Regenerate.
    regenerate = False
    if not memory.halted:
        grid = memory.grid
        regenerate = grid is None or resumed or shifted_anchor is not None or (memory.decided and regime != memory.regime)
        if grid is not None and abs(close - grid.anchor) > parameters["regen_drift"] * grid.spacing:
            if regime in (1, 2) and close > grid.anchor:
                world.counters["upward_drifts_ignored"] += 1
            else:
                regenerate = True
    if regenerate:
        memory.grid = new_grid(world, book, parameters, row, close if shifted_anchor is None else shifted_anchor)
        book.generation += 1
        book.arm_all()
        world.counters["regenerations"] += 1

    # Quote anew only if something changed.
    memory.regime = regime
    flipped = before != (memory.regime, memory.halted, memory.riding, memory.blocked)
    if not memory.decided or flipped or regenerate or pruned or book.filled:
        book.cancel_quotes()
        quote(world, book, parameters, memory, close)
        world.counters["requotes"] += 1
    memory.decided = True
    book.filled = False

    place_stops(world, book, parameters, row["atr"])


def choose_prune(world: World, book: Book, parameters: dict[str, Any], row: Row, side: int) -> tuple[str, Lot | None]:
    """The first method that fires, and its lot."""
    close, kama, atr = row["close"], row["kama"], row["atr"]
    sign = SIGN[side]
    grid = book.memory.grid
    lots = book.ranked(side)
    if not lots:
        return "", None
    worst = lots[-1]

    if parameters["prune_deviance"] and sign * (kama - close) > parameters["deviance_sigma"] * atr:
        return "PRUNE_DEVIANCE", worst

    if parameters["prune_oldest"]:
        oldest = min(lots, key=lambda lot: (lot.open_time, lot.id))
        if world.time - oldest.open_time > parameters["max_position_age_hours"] * 3_600_000:
            return "PRUNE_OLDEST", oldest

    if grid is None:
        return "", None

    if parameters["prune_gap"] and sign * (worst.entry - close) > parameters["gap_prune_mult"] * grid.spacing:
        return "PRUNE_GAP", worst

    if parameters["prune_funding"]:
        paid = sum(-lot.funding for lot in book.lots if lot.side == side)
        one_order = grid.order_notional * grid.spacing / close
        if paid > parameters["funding_cost_ratio"] * max(book.grid_profit[side], one_order):
            dearest = lots[0]
            for lot in lots:
                if -lot.funding > -dearest.funding + 1e-9 * abs(dearest.funding):
                    dearest = lot
            return "PRUNE_FUNDING", dearest

    if parameters["prune_offset"]:
        for lot in reversed(lots):
            depth = sign * (lot.entry - close)
            if depth > parameters["prune_depth_mult"] * grid.spacing and depth * lot.qty * book.mult <= book.buffer[side]:
                return "PRUNE_OFFSET", lot
    return "", None


def new_grid(world: World, book: Book, parameters: dict[str, Any], row: Row, anchor: float) -> Grid:
    """Spacing, skewed centre, spread and order notional at an anchor."""
    atr, sigma, gamma = row["atr"], row["sigma"], parameters["gamma"]
    horizon, kappa = parameters["as_time_horizon"], parameters["kappa"]
    spacing = max(parameters["grid_spacing_k"] * atr, parameters["spacing_floor"] * anchor)
    order_notional = parameters["order_pct"] * world.equity() * book.weight * world.exposure
    inventory = 0.0
    if order_notional > 0.0:
        inventory = (book.qty(LONG) - book.qty(SHORT)) * book.mult * row["close"] / order_notional
    skew = anchor * inventory * gamma * sigma**2 * horizon
    largest = parameters["skew_cap"] * spacing
    if abs(skew) > largest:
        world.counters["skews_capped"] += 1
    skew = max(-largest, min(largest, skew))
    arrival = 2.0 / kappa if gamma == 0.0 else 2.0 / gamma * math.log1p(gamma / kappa)
    spread = anchor * gamma * sigma**2 * horizon + atr * arrival
    return Grid(anchor, spacing, anchor - skew, spread, order_notional)


def quote(world: World, book: Book, parameters: dict[str, Any], memory: Memory, close: float) -> None:
    """Entries of the sides the regime allows, LONG before SHORT; then a take-profit for every lot that does not ride."""
    grid = memory.grid
    if grid is None:
        return
    cap = parameters["max_position_pct"] * world.equity() * book.weight * world.exposure
    for side in SIDES:
        allowed = memory.regime >= 0 if side == LONG else memory.regime <= 0 and parameters["allow_short"]
        if not allowed or memory.halted or memory.blocked or world.closed_to_entries or grid.order_notional <= 0.0:
            continue
        rungs = [grid.level(book, side, j) for j in range(parameters["grid_levels"])]
        quote_entries(world, book, side, rungs, lambda price: floor_to(grid.order_notional / (price * book.mult), book.step), close, cap)

    for side in SIDES:
        lots = book.ranked(side)
        riding = 0
        if side == LONG and memory.riding:
            riding = math.ceil(parameters["trailing_reserve_pct"] * len(lots) - 1e-9)
            world.counters["riding_lots_quoted"] += riding
        for rank, lot in enumerate(lots[: len(lots) - riding]):
            price = take_profit_price(world, book, parameters, grid, lot, rank, close)
            if price > 0.0:
                book.place(TAKE_PROFIT, side, price, lot.qty, lot=lot.id)


def take_profit_price(world: World, book: Book, parameters: dict[str, Any], grid: Grid, lot: Lot, rank: int, close: float) -> float:
    """The opposite level of the lot's rank, no worse than entry and both maker fees, and never at or beyond the close."""
    least = parameters["tp_min_profit"] + max(0.0, 2.0 * world.execution["fee_maker"])
    if lot.side == LONG:
        price = max(grid.level(book, SHORT, rank), ceil_to(lot.entry * (1.0 + least), book.tick))
        return one_tick_above(close, book.tick) if at_or_below(price, close, book.tick) else price
    price = min(grid.level(book, LONG, rank), floor_to(lot.entry * (1.0 - least), book.tick))
    return one_tick_below(close, book.tick) if at_or_above(price, close, book.tick) else price


def place_stops(world: World, book: Book, parameters: dict[str, Any], atr: float) -> None:
    """Two stages from the average entry of the lots that stand now; after stage 1 has fired only stage 2, for all of them."""
    book.cancel_stops()
    distance = parameters["atr_sl_mult"] * atr
    if parameters["atr_sl_mult"] == 0.0:
        return
    for side in SIDES:
        covered = book.ranked(side)
        if not covered:
            continue
        total = sum(lot.qty for lot in covered)
        average = sum(lot.qty * lot.entry for lot in covered) / total
        first = total if len(covered) == 1 else min(total, ceil_to(total / 2.0, book.step))
        if book.stage_one_fired[side]:
            first = 0.0
        for stage, qty, reach in ((1, first, distance), (2, total - first, 1.5 * distance)):
            price = floor_to(average - reach, book.tick) if side == LONG else ceil_to(average + reach, book.tick)
            if qty >= 0.5 * book.step and price > 0.0:
                book.place(STOP, side, price, qty, stage=stage, covers_below=book.next_lot)
