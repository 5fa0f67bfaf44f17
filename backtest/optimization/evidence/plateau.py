"""The plateau test: whether a set stands on a plain of good sets or on a needle.

A set whose neighbours fail was found by luck, and the next year moves the needle. The neighbours are 64 joint draws, every
searched number within 15 percent of the set's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backtest.optimization.evidence.design import Allowed, passing
from backtest.optimization.space import Dimension, Space
from engine.errors import InputError

DRAWS = 64
WIDTH = 0.15
CANDIDATES = 20
# A value near zero is moved by at least this share of its range: 15 % of nothing would test nothing.
_LEAST_MOVE = 0.015
# Batches of neighbours drawn before the constraints are called impossible.
_MOST_BATCHES = 1_000

# Sets [sets, dimensions] -> scores [sets], higher is better, NaN where there is none.
Evaluate = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Plateau:
    """How the neighbours of a set do.

    share: of the neighbours at half the best score or better; NaN when the best score is not above zero, or the space has no numbers.
    mean: of the neighbours' scores (see `neighbourhood_mean`). best: the score they are held against. left_out: names of
    dimensions that change nothing there or are switches. neighbours: float64 [draws, dimensions]; scores: float64 [draws].
    """

    share: float
    mean: float
    best: float
    left_out: tuple[str, ...]
    neighbours: np.ndarray = field(compare=False, repr=False)
    scores: np.ndarray = field(compare=False, repr=False)


def reach(dimension: Dimension, value: float) -> tuple[float, float]:
    """Lowest and highest neighbour of a value along one dimension, clipped to the range; the value itself for a switch or word.

    Logarithmic: the value divided and multiplied by 1.15. Else the value less and plus 15 % of its size, at least 1.5 % of the
    range. Whole numbers reach at least one step.
    """
    if dimension.values is not None:
        return value, value
    if dimension.log:
        low, high = value / (1.0 + WIDTH), value * (1.0 + WIDTH)
    else:
        half = max(WIDTH * abs(value), _LEAST_MOVE * (dimension.high - dimension.low))
        low, high = value - half, value + half
    if dimension.integer:
        low, high = min(low, value - 1.0), max(high, value + 1.0)
    return max(low, dimension.low), min(high, dimension.high)


def _draw(space: Space, centre: np.ndarray, moved: np.ndarray, draws: int, random: np.random.Generator) -> np.ndarray:
    """Neighbours [draws, dimensions] with all moved dimensions drawn together, evenly on their scale."""
    unit = random.random((draws, len(space)))
    sets = np.tile(centre, (draws, 1))
    for k in np.flatnonzero(moved):
        low, high = reach(space[k], float(centre[k]))
        if space[k].log:
            values = low * (high / low) ** unit[:, k]
        else:
            values = low + unit[:, k] * (high - low)
        sets[:, k] = space[k].clip(values)
    return sets


def neighbours(
    space: Space, centre: np.ndarray, seed: int = 1, draws: int = DRAWS, allowed: Allowed | None = None, moved: np.ndarray | None = None
) -> np.ndarray:
    """Joint draws around a set that meet the constraints, float64 [draws, dimensions]; switches and words stay.

    centre: float64 [dimensions], a set of the space. moved: bool [dimensions], default all. Raises InputError when hardly any
    neighbour meets the constraints.
    """
    if centre.shape != (len(space),) or any(not one.low <= value <= one.high for one, value in zip(space, centre, strict=True)):
        raise InputError("centre is refused: it must be one set of the space, a number a dimension within its range")
    random = np.random.default_rng(seed)
    moving = np.array([one.values is None for one in space]) & (True if moved is None else moved)
    found: list[np.ndarray] = []
    for _ in range(_MOST_BATCHES):
        found.append(passing(allowed, _draw(space, centre, moving, draws, random)))
        if sum(len(sets) for sets in found) >= draws:
            return np.concatenate(found)[:draws]
    raise InputError("constraints are refused: hardly any neighbour of the set meets them")


def _scored(evaluate: Evaluate, sets: np.ndarray) -> np.ndarray:
    """Scores of a batch, float64 [sets]."""
    scores = np.asarray(evaluate(sets), dtype=np.float64)
    if scores.shape != (len(sets),):
        raise InputError(f"evaluate is refused: it must give one score a set, {len(sets)}, not an array of shape {scores.shape}")
    return scores


def neighbourhood_mean(scores: np.ndarray) -> float:
    """Mean score; a set without a finite score counts as the worst finite one there, and as no more than zero."""
    finite = np.isfinite(scores)
    if not finite.any():
        return -math.inf
    return float(np.mean(np.where(finite, scores, min(float(scores[finite].min()), 0.0))))


def moving_dimensions(space: Space, centre: np.ndarray, evaluate: Evaluate, best: float, allowed: Allowed | None = None) -> np.ndarray:
    """Which dimensions change the score when moved alone to either end of their reach, bool [dimensions].

    An end that breaks the constraints is not run; a dimension both of whose ends break them counts as one that matters.
    """
    tries, of = [], []
    for k, dimension in enumerate(space):
        for end in {float(one) for one in dimension.clip(reach(dimension, float(centre[k])))} - {float(centre[k])}:
            row = centre.copy()
            row[k] = end
            tries.append(row)
            of.append(k)
    moves = np.zeros(len(space), dtype=bool)
    if not tries:
        return moves
    sets, at = np.array(tries), np.array(of)
    runnable = np.ones(len(sets), dtype=bool) if allowed is None else np.asarray(allowed(sets), dtype=bool)
    moves[at] = True
    moves[at[runnable]] = False
    if runnable.any():
        scores = _scored(evaluate, sets[runnable])
        moves[at[runnable][scores != best]] = True  # NaN, no score any more, is a change too
    return moves


def plateau(
    space: Space, centre: Any, evaluate: Evaluate, seed: int = 1, allowed: Allowed | None = None, best: float | None = None
) -> Plateau:
    """The plateau test of one set.

    Dimensions that change nothing when moved alone are left out, so that a set is not called robust in what does not matter. When
    none changes anything, all numbers are drawn: the score may be at the top of its scale, where a strong edge stands.
    best: the score to hold the neighbours against, default the set's own. evaluate: sets [sets, dimensions] -> scores [sets].
    Raises InputError for a set outside the space.
    """
    row = np.asarray(centre, dtype=np.float64)
    own = float(_scored(evaluate, row[np.newaxis, :])[0])
    against = own if best is None else best
    moved = moving_dimensions(space, row, evaluate, own, allowed)
    left_out = tuple(dimension.name for dimension, moves in zip(space, moved, strict=True) if not moves)
    if not moved.any():
        moved = np.array([dimension.values is None for dimension in space])
    if not moved.any():
        return Plateau(math.nan, math.nan, against, left_out, np.zeros((0, len(space))), np.zeros(0))
    sets = neighbours(space, row, seed, allowed=allowed, moved=moved)
    scores = _scored(evaluate, sets)
    share = float(np.mean(scores >= 0.5 * against)) if against > 0.0 and math.isfinite(against) else math.nan
    return Plateau(share, neighbourhood_mean(scores), against, left_out, sets, scores)


@dataclass(frozen=True)
class Winner:
    """Which candidate stands on the best neighbourhood: its place among the candidates given, and the mean of each that was tried.

    means: float64 [candidates], NaN for those not among the best by their own score.
    """

    index: int
    means: np.ndarray = field(compare=False)


def choose_winner(
    space: Space, candidates: Any, scores: Any, evaluate: Evaluate, seed: int = 1, allowed: Allowed | None = None, most: int = CANDIDATES
) -> Winner:
    """The candidate with the best neighbourhood mean among the `most` of best own score.

    candidates: float64 [candidates, dimensions]; scores: float64 [candidates], NaN for infeasible ones, which are passed over.
    All neighbours are evaluated as one batch. Every candidate is moved by the same random numbers. Of equal means the higher
    own score wins, then the earlier one. Raises InputError when no candidate has a score.
    """
    rows, own = np.asarray(candidates, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if rows.ndim != 2 or own.shape != (len(rows),):
        raise InputError("candidates are refused: they must be rows of sets with one score each")
    order = np.argsort(-own, kind="stable")
    top = [int(k) for k in order if math.isfinite(own[k])][:most]
    if not top:
        raise InputError("candidates are refused: none of them has a score")
    batch = np.concatenate([neighbours(space, rows[k], seed, allowed=allowed) for k in top])
    found = _scored(evaluate, batch).reshape(len(top), DRAWS)
    means = np.full(len(rows), math.nan)
    means[top] = [neighbourhood_mean(one) for one in found]
    return Winner(max(top, key=lambda k: (float(means[k]), float(own[k]), -k)), means)
