"""Short runs that make numba compile everything a backtest of each built-in strategy uses."""

from __future__ import annotations

from typing import Any

from tests.agreement.compiled import run_compiled
from tests.twin.random_runs import random_run

BARS = 60


def runs_of_each_kind(strategy: str, bars: int = BARS) -> list[dict[str, Any]]:
    """Arguments of one run each of: one coin and three coins, cross and isolated margin; real settlements, some sub-bars."""
    found: dict[tuple[int, str], dict[str, Any]] = {}
    seed = 0
    while len(found) < 4:
        run = random_run(seed, bars)
        kind = (len(run["instruments"]), run["account"]["margin"])
        if run["strategy"] == strategy and kind[0] in (1, 3):
            found.setdefault(kind, run)
        seed += 1
    return [found[kind] for kind in sorted(found)]


def run_each_kind(strategy: str) -> int:
    """Run them all on the compiled engine. Returns the number of events."""
    return sum(len(run_compiled(run)[0]) for run in runs_of_each_kind(strategy))
