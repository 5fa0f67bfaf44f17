"""The compiled engine and its slow twin write the same event log, and the runs they agree on visit every branch."""

from __future__ import annotations

from collections import Counter

import pytest

from engine.records import LABELS
from tests.agreement.compared import IEEE_RULES, compare_seed
from tests.conftest import COMPILED

pytestmark = IEEE_RULES

CHUNK = 20
# Kind of run, seeds, bars. Without the compiler the engine is as slow as the twin: then a part of them.
SUITE = (("ordinary", 300, 150), ("violent", 300, 60), ("wide", 60, 150), ("evaluated", 300, 150))
QUICK = (("ordinary", 20, 150), ("violent", 20, 60), ("wide", 20, 100), ("evaluated", 20, 100))
SLOW = (("ordinary", 1500, 200), ("violent", 1000, 80), ("wide", 500, 200), ("evaluated", 500, 200))
AT_LEAST = 20

# What built-in strategies write here; MARKET_CLOSE belongs to a user's own, END_OF_RUN to test_close_at_end.
EVENTS = [f"event {label}" for label in LABELS if label not in ("MARKET_CLOSE", "END_OF_RUN")]
BRANCHES = [
    "1 instruments",
    "2 instruments",
    "3 instruments",
    "bars_walked_finer",
    "coins",
    "coins heads",
    "coins tails",
    "decisions_without_inputs",
    "dropped_rungs",
    "fills_limited_by_volume",
    "gap_bars_with_pending_market_orders",
    "joint_liquidations",
    "liquidations_after_fill",
    "liquidations_at_open",
    "liquidations_isolated_long",
    "liquidations_isolated_short",
    "liquidations_on_path_down",
    "liquidations_on_path_up",
    "lots_stopped_in_part",
    "maker rebate",
    "margin cross",
    "margin isolated",
    "margin_hits",
    "outcome daily loss",
    "outcome passed",
    "outcome trailing drawdown",
    "path high_first",
    "path low_first",
    "path nearest",
    "paused by exposure",
    "position_cap_hits",
    "recentrings",
    "regenerations",
    "riding_lots_quoted",
    "skews_capped",
    "stop stage 1",
    "stop stage 2",
    "stops_with_nothing_left",
    "target reached too early",
    "tier_cap_hits",
    "touch",
    "traded through",
    "upward_drifts_ignored",
    "var_blocked_decisions",
]


def chunks(suite: tuple[tuple[str, int, int], ...], size: int = CHUNK) -> list[tuple[str, int, int, int]]:
    """Kind, first seed, seed past the last, bars: small parts that test processes share."""
    return [(kind, first, min(first + size, seeds), bars) for kind, seeds, bars in suite for first in range(0, seeds, size)]


def disagreements(kind: str, first: int, stop: int, bars: int) -> dict[int, str]:
    """By seed, what differs."""
    found = {seed: compare_seed(kind, seed, bars).difference for seed in range(first, stop)}
    return {seed: difference for seed, difference in found.items() if difference}


@pytest.mark.parametrize(("kind", "first", "stop", "bars"), chunks(SUITE if COMPILED else QUICK))
def test_the_engine_agrees_with_its_twin(kind: str, first: int, stop: int, bars: int) -> None:
    assert disagreements(kind, first, stop, bars) == {}


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "first", "stop", "bars"), chunks(SLOW, 5 * CHUNK))
def test_the_engine_agrees_with_its_twin_over_thousands_of_runs(kind: str, first: int, stop: int, bars: int) -> None:
    assert disagreements(kind, first, stop, bars) == {}


@pytest.mark.skipif(not COMPILED, reason="without the compiler only a part of the suite runs")
def test_every_label_and_branch_is_met_often() -> None:
    met: Counter[str] = Counter()
    for kind, seeds, bars in SUITE:
        for seed in range(seeds):
            met.update(compare_seed(kind, seed, bars).met)
    assert {name: met[name] for name in EVENTS + BRANCHES if met[name] < AT_LEAST} == {}
