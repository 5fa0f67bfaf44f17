"""Bars to test with: random ones, and the nasty kinds that break indicators."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st


def bars(count: int, seed: int = 0, scale: float = 30_000.0, move: float = 0.003) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """High, low, close of a random walk of `count` bars round `scale`."""
    random = np.random.default_rng(seed)
    close = scale * np.exp(np.cumsum(random.normal(0.0, move, count)))
    before = np.concatenate((close[:1], close[:-1]))
    high = np.maximum(before, close) * (1.0 + np.abs(random.normal(0.0, move / 2, count)))
    low = np.minimum(before, close) * (1.0 - np.abs(random.normal(0.0, move / 2, count)))
    return high, low, close


@st.composite
def any_bars(draw: st.DrawFn, most: int = 48) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """High, low, close (count,): one bar or many, walking, flat, with dead stretches, with jumps, of huge and tiny price."""
    count = draw(st.integers(1, most))
    scale = draw(st.sampled_from([1.0, 100.0, 30_000.0, 1e12, 1e-8]))
    high, low, close = bars(count, draw(st.integers(0, 10_000)), scale)
    kind = draw(st.sampled_from(["walk", "flat", "gappy", "jumpy", "coarse"]))
    if kind == "flat":
        high, low, close = (np.full(count, scale) for _ in range(3))
    elif kind == "gappy":
        begin = draw(st.integers(0, count - 1))
        end = draw(st.integers(begin, count))
        high[begin:end] = low[begin:end] = close[begin:end] = close[begin]
    elif kind == "jumpy":
        jump = draw(st.integers(0, count - 1))
        factor = draw(st.sampled_from([0.001, 0.5, 1.2, 1000.0]))
        for column in (high, low, close):
            column[jump:] *= factor
    elif kind == "coarse":
        unit = scale / 200.0
        high, low, close = np.ceil(high / unit) * unit, np.floor(low / unit) * unit, np.round(close / unit) * unit
    return high, low, close


def assert_close(actual: np.ndarray, expected: list[float] | np.ndarray, scale: float | np.ndarray) -> None:
    """NaN in the same places, elsewhere equal to 1e-11 of the value plus 1e-12 of `scale`, the size of what went in."""
    wanted = np.asarray(expected, float)
    assert actual.shape == wanted.shape
    np.testing.assert_array_equal(np.isnan(actual), np.isnan(wanted))
    error = np.abs(actual - wanted)
    allowed = 1e-11 * np.abs(wanted) + 1e-12 * np.asarray(scale)
    worst = np.nanmax(np.where(np.isnan(error), 0.0, error - allowed), initial=-math.inf)
    assert worst <= 0.0, f"off by {worst} more than allowed"
