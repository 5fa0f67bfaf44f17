"""One random run on both sides: the first difference between engine and twin, and what the twin met on the way."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from engine.machine import Machine
from engine.strategies import adaptive_grid as columns
from tests.agreement.compiled import differences, events_of, feed_of, machine_of
from tests.twin import exchange, ledger, simulate
from tests.twin.indicators import adaptive_grid_rows, regime
from tests.twin.random_runs import random_run
from tests.twin.records import Book, Order, World

# What is quiet in compiled code, an infinity or NaN by IEEE rules, numpy warns of without the compiler.
IEEE_RULES = pytest.mark.filterwarnings("ignore:(divide by zero|invalid value|overflow) encountered in scalar:RuntimeWarning")

Row = dict[str, float]
INDICATORS = {
    "close": columns.CLOSE,
    "kama": columns.KAMA,
    "atr": columns.ATR,
    "er": columns.ER,
    "z": columns.Z,
    "sigma": columns.SIGMA,
}
# The engine's counters and the twin's names of them.
COUNTERS = {
    "adaptive_grid": {
        "halts": "halts",
        "resumes": "resumes",
        "shifts": "shifts",
        "regenerations": "regenerations",
        "requotes": "requotes",
        "var_blocked_bars": "var_blocked_decisions",
        "skew_capped": "skews_capped",
    },
    "static_grid": {"recenters": "recentrings"},
}


@dataclass(frozen=True)
class Compared:
    """`difference` is empty when both sides agree; `met` counts events by label, and the twin's branches."""

    difference: str
    met: Counter[str]


def twin_rows(run: dict[str, Any], table: np.ndarray) -> list[list[Row]]:
    """The engine's indicator columns (instruments, columns, bars) as the twin's rows, so that a rounding tie decides nothing."""
    rows = []
    for own, columns_of_one in zip(run["parameters"], table, strict=True):
        rows.append(
            [
                {name: float(columns_of_one[place, i]) for name, place in INDICATORS.items()}
                | {"regime": regime_or_nan(float(columns_of_one[columns.SLOPE, i]), float(columns_of_one[columns.ER, i]), own)}
                for i in range(columns_of_one.shape[1])
            ]
        )
    return rows


def regime_or_nan(slope: float, ratio: float, own: dict[str, Any]) -> float:
    """The twin's regime; NaN without a slope."""
    if not math.isfinite(slope):
        return math.nan
    return float(regime(slope, ratio, own["regime_threshold"], own["er_trend_threshold"]))


def indicator_difference(run: dict[str, Any], table: np.ndarray) -> str:
    """The first indicator that is not the twin's to 1e-9 of its scale (1 for ratios, the price for prices)."""
    for k, own in enumerate(run["parameters"]):
        first = next(i for i, kind in enumerate(run["kinds"][k]) if kind)
        theirs = adaptive_grid_rows(run["bars"][k], first, own)
        for name, place in INDICATORS.items():
            mine = table[k, place]
            other = np.array([row[name] for row in theirs])
            scale = np.nanmax(np.abs(table[k, columns.CLOSE])) if name in ("close", "kama", "atr") else np.maximum(1.0, np.abs(other))
            same = (np.isnan(mine) & np.isnan(other)) | (np.abs(mine - other) <= 1e-9 * scale)
            if not same.all():
                i = int(np.argmin(same))
                return f"instrument {k}, bar {i}: {name} {mine[i]!r} against {other[i]!r}"
    return ""


def equity_difference(ours: list[float], theirs: list[float], run: dict[str, Any]) -> str:
    """The first bar whose equity differs by more than 1e-9 of what the account can hold."""
    allowed = 1e-9 * max(1.0, run["account"]["leverage"]) * max(run["account"]["capital"], *map(abs, theirs))
    for bar, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        if not abs(mine - other) <= allowed:
            return f"equity of bar {bar}: {mine!r} against {other!r}"
    return ""


def counter_difference(machine: Machine, counters: dict[str, int], run: dict[str, Any], solvent: bool) -> str:
    """The first of the counters behind a report that is not the twin's.

    Entries that would come out again are left resting and not counted anew, so of the rungs only this is the same: whether any
    was wanted, any was dropped, or all were. The engine counts the tiers' cap also where another limit ends the ladder.
    """

    def of_states(name: str) -> int:
        return int(machine.states[name].sum())

    pairs: list[tuple[str, Any, Any]] = [("liquidated at all", machine.accounts["liquidations"][0] > 0, counters.get("LIQUIDATION", 0) > 0)]
    if solvent:  # a static grid without equity counts its rungs as dropped, its twin does not want them
        rungs = [(of_states(name), counters.get(name, 0)) for name in ("wanted_rungs", "dropped_rungs")]
        of_both = [(wanted > 0, dropped > 0, 0 < wanted == dropped) for wanted, dropped in zip(*rungs, strict=True)]
        pairs.append(("rungs wanted, dropped, all dropped", *of_both))
    pairs.append(("tier cap hits missed", max(0, counters.get("tier_cap_hits", 0) - of_states("tier_cap_hits")), 0))
    for ours, theirs in COUNTERS[run["strategy"]].items():
        pairs.append((ours, int(machine.memory[ours].sum()), counters.get(theirs, 0)))
    return next((f"{name}: {mine} against {other}" for name, mine, other in pairs if mine != other), "")


def compare(run: dict[str, Any]) -> Compared:
    """Run both sides and compare indicators, the whole event log, equity of every bar, and the counters of a report."""
    machine, feed = machine_of(run), feed_of(run)
    table = machine.indicators(feed)
    log, equity = machine.run(feed, table, run["trade_from"])
    adaptive = run["strategy"] == "adaptive_grid"
    stages: Counter[str] = Counter()

    def fire_stop(world: World, book: Book, order: Order, qty: float, price: float) -> None:
        before = len(world.events)
        ledger.fire_stop(world, book, order, qty, price)
        stages[f"stop stage {order.stage}"] += len(world.events) > before

    with patch.object(exchange, "fire_stop", fire_stop):
        events, their_equity, counters = simulate(**run, indicators=twin_rows(run, table) if adaptive else None)
    difference = (
        (indicator_difference(run, table) if adaptive else "")
        or differences(events_of(log), events)
        or equity_difference(equity.tolist(), their_equity[run["trade_from"] :], run)
        or counter_difference(machine, counters, run, solvent=min(their_equity) > 0.0)
    )
    met = Counter(counters) + stages
    for event in events:
        met["event " + event["label"]] += 1
    account, execution = run["account"], run["execution"]
    met[f"{len(run['bars'])} instruments"] += 1
    met[f"margin {account['margin']}"] += 1
    met[f"path {execution['path']}"] += 1
    met["touch" if execution["through"] == execution["through_bps"] == 0.0 else "traded through"] += 1
    met["coins"] += execution["touch_probability"] < 1.0
    met["maker rebate"] += execution["fee_maker"] < 0.0
    return Compared(difference, met)


@cache
def compare_seed(kind: str, seed: int, bars: int) -> Compared:
    """The comparison of `random_run(seed, bars, kind)`; kept, because one test compares and another one counts."""
    return compare(random_run(seed, bars, kind))
