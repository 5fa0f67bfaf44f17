"""The simulated premium, the funding that follows from it by the exchange's formula, and the mark price."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.data.built_in import built_in_instrument
from backtest.data.load import load
from backtest.data.simulated.path import coin_path
from backtest.data.simulated.premium import funding_rates, funding_settlements, mark_closes, premium
from backtest.data.simulated.scenarios import event_minutes, scenario_of
from backtest.data.simulated.world import BLOCKS, WORLD_END, WORLD_START
from backtest.data.timeframe import DAY, HOUR, MINUTE
from tests.backtest.frames import BTC


@pytest.fixture(scope="module")
def path():
    return coin_path(BTC, 1, scenario_of("default"))


def rate_by_hand(premiums: list[float], cap: float) -> float:
    """The exchange's formula in words: the weighted mean, pulled towards the interest by at most 0.05 %, capped."""
    total = weights = 0.0
    for place, value in enumerate(premiums, start=1):
        total += place * value
        weights += place
    mean = total / weights
    pull = 0.0001 - mean
    if pull > 0.0005:
        pull = 0.0005
    elif pull < -0.0005:
        pull = -0.0005
    return max(-cap, min(cap, mean + pull))


@given(st.lists(st.floats(-0.03, 0.03), min_size=32, max_size=32), st.sampled_from([0.003, 0.02]))
@settings(max_examples=25)
def test_the_rate_is_the_exchanges_formula(premiums, cap):
    assert funding_rates(np.array(premiums), cap)[0] == pytest.approx(rate_by_hand(premiums, cap), abs=6e-9)


@pytest.mark.parametrize(
    ("premium_", "rate"),
    [(0.0, 0.0001), (0.0005, 0.0001), (-0.0004, 0.0001), (-0.0008, -0.0003), (0.001, 0.0005), (0.01, 0.003), (-0.01, -0.003)],
)
def test_rates_of_a_steady_premium(premium_, rate):
    assert funding_rates(np.full(64, premium_), 0.003) == pytest.approx([rate, rate], abs=1e-9)


def test_settlements_are_on_the_clock_and_rates_below_the_cap(path):
    times, rates = funding_settlements(path)
    assert (times % (8 * HOUR) == 0).all()
    assert (times[0], times[-1]) == (WORLD_START + 8 * HOUR, WORLD_END)
    assert np.abs(rates).max() <= 0.003
    assert np.array_equal(rates, np.round(rates, 8))


def test_a_market_has_the_history_as_its_own():
    made = load("BTC", start="2025-03-01", end="2025-04-01", source="simulated")
    times, rates = funding_settlements(coin_path(BTC, 1, scenario_of("default")))
    inside = (times > made.time[0]) & (times <= made.end_time)
    assert np.array_equal(made.funding_time, times[inside])
    assert np.array_equal(made.funding_rate, rates[inside])
    assert not made.funding_is_synthetic.any()
    assert any("funding rates and mark prices come from a simulated premium" in note for note in made.notes)
    assert not any(note.startswith("Assumed") and "funding" in note for note in made.notes)


def test_rates_do_not_depend_on_dates_or_timeframe():
    long = load("ETH", start="2025-02-01", end="2025-05-01", source="simulated", warmup=0).slice("2025-03-01", "2025-04-01")
    short = load("ETH", start="2025-03-01", end="2025-04-01", source="simulated", warmup=0, timeframe="1h")
    assert np.array_equal(long.funding_rate, short.funding_rate)
    assert np.array_equal(long.mark[3::4], short.mark)


def test_the_premium_of_a_moment_knows_no_later_price(path):
    changed = path.log_price.copy()
    half = (BLOCKS // 2) * 15
    changed[half + 1 :] += 0.3
    other = type(path)(path.instrument, path.seed, changed, path.sigma, path.halted)
    assert np.array_equal(premium(path)[: BLOCKS // 2], premium(other)[: BLOCKS // 2])
    assert not np.array_equal(premium(path), premium(other))


def test_funding_turns_negative_in_a_crash():
    crash = coin_path(BTC, 1, scenario_of("crash"))
    times, rates = funding_settlements(crash)
    for start in event_minutes()[:4]:
        event = WORLD_START + MINUTE * start
        during = rates[(times > event) & (times <= event + 2 * DAY)]
        assert during.min() < -0.0003
    assert np.median(rates) > 0.0


def test_the_mark_stays_near_the_price_and_lags_its_bursts(path):
    begin, stop = WORLD_START + 100 * DAY, WORLD_START + 200 * DAY
    first = 100 * 1440
    closes = path.price(slice(first + 1, first + 1 + 100 * 1440))
    marks = mark_closes(path, begin, stop)
    away = np.log(marks / closes)
    assert 0.00005 < away.std() < 0.0005
    assert np.abs(away).max() < 0.02
    moves = np.diff(path.log_price[first : first + 1 + 100 * 1440])
    wild = np.abs(moves) > 0.004
    assert wild.sum() > 20
    assert (np.sign(away[wild]) == -np.sign(moves[wild])).mean() > 0.9


def test_wider_coins_have_wider_rates():
    deviations = {
        coin: np.median(
            [funding_settlements(coin_path(built_in_instrument(coin), seed, scenario_of("default")))[1].std() for seed in (1, 2, 3)]
        )
        for coin in ("BTC", "SOL")
    }
    assert deviations["SOL"] > deviations["BTC"]
