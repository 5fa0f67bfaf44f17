"""The simulated market: repeatable, on the grid, like a coin, and without an edge."""

from __future__ import annotations

import numpy as np
import pytest

from backtest.align import align
from backtest.data.built_in import built_in_instrument
from backtest.data.instrument import Instrument
from backtest.data.load import load
from backtest.data.simulated.path import coin_path, minute_bars
from backtest.data.simulated.scenarios import scenario_of
from backtest.data.simulated.source import DEFAULT_START, WORLD_END, WORLD_START, simulated_bars
from backtest.data.simulated.volatility import coin_volatility, common_factor
from backtest.data.simulated.world import BLOCK, MINUTES, coin_of, stream
from backtest.data.timeframe import MINUTE, Timeframe
from engine.errors import InputError
from engine.records import TRADED
from tests.backtest.frames import BTC

FIELDS = ("open", "high", "low", "close", "volume")
DAY = 86_400_000


@pytest.fixture(scope="module")
def year():
    return load("BTC")


def minutes(instrument: Instrument, seed: int, days: int) -> np.ndarray:
    return simulated_bars(instrument, seed, WORLD_END - days * DAY, WORLD_END)[1]


def test_a_year_trades_after_the_warm_up_and_says_that_it_is_simulated(year):
    assert year.simulated
    assert year.source.startswith("SIMULATED market, scenario default (")
    assert "), seed 1, no edge by construction (a martingale): BTCUSDT 15m" in year.source
    assert year.time[year.trade_from] == DEFAULT_START
    assert len(year) - year.trade_from == 365 * 96
    assert year.trade_from == 1000
    assert year.end_time == WORLD_END
    assert "SIMULATED" in repr(year)


def test_bars_keep_every_rule(year):
    assert (np.diff(year.time) == year.timeframe.ms).all()
    assert (year.low <= np.minimum(year.open, year.close)).all()
    assert (year.high >= np.maximum(year.open, year.close)).all()
    assert (year.low > 0).all()
    assert (year.volume >= 0).all()
    assert ((year.kind == TRADED) == (year.volume > 0)).all()
    assert not year.missing.any()
    assert np.array_equal(year.open[1:], year.close[:-1])


@pytest.mark.parametrize("coin", ["BTC", "ETH", "SOL"])
def test_prices_are_whole_ticks_and_volumes_whole_steps(coin):
    instrument = built_in_instrument(coin)
    values = minutes(instrument, 1, 10)
    ticks = values[:4] / instrument.tick_size
    assert np.abs(ticks - np.rint(ticks)).max() < 1e-6
    steps = values[4] / instrument.step_size
    assert np.abs(steps - np.rint(steps)).max() < 1e-6


def test_a_seed_always_gives_the_same_market_and_another_another():
    one, again, other = (minutes(BTC, seed, 2) for seed in (7, 7, 8))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_the_market_of_seed_one_stays_what_it_is(year):
    # To a tick, because the last bit of an exponential differs between processors.
    assert year.close[[0, 1000, -1]] == pytest.approx([62_778.5, 69_277.4, 45_829.0], abs=0.11)


def test_a_path_does_not_depend_on_the_dates_or_the_timeframe(year):
    part = load("BTC", start="2025-03-01", end="2025-04-01", warmup=10)
    whole = year.slice("2025-03-01", "2025-04-01", warmup=10)
    for name in ("time", *FIELDS):
        assert np.array_equal(getattr(part, name), getattr(whole, name))
    hourly = load("BTC", start="2025-03-01", end="2025-04-01", timeframe="1h", warmup=0)
    quarters = whole.slice("2025-03-01")
    assert np.array_equal(hourly.close, quarters.close[3::4])
    assert np.array_equal(hourly.high, quarters.high.reshape(-1, 4).max(axis=1))
    assert np.array_equal(hourly.low, quarters.low.reshape(-1, 4).min(axis=1))
    assert hourly.volume == pytest.approx(quarters.volume.reshape(-1, 4).sum(axis=1), rel=1e-12)


def test_filters_move_a_path_by_less_than_a_tick():
    fine, coarse = minutes(BTC, 1, 3), minutes(BTC.replace(tick_size=10.0), 1, 3)
    assert np.abs(fine[3] - coarse[3]).max() <= 5.0 + 0.1


def test_finer_bars_are_the_same_path():
    made = load("ETH", start="2025-03-01", end="2025-03-11", warmup=5, sub_bars="1m")
    assert (made.sub_bars.time[0], len(made.sub_bars)) == (made.time[0], len(made) * 15)
    joined = align(made)
    assert joined.sub_count == 15
    assert (joined.sub_rows[0] == 15 * np.arange(len(made))).all()
    assert joined.own_path_bars.tolist() == [0]


