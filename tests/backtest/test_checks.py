"""The detectors catch what is planted, and pass what is honest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backtest as bt
from backtest.align import align
from backtest.checks import COLUMN_NAMES, changed_future, column_names, relative_differences
from backtest.run import feed_of
from engine.programs import PROGRAMS
from tests.backtest import frames
from tests.backtest.stepping import bracket_strategy, mean_and_close, quote_brackets

SETTINGS = {"step": 0.003, "share": 0.05}


def market(count: int = 900, seed: int = 3) -> bt.Market:
    return bt.Market.from_frame(frames.bars(count, seed=seed), frames.BTC, "15m")


def own(indicators: Any, warmup: int = 6) -> bt.Strategy:
    return bt.Strategy(quote_brackets, SETTINGS, indicators, warmup)


def next_close(open_: Any, high: Any, low: Any, close: np.ndarray, volume: Any) -> np.ndarray:
    return np.stack([np.append(close[1:], close[-1])], axis=1)


def scaled_by_the_whole(open_: Any, high: Any, low: Any, close: np.ndarray, volume: Any) -> np.ndarray:
    return np.stack([close / close.max() * 40_000.0], axis=1)


def mean_of(period: int) -> Any:
    def indicators(open_: Any, high: Any, low: Any, close: np.ndarray, volume: Any) -> np.ndarray:
        out = np.full(close.size, np.nan)
        for i in range(period - 1, close.size):
            out[i] = close[i - period + 1 : i + 1].mean()
        return np.stack([out], axis=1)

    return indicators


def exponential(share: float) -> Any:
    def indicators(open_: Any, high: Any, low: Any, close: np.ndarray, volume: Any) -> np.ndarray:
        out = close.copy()
        for i in range(1, close.size):
            out[i] = out[i - 1] + share * (close[i] - out[i - 1])
        return np.stack([out], axis=1)

    return indicators


# --- look-ahead -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", [bt.AdaptiveGrid(), bt.StaticGrid()], ids=["adaptive", "static"])
def test_built_in_strategies_do_not_look_ahead(strategy: Any) -> None:
    report = bt.check_lookahead(strategy, market(), samples=25)
    assert report
    assert report.passed
    assert report.first_bar is None
    assert repr(report).startswith("No look-ahead found: changing every later bar at 25 places of bars 1 to 899")


def test_an_honest_own_strategy_passes() -> None:
    assert bt.check_lookahead(bracket_strategy(), market(300), samples=15)


def test_an_indicator_of_the_next_close_is_caught() -> None:
    report = bt.check_lookahead(own(next_close), market(300), samples=5)
    assert not report
    assert not report.passed
    assert report.first_bar is not None
    text = repr(report)
    assert "the indicator 'column 0' of the bar before it" in text
    assert "the orders wanted for it" in text
    assert f"Look-ahead at bar {report.first_bar} (2024-01-0" in text
    assert f"only bars after {report.first_bar - 1} did" in text


def test_an_indicator_scaled_by_the_whole_market_is_caught_at_once() -> None:
    report = bt.check_lookahead(own(scaled_by_the_whole), market(300), samples=1)
    assert report.first_bar == 1
    assert "the indicator 'column 0'" in report.message


def test_orders_alone_give_a_look_ahead_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison of rows is only one of three: with it switched off the planted strategy is caught by its orders and events."""
    monkeypatch.setattr("backtest.checks.relative_differences", lambda first, second: np.zeros(first.shape))
    orders = bt.check_lookahead(own(next_close), market(300), samples=1)
    assert not orders
    assert "the orders wanted for it changed" in orders.message
    events = bt.check_lookahead(own(scaled_by_the_whole), market(300), samples=1)
    assert not events
    assert "an event in it changed" in events.message


def test_the_same_seed_looks_at_the_same_bars() -> None:
    first, second = (bt.check_lookahead(own(next_close), market(300), samples=3, seed=5).message for _ in range(2))
    assert first == second


