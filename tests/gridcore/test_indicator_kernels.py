"""Indicators against plain Python and against TA-Lib; no look-ahead; pieces equal the whole."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridcore import indicators as ind
from gridcore.regime import kama_slope, kama_slope_into
from gridcore.rolling import BLOCK
from tests.gridcore import naive
from tests.gridcore.series import any_bars, assert_close, bars

Bars = tuple[np.ndarray, np.ndarray, np.ndarray]
PERIODS = st.integers(2, 16)


@given(any_bars(), PERIODS)
@settings(deadline=None)
def test_averages(market: Bars, period: int) -> None:
    close = market[2]
    size = np.max(close)
    assert_close(ind.simple_moving_average(close, period), naive.simple_moving_average(list(close), period), size)
    assert_close(ind.exponential_moving_average(close, period), naive.exponential_moving_average(list(close), period), size)


@given(any_bars(), PERIODS, st.integers(1, 5), st.integers(6, 40))
@settings(deadline=None)
def test_efficiency_ratio_and_kama(market: Bars, period: int, fast: int, slow: int) -> None:
    close = market[2]
    ratio = ind.efficiency_ratio(close, period)
    assert_close(ratio, naive.efficiency_ratio(list(close), period), 1.0)
    assert np.nanmax(ratio, initial=0.0) <= 1.0
    assert_close(ind.kama(close, period, fast, slow), naive.kama(list(close), period, fast, slow), np.max(close))


@given(any_bars(), PERIODS, PERIODS)
@settings(deadline=None)
def test_ranges_and_z_score(market: Bars, period: int, window: int) -> None:
    high, low, close = market
    lists = [column.tolist() for column in market]
    size = np.max(high)
    assert_close(ind.true_range(high, low, close), naive.true_range(*lists), 0.0)
    atr = ind.average_true_range(high, low, close, period)
    assert_close(atr, naive.average_true_range(*lists, period), 0.0)
    divided = np.where(atr > 0.0, size / np.where(atr > 0.0, atr, 1.0), 0.0)
    assert_close(ind.z_score(close, window, atr), naive.z_score(lists[2], window, atr.tolist()), divided)
    slope = kama_slope(close, atr)
    assert_close(slope, naive.kama_slope(lists[2], atr.tolist()), 0.0)


@given(any_bars(), PERIODS)
@settings(deadline=None)
def test_wilder_strength(market: Bars, period: int) -> None:
    lists = [column.tolist() for column in market]
    assert_close(ind.relative_strength_index(market[2], period), naive.relative_strength_index(lists[2], period), 1.0)
    for actual, wanted in zip(ind.directional_movement(*market, period), naive.directional_movement(*lists, period), strict=True):
        assert_close(actual, wanted, 100.0)


@given(any_bars(), PERIODS)
@settings(deadline=None)
def test_returns_and_volatility(market: Bars, period: int) -> None:
    close = market[2]
    returns = ind.log_returns(close)
    # The twin's log1p rounds the relative change first, which costs up to 1e-16 of (1 + change)/change.
    assert_close(returns, naive.log_returns(close.tolist()), 0.01)
    assert_close(ind.volatility(close, period), naive.volatility(close.tolist(), period), 0.01)


def test_log_returns_have_every_digit() -> None:
    """Moves from 1e-12 to a factor of 50, both ways, against decimal arithmetic of 40 digits."""
    moves = np.concatenate((np.geomspace(1e-12, 49.0, 400), -np.geomspace(1e-12, 0.98, 400)))
    close = np.empty(2 * moves.size)
    close[0::2] = 30_000.0
    close[1::2] = 30_000.0 * (1.0 + moves)
    returns = ind.log_returns(close)[1::2]
    for actual, before, after in zip(returns, close[0::2], close[1::2], strict=True):
        with localcontext(prec=40):
            wanted = (Decimal(float(after)) / Decimal(float(before))).ln()
        assert abs(Decimal(float(actual)) - wanted) <= Decimal("1.5e-15") * abs(wanted)


def test_volatility_is_the_deviation_of_log_returns_to_the_bit() -> None:
    from gridcore.rolling import rolling_deviation

    close = bars(3 * BLOCK // 2)[2]
    np.testing.assert_array_equal(ind.volatility(close, 96), rolling_deviation(ind.log_returns(close), 96))


@given(st.integers(3, 40), st.integers(0, 10_000), PERIODS)
@settings(deadline=None)
def test_correlation_and_beta(count: int, seed: int, period: int) -> None:
    first = ind.log_returns(bars(count, seed)[2])
    second = 0.5 * first + ind.log_returns(bars(count, seed + 1)[2])
    wanted = naive.rolling_correlation(first[1:].tolist(), second[1:].tolist(), period)
    assert_close(ind.rolling_correlation(first, second, period), [np.nan, *wanted], 1.0)
    wanted = naive.rolling_beta(first[1:].tolist(), second[1:].tolist(), period)
    assert_close(ind.rolling_beta(first, second, period), [np.nan, *wanted], 1.0)


def test_correlation_of_special_pairs() -> None:
    x = ind.log_returns(bars(50)[2])
    flat = np.zeros(50)
    assert ind.rolling_correlation(x, 3.0 * x, 10)[20:] == pytest.approx(1.0, abs=1e-14)
    assert ind.rolling_correlation(x, -x, 10)[20:] == pytest.approx(-1.0, abs=1e-14)
    assert ind.rolling_beta(3.0 * x, x, 10)[20:] == pytest.approx(3.0, rel=1e-13)
    assert np.isnan(ind.rolling_correlation(x, flat, 10)).all()
    assert np.isnan(ind.rolling_beta(x, flat, 10)).all()


def test_a_dead_flat_market() -> None:
    flat = np.full(60, 0.1)
    assert ind.efficiency_ratio(flat, 10)[10:].tolist() == [0.0] * 50
    assert ind.kama(flat, 10, 2, 30)[10:].tolist() == [0.1] * 50
    atr = ind.average_true_range(flat, flat, flat, 14)
    assert atr[14:].tolist() == [0.0] * 46
    assert np.isnan(ind.z_score(flat, 20, atr)).all()
    assert np.isnan(kama_slope(flat, atr)).all()
    assert ind.volatility(flat, 20)[20:].tolist() == [0.0] * 40


FIRST_VALUES: list[tuple[str, Callable[..., Any], int]] = [
    ("efficiency ratio", lambda h, low, c: ind.efficiency_ratio(c, 5), 5),
    ("kama", lambda h, low, c: ind.kama(c, 5, 2, 30), 5),
    ("true range", ind.true_range, 1),
    ("atr", lambda h, low, c: ind.average_true_range(h, low, c, 5), 5),
    ("sma", lambda h, low, c: ind.simple_moving_average(c, 5), 4),
    ("ema", lambda h, low, c: ind.exponential_moving_average(c, 5), 4),
    ("z", lambda h, low, c: ind.z_score(c, 5, ind.average_true_range(h, low, c, 8)), 8),
    ("rsi", lambda h, low, c: ind.relative_strength_index(c, 5), 5),
    ("+di", lambda h, low, c: ind.plus_di(h, low, c, 5), 5),
    ("-di", lambda h, low, c: ind.minus_di(h, low, c, 5), 5),
    ("adx", lambda h, low, c: ind.average_directional_index(h, low, c, 5), 9),
    ("log returns", lambda h, low, c: ind.log_returns(c), 1),
    ("volatility", lambda h, low, c: ind.volatility(c, 5), 5),
    ("correlation", lambda h, low, c: ind.rolling_correlation(ind.log_returns(c), ind.log_returns(h), 5), 5),
    ("beta", lambda h, low, c: ind.rolling_beta(ind.log_returns(c), ind.log_returns(h), 5), 5),
    ("slope", lambda h, low, c: kama_slope(ind.kama(c, 5, 2, 30), ind.average_true_range(h, low, c, 5)), 6),
]
NAMES = [name for name, _, _ in FIRST_VALUES]


@pytest.mark.parametrize(("name", "indicator", "first"), FIRST_VALUES, ids=NAMES)
def test_first_value(name: str, indicator: Callable[..., Any], first: int) -> None:
    for count in (1, first, first + 1, 40):
        out = indicator(*bars(count))
        assert out.shape == (count,)
        np.testing.assert_array_equal(np.isnan(out), np.arange(count) < first)


@pytest.mark.parametrize(("name", "indicator", "first"), FIRST_VALUES, ids=NAMES)
def test_changing_the_future_does_not_move_the_past(name: str, indicator: Callable[..., Any], first: int) -> None:
    market = bars(80)
    before = indicator(*market)
    for cut in (first, first + 1, 40, 78):
        changed = [column.copy() for column in market]
        for column in changed:
            column[cut + 1 :] *= 1.7
        after = indicator(*changed)
        np.testing.assert_array_equal(after[: cut + 1], before[: cut + 1])
        assert (after[cut + 1 :] != before[cut + 1 :]).any()


PIECEWISE: list[tuple[str, Callable[..., Any]]] = [
    ("efficiency ratio", lambda h, low, c, out, start: ind.efficiency_ratio_into(c, 10, out, start)),
    ("kama", lambda h, low, c, out, start: ind.kama_into(c, 10, 2, 30, out, start)),
    ("atr", lambda h, low, c, out, start: ind.average_true_range_into(h, low, c, 14, out, start)),
    ("sma", lambda h, low, c, out, start: ind.simple_moving_average_into(c, 21, out, start)),
    ("ema", lambda h, low, c, out, start: ind.exponential_moving_average_into(c, 21, out, start)),
    ("z", lambda h, low, c, out, start: ind.z_score_into(c, 20, h - low, out, start)),
    ("volatility", lambda h, low, c, out, start: ind.volatility_into(c, 96, out, start)),
    ("slope", lambda h, low, c, out, start: kama_slope_into(c, h - low, out, start)),
]


@pytest.mark.parametrize(("name", "into"), PIECEWISE, ids=[name for name, _ in PIECEWISE])
@pytest.mark.parametrize("prefix", [0, 5, 14, 21, 97, 1000])
def test_pieces_equal_the_whole_to_the_bit(name: str, into: Callable[..., Any], prefix: int) -> None:
    count = BLOCK + 200
    market = bars(count)
    whole = np.empty(count)
    into(*market, whole, 0)
    pieces = np.empty(count)
    begin = prefix
    if prefix:
        into(*(column[:prefix] for column in market), pieces[:prefix], 0)
    for end in [*range(begin + 1, begin + 120), count]:  # bar by bar, and the rest at once
        into(*(column[:end] for column in market), pieces[:end], begin)
        begin = end
    np.testing.assert_array_equal(pieces, whole)


@pytest.mark.parametrize("period", [2, 5, 14, 50])
@pytest.mark.parametrize("scale", [30_000.0, 1.0, 1e-3])
def test_talib_agrees(period: int, scale: float) -> None:
    talib = pytest.importorskip("talib", reason="the second witness, TA-Lib, is not installed")
    market = bars(400, seed=3, scale=scale)
    high, close = market[0], market[2]
    pairs = [
        (ind.kama(close, period, 2, 30), talib.KAMA(close, period)),
        (ind.true_range(*market), talib.TRANGE(*market)),
        (ind.average_true_range(*market, period), talib.ATR(*market, period)),
        (ind.simple_moving_average(close, period), talib.SMA(close, period)),
        (ind.exponential_moving_average(close, period), talib.EMA(close, period)),
        (ind.relative_strength_index(close, period), talib.RSI(close, period)),
        (ind.plus_di(*market, period), talib.PLUS_DI(*market, period)),
        (ind.minus_di(*market, period), talib.MINUS_DI(*market, period)),
        (ind.average_directional_index(*market, period), talib.ADX(*market, period)),
        (ind.rolling_correlation(high, close, period), talib.CORREL(high, close, period)),
    ]
    for position, (actual, wanted) in enumerate(pairs):
        np.testing.assert_array_equal(np.isnan(actual), np.isnan(wanted), err_msg=str(position))
        # TA-Lib's correlation is of raw sums, which loses digits for prices that hardly move.
        allowed = 1e-9 if position < len(pairs) - 1 else 1e-4
        assert np.nanmax(np.abs(actual - wanted) / np.maximum(1.0, np.abs(wanted))) < allowed, position
