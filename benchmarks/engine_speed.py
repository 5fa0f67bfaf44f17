"""Nanoseconds a bar of the compiled loop and of whole calls of `bt.run`, beside the floor, on several markets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import backtest as bt
from benchmarks.cases import ADAPTIVE, CASES, INDICATORS, WHOLE
from benchmarks.context import Context
from benchmarks.floor import FLOOR, floor_of
from benchmarks.loops import Loop, loop_of
from benchmarks.market import folder_of_real_bars, label, real, simulated, stretched
from benchmarks.rows import Row, timed
from benchmarks.timing import Samples, alternate

GATED_GROUP = "engine"
# The loop beside the calibration moves little between machines; the floor is bound by memory and is no measure of ours.
TOLERANCE = 0.25


def engine_rows(context: Context) -> list[Row]:
    """The engine on the simulated market that is judged; in a whole run on the other markets too."""
    rows = market_rows(GATED_GROUP, simulated(), context, context.rounds(15, 31), TOLERANCE)
    if context.quick:
        return rows
    for place, market in enumerate(other_markets(context)):
        rows += market_rows(f"engine {place + 2}", market, context, 11, None)
    return rows


def other_markets(context: Context) -> list[bt.Market]:
    """One and six years of 15m, two years of 1m: real where there are such bars, else simulated."""
    folder = folder_of_real_bars(context.data_dir)
    minutes = stretched(simulated("1m"), 2 * 366 * 24 * 60)
    if folder is None:
        year = simulated(start="2024-01-01", end="2025-01-01")
        return [year, stretched(simulated(), 6 * 365 * 96), minutes]
    return [real(folder), real(folder, "2025-01-01", "2026-01-01"), stretched(simulated(), 6 * 365 * 96), minutes]


def market_rows(group: str, market: bt.Market, context: Context, rounds: int, tolerance: float | None) -> list[Row]:
    """Rows of one market: the loop of every case, the indicators, the floor, and whole calls of `bt.run`, all in turn."""
    context.say(label(market))
    loops = {name: loop_of(market, strategy, log) for name, (strategy, log) in CASES.items()}
    bars = loops[ADAPTIVE].bars
    candidates: dict[str, Any] = {name: loop.run for name, loop in loops.items()}
    candidates[INDICATORS] = loops[ADAPTIVE].indicators
    candidates[FLOOR] = floor_of(loops[ADAPTIVE].feed.bars[0])
    for name, (strategy, log) in WHOLE.items():
        candidates[name] = partial(bt.run, market, strategy, log=log)
    samples = alternate(candidates, rounds)
    rows = [_row(group, name, samples, bars, tolerance, loops) for name in candidates]
    return [replace(row, note=label(market)) for row in rows]


def _row(group: str, name: str, samples: Mapping[str, Samples], bars: int, tolerance: float | None, loops: Mapping[str, Loop]) -> Row:
    counts: dict[str, float | None] = {
        "million_bars_per_second": bars / sorted(samples[name].process)[len(samples[name].process) // 2] / 1e6,
        "times_the_floor": samples[name].against(samples[FLOOR]),
    }
    unlogged = name.replace("events logged", "no log")
    if unlogged != name:
        counts["times_without_log"] = samples[name].against(samples[unlogged])
    of = WHOLE_OF.get(name, name)
    if of in loops:
        counts |= loops[of].per_bar()
    judged = None if name == FLOOR else tolerance
    return timed(group, name, "ns a bar", samples[name], 1e9 / bars, tolerance=judged, counts=counts)


# The case whose events a whole call has.
WHOLE_OF = {whole: next(name for name, case in CASES.items() if case == WHOLE[whole]) for whole in WHOLE}
