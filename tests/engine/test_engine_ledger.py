"""The ledger after every bar: money adds up, positions are never negative, fills lie within their bar, limits hold."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.agreement.compared import IEEE_RULES
from tests.conftest import COMPILED
from tests.engine.ledger_checks import CheckedRun
from tests.twin.random_runs import random_run

pytestmark = IEEE_RULES

SEEDS = 40 if COMPILED else 6
QUOTES = ("quotes within the cap", "quotes within the margin")
SHOWN = {
    "ordinary": (*QUOTES, "events on a gap bar", "STOP_LONG", "STOP_SHORT", "FUNDING", "RECENTER"),
    "violent": (*QUOTES, "LIQUIDATION"),
    "wide": (*QUOTES, "STOP_LONG", "STOP_SHORT"),
}


@pytest.mark.parametrize("kind", list(SHOWN))
def test_every_bar_keeps_the_ledger(kind: str) -> None:
    met: Counter[str] = Counter()
    for seed in range(10_000, 10_000 + SEEDS):  # other runs than those the twin is compared on
        met += CheckedRun(random_run(seed, 120, kind)).check_all()
    assert {name: met[name] for name in (SHOWN[kind] if COMPILED else QUOTES) if not met[name]} == {}


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 600, 100))
def test_every_bar_of_many_runs_keeps_the_ledger(first: int) -> None:
    for kind, names in SHOWN.items():
        met: Counter[str] = Counter()
        for seed in range(20_000 + first, 20_100 + first):
            met += CheckedRun(random_run(seed, 200, kind)).check_all()
        assert {name: met[name] for name in names if not met[name]} == {}
