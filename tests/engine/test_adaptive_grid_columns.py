"""The adaptive grid's indicator columns: what they are, in whatever pieces, and the settings they depend on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.strategies import adaptive_grid as grid
from engine.strategies.adaptive_grid_indicators import INDICATOR_SETTINGS, fill_indicators, indicator_settings
from engine.strategies.adaptive_grid_parameters import AdaptiveGrid
from gridcore import indicators as ind
from gridcore.regime import kama_slope
from gridcore.rolling import BLOCK, rolling_deviation
from tests.gridcore.series import bars as random_bars

Sizes = st.integers(2, 40)
CHOICES: dict[str, st.SearchStrategy[Any]] = {
    "kama_period": Sizes,
    "kama_fast": st.integers(1, 5),
    "kama_slow": st.integers(6, 40),
    "atr_period": st.integers(1, 40),
    "z_period": Sizes,
    "vol_period": st.integers(2, 300),
    "gamma": st.floats(0.0, 2.0),
    "grid_levels": st.integers(1, 20),
    "allow_short": st.booleans(),
    "halt_z_threshold": st.floats(-5.0, -2.0),
    "var_horizon_bars": st.floats(1.0, 200.0),
}
PARAMETERS = st.fixed_dictionaries({}, optional=CHOICES).map(lambda values: AdaptiveGrid(**values))


def table(count: int, seed: int = 0) -> np.ndarray:
    high, low, close = random_bars(count, seed)
    return np.stack([close, high, low, close, np.ones(count)])


def columns(parameters: AdaptiveGrid, bars: np.ndarray) -> np.ndarray:
    out = np.full((grid.COLUMNS, bars.shape[1]), -1.0)
    fill_indicators(parameters.record(), bars, out, 0)
    return out


@given(PARAMETERS)
@settings(deadline=None, max_examples=25)
def test_each_column_is_the_public_indicator_to_the_bit(parameters: AdaptiveGrid) -> None:
    p, bars = parameters, table(BLOCK + 150)
    _, high, low, close, _ = bars
    atr = ind.average_true_range(high, low, close, p.atr_period)
    kama = ind.kama(close, p.kama_period, p.kama_fast, p.kama_slow)
    wanted = {
        grid.CLOSE: close,
        grid.KAMA: kama,
        grid.ATR: atr,
        grid.ER: ind.efficiency_ratio(close, p.kama_period),
        grid.Z: ind.z_score(close, p.z_period, atr),
        grid.SIGMA: ind.volatility(close, p.vol_period),
        grid.SLOPE: kama_slope(kama, atr),
    }
    made = columns(p, bars)
    assert len(wanted) == grid.COLUMNS
    for column, values in wanted.items():
        np.testing.assert_array_equal(made[column], values, err_msg=str(column))


@given(PARAMETERS, st.lists(st.integers(1, 1400), max_size=6), st.integers(0, 1000))
@settings(deadline=None, max_examples=25)
def test_columns_are_the_same_in_whatever_pieces(parameters: AdaptiveGrid, cuts: list[int], seed: int) -> None:
    bars = table(1400, seed)
    whole = columns(parameters, bars)
    out = np.full(whole.shape, -1.0)
    begin = 0
    for end in [*sorted(set(cuts)), 1400]:
        piece = np.ascontiguousarray(out[:, :end])
        fill_indicators(parameters.record(), np.ascontiguousarray(bars[:, :end]), piece, begin)
        out[:, :end] = piece
        begin = end
    np.testing.assert_array_equal(out, whole)


@given(PARAMETERS, PARAMETERS)
@settings(deadline=None, max_examples=40)
def test_equal_settings_have_equal_columns(one: AdaptiveGrid, other: AdaptiveGrid) -> None:
    """Parameters of another strategy with this one's settings: everything else differs, the columns do not."""
    twin = other.replace(**dict(zip(INDICATOR_SETTINGS, indicator_settings(one), strict=True)))
    assert indicator_settings(twin) == indicator_settings(one) == indicator_settings(twin.record()[0])
    bars = table(400)
    assert columns(one, bars).tobytes() == columns(twin, bars).tobytes()


@pytest.mark.parametrize("name", list(AdaptiveGrid.model_fields))
def test_columns_change_with_the_settings_and_with_nothing_else(name: str) -> None:
    plain, bars = AdaptiveGrid(), table(400)
    value = getattr(plain, name)
    other = not value if isinstance(value, bool) else value + 1 if isinstance(value, int) else value * 0.9 + 1e-3
    changed = plain.replace(**{name: other})
    same = columns(plain, bars).tobytes() == columns(changed, bars).tobytes()
    assert same == (name not in INDICATOR_SETTINGS)
    assert same == (indicator_settings(plain) == indicator_settings(changed))


@pytest.mark.parametrize("growth", [0.0, 1e-6, 1e-3, 0.02])
def test_volatility_in_steady_growth_keeps_its_digits(growth: float) -> None:
    """The plain sum of squares has no digit left where every bar gains the same; those windows are merged."""
    random = np.random.default_rng(1)
    close = 100.0 * np.exp(np.cumsum(growth + random.normal(0.0, 1e-5, 400)))
    returns = ind.log_returns(close)
    fresh = [np.std(returns[i - 95 : i + 1] - returns[i], ddof=1) for i in range(96, 400)]
    np.testing.assert_allclose(ind.volatility(close, 96)[96:], fresh, rtol=1e-15 * max(growth / 1e-5, 10.0))


def test_one_window_with_a_large_mean_leaves_its_neighbours_as_they_are() -> None:
    """Whether a window is summed plainly or merged is decided by the window alone."""
    values = np.random.default_rng(2).normal(0.0, 1.0, BLOCK)
    shifted = values.copy()
    shifted[500:540] += 1e6
    one, other = rolling_deviation(values, 20), rolling_deviation(shifted, 20)
    np.testing.assert_array_equal(one[19:500], other[19:500])
    np.testing.assert_array_equal(one[559:], other[559:])
    np.testing.assert_allclose(other[519:540], one[519:540], rtol=1e-8)


def test_an_average_range_that_died_down_counts_as_none() -> None:
    """Wilder's average of a market without any movement decays for ever; below 1e-300 nothing is measured in it."""
    close, atr = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 1e-299, 1e-301, 0.0])
    np.testing.assert_array_equal(np.isnan(kama_slope(close, atr)), [True, False, True, True])
    np.testing.assert_array_equal(np.isnan(ind.z_score(close, 1, atr)), [False, False, True, True])


@pytest.mark.parametrize("period", [7, 8, 24])
def test_nothing_to_fill_is_nothing_done(period: int) -> None:
    none = np.empty(0)
    assert ind.efficiency_ratio(none, period).size == ind.volatility(none, period).size == ind.z_score(none, period, none).size == 0
