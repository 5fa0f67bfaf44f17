"""Metrics of days, months, drawdowns and benchmarks on a table of cases, against packages and against plain formulas."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from backtest.metrics import METRICS, monthly_returns, worst_drawdowns
from backtest.metrics import benchmark as against
from backtest.metrics import distribution as shape
from backtest.metrics import equity as curve
from backtest.metrics.drawdowns import recovery_bars
from backtest.result import Ledger, Result
from engine.account import Account
from engine.errors import InputError
from engine.execution import Execution
from engine.records import account_dtype, event_dtype, state_dtype
from engine.strategies.adaptive_grid_parameters import AdaptiveGrid
from tests.results.ledgers import PlainMarket, make_market, make_result

DAY_BARS = 96
RANDOM = np.random.default_rng(5)
# Daily returns by case.
CASES: dict[str, np.ndarray] = {
    "empty": np.zeros(0),
    "one": np.array([0.01]),
    "two": np.array([0.01, -0.02]),
    "flat": np.zeros(40),
    "all losing": -np.abs(RANDOM.normal(0.0, 0.01, 90)) - 1e-4,
    "all winning": np.abs(RANDOM.normal(0.0, 0.01, 90)) + 1e-4,
    "liquidated": np.concatenate((RANDOM.normal(0.0, 0.02, 30), [-1.0], np.zeros(29))),
    "huge": RANDOM.normal(0.0, 1e9, 50),
    "tiny": RANDOM.normal(0.0, 1e-9, 50),
    "fat tails": RANDOM.standard_t(3, 400) * 0.02,
}
ALL = pytest.mark.parametrize("returns", CASES.values(), ids=CASES)


def same(ours: float, theirs: float) -> None:
    """Equal to 1e-9 of the number, or both without a value."""
    assert ours == pytest.approx(theirs, rel=1e-9, abs=0.0, nan_ok=True)


def result_of(equity: np.ndarray, capital: float = 10_000.0, market: PlainMarket | None = None) -> Result:
    """A result with this equity and no trades."""
    market = market or make_market(bars=equity.size)
    account = np.zeros(1, dtype=account_dtype)[0]
    account["capital"], account["bars"] = capital, equity.size
    symbols = (market.instrument.symbol,)
    ledger = Ledger(market.time, 0, equity, np.zeros(0, dtype=event_dtype), account, np.zeros(1, dtype=state_dtype), [{}], symbols)
    return Result(AdaptiveGrid(), Account(), Execution(), [market], [ledger], [1.0])


def random_equity(bars: int, seed: int = 1, capital: float = 10_000.0) -> np.ndarray:
    return capital * np.cumprod(1.0 + np.random.default_rng(seed).normal(0.0, 0.003, bars))


# --- days -----------------------------------------------------------------------------------------------------------------


@ALL
def test_tails_agree_with_empyrical(returns: np.ndarray) -> None:
    witness = pytest.importorskip("empyrical")
    same(shape.value_at_risk(returns), -witness.value_at_risk(returns))
    same(shape.expected_shortfall(returns), -witness.conditional_value_at_risk(returns))


@ALL
def test_moments_agree_with_scipy(returns: np.ndarray) -> None:
    varied = returns.size > 1 and np.ptp(returns) > 0.0
    same(shape.skewness(returns) + 1.0, stats.skew(returns) + 1.0 if varied else math.nan)
    same(shape.excess_kurtosis(returns) + 3.0, stats.kurtosis(returns, fisher=False) if varied else math.nan)


def test_tails_by_hand() -> None:
    days = np.array([0.05, -0.04, 0.01, -0.10, 0.02, 0.00, 0.03, -0.01, 0.04, 0.06, -0.02])
    # Eleven days: the 5 % point lies half way between the two worst; one day is in the tail.
    assert shape.value_at_risk(days) == pytest.approx(0.07)
    assert shape.expected_shortfall(days) == pytest.approx(0.10)
    assert shape.expected_shortfall(np.arange(41) / 100.0 - 0.3) == pytest.approx((0.30 + 0.29 + 0.28) / 3)


@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e150])
def test_moments_do_not_depend_on_scale(scale: float) -> None:
    returns = CASES["fat tails"]
    assert shape.skewness(returns * scale) == pytest.approx(shape.skewness(returns), rel=1e-9)
    assert shape.excess_kurtosis(returns * scale) == pytest.approx(shape.excess_kurtosis(returns), rel=1e-9)


def test_equal_returns_have_no_shape() -> None:
    assert math.isnan(shape.skewness(np.full(7, 0.1)))
    assert math.isnan(shape.excess_kurtosis(np.full(7, 0.1)))


# --- against the benchmark ------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:(invalid value|overflow) encountered:RuntimeWarning")  # the witness's own, at the extremes
@ALL
def test_beta_and_alpha_agree_with_empyrical(returns: np.ndarray) -> None:
    witness = pytest.importorskip("empyrical")
    benchmark = np.random.default_rng(9).normal(0.001, 0.03, returns.size)
    same(against.beta(returns, benchmark), witness.beta_aligned(returns, benchmark))
    theirs = witness.alpha_aligned(returns, benchmark, annualization=365) if returns.size > 1 else math.nan
    if returns.size > 1 and math.isnan(theirs):  # a mean loss of more than everything
        assert against.alpha(returns, benchmark) == -1.0
    else:
        same(against.alpha(returns, benchmark), theirs)


def test_beta_and_alpha_by_hand() -> None:
    benchmark = np.array([0.01, -0.03, 0.02, 0.00])
    assert against.beta(0.5 * benchmark + 0.001, benchmark) == pytest.approx(0.5)
    assert against.alpha(0.5 * benchmark + 0.001, benchmark) == pytest.approx(1.001**365 - 1.0)
    assert math.isnan(against.beta(benchmark, np.full(4, 0.01)))
    assert math.isnan(against.alpha(benchmark, np.full(4, 0.01)))


def test_holding_a_share_of_the_capital() -> None:
    held = np.array([100.0, 150.0, 50.0])
    np.testing.assert_allclose(against.held_at_exposure(held, 100.0, 0.4), [100.0, 120.0, 80.0])
    np.testing.assert_allclose(against.held_at_exposure(held, 100.0, -1.0), [100.0, 50.0, 150.0])
    np.testing.assert_array_equal(against.held_at_exposure(held, 100.0, 0.0), [100.0, 100.0, 100.0])


# --- drawdowns ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("equity", "bars"),
    [
        ([], math.nan),
        ([100.0], math.nan),
        ([110.0, 120.0, 130.0], math.nan),
        ([90.0, 80.0, 70.0], math.nan),
        ([110.0, 55.0, 100.0, 110.0, 111.0], 2.0),
        ([110.0, 99.0, 110.0, 55.0, 60.0], math.nan),
        ([50.0, 100.0, 80.0, 100.0], 1.0),
        ([100.0, 50.0, 99.5, 100.0], 2.0),
        ([0.0, 0.0], math.nan),
        ([1e-300, 100.0], 1.0),
        ([1e300, 1e299, 1e300], 1.0),
    ],
)
def test_recovery_by_hand(equity: list[float], bars: float) -> None:
    same(recovery_bars(curve.drawdowns(np.array(equity), 100.0)), bars)


def test_worst_drawdowns_by_hand() -> None:
    equity = np.array([110.0, 99.0, 104.0, 110.0, 88.0, 66.0, 120.0, 120.0, 114.0])
    table = worst_drawdowns(result_of(equity, 100.0))
    time = pd.DatetimeIndex(result_of(equity, 100.0).equity.index)
    assert list(table.columns) == ["from", "trough", "to", "depth", "bars"]
    np.testing.assert_allclose(table["depth"], [0.4, 0.1, 0.05])
    assert table["from"].tolist() == [time[4], time[1], time[8]]
    assert table["trough"].tolist() == [time[5], time[1], time[8]]
    assert table["to"].tolist()[:2] == [time[6], time[3]]
    assert pd.isna(table["to"].iloc[2])
    assert table["bars"].tolist() == [2, 2, 1]
    pd.testing.assert_frame_equal(worst_drawdowns(result_of(equity, 100.0), 2), table.head(2))


@pytest.mark.parametrize("seed", range(3))
def test_worst_drawdowns_against_a_walk(seed: int) -> None:
    result = result_of(random_equity(600, seed))
    stays: list[list[float]] = []
    peak, under = result.capital, False
    for value in result.equity_values:
        if value >= peak:
            peak, under = value, False
            continue
        if not under:
            stays.append([])
        under = True
        stays[-1].append(1.0 - value / peak)
    stays.sort(key=max, reverse=True)
    table = worst_drawdowns(result, 4)
    np.testing.assert_allclose(table["depth"], [max(stay) for stay in stays[:4]], rtol=1e-12)
    assert table["bars"].tolist() == [len(stay) for stay in stays[:4]]
    assert table["depth"].iloc[0] == result.metrics["max_drawdown_close"]


@pytest.mark.parametrize("equity", [[], [100.0], [100.0, 110.0]])
def test_without_drawdowns_the_list_is_empty(equity: list[float]) -> None:
    table = worst_drawdowns(result_of(np.array(equity), 100.0))
    assert len(table) == 0
    assert table["depth"].dtype == np.float64


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "5"])
def test_a_bad_number_of_drawdowns_is_refused(n: object) -> None:
    with pytest.raises(InputError, match=r"n = .* is refused: it must be a whole number of at least 1"):
        worst_drawdowns(result_of(np.array([100.0]), 100.0), n)  # type: ignore[arg-type]


# --- months ---------------------------------------------------------------------------------------------------------------


def test_months_against_pandas() -> None:
    equity = random_equity(60 * DAY_BARS)
    result = result_of(equity)
    table = monthly_returns(result)
    last = result.equity.groupby([result.equity.index.year, result.equity.index.month]).last()
    plain = last / last.shift(fill_value=result.capital) - 1.0
    for (year, month), value in plain.items():
        same(float(table.loc[year, month]), float(value))
    assert int(table.drop(columns="year").notna().to_numpy().sum()) == len(plain) == 2
    assert list(table.columns) == [*range(1, 13), "year"]
    assert result.metrics["best_month"] == plain.max()
    assert result.metrics["worst_month"] == plain.min()


def test_months_compound_to_years_and_years_to_the_total() -> None:
    # Bars of half a year each would skip months; here ten days of bars stand in two years, and the months between have none.
    market = make_market(bars=800)
    time = market.time.copy()
    time[400:] += 400 * 86_400_000
    result = result_of(random_equity(800), market=PlainMarket(market.instrument, time, market.open, market.close))
    table = monthly_returns(result)
    assert table.index.tolist() == [2024, 2025]
    assert table.drop(columns="year").notna().to_numpy().sum() == 2
    np.testing.assert_allclose((1.0 + table.drop(columns="year")).prod(axis=1), 1.0 + table["year"], rtol=1e-12)
    assert (1.0 + table["year"]).prod() == pytest.approx(1.0 + result.metrics["total_return"], rel=1e-12)


def test_a_bar_belongs_to_the_month_it_opens_in() -> None:
    market = make_market(bars=3)
    end_of_january = 31 * 86_400_000
    time = market.time[0] + end_of_january + np.array([-900_000, 0, 900_000])
    result = result_of(np.array([110.0, 120.0, 99.0]), 100.0, PlainMarket(market.instrument, time, market.open, market.close))
    table = monthly_returns(result)
    assert table.loc[2024, 1] == pytest.approx(0.1)
    assert table.loc[2024, 2] == pytest.approx(-0.1)


def test_no_bars_no_months() -> None:
    table = monthly_returns(result_of(np.zeros(0)))
    assert table.shape == (0, 13)


# --- all together -----------------------------------------------------------------------------------------------------------

CURVES = {
    "empty": np.zeros(0),
    "one bar": np.array([10_100.0]),
    "flat": np.full(500, 10_000.0),
    "all losing": 10_000.0 * 0.999 ** np.arange(1, 501),
    "all winning": 10_000.0 * 1.001 ** np.arange(1, 501),
    "liquidated": np.concatenate((random_equity(200), np.zeros(300))),
    "in debt": np.concatenate((random_equity(200), np.full(300, -5_000.0))),
    "huge": random_equity(500) * 1e300,
    "tiny": random_equity(500) * 1e-300,
}
NAN_ON_FLAT = (
    "sharpe",
    "sharpe_daily",
    "sortino",
    "calmar",
    "skew",
    "kurtosis",
    "max_drawdown_recovery_bars",
    "max_drawdown_recovery_days",
)


@pytest.mark.parametrize("name", CURVES)
def test_every_metric_is_there_on_every_curve(name: str) -> None:
    scale = {"huge": 1e300, "tiny": 1e-300}.get(name, 1.0)
    metrics = result_of(CURVES[name], 10_000.0 * scale).metrics
    assert list(metrics) == list(METRICS)
    assert all(isinstance(value, float) for value in metrics.values())
    if name == "empty":
        assert math.isnan(metrics["beta"])
        assert math.isnan(metrics["value_at_risk"])
        assert math.isnan(metrics["best_month"])
        assert math.isnan(metrics["time_at_cap"])
    if name == "flat":
        assert [one for one in NAN_ON_FLAT if not math.isnan(metrics[one])] == []
        for one in ("beta", "alpha", "value_at_risk", "expected_shortfall", "ulcer_index", "best_month", "net_exposure_average"):
            assert metrics[one] == 0.0, one
    if name == "liquidated":
        assert metrics["ulcer_index"] > 0.7
        assert metrics["worst_month"] == metrics["total_return"] == -1.0
        assert math.isnan(metrics["max_drawdown_recovery_days"])
    if name == "all winning":
        assert metrics["value_at_risk"] < 0.0 < metrics["worst_month"]
    if name == "all losing":
        assert metrics["expected_shortfall"] >= metrics["value_at_risk"] > 0.0


@pytest.mark.parametrize("scale", [1e-300, 1e290])
def test_returns_do_not_depend_on_the_size_of_the_wallet(scale: float) -> None:
    plain, scaled = result_of(random_equity(500)), result_of(random_equity(500) * scale, 10_000.0 * scale)
    names = ("beta", "alpha", "skew", "kurtosis", "value_at_risk", "expected_shortfall", "ulcer_index", "best_month", "worst_month")
    for name in names:
        assert scaled.metrics[name] == pytest.approx(plain.metrics[name], rel=1e-9), name


def test_recovery_in_days_is_that_in_bars() -> None:
    metrics = result_of(np.array([110.0, 55.0, 100.0, 110.0]), 100.0).metrics
    assert metrics["max_drawdown_recovery_bars"] == 2.0
    assert metrics["max_drawdown_recovery_days"] == pytest.approx(2.0 / DAY_BARS)


def test_beta_of_a_run_is_that_of_its_days() -> None:
    witness = pytest.importorskip("empyrical")
    result = make_result(bars=1000)
    daily = curve.daily_returns(result.time, result.equity_values, result.capital)
    held = curve.daily_returns(result.time, result.buy_and_hold_values, result.capital)
    same(result.metrics["beta"], witness.beta_aligned(daily, held))
    same(result.metrics["alpha"], witness.alpha_aligned(daily, held, annualization=365))
