"""Bars per second of the compiled loop: with and without the log, and with parts switched off to see where the time goes."""

from __future__ import annotations

from statistics import median
from typing import Any

import backtest as bt
from backtest.align import align
from backtest.run import feed_of, instrument_terms
from backtest.strategy import program_of
from benchmarks.floor import floor_of
from benchmarks.timing import alternate, ratio_to
from engine.machine import Machine

FLOOR = "floor: one pass, two compares, one store"

# What is measured: name -> (strategy, log).
CASES: dict[str, tuple[Any, bool]] = {
    "adaptive grid, events logged": (bt.AdaptiveGrid(), True),
    "adaptive grid, no log": (bt.AdaptiveGrid(), False),
    "  of it: without stops": (bt.AdaptiveGrid(atr_sl_mult=0.0), False),
    "  of it: one level a side": (bt.AdaptiveGrid(grid_levels=1), False),
    "  of it: 20 levels a side": (bt.AdaptiveGrid(grid_levels=20), False),
    "  of it: quiet bars (entries too far to fill)": (
        bt.AdaptiveGrid(kappa=0.0001, gamma=0.0, regen_drift=1000.0, regime_threshold=10.0),
        False,
    ),
    "static grid, events logged": (bt.StaticGrid(), True),
    "static grid, no log": (bt.StaticGrid(), False),
}
ACCOUNT = bt.Account()
INDICATORS = "indicators of the adaptive grid"


def engine_rows(market: bt.Market, rounds: int) -> list[dict[str, Any]]:
    """Rows of the table: nanoseconds a bar, bars a second, ratio to the floor. Indicators are timed apart and not in the loop's rows."""
    aligned = align(market)
    machines: dict[str, Any] = {}
    candidates: dict[str, Any] = {}
    events: dict[str, int] = {}
    for name, (strategy, log) in CASES.items():
        feed, _, start = feed_of(aligned, strategy.warmup_bars())
        machine = Machine.build(
            program_of(strategy),
            [strategy.record()],
            [instrument_terms(market.instrument, 1.0)],
            ACCOUNT,
            bt.Execution(),
            aligned.timeframe.ms,
            log,
        )
        indicators = machine.indicators(feed)
        machines[name] = machine

        def once(machine: Machine = machine, feed: Any = feed, indicators: Any = indicators, start: int = start) -> None:
            machine.reset(ACCOUNT.capital)
            machine.run(feed, indicators, start)

        candidates[name] = once
        if name == "adaptive grid, no log":
            candidates[INDICATORS] = lambda machine=machine, feed=feed: machine.indicators(feed)
            candidates[FLOOR] = floor_of(feed.bars[0])
            bars = feed.bars.shape[2] - start
    times = alternate(candidates, rounds)
    for name, machine in machines.items():
        events[name] = int(machine.accounts["events"][0])
    rows = []
    for name in [*CASES, INDICATORS, FLOOR]:
        seconds = median(times[name]["process"])
        rows.append(
            {
                "name": name,
                "group": "engine",
                "ns_per_bar": seconds / bars * 1e9,
                "ns_per_bar_best": min(times[name]["process"]) / bars * 1e9,
                "bars_per_second": bars / seconds,
                "ratio_to_floor": ratio_to(times, name, FLOOR),
                "events_per_bar": events[name] / bars if name in events else None,
            }
        )
    return rows
