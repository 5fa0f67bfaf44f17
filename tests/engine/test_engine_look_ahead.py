"""The future does not move the past: whatever happens after a bar, the log and equity up to it stay the same to the bit."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from engine.machine import Feed
from engine.records import GAP, TRADED
from tests.agreement.compared import IEEE_RULES
from tests.agreement.compiled import feed_of, machine_of
from tests.conftest import COMPILED
from tests.twin.random_runs import random_run

pytestmark = IEEE_RULES

BARS = 100
SEEDS = 12 if COMPILED else 3
CUTS = (5, 21, 37, 50, 74, 93, 98)


def run_on(run: dict[str, Any], feed: Feed) -> tuple[np.ndarray, np.ndarray]:
    machine = machine_of(run)
    return machine.run(feed, machine.indicators(feed), run["trade_from"])


def with_another_future(feed: Feed, cut: int, dice: np.random.Generator) -> Feed:
    """The same up to bar `cut`, that one included; other prices, volumes, gaps, settlements and finer bars after it."""
    bars, kinds, sub_bars = feed.bars.copy(), feed.kinds.copy(), feed.sub_bars.copy()
    rates, marks = feed.funding_rates.copy(), feed.funding_marks.copy()
    move = dice.uniform(0.5, 2.0)
    for k in range(len(kinds)):
        bars[k, :4, cut + 1 :] *= move
        bars[k, 4, cut + 1 :] *= 3.0
        rates[feed.funding_offsets[k, cut + 1] : feed.funding_offsets[k, -1]] += 0.001
        marks[feed.funding_offsets[k, cut + 1] : feed.funding_offsets[k, -1]] *= move
        for i in range(cut + 1, kinds.shape[1]):
            first = feed.sub_start[k, i]
            if first >= 0:
                sub_bars[k, :4, first : first + feed.sub_count] *= move
        # A bar more or less without trades, but the ends of a listing stay: an exchange announces them.
        for i in range(cut + 1, kinds.shape[1] - 1):
            if kinds[k, i] == TRADED and feed.sub_start[k, i] < 0 and kinds[k, i + 1] != 0 and dice.random() < 0.1:
                kinds[k, i] = GAP
                bars[k, :4, i], bars[k, 4, i] = bars[k, 3, i - 1], 0.0
    return dataclasses.replace(feed, bars=bars, kinds=kinds, funding_rates=rates, funding_marks=marks, sub_bars=sub_bars)


@pytest.mark.parametrize("kind", ["ordinary", "violent", "wide"])
def test_the_future_does_not_move_the_past(kind: str) -> None:
    dice = np.random.default_rng(7)
    moved = 0
    for seed in range(30_000, 30_000 + SEEDS):
        run = random_run(seed, BARS, kind)
        feed, start = feed_of(run), run["trade_from"]
        log, equity = run_on(run, feed)
        for cut in CUTS:
            if cut < start:
                continue
            later_log, later_equity = run_on(run, with_another_future(feed, cut, dice))
            assert later_equity[: cut + 1 - start].tobytes() == equity[: cut + 1 - start].tobytes(), (seed, cut)
            assert later_log[later_log["bar"] <= cut].tobytes() == log[log["bar"] <= cut].tobytes(), (seed, cut)
            moved += later_log.tobytes() != log.tobytes() or later_equity.tobytes() != equity.tobytes()
    assert moved >= SEEDS  # in the other runs nothing was held or wanted any more


@pytest.mark.parametrize("kind", ["ordinary", "violent"])
def test_a_run_that_ends_early_is_the_beginning_of_the_longer_one(kind: str) -> None:
    """No bar knows how many follow; a listing that goes on is delisted nowhere."""
    for seed in range(31_000, 31_000 + SEEDS):
        run = random_run(seed, BARS, kind)
        whole_log, whole_equity = run_on(run, feed_of(run))
        for cut in CUTS[3:]:
            if any(own[cut] == 0 for own in run["kinds"]):
                continue  # its last bar would be another one
            short = {**run, "time": run["time"][:cut]}
            short["bars"] = [{name: values[:cut] for name, values in table.items()} for table in run["bars"]]
            short["kinds"] = [own[:cut] for own in run["kinds"]]
            short["settlements"] = [own[:cut] for own in run["settlements"]]
            short["sub_bars"] = [{i: candles for i, candles in own.items() if i < cut} for own in run["sub_bars"]]
            log, equity = run_on(short, feed_of(short))
            assert equity.tobytes() == whole_equity[: len(equity)].tobytes(), (seed, cut)
            assert log.tobytes() == whole_log[whole_log["bar"] < cut].tobytes(), (seed, cut)
