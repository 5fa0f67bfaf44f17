"""Rolling sums, deviations and co-moments: right, without drift, without memory, and whole wherever they are cut."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridcore.rolling import BLOCK, rolling_comoments, rolling_deviation, rolling_deviation_into, rolling_sum, rolling_sum_into
from tests.gridcore import naive
from tests.gridcore.series import any_bars, assert_close, bars


@given(any_bars(), st.integers(1, 60))
@settings(deadline=None)
def test_sum_matches_a_fresh_sum(market: tuple[np.ndarray, ...], window: int) -> None:
    close = market[2]
    assert_close(rolling_sum(close, window), naive.rolling_sum(list(close), window), np.max(close))


@given(any_bars(), st.integers(1, 60))
@settings(deadline=None)
def test_deviation_matches_two_passes(market: tuple[np.ndarray, ...], window: int) -> None:
    close = market[2]
    assert_close(rolling_deviation(close, window), naive.rolling_deviation(list(close), window), np.max(close))


@given(any_bars(), st.integers(1, 30))
@settings(deadline=None)
def test_comoments_match_two_passes(market: tuple[np.ndarray, ...], window: int) -> None:
    high, _, close = market
    x, y = list(high), list(close)
    actual = rolling_comoments(high, close, window)
    for got, (a, b) in zip(actual, ((x, x), (y, y), (x, y)), strict=True):
        wanted = naive.windows(len(x), window, window - 1, lambda i: naive.comoment(a[i - window + 1 : i + 1], b[i - window + 1 : i + 1]))  # noqa: B023
        assert_close(got, wanted, np.max(high) ** 2)


def test_constant_window_has_no_deviation_at_all() -> None:
    assert rolling_deviation(np.full(50, 0.1), 7)[6:].tolist() == [0.0] * 44


@pytest.mark.parametrize("level", [0.0, 1e3, 1e6, 1e9])
def test_deviation_far_from_zero(level: float) -> None:
    """Squares of the values themselves would have no digit left at 1e9."""
    steps = np.tile([0.0, 1.0, 2.0], 20)
    actual = rolling_deviation(level + steps, 30)[29:]
    np.testing.assert_allclose(actual, np.std(steps[:30], ddof=1), rtol=1e-15 * max(level, 10.0))


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # inf - inf, when run without the compiler
@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("window", [1, 7, 8, 13])
def test_a_value_that_is_not_finite_spoils_only_its_windows(bad: float, window: int) -> None:
    close = bars(60)[2]
    spoiled = close.copy()
    spoiled[30] = bad
    for kernel in (rolling_sum, rolling_deviation):
        clean, dirty = kernel(close, window), kernel(spoiled, window)
        np.testing.assert_array_equal(dirty[:30], clean[:30])
        assert not np.isfinite(dirty[30 : 30 + window]).any()
        np.testing.assert_array_equal(dirty[30 + window :], clean[30 + window :])


@pytest.mark.parametrize("kernel", [rolling_sum_into, rolling_deviation_into])
@pytest.mark.parametrize("window", [2, 20, 96, 700])
def test_result_depends_on_its_window_alone(kernel: Callable[..., Any], window: int) -> None:
    close = bars(2 * BLOCK + 300)[2]
    whole = np.empty(close.size)
    kernel(close, window, whole, 0)
    for begin in (1, 17, BLOCK - 1, close.size - window):
        part = np.empty(close.size - begin)
        kernel(close[begin:], window, part, 0)
        np.testing.assert_array_equal(part[window - 1 :], whole[begin + window - 1 :])


def test_nothing_before_start_is_read_or_written() -> None:
    close = bars(40)[2]
    whole = rolling_sum(close, 10)
    spoiled = close.copy()
    spoiled[:21] = np.nan
    out = np.full(40, -1.0)
    rolling_sum_into(spoiled, 10, out, 30)
    np.testing.assert_array_equal(out[:30], -1.0)
    np.testing.assert_array_equal(out[30:], whole[30:])


@pytest.mark.parametrize("count", [10_000, pytest.param(10_000_000, marks=pytest.mark.slow)])
def test_no_drift(count: int) -> None:
    """A running sum that met the 1e12 at the beginning would have lost the last four digits for good."""
    values = np.random.default_rng(5).uniform(0.5, 1.5, count)
    values[5] = 1e12
    sums, deviations = rolling_sum(values, 96), rolling_deviation(values, 96)
    for i in (200, count // 2, count - 1):
        window = values[i - 95 : i + 1].tolist()
        assert sums[i] == pytest.approx(math.fsum(window), rel=1e-14)
        assert deviations[i] == pytest.approx(naive.sample_deviation(window), rel=1e-13)
