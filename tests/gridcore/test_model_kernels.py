"""Regimes, Avellaneda-Stoikov, ladders, value at risk, funding and online statistics."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridcore import avellaneda_stoikov as market_making
from gridcore import funding, ladders, regime, risk, rounding, statistics
from tests.gridcore import naive
from tests.gridcore.series import any_bars, assert_close


@pytest.mark.parametrize(
    ("slope", "er", "wanted"),
    [
        (0.31, 0.0, regime.BREAKOUT_UP),
        (0.30, 0.6, regime.UPTREND),
        (0.30, 0.5, regime.NOISE),
        (0.16, 0.51, regime.UPTREND),
        (0.15, 0.9, regime.NOISE),
        (0.0, 0.9, regime.NOISE),
        (-0.15, 0.9, regime.NOISE),
        (-0.16, 0.51, regime.DOWNTREND),
        (-0.16, 0.5, regime.NOISE),
        (-0.30, 0.6, regime.DOWNTREND),
        (-0.31, 0.0, regime.BREAKOUT_DOWN),
        (math.nan, 0.9, regime.NOISE),
        (0.2, math.nan, regime.NOISE),
    ],
)
def test_five_regimes(slope: float, er: float, wanted: int) -> None:
    assert regime.classify_regime(slope, er, 0.15, 0.5) == wanted


# The band round a slow average of 1 024 is 1 023 to 1 025, without any rounding; the ADX threshold 20 is left below 16.
@pytest.mark.parametrize(
    ("state", "fast", "adx", "wanted"),
    [
        (regime.SIDEWAYS, 1_025.5, 20.0, regime.UP),
        (regime.SIDEWAYS, 1_025.0, 20.0, regime.SIDEWAYS),
        (regime.SIDEWAYS, 1_025.5, 19.9, regime.SIDEWAYS),
        (regime.SIDEWAYS, 1_022.5, 20.0, regime.DOWN),
        (regime.SIDEWAYS, 1_022.5, 17.0, regime.SIDEWAYS),
        (regime.UP, 1_024.0, 17.0, regime.UP),
        (regime.UP, 1_023.0, 16.0, regime.UP),
        (regime.UP, 1_050.0, 15.9, regime.SIDEWAYS),
        (regime.UP, 1_022.5, 17.0, regime.SIDEWAYS),
        (regime.UP, 1_022.5, 25.0, regime.DOWN),
        (regime.DOWN, 1_024.0, 17.0, regime.DOWN),
        (regime.DOWN, 1_025.0, 16.0, regime.DOWN),
        (regime.DOWN, 990.0, 15.9, regime.SIDEWAYS),
        (regime.DOWN, 1_025.5, 17.0, regime.SIDEWAYS),
        (regime.DOWN, 1_025.5, 25.0, regime.UP),
        (regime.UP, 1_050.0, math.nan, regime.SIDEWAYS),
        (regime.UP, math.nan, 30.0, regime.SIDEWAYS),
    ],
)
def test_ema_cross(state: int, fast: float, adx: float, wanted: int) -> None:
    assert regime.ema_cross_regime(state, fast, 1_024.0, adx, 1e4 / 1_024.0, 20.0) == wanted


def test_model_formulas() -> None:
    assert market_making.reservation_price(100.0, 3.0, 0.1, 2.0, 0.5) == pytest.approx(100.0 - 3.0 * 0.1 * 4.0 * 0.5, rel=1e-15)
    assert market_making.optimal_spread(0.1, 2.0, 1.0, 1.5) == pytest.approx(0.4 + 20.0 * math.log(1.0 + 0.1 / 1.5), rel=1e-13)
    assert market_making.bar_reservation_shift(30_000.0, -2.0, 0.5, 0.003, 96.0) == pytest.approx(-30_000 * 2 * 0.5 * 9e-6 * 96, rel=1e-13)
    wanted = 30_000.0 * 0.5 * 9e-6 * 96.0 + 120.0 * 4.0 * math.log(1.0 + 0.5 / 1.5)
    assert market_making.bar_spread(30_000.0, 120.0, 0.5, 1.5, 0.003, 96.0) == pytest.approx(wanted, rel=1e-13)


@pytest.mark.parametrize("gamma", [0.0, 5e-324, 1e-300, 1e-17, 1e-12, 1e-9])
def test_spread_for_vanishing_risk_aversion(gamma: float) -> None:
    """ln(1 + x)/x by the letter is 0 for 1e-17 and wrong in the fifth digit for 1e-12."""
    assert market_making.optimal_spread(gamma, 0.0, 1.0, 1.5) == pytest.approx(2.0 / 1.5, rel=1e-9)
    assert market_making.bar_spread(100.0, 3.0, gamma, 1.5, 0.0, 96.0) == pytest.approx(3.0 * 2.0 / 1.5, rel=1e-9)


# Published rows: gamma, strategy, spread, profit, its deviation, final inventory, its deviation (1 000 paths each).
PUBLISHED = [
    (0.1, "inventory", 1.49, 65.0, 6.6, 0.08, 2.9),
    (0.1, "symmetric", 1.49, 68.4, 12.7, 0.26, 8.4),
    (1.0, "inventory", 3.02, 31.4, 5.0, 0.02, 1.7),
    (1.0, "symmetric", 3.02, 44.0, 11.0, 0.00, 5.1),
]


@pytest.mark.parametrize(("gamma", "strategy", "spread", "profit", "profit_sd", "final", "final_sd"), PUBLISHED)
def test_paper_simulation(
    gamma: float, strategy: str, spread: float, profit: float, profit_sd: float, final: float, final_sd: float
) -> None:
    """Section 3.3 of the paper: s 100, sigma 2, T 1, dt 0.005, kappa 1.5, A 140."""
    paths, steps, dt, sigma, kappa, arrivals = 4_000, 200, 0.005, 2.0, 1.5, 140.0
    random = np.random.default_rng(2008)
    spreads = [market_making.optimal_spread(gamma, sigma, 1.0 - step * dt, kappa) for step in range(steps)]
    average = market_making.optimal_spread(gamma, sigma, 0.5, kappa)  # the spread is linear in the time left
    mid, cash, inventory = np.full(paths, 100.0), np.zeros(paths), np.zeros(paths)
    for step in range(steps):
        if strategy == "inventory":
            per_unit = market_making.reservation_price(0.0, 1.0, gamma, sigma, 1.0 - step * dt)
            center, half = mid + inventory * per_unit, spreads[step] / 2.0
        else:
            center, half = mid, average / 2.0
        bid, ask = center - half, center + half
        bought = random.random(paths) < arrivals * np.exp(-kappa * (mid - bid)) * dt
        sold = random.random(paths) < arrivals * np.exp(-kappa * (ask - mid)) * dt
        inventory += bought.astype(float) - sold
        cash += np.where(sold, ask, 0.0) - np.where(bought, bid, 0.0)
        mid = mid + sigma * math.sqrt(dt) * random.choice([-1.0, 1.0], paths)
    result = cash + inventory * mid
    error = math.sqrt(1.0 / 1_000 + 1.0 / paths)  # of a difference of the two means, in standard deviations
    assert average == pytest.approx(spread, abs=0.005)
    assert abs(result.mean() - profit) < 4.0 * profit_sd * error
    assert abs(inventory.mean() - final) < 4.0 * final_sd * error
    assert result.std() == pytest.approx(profit_sd, rel=4.0 * error / math.sqrt(2.0) + 0.01)
    assert inventory.std() == pytest.approx(final_sd, rel=4.0 * error / math.sqrt(2.0) + 0.02)


def whole(price: float, tick: float) -> bool:
    return abs(price / tick - round(price / tick)) < 1e-6


@given(
    st.floats(1e-6, 1e6),
    st.floats(0.0, 0.1),
    st.floats(1e-4, 0.1),
    st.sampled_from([1, -1]),
    st.sampled_from([1e-4, 1e-3, 1e-2]),
    st.integers(0, 30),
)
@settings(deadline=None)
def test_rungs_are_the_nearest_ticks_outwards(center: float, half: float, spacing: float, sign: int, tick: float, index: int) -> None:
    half, spacing, tick = half * center, spacing * center, tick * center
    ratio = (1.0 + 25.0 / 1e4) ** index
    cases = [
        (ladders.arithmetic_level(center, half, spacing, index, sign, tick), center - sign * (half + index * spacing)),
        (ladders.geometric_level(center, 25.0, index, sign, tick), center / ratio if sign > 0 else center * ratio),
        (ladders.proportional_level(center, 0.0025, index, sign, tick), center * (1.0 - sign * index * 0.0025)),
    ]
    for price, exact in cases:
        assert whole(price, tick)
        assert -1e-6 * tick <= sign * (exact - price) < tick * (1.0 + 1e-6)


def test_ladders_by_hand() -> None:
    out = np.empty(3)
    ladders.arithmetic_ladder_into(100.0, 0.55, 1.0, 1, 0.1, out)
    assert out == pytest.approx([99.4, 98.4, 97.4])
    ladders.arithmetic_ladder_into(100.0, 0.55, 1.0, -1, 0.1, out)
    assert out == pytest.approx([100.6, 101.6, 102.6])
    prices, quantities = ladders.geometric_ladder(100.0, 100.0, 0.01, 1.5, 3, -1, 0.01, 0.001)
    assert prices == pytest.approx([101.0, 102.01, 103.04])
    assert quantities == pytest.approx([0.01, 0.015, 0.022])
    prices, quantities = ladders.geometric_ladder(100.0, 100.0, 0.01, 1.5, 2, 1, 0.01, 0.001)
    assert prices == pytest.approx([99.0, 98.02])
    prices, quantities = ladders.atr_ladder(5_000.0, 10.0, 0.45, 2.0, 0.5, 3, 1, 0.25, 1.0)
    assert prices == pytest.approx([4_995.5, 4_991.0, 4_986.5])
    assert quantities == pytest.approx([2.0, 3.0, 4.0])
    assert ladders.atr_ladder(5_000.0, 10.0, 0.45, 2.0, 0.5, 1, -1, 0.25, 1.0)[0] == pytest.approx([5_004.5])
    assert ladders.grid_spacing(0.5, 100.0, 0.005, 30_000.0) == 150.0
    assert ladders.grid_spacing(2.0, 100.0, 0.005, 30_000.0) == 200.0


@pytest.mark.parametrize(
    ("value", "unit", "down", "up", "above", "below"),
    [
        (0.3, 0.1, 0.3, 0.3, 0.4, 0.2),
        (0.30001, 0.1, 0.3, 0.4, 0.4, 0.3),
        (0.7 + 0.1, 0.1, 0.8, 0.8, 0.9, 0.7),
        (-0.25, 0.1, -0.3, -0.2, -0.2, -0.3),
        (1e15 + 0.5, 1.0, 1e15, 1e15 + 1.0, 1e15 + 1.0, 1e15),
    ],
)
def test_rounding(value: float, unit: float, down: float, up: float, above: float, below: float) -> None:
    assert rounding.floor_to(value, unit) == pytest.approx(down, rel=1e-16, abs=1e-12)
    assert rounding.ceil_to(value, unit) == pytest.approx(up, rel=1e-16, abs=1e-12)
    assert rounding.tick_above(value, unit) == pytest.approx(above, rel=1e-16, abs=1e-12)
    assert rounding.tick_below(value, unit) == pytest.approx(below, rel=1e-16, abs=1e-12)


def test_value_at_risk() -> None:
    assert risk.value_at_risk_95(10_000.0, 0.002, 96.0) == pytest.approx(10_000.0 * 1.65 * 0.002 * math.sqrt(96.0), rel=1e-15)


@pytest.mark.parametrize(
    ("premium", "hours", "wanted"),
    [
        (0.0, 8.0, 0.0001),
        (0.0004, 8.0, 0.0001),
        (0.0006, 8.0, 0.0001),
        (0.001, 8.0, 0.0005),
        (-0.0004, 8.0, 0.0001),
        (-0.001, 8.0, -0.0005),
        (0.001, 4.0, 0.00025),
        (0.5, 8.0, 0.02),
        (-0.5, 1.0, -0.02),
    ],
)
def test_funding_rate(premium: float, hours: float, wanted: float) -> None:
    assert funding.synthetic_funding_rate(premium, hours, 0.02) == pytest.approx(wanted, rel=1e-12)


@given(any_bars(), st.integers(1, 6), st.integers(1, 12))
@settings(deadline=None)
def test_synthetic_funding(market: tuple[np.ndarray, ...], bars_8h: int, bars_72h: int) -> None:
    close = market[2]
    premium = funding.synthetic_premium(close, bars_8h, bars_72h, 0.02)
    assert_close(premium, naive.synthetic_premium(close.tolist(), bars_8h, bars_72h, 0.02), 1.0)
    settlements = np.arange(0, close.size, 3)
    rates = funding.synthetic_funding(close, bars_8h, bars_72h, 0.02, 4.0, 0.01, settlements)
    assert rates.tolist() == [funding.synthetic_funding_rate(premium[bar], 4.0, 0.01) for bar in settlements]


def test_synthetic_funding_does_not_look_ahead() -> None:
    close = np.linspace(100.0, 200.0, 60)
    changed = close.copy()
    changed[31:] *= 3.0
    settlements = np.array([10, 20, 30, 31])
    before = funding.synthetic_funding(close, 4, 12, 0.02, 8.0, 0.02, settlements)
    after = funding.synthetic_funding(changed, 4, 12, 0.02, 8.0, 0.02, settlements)
    assert after[:3].tolist() == before[:3].tolist()
    assert after[3] != before[3]


@given(st.lists(st.floats(-0.2, 0.2), min_size=2, max_size=40), st.sampled_from([0.0, 1.0, 1e6]))
@settings(deadline=None)
def test_moments(values: list[float], level: float) -> None:
    values = [level + value for value in values]
    state = (0, 0.0, 0.0, 0.0, 0.0)
    for value in values:
        state = statistics.moments_step(*state, value)
    middle = naive.mean(values)
    reach = max(abs(value - middle) for value in values)
    noise = 1e-14 * max(1.0, abs(level))
    assert state[0] == len(values)
    assert state[1] == pytest.approx(middle, abs=noise)
    for power, total in zip((2, 3, 4), state[2:], strict=True):
        wanted = math.fsum((value - middle) ** power for value in values)
        assert total == pytest.approx(wanted, rel=1e-9, abs=len(values) * 100.0 * noise * (reach + noise) ** (power - 1))


def test_compensated_sum_keeps_what_a_plain_one_loses() -> None:
    values = [1.0, 1e100, 1.0, -1e100] * 100
    total = compensation = 0.0
    for value in values:
        total, compensation = statistics.compensated_add(total, compensation, value)
    assert total + compensation == math.fsum(values) == 200.0


def test_downside() -> None:
    total = compensation = 0.0
    for value in (0.02, -0.01, 0.0, -0.03, 0.005):
        total, compensation = statistics.downside_step(total, compensation, value, 0.001)
    assert total + compensation == pytest.approx(0.011**2 + 0.001**2 + 0.031**2, rel=1e-14)


def test_drawdown() -> None:
    state = (100.0, 0, 0.0, 0)
    seen = []
    for equity in (90.0, 95.0, 100.0, 120.0, 60.0, 110.0, 119.0, -12.0):
        state = statistics.drawdown_step(*state, equity)
        seen.append(state)
    assert [row[0] for row in seen] == [100.0, 100.0, 100.0, 120.0, 120.0, 120.0, 120.0, 120.0]
    assert [row[1] for row in seen] == [1, 2, 0, 0, 1, 2, 3, 4]
    assert [row[2] for row in seen] == pytest.approx([0.1, 0.1, 0.1, 0.1, 0.5, 0.5, 0.5, 1.1])
    assert [row[3] for row in seen] == [1, 2, 2, 2, 2, 2, 3, 4]
