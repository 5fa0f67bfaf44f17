"""The block bootstrap: block length, resampling, coverage on series whose truth is known, and what it says in words."""

import dataclasses
import json
import math

import numpy as np
import pytest
from rich.console import Console

from backtest.metrics import equity as curve
from backtest.uncertainty import Uncertainty, as_json, uncertainty, uncertainty_table
from backtest.uncertainty.block_length import autocovariances, mean_block_length
from backtest.uncertainty.bootstrap import bootstrap, drawn_days, outcomes
from backtest.uncertainty.estimate import LEAST_DAYS, uncertainty_of
from engine.errors import InputError
from tests.results.ledgers import make_result

T = np.arange(400.0)


def autoregressive(random: np.random.Generator, days: int, mean: float, coefficient: float) -> np.ndarray:
    """Daily returns of standard deviation 2 % that hang together by `coefficient`, begun in their own distribution."""
    noise = random.normal(0.0, 0.02 * math.sqrt(1.0 - coefficient**2), days)
    returns = np.empty(days)
    returns[0] = random.normal(0.0, 0.02)
    for t in range(1, days):
        returns[t] = coefficient * returns[t - 1] + noise[t]
    return returns + mean


# --- block length -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "length"),
    [(np.sin(T / 9.0) + np.sin(T * T), 13.795911994910178), (np.cumsum(np.sin(T * T)), 28.68601751909913)],
    ids=["waves", "walk"],
)
def test_block_length_is_that_of_arch(values: np.ndarray, length: float) -> None:
    """Numbers of `arch.bootstrap.optimal_block_length` 8.0.0, column `stationary`."""
    assert mean_block_length(values) == pytest.approx(length, rel=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_block_length_against_the_formula(seed: int) -> None:
    random = np.random.default_rng(seed)
    x = autoregressive(random, int(random.integers(60, 600)), 0.0, random.uniform(-0.5, 0.9)).tolist()
    n, mean = len(x), sum(x) / len(x)
    covariance = [sum((x[t] - mean) * (x[t + k] - mean) for t in range(n - k)) / n for k in range(math.ceil(math.sqrt(n)) + 6)]
    small = [abs(one / covariance[0]) < 2.0 * math.sqrt(math.log10(n) / n) for one in covariance]
    firsts = [k for k in range(1, len(covariance) - 5) if all(small[k : k + 5])]
    m = min(2 * firsts[0], len(covariance) - 1) if firsts else len(covariance) - 1
    flat = {k: 1.0 if abs(k) <= m / 2 else 2.0 * (1.0 - abs(k) / m) for k in range(-m, m + 1)}
    g = sum(flat[k] * abs(k) * covariance[abs(k)] for k in flat)
    d = 2.0 * sum(flat[k] * covariance[abs(k)] for k in flat) ** 2
    plain = (2.0 * g * g / d) ** (1 / 3) * n ** (1 / 3)
    assert mean_block_length(np.array(x)) == pytest.approx(min(max(plain, 1.0), math.ceil(min(3 * math.sqrt(n), n / 3))), rel=1e-9)


def test_block_length_grows_with_dependence() -> None:
    lengths = [
        np.mean([mean_block_length(autoregressive(np.random.default_rng(seed), 800, 0.0, phi)) for seed in range(10)])
        for phi in (0.0, 0.4, 0.8)
    ]
    assert lengths[0] < 4.0 < lengths[1] < 14.0 < lengths[2]


@pytest.mark.parametrize("values", [np.zeros(0), np.ones(1), np.zeros(100), np.full(100, 2.0), np.full(100, 0.1)])
def test_without_variation_blocks_are_single_days(values: np.ndarray) -> None:
    assert mean_block_length(values) == 1.0


@pytest.mark.parametrize("scale", [1e-100, 1e50])
def test_block_length_does_not_depend_on_scale(scale: float) -> None:
    values = np.sin(T / 9.0) + np.sin(T * T)
    assert mean_block_length(values * scale) == pytest.approx(mean_block_length(values), rel=1e-9)


def test_autocovariances_by_hand() -> None:
    np.testing.assert_allclose(autocovariances(np.array([1.0, 2.0, 3.0, 6.0]), 2), [14 / 4, (2 + 0 + 0) / 4, (0 - 3) / 4])


# --- resampling -------------------------------------------------------------------------------------------------------------


def test_blocks_run_on_and_have_the_mean_length() -> None:
    days = drawn_days(np.random.default_rng(1), 400, 300, 7.0)
    assert days.min() == 0
    assert days.max() == 299
    follows = (days[:, 1:] - days[:, :-1]) % 300 == 1
    # Beside the blocks that run on, one in 300 new ones happens to begin where the last one ended.
    assert follows.mean() == pytest.approx(1.0 - (1.0 / 7.0) * (299.0 / 300.0), abs=0.005)
    # Every day is drawn alike.
    counts = np.bincount(days.ravel(), minlength=300)
    assert counts.min() > 0.6 * counts.mean()
    assert counts.max() < 1.4 * counts.mean()


def test_blocks_of_one_day_are_plain_draws() -> None:
    days = drawn_days(np.random.default_rng(1), 300, 100, 1.0)
    follows = (days[:, 1:] - days[:, :-1]) % 100 == 1
    assert follows.mean() == pytest.approx(0.01, abs=0.004)


def test_outcomes_are_the_metrics_of_each_row() -> None:
    rows = np.random.default_rng(3).normal(0.001, 0.03, (6, 50))
    drawn = outcomes(rows)
    for k, row in enumerate(rows):
        equity = np.cumprod(1.0 + row)
        assert drawn.total_return[k] == pytest.approx(curve.total_return(equity, 1.0), rel=1e-12)
        assert drawn.sharpe[k] == pytest.approx(curve.sharpe(row, 365.0), rel=1e-12)
        assert drawn.max_drawdown[k] == pytest.approx(curve.max_drawdown(curve.drawdowns(equity, 1.0)), rel=1e-12)


def test_nothing_is_earned_after_everything_is_lost() -> None:
    drawn = outcomes(np.array([[0.1, -1.0, 0.5, 0.5], [0.1, -1.7, 0.5, 0.5], [0.1, -1.0, 0.0, 0.0]]))
    assert drawn.total_return.tolist() == [-1.0, -1.0, -1.0]
    assert drawn.max_drawdown.tolist() == [1.0, 1.0, 1.0]
    assert drawn.sharpe[0] == drawn.sharpe[2]


def test_draws_are_those_of_their_seed() -> None:
    returns = np.random.default_rng(3).normal(0.001, 0.03, 90)
    assert uncertainty_of(returns, seed=4) == uncertainty_of(returns, seed=4)
    assert uncertainty_of(returns, seed=4) != uncertainty_of(returns, seed=5)
    many, few = bootstrap(returns, 500, 1, 3.0), bootstrap(returns, 200, 1, 3.0)
    np.testing.assert_array_equal(many.total_return[:200], few.total_return)
    assert many.sharpe.size == 500


# --- coverage ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("coefficient", [0.0, 0.3], ids=["independent", "dependent"])
def test_nine_in_ten_intervals_hold_the_true_sharpe(coefficient: float) -> None:
    truth = 0.001 / 0.02 * math.sqrt(365.0)
    random = np.random.default_rng(11)
    held = 0
    for number in range(200):
        found = uncertainty_of(autoregressive(random, 300, 0.001, coefficient), draws=200, seed=number).sharpe
        held += found.low <= truth <= found.high
    assert 160 <= held <= 194


def test_single_days_would_hide_the_luck_in_dependent_returns() -> None:
    returns = autoregressive(np.random.default_rng(2), 800, 0.001, 0.6)
    single = bootstrap(returns, 500, 1, 1.0).total_return
    blocks = bootstrap(returns, 500, 1, mean_block_length(returns)).total_return
    assert np.log1p(blocks).std() > 1.4 * np.log1p(single).std()


# --- of results -------------------------------------------------------------------------------------------------------------


def test_a_result_has_the_uncertainty_of_its_days() -> None:
    result = make_result(bars=96 * 70)
    daily = curve.daily_returns(result.time, result.equity_values, result.capital)
    found = uncertainty(result, draws=300, seed=2)
    assert found == dataclasses.replace(uncertainty_of(daily, 300, 2), simulated=True)
    assert (found.days, found.draws, found.seed, found.known) == (daily.size, 300, 2, True)
    assert found.total_return.observed == pytest.approx(result.metrics["total_return"], rel=1e-9)
    assert found.sharpe.observed == pytest.approx(result.metrics["sharpe_daily"], rel=1e-12)
    assert 0.0 <= found.max_drawdown.observed <= result.metrics["max_drawdown_close"]
    for interval in (found.total_return, found.sharpe, found.max_drawdown):
        assert interval.low < interval.median < interval.high
    drawn = bootstrap(daily, 300, 2, found.mean_block)
    assert found.losing_share == sum(1 for value in drawn.total_return if value < 0.0) / 300
    np.testing.assert_array_equal(found.max_drawdown[1:], np.quantile(drawn.max_drawdown, [0.05, 0.5, 0.95]))


def unknown(found: Uncertainty) -> bool:
    values = [*found.total_return[1:], *found.sharpe[1:], *found.max_drawdown[1:], found.losing_share, found.mean_block]
    return all(math.isnan(value) for value in values)


@pytest.mark.parametrize("days", [0, 1, 2, LEAST_DAYS - 1])
def test_too_few_days_give_no_interval_and_say_so(days: int) -> None:
    found = uncertainty_of(np.random.default_rng(1).normal(0.0, 0.01, days))
    assert unknown(found)
    assert not found.known
    word = "1 day" if days == 1 else f"{days} days"
    assert found.sentences() == [f"No intervals: the run has {word}, and fewer than 60 say too little about luck."]
    assert not unknown(uncertainty_of(np.random.default_rng(1).normal(0.0, 0.01, LEAST_DAYS)))


def test_of_a_short_run_and_of_one_without_bars() -> None:
    assert unknown(uncertainty(make_result()))
    empty = uncertainty(make_result(bars=10))
    assert empty.days == 0
    assert math.isnan(empty.total_return.observed)


def test_flat_days_have_no_luck_in_them() -> None:
    found = uncertainty_of(np.zeros(100))
    assert found.total_return == (0.0, 0.0, 0.0, 0.0)
    assert found.max_drawdown == (0.0, 0.0, 0.0, 0.0)
    assert all(math.isnan(value) for value in found.sharpe)
    assert found.losing_share == 0.0
    assert not any("Sharpe" in line or "nan" in line for line in found.sentences())
    assert "between 0 % and 0 %" in found.sentences()[0]


@pytest.mark.parametrize(("sign", "share"), [(1.0, 0.0), (-1.0, 1.0)])
def test_days_all_of_one_sign(sign: float, share: float) -> None:
    found = uncertainty_of(sign * np.abs(np.random.default_rng(1).normal(0.0, 0.01, 80)) + sign * 1e-4)
    assert found.losing_share == share
    assert (found.max_drawdown.high == 0.0) == (sign > 0.0)


def test_equal_returns_have_no_sharpe() -> None:
    assert all(math.isnan(value) for value in uncertainty_of(np.full(80, 0.001)).sharpe)


@pytest.mark.parametrize("scale", [1e-12, 1e8])
def test_tiny_and_huge_returns_stay_numbers(scale: float) -> None:
    found = uncertainty_of(np.abs(np.random.default_rng(1).normal(0.0, scale, 70)), draws=100)
    assert np.isfinite([*found.total_return, *found.sharpe, *found.max_drawdown]).any()
    json.dumps(as_json(found), allow_nan=False)
    assert not any("nan" in line or "inf" in line for line in found.sentences())


def test_a_liquidated_run_says_what_the_draws_miss() -> None:
    result = make_result(bars=96 * 62, liquidate_at=3000)
    lines = uncertainty(result, draws=100).sentences()
    assert lines[-1] == "The run was liquidated: draws that miss that day look better than the strategy was."


def test_in_words() -> None:
    interval = uncertainty_of(np.zeros(1)).total_return
    found = Uncertainty(
        interval._replace(low=-0.1249, high=0.312),
        interval._replace(low=-0.5, high=1.234),
        interval._replace(low=0.05, high=0.2),
        losing_share=0.23,
        days=365,
        draws=2000,
        seed=1,
        mean_block=9.2,
    )
    drawn = "With blocks of 9 days on average drawn 2,000 times"
    assert found.sentences() == [
        f"{drawn}, the return over 365 days lies between -12 % and +31 % (5 to 95 %); 23 % of the draws lose money.",
        "The daily Sharpe lies between -0.50 and 1.23.",
        "The maximum drawdown at daily closes lies between 5.0 % and 20.0 %.",
        "It shows the luck in these days, not what other markets would do.",
    ]


def test_as_a_table() -> None:
    found = dataclasses.replace(uncertainty_of(np.random.default_rng(1).normal(0.0, 0.01, 80)), simulated=True)
    console = Console(width=80, color_system=None)
    with console.capture() as capture:
        console.print(uncertainty_table(found))
    text = capture.get()
    assert "SIMULATED: the luck in these days" in text
    assert f"{found.max_drawdown.median * 100.0:.1f} %" in text
    assert f"{found.sharpe.high:.2f}" in text
    with console.capture() as capture:
        console.print(uncertainty_table(uncertainty_of(np.zeros(3))))
    assert "SIMULATED" not in capture.get()


def test_as_json() -> None:
    found = uncertainty_of(np.random.default_rng(1).normal(0.0, 0.01, 80), draws=100)
    values = json.loads(json.dumps(as_json(found), allow_nan=False))
    assert values["schema"] == 1
    assert values["total_return"] == found.total_return._asdict()
    assert values["mean_block_days"] == found.mean_block
    assert values["sentences"] == found.sentences()
    short = as_json(uncertainty_of(np.zeros(5)))
    assert short["losing_share"] is None
    assert short["sharpe_daily"] == dict.fromkeys(("observed", "low", "median", "high"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"draws": 99}, "draws = 99 is refused: it must be a whole number from 100 to 100,000"),
        ({"draws": 1e3}, "draws = 1000.0 is refused"),
        ({"draws": True}, "draws = True is refused"),
        ({"seed": -1}, "seed = -1 is refused: it must be a whole number from 0"),
        ({"returns": [[0.1]]}, "returns are refused"),
        ({"returns": [0.1, math.nan]}, "returns are refused"),
    ],
)
def test_bad_input_gets_one_sentence(options: dict[str, object], words: str) -> None:
    returns = options.pop("returns", [0.01])
    with pytest.raises(InputError, match=words):
        uncertainty_of(np.array(returns), **options)  # type: ignore[arg-type]
