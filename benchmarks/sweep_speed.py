"""Sweeps: milliseconds a set, one thread against two in turn, and how much of it the compiled loop alone takes."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import backtest as bt
from benchmarks.context import Context
from benchmarks.loops import loop_of
from benchmarks.market import simulated
from benchmarks.rows import Row, timed, valued
from benchmarks.timing import alternate

GROUP = "sweep"
SHARED, UNLIKE = "sets that share their indicators", "sets with indicators of their own"
TOLERANCE = 0.30


def grid_of(sets: int, unlike: bool = False) -> dict[str, list[Any]]:
    """Settings of as many sets; unlike: each with indicators of its own."""
    sizes = [float(one) for one in np.linspace(0.01, 0.05, 10)]
    if unlike:
        return {"vol_period": list(range(48, 48 + sets // 10)), "order_pct": sizes}
    return {"grid_spacing_k": [float(one) for one in np.linspace(0.5, 2.5, sets // 10)], "order_pct": sizes}


def year(timeframe: str) -> bt.Market:
    """The simulated year that sweeps run on."""
    return simulated(timeframe, "2024-01-01", "2025-01-01")


def sweep_rows(context: Context) -> list[Row]:
    """Rows of a small sweep over a year of 15m bars, which is judged; in a whole run of 1,000 sets, of 1h bars, of unlike indicators."""
    rows = _rows("15m", 40, SHARED, 5, TOLERANCE, context)
    if not context.quick:
        rows += _rows("15m", 1000, SHARED, 3, None, context)
        rows += _rows("1h", 1000, SHARED, 3, None, context)
        rows += _rows("15m", 200, UNLIKE, 3, None, context)
    return rows


def _rows(timeframe: str, sets: int, kind: str, rounds: int, tolerance: float | None, context: Context) -> list[Row]:
    context.say(f"sweep of {sets:,} {kind}, {timeframe}")
    market, grid = year(timeframe), grid_of(sets, kind == UNLIKE)
    loop = loop_of(market, bt.AdaptiveGrid(), log=False)
    runs = max(1, sets // 20)

    def loops() -> None:
        for _ in range(runs):
            loop.run()

    sweep = partial(bt.sweep, market, bt.AdaptiveGrid(), grid)
    one, two, alone = (f"{sets:,} {kind}, {timeframe}, {what}" for what in ("1 thread", "2 threads", "the default set's loop alone"))
    bt.sweep(market, bt.AdaptiveGrid(), grid_of(10))
    samples = alternate({one: partial(sweep, threads=1), two: partial(sweep, threads=2), alone: loops}, rounds, warm_up=False)
    rows = [
        timed(GROUP, name, "ms a set", samples[name], 1e3 / sets, tolerance=tolerance if name == one else None, counts={
            "sets_per_second": sets / sorted(samples[name].wall)[rounds // 2]})
        for name in (one, two)
    ]  # fmt: skip
    rows.append(timed(GROUP, alone, "ms a set", samples[alone], 1e3 / runs))
    faster = [single / double for single, double in zip(samples[one].wall, samples[two].wall, strict=True)]
    return [*rows, valued(GROUP, f"{sets:,} {kind}, {timeframe}, times faster on 2 threads", "times", faster)]
