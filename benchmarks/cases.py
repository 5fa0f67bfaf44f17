"""What the engine's rows measure: each a strategy, with or without its event log."""

from __future__ import annotations

from typing import Any

import backtest as bt

ADAPTIVE_LOG = "adaptive grid, events logged"
ADAPTIVE = "adaptive grid, no log"
QUIET = "adaptive grid, quiet bars"
STATIC_LOG = "static grid, events logged"
STATIC = "static grid, no log"
INDICATORS = "indicators of the adaptive grid"

# Its entries stand too far away to fill and are never moved: what a bar costs on which nothing happens.
QUIET_STRATEGY = bt.AdaptiveGrid(kappa=0.0001, gamma=0.0, regen_drift=1000.0, regime_threshold=10.0)

# name -> (strategy, log)
CASES: dict[str, tuple[Any, bool]] = {
    ADAPTIVE_LOG: (bt.AdaptiveGrid(), True),
    ADAPTIVE: (bt.AdaptiveGrid(), False),
    QUIET: (QUIET_STRATEGY, False),
    STATIC_LOG: (bt.StaticGrid(), True),
    STATIC: (bt.StaticGrid(), False),
}

# Whole calls of `bt.run`: aligning, records, indicators, the loop, the result.
WHOLE: dict[str, tuple[Any, bool]] = {
    "bt.run, adaptive grid, events logged": CASES[ADAPTIVE_LOG],
    "bt.run, adaptive grid, no log": CASES[ADAPTIVE],
    "bt.run, static grid, events logged": CASES[STATIC_LOG],
    "bt.run, static grid, no log": CASES[STATIC],
}