def test_coins_move_together_but_not_alike():
    returns = {coin: np.diff(np.log(minutes(built_in_instrument(coin), 1, 60)[3, 14::15])) for coin in ("BTC", "ETH", "SOL")}
    for one, other in (("BTC", "ETH"), ("BTC", "SOL"), ("ETH", "SOL")):
        assert 0.5 < np.corrcoef(returns[one], returns[other])[0, 1] < 0.9


def test_moves_have_fat_tails_and_clusters(year):
    returns = np.diff(np.log(year.close))
    scaled = (returns - returns.mean()) / returns.std()
    assert (scaled**4).mean() > 6.0
    size = np.abs(returns)
    for lag in (1, 8, 96):
        # Independent moves would stay within 4/sqrt(35 040) = 0.02.
        assert np.corrcoef(size[lag:], size[:-lag])[0, 1] > 0.05
    assert 0.25 < returns.std() * np.sqrt(year.timeframe.bars_per_year) < 1.2


def quarter_bars(seed: int, instrument: Instrument) -> np.ndarray:
    groups = minutes(instrument, seed, 365).reshape(5, -1, 15)
    return np.stack([groups[0, :, 0], groups[1].max(axis=1), groups[2].min(axis=1), groups[3, :, -1]])


def standard_errors(sample: np.ndarray) -> float:
    """How many standard errors the mean of a sample lies from zero."""
    return float(sample.mean() / (sample.std() / np.sqrt(sample.size)))


@pytest.fixture(scope="module")
def quarters():
    # Seeds and coin of their own, so that the market users see is not the one that is judged.
    return np.concatenate([quarter_bars(seed, built_in_instrument("ETH")) for seed in (101, 102, 103)], axis=1)


def test_the_expected_price_is_todays(quarters):
    opens, _, _, closes = quarters
    moves = closes / opens - 1.0
    assert abs(standard_errors(moves)) < 4.0
    # Nor does the last move say anything about the sign of the next.
    assert abs(standard_errors(moves[1:] * np.sign(moves[:-1]))) < 4.0


@pytest.mark.parametrize("horizon", [4, 96, 960])
def test_the_expected_price_is_todays_over_longer_times_too(horizon):
    ratios = []
    for seed in range(101, 107):
        closes = coin_path(built_in_instrument("ETH"), seed, scenario_of("default")).price(slice(0, None, BLOCK))[::horizon]
        ratios.append(closes[1:] / closes[:-1] - 1.0)
    assert abs(standard_errors(np.concatenate(ratios))) < 4.0


@pytest.fixture(scope="module")
def path():
    return coin_path(built_in_instrument("ETH"), 104, scenario_of("default"))


def surprises(path):
    """Moves of the minutes in their own volatility: standard normal and nothing else, if the price is a martingale."""
    moving = path.sigma > 0
    return ((np.diff(path.log_price) + 0.5 * path.sigma**2)[moving] / path.sigma[moving]), path.sigma[moving]


def test_moves_in_their_own_volatility_are_independent_normals(path):
    normal, sigma = surprises(path)
    bound = 4.5 / np.sqrt(normal.size)
    assert abs(normal.mean()) < bound
    assert abs((normal**2).mean() - 1.0) < 2 * bound
    assert abs((normal**4).mean() - 3.0) < 10 * bound
    for lag in (1, 2, 15):
        assert abs(np.corrcoef(normal[lag:], normal[:-lag])[0, 1]) < bound
    # What is known before the move says nothing about its sign, nor about its size beyond the volatility itself.
    for known in (np.log(sigma), sigma > np.quantile(sigma, 0.999)):
        assert abs(np.corrcoef(known, normal)[0, 1]) < bound
        assert abs(np.corrcoef(known, normal**2)[0, 1]) < bound


def test_volatility_knows_no_later_move():
    coin, own = coin_of(BTC), stream(5, "BTC").standard_normal(MINUTES)
    change = 1_000 * BLOCK
    other = own.copy()
    other[change:] *= -2.0
    one, two = (coin_volatility(5, "BTC", coin, common_factor(5), moves, scenario_of("default")).own for moves in (own, other))
    assert np.array_equal(one[: change + BLOCK], two[: change + BLOCK])
    assert not np.array_equal(one[change + BLOCK : change + 2 * BLOCK], two[change + BLOCK : change + 2 * BLOCK])


def test_an_order_reached_in_a_burst_gains_nothing_on_average(path):
    _, values = minute_bars(path, WORLD_START, WORLD_END)
    wild = path.sigma > 0.004
    assert wild.sum() > 1_000
    opens, highs, lows, closes = values[:4, wild]
    for distance in (0.001, 0.003):
        buy = np.floor(opens * (1.0 - distance) / 0.01) * 0.01
        bought = lows <= buy + 1e-9
        assert bought.sum() > 400
        # A stop that sells there is the same trade with the other sign, so the bound holds both ways.
        assert abs(standard_errors((closes[bought] - buy[bought]) / buy[bought])) < 4.0
        sell = np.ceil(opens * (1.0 + distance) / 0.01) * 0.01
        sold = highs >= sell - 1e-9
        assert abs(standard_errors((sell[sold] - closes[sold]) / sell[sold])) < 4.0