def test_only_the_future_is_changed_and_stays_valid() -> None:
    feed, _, _ = feed_of(align(market(200)), 10)
    last = 120
    changed = changed_future(feed, last, np.random.default_rng(0))
    assert np.array_equal(changed.bars[:, :, : last + 1], feed.bars[:, :, : last + 1])
    assert np.all(changed.bars[:, :, last + 1 :] != feed.bars[:, :, last + 1 :])
    opens, highs, lows, closes, volumes = changed.bars[0, :, last + 1 :]
    assert np.all((lows <= opens) & (lows <= closes) & (highs >= opens) & (highs >= closes) & (lows > 0) & (volumes > 0))
    settled = feed.funding_offsets[0, last + 1]
    assert 0 < settled < len(feed.funding_rates)
    assert np.array_equal(changed.funding_rates[:settled], feed.funding_rates[:settled])
    assert np.all(changed.funding_rates[settled:] != feed.funding_rates[settled:])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: bt.check_lookahead(bt.StaticGrid(), market(), samples=0), "samples = 0 is refused"),
        (lambda: bt.check_lookahead(bt.StaticGrid(), market(1)), "market has 1 bars to trade"),
        (
            lambda: bt.check_warmup(bt.AdaptiveGrid(), market(100)),
            f"market has 100 bars: checking a warm-up of {bt.AdaptiveGrid().warmup_bars()} bars",
        ),
    ],
)
def test_bad_input_gets_one_sentence(call: Any, words: str) -> None:
    with pytest.raises(bt.InputError, match=words):
        call()


# --- warm-up --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("period", [2, 20])
def test_a_mean_settles_after_its_period(period: int) -> None:
    report = bt.check_warmup(own(mean_of(period), warmup=period), market())
    assert report
    assert report.columns == {"column 0": period}
    assert report.bars == period
    assert report.differences["column 0"] <= 1e-12
    assert not bt.check_warmup(own(mean_of(period), warmup=period - 1), market())


def test_an_exponential_average_settles_as_its_share_says() -> None:
    """What is left after n bars is (1 - share)**n times the difference at the start, here at most some percent of the price."""
    report = bt.check_warmup(own(exponential(0.1), warmup=30), market(), tolerance=1e-6)
    assert not report
    count = report.columns["column 0"]
    assert count is not None
    largest = np.log(0.1 / 1e-6) / -np.log(0.9)
    assert 0.5 * largest < count <= largest + 2
    assert 1e-6 < report.differences["column 0"] < 0.1 * 0.9**29
    assert repr(report) == (
        f"The declared warm-up (30 bars) does not make the indicators agree to 1e-06: column 0 takes {count} bars "
        f"(after the declared ones {report.differences['column 0']:.1e} is left)."
    )


def test_a_sum_from_the_start_never_settles() -> None:
    report = bt.check_warmup(own(lambda o, h, low, c, v: np.cumsum(c)[:, None]), market())
    assert not report
    assert report.bars is None
    assert report.columns == {"column 0": None}
    assert "column 0 does not settle within 300 bars" in report.message


def test_the_adaptive_grids_columns_by_name() -> None:
    report = bt.check_warmup(bt.AdaptiveGrid(), market(3000), tolerance=1e-4)
    assert report
    assert list(report.columns) == ["close", "kama", "atr", "er", "z", "sigma", "slope"]
    assert report.columns["close"] == 1
    assert report.columns["er"] == 11  # ten moves take eleven closes
    assert report.columns["sigma"] == 97
    assert bt.check_warmup(bt.StaticGrid(), market()).message == (
        "The declared warm-up (1 bar) is enough: wherever they begin, the indicators agree to 1e-09 after 1 bar."
    )


def test_every_column_of_the_built_in_strategies_has_a_name() -> None:
    assert {kind: len(COLUMN_NAMES[kind]) for kind in PROGRAMS} == {kind: program.columns for kind, program in PROGRAMS.items()}
    assert column_names(bt.Strategy(quote_brackets, SETTINGS)) == ["open", "high", "low", "close", "volume"]
    assert column_names(own(mean_and_close)) == ["column 0", "column 1"]


def test_differences_treat_missing_values_as_far_apart() -> None:
    first = np.array([[np.nan, np.nan, 2.0, 4.0, np.inf]])
    second = np.array([[np.nan, 1.0, 2.0, 3.0, np.inf]])
    assert relative_differences(first, second).tolist() == [[0.0, np.inf, 0.0, 0.25, 0.0]]


@pytest.mark.real_data
def test_on_real_bars(real_data: Any) -> None:
    import pandas as pd

    frame = pd.read_parquet(real_data / "binanceusdm_BTCUSDT_15m.parquet").iloc[:20_000]
    real = bt.Market.from_frame(frame, frames.BTC, "15m", funding=0)
    assert bt.check_lookahead(bt.AdaptiveGrid(), real, samples=8)
    report = bt.check_warmup(bt.AdaptiveGrid(), real, tolerance=1e-6)
    assert report, report
