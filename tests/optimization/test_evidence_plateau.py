"""Neighbours of a set, the plateau test, and the choice of a winner on the best neighbourhood."""

import math

import numpy as np
import pytest

from backtest.optimization.evidence import choose_winner, neighbours, plateau
from backtest.optimization.evidence.plateau import moving_dimensions, neighbourhood_mean, reach
from backtest.optimization.space import Dimension
from engine.errors import InputError

LOG = Dimension("log", 0.01, 1.0, log=True)
REAL = Dimension("real", -5.0, 5.0)
WHOLE = Dimension("whole", 1.0, 40.0, integer=True)
SWITCH = Dimension.choice("switch", [False, True])
SPACE = (LOG, REAL, WHOLE, SWITCH)
CENTRE = np.array([0.1, 2.0, 20.0, 1.0])


@pytest.mark.parametrize(
    ("dimension", "value", "low", "high"),
    [
        (LOG, 0.1, 0.1 / 1.15, 0.115),
        (LOG, 1.0, 1.0 / 1.15, 1.0),
        (REAL, 2.0, 1.7, 2.3),
        (REAL, -2.0, -2.3, -1.7),
        (REAL, 0.0, -0.15, 0.15),
        (REAL, 5.0, 4.25, 5.0),
        (WHOLE, 20.0, 17.0, 23.0),
        (WHOLE, 3.0, 2.0, 4.0),
        (WHOLE, 1.0, 1.0, 2.0),
        (SWITCH, 1.0, 1.0, 1.0),
    ],
)
def test_reach(dimension: Dimension, value: float, low: float, high: float) -> None:
    assert reach(dimension, value) == pytest.approx((low, high), rel=1e-12)


def test_neighbours_are_joint_draws_within_reach() -> None:
    sets = neighbours(SPACE, CENTRE, seed=3)
    assert sets.shape == (64, 4)
    for k, dimension in enumerate(SPACE):
        low, high = reach(dimension, CENTRE[k])
        assert (sets[:, k] >= low - 1e-12).all()
        assert (sets[:, k] <= high + 1e-12).all()
    assert (sets[:, 3] == 1.0).all()
    assert (sets[:, 2] == np.rint(sets[:, 2])).all()
    assert set(sets[:, 2]) >= {18.0, 19.0, 20.0, 21.0, 22.0}
    assert len(np.unique(sets[:, 0])) == len(np.unique(sets[:, 1])) == 64
    # drawn together, not one after the other: no set differs in one place alone
    assert (np.count_nonzero(sets != CENTRE, axis=1) >= 2).all()
    np.testing.assert_array_equal(sets, neighbours(SPACE, CENTRE, seed=3))
    assert not np.array_equal(sets, neighbours(SPACE, CENTRE, seed=4))


def test_at_the_edge_draws_do_not_pile_up() -> None:
    sets = neighbours((REAL,), np.array([5.0]))
    assert np.count_nonzero(sets == 5.0) == 0
    assert sets.max() <= 5.0


def test_neighbours_meet_the_constraints() -> None:
    def allowed(sets: np.ndarray) -> np.ndarray:
        return sets[:, 1] < 2.0

    sets = neighbours(SPACE, CENTRE, allowed=allowed)
    assert sets.shape == (64, 4)
    assert (sets[:, 1] < 2.0).all()
    with pytest.raises(InputError, match="hardly any neighbour"):
        neighbours(SPACE, CENTRE, allowed=lambda sets: np.zeros(len(sets), bool))


def hill(width: float):
    """1 at the centre, falling to nothing at a relative distance of `width` along the two reals."""

    def evaluate(sets: np.ndarray) -> np.ndarray:
        away = np.maximum(np.abs(np.log(sets[:, 0] / 0.1)), np.abs(sets[:, 1] / 2.0 - 1.0))
        return np.maximum(1.0 - away / width, 0.0)

    return evaluate


def test_a_plain_passes_and_a_needle_fails() -> None:
    wide, narrow = plateau(SPACE, CENTRE, hill(1.0)), plateau(SPACE, CENTRE, hill(0.05))
    assert (wide.share, wide.best) == (1.0, 1.0)
    assert wide.left_out == ("whole", "switch")
    assert narrow.share < 0.2
    assert narrow.mean < 0.2 < 0.8 < wide.mean
    assert narrow.share == np.mean(hill(0.05)(narrow.neighbours) >= 0.5)
    np.testing.assert_array_equal(narrow.scores, hill(0.05)(narrow.neighbours))


def test_dimensions_that_change_nothing_stay_where_they_are() -> None:
    found = plateau(SPACE, CENTRE, hill(1.0))
    assert (found.neighbours[:, 2:] == CENTRE[2:]).all()
    assert (found.neighbours[:, :2] != CENTRE[:2]).all()


