"""The unguided design, walk-forward efficiency, the holdout's intervals, and how all evidence comes together."""

import math

import numpy as np
import pytest

from backtest.metrics.benchmark import alpha, beta
from backtest.optimization.evidence import (
    Evidence,
    deflated_sharpe,
    holdout,
    overfitting,
    plateau,
    sharpes,
    smallest_detectable_sharpe,
    sobol_design,
    verdict,
    walk_forward,
)
from backtest.optimization.space import Dimension, search_space, to_unit
from backtest.uncertainty.block_length import mean_block_length
from backtest.uncertainty.estimate import uncertainty_of
from engine.errors import InputError
from engine.strategies.adaptive_grid_parameters import AdaptiveGrid

SPACE = search_space(AdaptiveGrid)

# --- design --------------------------------------------------------------------------------------------------------------------


def test_the_design_fills_every_range_evenly() -> None:
    sets = sobol_design(SPACE)
    assert sets.shape == (256, len(SPACE))
    for k, dimension in enumerate(SPACE):
        assert (dimension.clip(sets[:, k]) == sets[:, k]).all()
        if not dimension.integer:
            # a Sobol sequence has exactly one of 256 points in each 256th of every range
            assert np.bincount((to_unit(SPACE, sets)[:, k] * 16).astype(int), minlength=16).tolist() == [16] * 16


def test_the_design_is_that_of_its_seed_and_grows_at_its_end() -> None:
    few, many = sobol_design(SPACE, 256, seed=4), sobol_design(SPACE, 700, seed=4)
    np.testing.assert_array_equal(few, many[:256])
    assert many.shape == (700, len(SPACE))
    assert len(np.unique(many, axis=0)) == 700
    assert not np.array_equal(few, sobol_design(SPACE, 256, seed=5))


