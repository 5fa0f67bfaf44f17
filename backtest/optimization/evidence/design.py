"""An unguided design of sets: points of a Sobol sequence, which fill the space evenly.

A sampler that learns crowds its trials where the score is high, so their spread and their ranks are biased; evidence about the
trials is taken from this design instead. Source of the scrambling: Owen, Scrambling Sobol' and Niederreiter-Xing Points,
Journal of Complexity 14 (1998), as in scipy.stats.qmc.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from backtest.optimization.space import Space, from_unit
from engine.errors import InputError

LEAST_SETS = 256
# Points drawn before the constraints are called impossible: one set in 256 of the least design may pass.
_MOST_POINTS = 1 << 16

# Sets [sets, dimensions] -> which of them may be run, bool [sets].
Allowed = Callable[[np.ndarray], np.ndarray]


def passing(allowed: Allowed | None, sets: np.ndarray) -> np.ndarray:
    """The sets that meet the constraints, in their order."""
    return sets if allowed is None else np.asarray(sets[np.asarray(allowed(sets), dtype=bool)])


def sobol_design(space: Space, count: int = LEAST_SETS, seed: int = 1, allowed: Allowed | None = None) -> np.ndarray:
    """The first `count` sets of a scrambled Sobol sequence that meet the constraints, float64 [count, dimensions].

    count: at least 256, best a power of two, at which the sequence is balanced. The same seed gives the same sets, and a larger
    design begins with the smaller one. Raises InputError for fewer sets, an empty space, or constraints that hardly any set meets.
    """
    from scipy.stats import qmc

    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or not LEAST_SETS <= count <= _MOST_POINTS:
        raise InputError(f"design = {count!r} is refused: it must be a whole number from {LEAST_SETS} to {_MOST_POINTS:,}")
    if not space:
        raise InputError("space is refused: it must have at least one dimension")
    sequence = qmc.Sobol(len(space), scramble=True, rng=np.random.default_rng(seed))
    found: list[np.ndarray] = []
    drawn = 0
    while sum(len(sets) for sets in found) < count:
        if drawn >= _MOST_POINTS:
            passed = sum(len(sets) for sets in found)
            raise InputError(f"constraints are refused: only {passed:,} of {drawn:,} sets meet them and {count:,} are needed")
        # The sequence is drawn in powers of two, each batch as long as all before it.
        points = sequence.random(drawn or LEAST_SETS)
        drawn += len(points)
        found.append(passing(allowed, from_unit(space, points)))
    return np.concatenate(found)[:count]
