"""Stylised facts: what the measures say of arrays with known answers, and of simulated markets beside real ones."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.image import imread

from backtest.data.load import load
from backtest.data.market import Market
from backtest.data.simulated import stylised_facts as facts
from backtest.data.simulated.facts_chart import facts_chart
from backtest.data.simulated.facts_table import closes_every, facts_table, funding_facts, market_facts, pair_facts

HOUR = 3_600_000
DAY = 24 * HOUR
MONDAY = 1_704_067_200_000  # 2024-01-01 00:00 UTC


@pytest.fixture(scope="module")
def simulated() -> dict[str, list[Market]]:
    """Two and a half years of 15-minute bars by coin, three seeds each."""
    return {
        coin: [load(coin, start="2023-07-01", source="simulated", warmup=0, seed=seed) for seed in (1, 2, 3)] for coin in ("BTC", "ETH")
    }


def median(markets: list[Market]) -> dict[str, float]:
    """The middle of several markets, because a single sample of a fat tail is worth little."""
    measured = [market_facts(market) for market in markets]
    return {name: float(np.median([one[name] for one in measured])) for name in measured[0]}


# --- measures ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [2.0, 3.0, 5.0])
def test_the_tail_index_of_a_power_law_is_its_exponent(exponent):
    values = (1.0 - (np.arange(200_000) + 0.5) / 200_000) ** (-1.0 / exponent)
    assert facts.tail_index(values) == pytest.approx(exponent, rel=0.02)
    assert facts.tail_index(7.0 * values) == pytest.approx(facts.tail_index(values))
    assert np.isnan(facts.tail_index(values[:100]))
    assert np.isnan(facts.tail_index(-values))


def test_kurtosis_of_known_distributions():
    assert facts.excess_kurtosis(np.array([1.0, -1.0] * 50)) == pytest.approx(-2.0)
    assert facts.excess_kurtosis(np.array([0.0] * 98 + [1.0, -1.0])) == pytest.approx(47.0)
    assert np.isnan(facts.excess_kurtosis(np.ones(5)))


def test_correlations_of_known_series():
    wave = np.array([1.0, -1.0] * 20)
    assert facts.autocorrelation(wave, 1) == pytest.approx(-1.0)
    assert facts.autocorrelation(wave, 2) == pytest.approx(1.0)
    assert np.isnan(facts.autocorrelation(wave, 39))
    assert np.isnan(facts.correlation(wave, np.ones(40)))


def test_range_measures_by_hand():
    # One bar goes up by a factor e and no further, one ends where it began after a range of e^2.
    prices = (np.ones(2), np.exp([1.0, 1.0]), np.exp([0.0, -1.0]), np.exp([1.0, 0.0]))
    assert facts.range_to_body(*prices) == pytest.approx((1.0 + 2.0) / 1.0)
    assert facts.parkinson_ratio(*prices) == pytest.approx(np.sqrt(5.0 / (4.0 * np.log(2.0))))
    assert np.isnan(facts.range_to_body(np.ones(2), np.ones(2), np.ones(2), np.ones(2)))


def test_a_brownian_path_has_range_measures_of_two_and_one():
    steps = np.random.default_rng(5).standard_normal((3_000, 2_000)) * 1e-4
    path = np.concatenate([np.zeros((3_000, 1)), np.cumsum(steps, axis=1)], axis=1)
    prices = (np.ones(3_000), np.exp(path.max(axis=1)), np.exp(path.min(axis=1)), np.exp(path[:, -1]))
    assert facts.range_to_body(*prices) == pytest.approx(2.0, abs=0.1)
    assert facts.parkinson_ratio(*prices) == pytest.approx(1.0, abs=0.05)


def test_leverage_is_negative_where_falls_are_followed_by_large_moves():
    returns = np.tile([-0.01, 0.05, 0.01, 0.001], 50)
    by_hand = np.corrcoef(returns[:-2], (np.abs(returns[1:-1]) + np.abs(returns[2:])) / 2)[0, 1]
    assert facts.leverage_effect(returns, 2) == pytest.approx(by_hand)
    assert facts.leverage_effect(np.tile([-0.01, 0.05, 0.01, 0.001], 50)[:-1], 1) < 0
    assert np.isnan(facts.leverage_effect(returns[:4], 2))


def test_seasons_of_a_made_week():
    time = MONDAY + HOUR * np.arange(7 * 24)
    size = np.where((time % DAY) // HOUR == 14, 3.0, 1.0) * np.where(time >= MONDAY + 5 * DAY, 0.5, 1.0)
    assert facts.busiest_to_quietest_hour(time, size) == pytest.approx(3.0)
    assert facts.weekend_to_weekday(time, size) == pytest.approx(0.5)
    assert facts.hourly_profile(time, size).mean() == pytest.approx(1.0)
    assert np.isnan(facts.busiest_to_quietest_hour(time[:5], size[:5]))
    assert np.isnan(facts.weekend_to_weekday(time[:48], size[:48]))


def test_shares_by_hand():
    assert facts.flat_share(np.array([2.0, 3.0, 4.0, 4.0]), np.array([2.0, 2.0, 4.0, 3.0])) == 0.5
    opens, closes = np.array([100.0, 100.0, 100.0, 101.0]), np.array([100.0, 100.005, 100.0, 100.0])
    assert facts.gap_share(opens, closes) == pytest.approx(1 / 3)


def test_volume_that_is_the_range_correlates_fully():
    high, low = np.array([1.1, 1.2, 1.4, 1.0, 1.3]), np.ones(5)
    assert facts.volume_volatility_correlation(high, low, np.log(high / low)) == pytest.approx(1.0)


# --- tables --------------------------------------------------------------------------------------------------------------


def test_a_short_market_has_dashes_where_it_says_nothing():
    made = load("BTC", start="2025-12-30", end="2025-12-31", source="simulated", warmup=0)
    rows = facts_table({"one": market_facts(made)})
    assert rows[0] == ("fact", "one")
    assert ("autocorrelation of |r|, 1 week", "-") in rows
    assert funding_facts(made) == {}


def test_closes_of_days_are_those_of_the_bars_that_end_them(simulated):
    market = simulated["BTC"][0]
    assert np.array_equal(closes_every(market, DAY), market.close[95::96])


def test_a_pair_of_one_market_correlates_fully(simulated):
    market = simulated["BTC"][0]
    assert all(value == pytest.approx(1.0) for value in pair_facts(market, market).values())
    with pytest.raises(ValueError, match="different lengths"):
        pair_facts(market, load("BTC", start="2025-12-01", timeframe="1h", source="simulated"))


def test_the_chart_is_a_picture(simulated, tmp_path):
    short = [market.slice("2025-10-01") for market in simulated["BTC"][:2]]
    facts_chart(short, tmp_path / "facts.png")
    picture = imread(tmp_path / "facts.png")
    assert picture.shape[0] > 1000
    assert picture.std() > 0.05


# --- the simulated market ------------------------------------------------------------------------------------------------

# Wide enough for the next seed, narrow enough that a random walk, or a walk with one speed of volatility, falls out.
BANDS = {
    "volatility a year": (0.3, 0.9),
    "tail index, rises": (2.0, 3.6),
    "tail index, falls": (2.0, 3.6),
    "excess kurtosis, bars": (10.0, 250.0),
    "excess kurtosis, hours": (6.0, 45.0),
    "excess kurtosis, days": (1.0, 15.0),
    "autocorrelation of r, 1 bar": (-0.03, 0.03),
    "autocorrelation of |r|, 1 bar": (0.22, 0.42),
    "autocorrelation of |r|, 1 hour": (0.17, 0.38),
    "autocorrelation of |r|, 1 day": (0.07, 0.25),
    "autocorrelation of |r|, 1 week": (0.04, 0.20),
    "range over body": (1.9, 2.15),
    "Parkinson over close to close": (0.95, 1.08),
    "leverage, 1 day ahead": (-0.06, 0.005),
    "busiest over quietest hour": (1.5, 2.3),
    "weekend over weekday": (0.55, 0.85),
    "bars that never move": (0.0, 0.0005),
    "bars that open over 1 bp off": (0.0, 0.0),
    "log volume with log range": (0.65, 0.9),
    "funding, mean (bp)": (0.0, 1.2),
    "funding, deviation (bp)": (0.3, 2.0),
    "funding, autocorrelation, 1": (0.6, 0.95),
    "funding, autocorrelation, 1 week": (0.15, 0.7),
    "funding, share at 1 bp": (0.15, 0.5),
    "funding, share below 0": (0.05, 0.4),
    "funding with 3 days' move": (0.1, 0.6),
}


@pytest.mark.parametrize("coin", ["BTC", "ETH"])
def test_the_simulated_market_has_the_stylised_facts(simulated, coin):
    measured = median(simulated[coin])
    assert {name: measured[name] for name, (low, high) in BANDS.items() if not low <= measured[name] <= high} == {}
    assert measured["excess kurtosis, bars"] > measured["excess kurtosis, hours"] > measured["excess kurtosis, days"]


def test_correlations_of_coins_rise_in_wild_times(simulated):
    pairs = [pair_facts(one, other) for one, other in zip(simulated["BTC"], simulated["ETH"], strict=True)]
    middle = {name: np.median([pair[name] for pair in pairs]) for name in pairs[0]}
    assert 0.75 < middle["correlation, bars"] < 0.92
    assert 0.75 < middle["correlation, days"] < 0.92
    assert middle["correlation, wildest tenth"] > middle["correlation, calmest third"] + 0.01


# --- beside real bars ----------------------------------------------------------------------------------------------------

# Simulated over real, or simulated less real where a ratio says nothing.
RATIOS = {
    "volatility a year": (0.75, 1.35),
    "tail index, rises": (0.8, 1.25),
    "tail index, falls": (0.8, 1.25),
    "excess kurtosis, bars": (0.35, 3.0),
    "excess kurtosis, hours": (0.5, 2.2),
    "excess kurtosis, days": (0.4, 2.5),
    "range over body": (0.92, 1.06),
    "Parkinson over close to close": (0.9, 1.06),
    "busiest over quietest hour": (0.8, 1.25),
    "weekend over weekday": (0.85, 1.2),
    "funding, deviation (bp)": (0.4, 1.5),
}
DIFFERENCES = {
    "autocorrelation of r, 1 bar": 0.03,
    "autocorrelation of |r|, 1 bar": 0.08,
    "autocorrelation of |r|, 1 hour": 0.07,
    "autocorrelation of |r|, 1 day": 0.06,
    "autocorrelation of |r|, 1 week": 0.06,
    "leverage, 1 day ahead": 0.03,
    "log volume with log range": 0.1,
    "bars that never move": 0.0005,
    "bars that open over 1 bp off": 0.005,
    "funding, mean (bp)": 0.5,
    "funding, autocorrelation, 1": 0.17,
    "funding, autocorrelation, 1 week": 0.25,
    "funding, share at 1 bp": 0.15,
    "funding, share below 0": 0.15,
    "funding with 3 days' move": 0.3,
}


@pytest.mark.real_data
@pytest.mark.parametrize("coin", ["BTC", "ETH"])
def test_the_simulated_facts_are_near_those_of_real_bars(simulated, real_data, coin):
    real = market_facts(load(coin, start="2022-01-01", data_dir=real_data, warmup=0))
    made = median(simulated[coin])
    far = {name: (real[name], made[name]) for name, (low, high) in RATIOS.items() if not low <= made[name] / real[name] <= high}
    far |= {name: (real[name], made[name]) for name, most in DIFFERENCES.items() if not abs(made[name] - real[name]) <= most}
    assert far == {}


@pytest.mark.real_data
def test_coins_are_as_correlated_as_real_ones(simulated, real_data):
    real = pair_facts(*(load(coin, start="2022-01-01", data_dir=real_data, warmup=0) for coin in ("BTC", "ETH")))
    made = pair_facts(simulated["BTC"][0], simulated["ETH"][0])
    assert {name: (real[name], made[name]) for name in real if abs(real[name] - made[name]) > 0.08} == {}