def test_at_the_top_of_the_scale_all_numbers_are_drawn() -> None:
    found = plateau(SPACE, CENTRE, lambda sets: np.ones(len(sets)))
    assert found.share == 1.0
    assert found.left_out == ("log", "real", "whole", "switch")
    assert (found.neighbours[:, :2] != CENTRE[:2]).all()

    def top_alone(sets: np.ndarray) -> np.ndarray:
        """At the top while one number moves, nothing when several do."""
        return np.where(np.count_nonzero(sets != CENTRE, axis=1) <= 1, 1.0, 0.0)

    assert plateau(SPACE, CENTRE, top_alone).share < 0.1


def test_a_space_of_switches_alone_has_no_plateau() -> None:
    found = plateau(SPACE[3:], CENTRE[3:], lambda sets: np.ones(len(sets)))
    assert math.isnan(found.share)
    assert found.neighbours.shape == (0, 1)


@pytest.mark.parametrize("level", [0.0, -0.4, math.nan])
def test_half_of_no_profit_is_no_bar(level: float) -> None:
    assert math.isnan(plateau(SPACE, CENTRE, lambda sets: level - np.abs(sets[:, 1] - 2.0)).share)


def test_neighbours_can_be_held_against_another_score() -> None:
    assert plateau(SPACE, CENTRE, hill(1.0), best=10.0).share == 0.0


def test_neighbours_without_a_score_fail() -> None:
    def evaluate(sets: np.ndarray) -> np.ndarray:
        return np.where(sets[:, 1] > 2.1, math.nan, 1.0 - 0.01 * np.abs(sets[:, 1] - 2.0))

    found = plateau(SPACE, CENTRE, evaluate)
    assert found.share == np.mean(found.neighbours[:, 1] <= 2.1)
    assert 0.5 < found.share < 0.9
    assert found.mean == pytest.approx(np.nansum(found.scores) / 64)


@pytest.mark.parametrize(
    ("scores", "mean"),
    [([1.0, 2.0], 1.5), ([1.0, math.nan], 0.5), ([1.0, -2.0, math.nan], -1.0), ([math.nan, -math.inf], -math.inf)],
)
def test_neighbourhood_mean(scores: list[float], mean: float) -> None:
    assert neighbourhood_mean(np.array(scores)) == mean


def test_a_dimension_that_cannot_be_moved_alone_matters() -> None:
    def allowed(sets: np.ndarray) -> np.ndarray:
        return sets[:, 2] == 20.0

    moves = moving_dimensions(SPACE, CENTRE, hill(1.0), 1.0, allowed)
    assert moves.tolist() == [True, True, True, False]


def test_the_winner_stands_on_the_best_neighbourhood() -> None:
    """A needle of score 1 at 4 beside a plain of score 0.8 at 2."""

    def evaluate(sets: np.ndarray) -> np.ndarray:
        needle = np.where(np.abs(sets[:, 1] - 4.0) < 0.01, 1.0, 0.0)
        return np.maximum(needle, 0.8 - 0.05 * np.abs(sets[:, 1] - 2.0))

    candidates = np.array([[0.1, 4.0, 20, 0], [0.1, 2.0, 20, 0], [0.1, 3.0, 20, 0], [0.1, -4.0, 20, 0], [0.1, 1.0, 20, 0]])
    scores = np.array([*evaluate(candidates)[:4], math.nan])
    calls = []

    def counted(sets: np.ndarray) -> np.ndarray:
        calls.append(len(sets))
        return evaluate(sets)

    found = choose_winner(SPACE, candidates, scores, counted)
    assert found.index == 1
    assert calls == [4 * 64]
    assert math.isnan(found.means[4])
    assert found.means[1] == pytest.approx(evaluate(neighbours(SPACE, candidates[1])).mean(), rel=1e-12)
    assert choose_winner(SPACE, candidates, scores, evaluate, most=1).index == 0


def test_of_equal_neighbourhoods_the_better_then_the_earlier_wins() -> None:
    candidates = np.tile(CENTRE, (4, 1))
    assert choose_winner(SPACE, candidates, [0.5, 0.6, 0.6, -math.inf], hill(1.0)).index == 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: neighbours(SPACE, np.array([0.1, 9.0, 20.0, 1.0])), "centre is refused"),
        (lambda: neighbours(SPACE, CENTRE[:2]), "centre is refused"),
        (lambda: plateau(SPACE, CENTRE, lambda sets: np.zeros(3)), "evaluate is refused: it must give one score a set, 1"),
        (lambda: choose_winner(SPACE, [CENTRE], [math.nan], hill(1.0)), "none of them has a score"),
        (lambda: choose_winner(SPACE, [CENTRE], [1.0, 2.0], hill(1.0)), "candidates are refused"),
    ],
)
def test_bad_input_is_told_in_one_sentence(call, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()
