"""Fills by chance at a mere touch: what the coin decides, and what it leaves alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pytest

import backtest as bt
from tests.agreement.compared import IEEE_RULES
from tests.agreement.compiled import feed_of, machine_of
from tests.backtest import frames
from tests.backtest.stepping import random_lane
from tests.conftest import COMPILED
from tests.twin.random_runs import random_run

pytestmark = IEEE_RULES

SEEDS = range(60_000, 60_000 + (40 if COMPILED else 6))
BARS = 100
NEVER = 1e-15  # every coin falls tails
# One long rung, 1 % below 40 000: 39 600.
RUNG = bt.StaticGrid(step=0.01, grid_levels=1, allow_short=False)
TICK = frames.BTC.tick_size


def drawn_run(seed: int, **execution: Any) -> dict[str, Any]:
    """A random run, ordinary or violent, with some terms of execution changed."""
    run = random_run(seed, BARS, ("ordinary", "violent")[seed % 2])
    run["execution"].update(execution)
    return run


def outcome(run: dict[str, Any]) -> tuple[bytes, bytes]:
    machine, feed = machine_of(run), feed_of(run)
    log, equity = machine.run(feed, machine.indicators(feed), run["trade_from"])
    return log.tobytes(), equity.tobytes()


def touching(low: float, count: int = 400, finer: bool = False) -> bt.Market:
    """Bars that open and close at 40 000, rise to 40 010 and then fall to `low`; `finer`: three of them make one."""
    shape = {"open": 40_000.0, "high": 40_010.0, "low": low, "close": 40_000.0, "volume": 1_000.0}
    step = frames.QUARTER // 3 if finer else frames.QUARTER
    bars = pd.DataFrame({"timestamp": frames.START + step * np.arange(count * (3 if finer else 1), dtype=np.int64), **shape})
    coarse = frames.grouped(bars, 3) if finer else bars
    return bt.Market.from_frame(coarse, frames.BTC, "15m", funding=0, sub_bars=bars if finer else None)


def filled_bars(low: float, probability: float, seed: int = 0, finer: bool = False) -> np.ndarray:
    """Bars in which the rung at 39 600 fills; its lot closes at 40 000 in the bar after."""
    execution = bt.Execution(touch_probability=probability, touch_seed=seed)
    events = bt.run(touching(low, finer=finer), RUNG, execution=execution).ledgers[0].events
    return events["bar"][events["label"] == 0]


def test_a_probability_of_one_knows_no_seed() -> None:
    for seed in SEEDS:
        sure = [outcome(drawn_run(seed, touch_probability=1.0, touch_seed=luck)) for luck in (0, 1, 2**53)]
        assert sure[0] == sure[1] == sure[2], seed


def test_tails_everywhere_is_one_tick_through() -> None:
    """A probability next to nothing asks every limit for the one tick that `through = 1` asks for, to the last bit."""
    changed = 0
    for seed in SEEDS:
        never = outcome(drawn_run(seed, touch_probability=NEVER, through=0.0, through_bps=0.0))
        assert never == outcome(drawn_run(seed, touch_probability=1.0, through=1.0, through_bps=0.0)), seed
        changed += never != outcome(drawn_run(seed, touch_probability=1.0, through=0.0, through_bps=0.0))
    assert changed > len(SEEDS) // 4


def test_the_same_seed_is_the_same_luck_on_any_thread() -> None:
    def both(seed: int) -> list[tuple[bytes, bytes]]:
        return [outcome(drawn_run(seed, touch_probability=0.5, touch_seed=luck)) for luck in (1, 2)]

    alone = [both(seed) for seed in SEEDS]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(both, SEEDS)) == alone
    assert sum(first != second for first, second in alone) > len(SEEDS) // 4


@pytest.mark.parametrize("probability", [0.2, 0.5, 0.9])
def test_a_touch_fills_as_often_as_it_should(probability: float) -> None:
    """The order is quoted at the same price bar after bar, and every bar throws anew."""
    always = filled_bars(39_600.0, 1.0)
    assert always.size > 150
    counts = [filled_bars(39_600.0, probability, seed).size for seed in range(8)]
    # A bar in which the order fills is followed by one in which the lot closes: of k bars on average 1/p + 1 a fill.
    expected = 2.0 * always.size / (1.0 / probability + 1.0)
    assert np.mean(counts) == pytest.approx(expected, rel=0.12)
    assert len(set(map(bytes, (filled_bars(39_600.0, probability, seed) for seed in range(3))))) == 3


def test_a_tick_further_fills_whatever_the_coin() -> None:
    always = filled_bars(39_600.0 - TICK, 1.0)
    for probability in (NEVER, 0.5):
        assert np.array_equal(filled_bars(39_600.0 - TICK, probability), always)
    assert filled_bars(39_600.0, NEVER).size == 0
    assert filled_bars(39_600.0 - 0.5 * TICK, NEVER).size == 0


def test_orders_that_fill_do_so_at_their_own_price() -> None:
    prices = bt.run(touching(39_600.0 - TICK), RUNG, execution=bt.Execution(touch_probability=NEVER)).ledgers[0].events
    assert set(prices["price"][prices["label"] == 0]) == {39_600.0}


def test_a_stepper_throws_the_same_coins() -> None:
    """One bar at a time, with finer bars and without, matched on a copy: the events and the equity of the run, to the bit."""
    by_chance = finer = 0
    for seed in range(30 if COMPILED else 4):
        lane = random_lane(seed, bars=90)
        step = lane.begin()
        if step.settings.execution.touch_probability == 1.0:
            continue
        equity = [lane.cycle(step, i) for i in lane.bars()]
        assert step.log.tobytes() == lane.log.tobytes(), seed
        assert np.array_equal(equity, lane.equity), seed
        by_chance += 1
        finer += lane.feed.sub_count > 0
    assert by_chance >= (10 if COMPILED else 1)
    assert finer >= (2 if COMPILED else 0)


def test_finer_bars_throw_coins_of_their_own() -> None:
    """Touched in each of three finer bars, an order fills in seven of eight bars and not in every second one."""
    coarse, finer = (np.mean([filled_bars(39_600.0, 0.5, seed, walk).size for seed in range(4)]) for walk in (False, True))
    assert finer / coarse == pytest.approx((2.0 + 1.0) / (8.0 / 7.0 + 1.0), rel=0.1)


@pytest.mark.parametrize("wrong", [{"touch_probability": 0.0}, {"touch_probability": 1.1}, {"touch_seed": -1}, {"touch_seed": 2**53 + 1}])
def test_values_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(bt.InputError, match=next(iter(wrong))):
        bt.Execution(**wrong)
