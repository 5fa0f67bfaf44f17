"""Deflated Sharpe ratio: the published example, its parts against scipy and simulation, and what cannot be told."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from backtest.metrics.equity import sharpe as sharpe_of_metrics
from backtest.optimization.evidence import (
    deflated_sharpe,
    expected_maximum,
    probabilistic_sharpe,
    sharpe,
    sharpes,
    smallest_detectable_sharpe,
)
from backtest.optimization.evidence.deflated_sharpe import standard_error, variance_by_luck
from engine.errors import InputError

YEAR = math.sqrt(250.0)


@pytest.mark.parametrize(("trials", "published"), [(100, 0.9004), (46, 0.9505)])
def test_the_published_example(trials: int, published: float) -> None:
    """Bailey and Lopez de Prado 2014: Sharpe 2.5 a year over 1,250 days of 250 a year, skew -3, raw kurtosis 10, variance 1/2."""
    benchmark = expected_maximum(trials, 0.5 / 250.0)
    assert probabilistic_sharpe(2.5 / YEAR, benchmark, 1250, -3.0, 10.0) == pytest.approx(published, abs=5e-5)


def test_excess_kurtosis_would_flatter() -> None:
    benchmark = expected_maximum(100, 0.5 / 250.0)
    assert probabilistic_sharpe(2.5 / YEAR, benchmark, 1250, -2.0, 7.0) > probabilistic_sharpe(2.5 / YEAR, benchmark, 1250, -2.0, 10.0)


def test_expected_maximum_of_the_example() -> None:
    """0.1132 a day, as the paper prints it."""
    assert expected_maximum(100, 0.5 / 250.0) == pytest.approx(0.1132, abs=5e-5)


@pytest.mark.parametrize("trials", [10, 100, 1000])
def test_expected_maximum_is_near_what_is_drawn(trials: int) -> None:
    largest = np.random.default_rng(trials).normal(0.0, 0.05, (4000, trials)).max(axis=1).mean()
    assert expected_maximum(trials, 0.05**2) == pytest.approx(largest, rel=0.03)


def test_expected_maximum_of_one_trial_is_nothing() -> None:
    assert expected_maximum(1, 4.0) == 0.0
    assert expected_maximum(1, math.nan) == 0.0
    assert expected_maximum(2, 0.0) == 0.0
    assert math.isnan(expected_maximum(2, math.nan))


@given(st.integers(2, 10**9), st.floats(0.0, 1.0))
def test_expected_maximum_is_the_formula(trials: int, variance: float) -> None:
    g = 0.5772156649015329
    plain = math.sqrt(variance) * ((1 - g) * stats.norm.isf(1 / trials) + g * stats.norm.isf(1 / (trials * math.e)))
    assert expected_maximum(trials, variance) == pytest.approx(plain, rel=1e-9, abs=1e-12)


def test_deflated_sharpe_of_returns_is_put_together_from_its_parts() -> None:
    random = np.random.default_rng(5)
    returns = random.standard_t(4, 700) * 0.01 + 0.001
    design = np.append(random.normal(0.0, 0.04, 300), [math.nan, math.nan])
    found = deflated_sharpe(returns, design, 2300)
    assert found.design_variance == pytest.approx(np.var(design[:300], ddof=1), rel=1e-12)
    assert found.variance == pytest.approx(min(found.design_variance, 1.0 / 699), rel=1e-12)
    assert found.sharpe == pytest.approx(sharpe_of_metrics(returns, 1.0), rel=1e-12)
    assert found.sharpe_a_year == pytest.approx(sharpe_of_metrics(returns, 365.0), rel=1e-12)
    skew, kurtosis = stats.skew(returns), stats.kurtosis(returns, fisher=False)
    assert (found.skew, found.kurtosis) == pytest.approx((skew, kurtosis), rel=1e-9)
    benchmark = expected_maximum(2300, found.variance)
    assert found.benchmark == benchmark
    z = (found.sharpe - benchmark) * math.sqrt(699) / math.sqrt(1 - skew * found.sharpe + (kurtosis - 1) / 4 * found.sharpe**2)
    assert found.probability == pytest.approx(stats.norm.cdf(z), rel=1e-9)
    assert found.detectable == smallest_detectable_sharpe(700, benchmark, found.skew, found.kurtosis)


def test_more_trials_deflate_more() -> None:
    random = np.random.default_rng(5)
    returns, design = random.normal(0.002, 0.02, 700), random.normal(0.0, 0.03, 256)
    known = [deflated_sharpe(returns, design, trials).probability for trials in (1, 10, 100, 1000, 100_000)]
    assert known == sorted(known, reverse=True)
    assert known[0] > 0.95 > known[-1]


@pytest.mark.parametrize(
    ("returns", "design", "trials"),
    [
        (np.full(300, 0.001), np.array([0.1, 0.2]), 10),
        (np.zeros(300), np.array([0.1, 0.2]), 10),
        (np.linspace(-0.01, 0.02, 59), np.array([0.1, 0.2]), 10),
        (np.zeros(0), np.array([0.1, 0.2]), 10),
        (np.linspace(-0.01, 0.02, 300), np.array([0.1]), 10),
        (np.linspace(-0.01, 0.02, 300), np.array([math.nan, 0.1]), 10),
    ],
    ids=["constant", "flat", "59 days", "no days", "design of one", "one of the design traded"],
)
def test_what_cannot_be_told_is_nan(returns: np.ndarray, design: np.ndarray, trials: int) -> None:
    assert math.isnan(deflated_sharpe(returns, design, trials).probability)


def test_one_trial_needs_no_design() -> None:
    returns = np.random.default_rng(1).normal(0.002, 0.02, 400)
    found = deflated_sharpe(returns, np.zeros(0), 1)
    assert found.benchmark == 0.0
    assert found.probability == probabilistic_sharpe(found.sharpe, 0.0, 400, found.skew, found.kurtosis)


def test_trials_that_are_all_alike_deflate_nothing() -> None:
    returns = np.random.default_rng(1).normal(0.002, 0.02, 400)
    assert deflated_sharpe(returns, np.full(300, 0.05), 300).benchmark == pytest.approx(0.0, abs=1e-12)


def test_sets_that_lose_in_truth_do_not_raise_what_luck_can_do() -> None:
    random = np.random.default_rng(3)
    returns = random.normal(0.008, 0.02, 200)
    luck = random.normal(0.0, 0.03, 256)
    losing = np.concatenate([luck[:128], luck[128:] - 2.0])
    small, large = deflated_sharpe(returns, luck, 500), deflated_sharpe(returns, losing, 500)
    assert small.variance == small.design_variance < 1.0 / 199
    assert large.design_variance > 0.5
    assert large.variance == pytest.approx(1.0 / 199, rel=1e-12)
    assert small.probability > large.probability > 0.9
    assert variance_by_luck(0.5, 1) == 0.5


def test_the_best_of_many_of_unlike_costs_is_rarely_believed() -> None:
    random = np.random.default_rng(9)
    believed = 0
    for _ in range(200):
        trials = random.normal(0.0, 0.02, (100, 50)) - np.linspace(0.0, 0.03, 50)
        ratios = sharpes(trials)
        believed += deflated_sharpe(trials[:, int(np.argmax(ratios))], ratios, 50).probability >= 0.95
    assert believed <= 10


def test_the_best_of_many_without_an_edge_is_rarely_believed() -> None:
    random = np.random.default_rng(8)
    believed = 0
    for _ in range(200):
        trials = random.normal(0.0, 0.02, (300, 50))
        ratios = sharpes(trials)
        believed += deflated_sharpe(trials[:, int(np.argmax(ratios))], ratios, 50).probability >= 0.95
    assert believed <= 10


def test_sharpe_of_a_column_without_variation_is_unknown() -> None:
    ratios = sharpes(np.column_stack((np.full(50, 0.1), np.zeros(50), np.tile([0.0, 0.1], 25))))
    assert np.isnan(ratios[:2]).all()
    assert ratios[2] == pytest.approx(0.05 / (0.05 * math.sqrt(50 / 49)), rel=1e-12)
    assert math.isnan(sharpe(np.array([0.1])))
    np.testing.assert_allclose(sharpes(np.float32([[0.5], [0.25], [1.0]])), sharpes(np.array([[0.5], [0.25], [1.0]])), rtol=1e-15)


# --- smallest detectable Sharpe ratio -----------------------------------------------------------------------------------------


def test_detectable_by_hand() -> None:
    """Normal returns, one trial: SR**2*(1 - s/2) = s with s = (1.64485 + 0.84162)**2/(T - 1)."""
    s = (1.6448536269514722 + 0.8416212335729143) ** 2 / 364
    assert smallest_detectable_sharpe(365) == pytest.approx(math.sqrt(s / (1 - s / 2)), rel=1e-12)
    assert smallest_detectable_sharpe(365) * math.sqrt(365) == pytest.approx(2.51, abs=0.01)


@given(st.integers(60, 5000), st.floats(0.0, 0.3), st.floats(-3.0, 3.0), st.floats(0.0, 30.0))
def test_detectable_solves_its_equation(days: int, benchmark: float, skew: float, more: float) -> None:
    kurtosis = 1.0 + skew * skew + more
    found = smallest_detectable_sharpe(days, benchmark, skew, kurtosis)
    if math.isinf(found):
        assert (stats.norm.ppf(0.95) + stats.norm.ppf(0.8)) ** 2 / (days - 1) * (kurtosis - 1) / 4 >= 1
        return
    asked = benchmark + (stats.norm.ppf(0.95) + stats.norm.ppf(0.8)) * standard_error(found, days, skew, kurtosis)
    assert found == pytest.approx(asked, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("benchmark", [0.0, 0.1])
def test_an_edge_of_that_size_is_found_four_times_in_five(benchmark: float) -> None:
    days = 400
    truth = smallest_detectable_sharpe(days, benchmark)
    ratios = sharpes(np.random.default_rng(3).normal(truth, 1.0, (days, 4000)))
    found = np.mean([probabilistic_sharpe(one, benchmark, days) >= 0.95 for one in ratios])
    assert found == pytest.approx(0.8, abs=0.025)


def test_detectable_falls_with_days_and_grows_with_trials() -> None:
    by_days = [smallest_detectable_sharpe(days) for days in (60, 365, 1100)]
    assert by_days == sorted(by_days, reverse=True)
    by_trials = [smallest_detectable_sharpe(365, expected_maximum(trials, 0.002)) for trials in (1, 100, 5000)]
    assert by_trials == sorted(by_trials)
    assert math.isinf(smallest_detectable_sharpe(10, 0.0, 0.0, 40.0))
    assert math.isnan(smallest_detectable_sharpe(1))
    assert math.isnan(smallest_detectable_sharpe(100, 0.0, math.nan, math.nan))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: expected_maximum(0, 1.0), "trials = 0 is refused: it must be a whole number of at least 1"),
        (lambda: expected_maximum(True, 1.0), "trials = True is refused"),
        (lambda: expected_maximum(5, -1.0), "variance = -1.0 is refused: it must be at least 0"),
        (lambda: probabilistic_sharpe(0.1, 0.0, 1), "days = 1 is refused"),
        (lambda: probabilistic_sharpe(0.1, 0.0, 100, 3.0, 3.0), "kurtosis = 3.0 is refused: it must be at least 1"),
        (lambda: smallest_detectable_sharpe(100, power=1.0), "power = 1.0 is refused: it must be at least 0.5 and below 1"),
        (lambda: deflated_sharpe([0.1, math.nan], [0.1], 3), "returns are refused"),
        (lambda: deflated_sharpe([0.1, 0.2], [[0.1]], 3), "design_sharpes are refused"),
    ],
)
def test_bad_input_is_told_in_one_sentence(call, words: str) -> None:
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        call()


def test_a_zero_standard_error_says_nothing() -> None:
    """Two values with skew 0.75 and kurtosis 1.5625: at Sharpe 2/skew the error vanishes."""
    assert math.isnan(probabilistic_sharpe(2 / 0.75, 0.0, 100, 0.75, 1.5625))