def test_the_design_meets_the_constraints() -> None:
    names = [dimension.name for dimension in SPACE]
    halt, resume = names.index("halt_z_threshold"), names.index("resume_z_threshold")
    sets = sobol_design(SPACE, 300, allowed=lambda rows: rows[:, halt] < rows[:, resume])
    assert sets.shape == (300, len(SPACE))
    assert (sets[:, halt] < sets[:, resume]).all()
    everything = sobol_design(SPACE, 400)
    kept = everything[everything[:, halt] < everything[:, resume]]
    assert len(kept) < 400
    np.testing.assert_array_equal(sets, kept[:300])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: sobol_design(SPACE, 255), "design = 255 is refused: it must be a whole number from 256 to 65,536"),
        (lambda: sobol_design((), 256), "space is refused"),
        (lambda: sobol_design(SPACE, 256, allowed=lambda sets: np.zeros(len(sets), bool)), "constraints are refused: only 0 of 65,536"),
    ],
)
def test_bad_designs_are_told_in_one_sentence(call, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()


# --- walk-forward --------------------------------------------------------------------------------------------------------------


def test_efficiency_by_hand() -> None:
    found = walk_forward([np.array([0.02, 0.0]), np.array([0.01])], [np.array([0.004]), np.array([0.006])])
    assert (found.train_mean, found.test_mean) == pytest.approx((0.01, 0.005))
    assert (found.train_days, found.test_days) == (3, 2)
    assert found.efficiency == pytest.approx(0.5)
    assert walk_forward([np.array([0.01])], [np.array([-0.02])]).efficiency == pytest.approx(-2.0)


@pytest.mark.parametrize("train", [[], [np.zeros(0)], [np.zeros(4)], [np.array([0.01, -0.02])]])
def test_efficiency_of_no_profit_is_unknown(train: list[np.ndarray]) -> None:
    assert math.isnan(walk_forward(train, [np.array([0.01])]).efficiency)


def test_efficiency_without_test_days_is_unknown() -> None:
    found = walk_forward([np.array([0.01])], [])
    assert math.isnan(found.efficiency)
    assert math.isnan(found.test_mean)


def test_broken_returns_are_refused() -> None:
    with pytest.raises(InputError, match="test returns are refused"):
        walk_forward([np.array([0.01])], [np.array([math.inf])])


# --- holdout -------------------------------------------------------------------------------------------------------------------


def a_market(days: int = 300, slope: float = 0.5, edge: float = 0.001, seed: int = 2) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    coin = random.normal(0.0, 0.03, days)
    return slope * coin + edge + random.normal(0.0, 0.002, days), coin


def test_the_holdout_has_the_intervals_of_its_days() -> None:
    returns, coin = a_market()
    found = holdout(returns, coin, draws=400, seed=3)
    luck = uncertainty_of(returns, 400, 3)
    assert (found.total_return, found.mean_block) == (luck.total_return, luck.mean_block)
    assert (found.alpha.observed, found.beta.observed) == (alpha(returns, coin), beta(returns, coin))
    assert found.beta.low < 0.5 < found.beta.high
    assert found.beta.high - found.beta.low < 0.05
    assert 0.0 < found.alpha.low < 1.001**365 - 1.0 < found.alpha.high
    assert found == holdout(returns, coin, draws=400, seed=3)
    assert found.alpha != holdout(returns, coin, draws=400, seed=4).alpha
    assert (found.days, found.draws, found.seed) == (300, 400, 3)
    assert found.mean_pair_block >= found.mean_block


def test_strategy_and_coin_are_drawn_on_the_same_days() -> None:
    coin = a_market()[1]
    found = holdout(2.0 * coin, coin, draws=100)
    assert (found.beta.low, found.beta.high) == pytest.approx((2.0, 2.0), rel=1e-9)
    assert (found.alpha.low, found.alpha.high) == pytest.approx((0.0, 0.0), abs=1e-9)


def test_pairs_are_drawn_in_the_longer_blocks() -> None:
    returns = np.random.default_rng(0).normal(0.0, 0.02, 300)
    coin = np.convolve(np.random.default_rng(2).normal(0.0, 0.02, 329), np.ones(30) / 30, "valid")
    assert mean_block_length(returns) < 3.0 < 10.0 < mean_block_length(coin)
    for one, other in ((returns, coin), (coin, returns)):
        assert holdout(one, other, draws=100).mean_pair_block == mean_block_length(coin)


def test_holding_half_the_coin_is_no_alpha() -> None:
    returns, coin = a_market(edge=0.0)
    found = holdout(returns, coin + 0.002, draws=400)
    assert found.alpha.observed < 0.0


def test_a_coin_that_stands_still_has_no_beta() -> None:
    found = holdout(a_market()[0], np.zeros(300), draws=100)
    assert all(math.isnan(value) for value in (*found.alpha, *found.beta))
    assert math.isfinite(found.total_return.low)


def test_a_short_holdout_has_no_intervals() -> None:
    returns, coin = a_market(59)
    found = holdout(returns, coin)
    assert math.isnan(found.total_return.low)
    assert math.isnan(found.alpha.high)
    assert math.isfinite(found.alpha.observed)
    assert math.isfinite(found.detectable)
    assert math.isnan(holdout(np.zeros(0), np.zeros(0)).detectable)


def test_the_holdout_is_one_trial() -> None:
    returns = np.tile([0.01, -0.01], 150)  # skew 0, kurtosis 1
    assert holdout(returns, a_market()[1], draws=100).detectable == pytest.approx(smallest_detectable_sharpe(300, 0.0, 0.0, 1.0), rel=1e-9)


def test_different_days_are_refused() -> None:
    with pytest.raises(InputError, match="they must have as many days as the holdout's, 300, not 299"):
        holdout(*a_market()[:1], a_market()[1][1:])
    with pytest.raises(InputError, match="draws = 5 is refused"):
        holdout(*a_market(), draws=5)


# --- together ------------------------------------------------------------------------------------------------------------------

PLANE = (Dimension("x", 0.0, 2.0), Dimension("y", 0.0, 2.0))


def whole_evidence(edge: float) -> Evidence:
    """The evidence of 256 sets that all earn `edge` a day the more the nearer they are to (1, 1)."""
    random = np.random.default_rng(9)
    design = sobol_design(PLANE)
    skill = edge * (1.5 - np.abs(design - 1.0).mean(axis=1))
    train = random.normal(skill, 0.01, (800, 256))
    best = int(np.argmax(sharpes(train)))
    test, coin = random.normal(skill[best], 0.01, 340), random.normal(0.0, 0.03, 340)
    kept = random.normal(skill[best], 0.01, 340)
    return Evidence.of(
        deflated_sharpe(train[:, best], sharpes(train), 256),
        overfitting(train),
        walk_forward([train[:, best]], [test]),
        holdout(kept, coin, draws=300),
        plateau(PLANE, design[best], lambda sets: np.sign(edge) * (1.5 - np.abs(sets - 1.0).mean(axis=1))),
        three_basis_points=edge,
    )


def test_an_edge_is_robust_and_none_is_not() -> None:
    found = verdict(whole_evidence(0.004))
    assert (found.label, found.failed) == ("robust", ())
    assert verdict(whole_evidence(0.0)).label != "robust"
    assert "deflated Sharpe ratio" in verdict(whole_evidence(-0.004)).failed
