"""Metrics of equity curves: worked cases, degenerate curves, and a second witness."""

import math

import numpy as np
import pandas as pd
import pytest

from backtest.metrics import equity as curve

PER_YEAR = curve.bars_per_year(900_000)
EMPTY = np.zeros(0)


def random_curve(seed: int = 3, bars: int = 2000, capital: float = 10_000.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return capital * np.cumprod(1.0 + random.normal(0.00002, 0.002, bars))


def test_a_year_of_quarter_hours() -> None:
    assert PER_YEAR == 35_040.0


@pytest.mark.parametrize(
    ("equity", "returns", "drawdown"),
    [
        ([110.0, 99.0], [0.10, -0.10], [0.0, 0.10]),
        ([90.0, 100.0, 120.0, 60.0], [-0.10, 1 / 9, 0.20, -0.50], [0.10, 0.0, 0.0, 0.50]),
        ([100.0], [0.0], [0.0]),
        ([50.0, 0.0, 0.0], [-0.5, -1.0, 0.0], [0.5, 1.0, 1.0]),
        ([-20.0, -10.0], [-1.2, 0.0], [1.2, 1.1]),
        ([], [], []),
    ],
)
def test_returns_and_drawdowns_by_hand(equity: list[float], returns: list[float], drawdown: list[float]) -> None:
    values = np.array(equity)
    np.testing.assert_allclose(curve.returns_per_bar(values, 100.0), returns, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(curve.drawdowns(values, 100.0), drawdown, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("drawdown", "average", "longest", "under"),
    [
        ([0.0, 0.1, 0.3, 0.0, 0.2, 0.0], 0.25, 2, 0.5),
        ([0.1, 0.2], 0.2, 2, 1.0),
        ([0.0, 0.0], 0.0, 0, 0.0),
        ([0.0, 0.4], 0.4, 1, 0.5),
        ([0.1, 0.0, 0.0, 0.3, 0.1, 0.2, 0.0], 0.2, 3, 4 / 7),
    ],
)
def test_stays_under_water(drawdown: list[float], average: float, longest: int, under: float) -> None:
    values = np.array(drawdown)
    assert curve.average_drawdown(values) == pytest.approx(average)
    assert curve.longest_drawdown_bars(values) == longest
    assert curve.time_under_water(values) == pytest.approx(under)


@pytest.mark.parametrize(
    "value",
    [
        curve.total_return(EMPTY, 100.0),
        curve.cagr(EMPTY, 100.0, PER_YEAR),
        curve.volatility(EMPTY, PER_YEAR),
        curve.volatility(np.array([0.01]), PER_YEAR),
        curve.sharpe(np.array([0.01]), PER_YEAR),
        curve.sharpe(np.zeros(5), PER_YEAR),
        curve.sortino(np.array([0.01, 0.02]), PER_YEAR),
        curve.calmar(0.1, 0.0),
        curve.max_drawdown(EMPTY),
        curve.average_drawdown(EMPTY),
        curve.longest_drawdown_bars(EMPTY),
        curve.time_under_water(EMPTY),
        curve.ulcer_index(EMPTY),
        curve.best(EMPTY),
        curve.worst(EMPTY),
    ],
)
def test_without_meaning_is_nan(value: float) -> None:
    assert math.isnan(value)


def test_ulcer_index_by_hand() -> None:
    assert curve.ulcer_index(np.array([0.0, 0.3, 0.4, 0.0])) == pytest.approx(0.25)
    assert curve.ulcer_index(np.zeros(3)) == 0.0


def test_nothing_left_is_a_loss_of_everything_a_year() -> None:
    assert curve.cagr(np.array([50.0, 0.0]), 100.0, PER_YEAR) == -1.0
    assert curve.cagr(np.array([50.0, -3.0]), 100.0, PER_YEAR) == -1.0


def test_days_end_at_midnight_utc() -> None:
    # 12-hour bars from 12:00: the first day has one bar, the second two, the last one.
    time = np.array([12, 24, 36, 48]) * 3_600_000
    equity = np.array([110.0, 120.0, 132.0, 66.0])
    np.testing.assert_array_equal(curve.daily_equity(time, equity), [110.0, 132.0, 66.0])
    np.testing.assert_allclose(curve.daily_returns(time, equity, 100.0), [0.1, 0.2, -0.5])


def test_ratios_are_those_of_pandas() -> None:
    returns = pd.Series(random_curve()).pct_change().fillna(0.0)
    values = returns.to_numpy()
    root = math.sqrt(PER_YEAR)
    assert curve.volatility(values, PER_YEAR) == pytest.approx(returns.std() * root, rel=1e-12)
    assert curve.sharpe(values, PER_YEAR) == pytest.approx(returns.mean() / returns.std() * root, rel=1e-12)
    downside = math.sqrt((returns.clip(upper=0.0) ** 2).mean())
    assert curve.sortino(values, PER_YEAR) == pytest.approx(returns.mean() / downside * root, rel=1e-12)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(3))
def test_agree_with_empyrical(seed: int) -> None:
    """Its drawdowns are negative; everything else is the same to 1e-9."""
    witness = pytest.importorskip("empyrical")
    equity = random_curve(seed)
    returns = curve.returns_per_bar(equity, 10_000.0)
    drawdown = curve.drawdowns(equity, 10_000.0)
    annual = curve.cagr(equity, 10_000.0, PER_YEAR)
    ours = {
        "cum_returns_final": curve.total_return(equity, 10_000.0),
        "cagr": annual,
        "annual_volatility": curve.volatility(returns, PER_YEAR),
        "sharpe_ratio": curve.sharpe(returns, PER_YEAR),
        "sortino_ratio": curve.sortino(returns, PER_YEAR),
        "max_drawdown": -curve.max_drawdown(drawdown),
        "calmar_ratio": curve.calmar(annual, curve.max_drawdown(drawdown)),
    }
    for name, value in ours.items():
        plain = name in ("cum_returns_final", "max_drawdown")
        theirs = getattr(witness, name)(returns, **({} if plain else {"annualization": PER_YEAR}))
        assert value == pytest.approx(theirs, rel=1e-9), name