def test_nobody_trades_while_the_venue_stands_still():
    seed = next(seed for seed in range(1, 50) if common_factor(seed).halted.any())
    first = int(np.argmax(common_factor(seed).halted))
    begin = WORLD_START + (first // 1440) * DAY
    _, values = simulated_bars(BTC, seed, begin, begin + 2 * DAY)
    halted = common_factor(seed).halted[first // 1440 * 1440 :][: 2 * 1440]
    assert halted.sum() > 15
    assert (values[4, halted] == 0.0).all()
    assert (values[1, halted] == values[2, halted]).all()
    assert (values[4, ~halted] > 0.0).all()
    made = load("BTC", start=begin, end=begin + 2 * DAY, timeframe="1m", seed=seed, warmup=0, source="simulated")
    assert np.array_equal(made.kind == TRADED, ~halted)
    assert any(note == f"{halted.sum()} bars saw no trade; nothing fills in them." for note in made.notes)


def test_halts_are_as_rare_as_in_reality():
    share = np.mean([common_factor(seed).halted.mean() for seed in range(1, 9)])
    assert 1e-5 < share < 5e-4


def test_what_else_was_loaded_changes_nothing():
    one = minutes(BTC, 4, 3)
    minutes(built_in_instrument("SOL"), 9, 1)
    simulated_bars(BTC, 4, WORLD_START, WORLD_START + DAY, "crash")
    assert np.array_equal(minutes(BTC, 4, 3), one)


@pytest.mark.parametrize("distance", [0.001, 0.002, 0.004, 0.008])
def test_a_limit_order_that_is_touched_gains_nothing_on_average(quarters, distance):
    opens, highs, lows, closes = quarters
    buy = np.floor(opens * (1.0 - distance) / 0.01) * 0.01
    bought = lows <= buy + 1e-9
    assert bought.sum() > 500
    assert abs(standard_errors((closes[bought] - buy[bought]) / buy[bought])) < 4.0
    sell = np.ceil(opens * (1.0 + distance) / 0.01) * 0.01
    sold = highs >= sell - 1e-9
    assert abs(standard_errors((sell[sold] - closes[sold]) / sell[sold])) < 4.0


def test_extremes_taken_at_minute_closes_would_have_an_edge(quarters):
    # The test above has the power to see it: an order reached only at a minute's close is passed by some distance.
    closes = minutes(built_in_instrument("ETH"), 101, 365)[3].reshape(-1, 15)
    opens = quarters[0, : len(closes)]
    buy = opens * 0.998
    bought = closes.min(axis=1) <= buy
    assert standard_errors((closes[bought, -1] - buy[bought]) / buy[bought]) < -6.0


def test_any_other_coin_can_be_simulated_with_its_filters():
    other = Instrument("XYZUSDT", 0.5, 0.1, 0.1, 5.0)
    made = load("XYZ", start="2025-12-01", instrument=other)
    assert (made.close % 0.5 == 0.0).all()
    assert made.close.min() > 100 * other.tick_size


def test_dates_outside_the_simulated_world_are_refused():
    for dates in ({"start": "2026-01-01"}, {"end": "2023-01-01"}):
        with pytest.raises(InputError, match=r"is available from 2023-07-01 00:00 to 2026-01-01 00:00 \(SIMULATED\) UTC"):
            load("BTC", **dates)


def test_the_world_begins_without_warm_up_and_says_so():
    made = load("BTC", start="2023-07-01", end="2023-09-01")
    assert made.time[0] == WORLD_START
    assert any(
        note.startswith("0 of the 1000 warm-up bars stand before 2023-07-01 00:00: trading starts at 2023-07-11") for note in made.notes
    )


def test_an_early_end_alone_trades_from_the_beginning_of_the_world():
    made = load("BTC", end="2023-09-01")
    assert (made.time[0], made.trade_from) == (WORLD_START, 1000)


def test_a_day_is_a_whole_group_of_minutes():
    made = load("BTC", start="2025-12-01", end="2025-12-31", timeframe="1d", warmup=0)
    assert made.timeframe == Timeframe.parse("1d")
    assert len(made) == 30
    values = simulated_bars(BTC, 1, int(made.time[0]), int(made.time[0]) + DAY)[1]
    assert values.shape == (5, DAY // MINUTE)
    assert (made.open[0], made.high[0], made.low[0], made.close[0]) == (values[0, 0], values[1].max(), values[2].min(), values[3, -1])
