"""CMA-ES on the unit cube: a normal distribution of sets that moves and stretches towards the better half of each generation.

Hansen and Ostermeier, Completely Derandomized Self-Adaptation in Evolution Strategies (2001), as in the package cmaes. Asked
directly, because a study of Optuna reads its whole history at every proposal, which at some thousand trials costs more than the runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backtest.optimization.records import Trial
from backtest.optimization.settings import Optimization
from backtest.optimization.space import Dimension, decoded, encoded, from_unit, to_unit

# The first step, as a share of each range.
FIRST_STEP = 1.0 / 6.0
LEAST_GENERATION = 4


class CovarianceProposer:
    """The interface of `proposer.Proposer`. A batch is a generation, so that no set is run in vain.

    It begins at the best set known, and anew at a random one when the distribution has shrunk to a point. Sets of other workers are
    not learned from: they are not of its distribution.
    """

    ahead = 1  # the next generation needs the one before
    _asked: list[tuple[dict[str, Any], np.ndarray]]  # sets and where they lie in the cube
    _told: list[tuple[np.ndarray, float]]  # of the generation in hand; lower is better

    def __init__(self, space: Sequence[Dimension], settings: Optimization, trials: Sequence[Trial] = (), seed: int | None = None) -> None:
        self._space = tuple(space)
        self._generation = max(LEAST_GENERATION, settings.batch)
        self._random = np.random.default_rng(settings.seed if seed is None else seed)
        best = max(trials, key=lambda trial: trial.guided, default=None)
        middle = np.full(len(self._space), 0.5)
        self._begin(middle if best is None else to_unit(self._space, encoded(self._space, best.parameters)[np.newaxis, :])[0])

    def ask(self, count: int) -> list[dict[str, Any]]:
        """`count` sets to run next."""
        return [self._next() for _ in range(count)]

    def instead_of(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Another set in place of one that cannot be run."""
        self._asked.pop(self._place(parameters))
        return self._next()

    def tell(self, trials: Sequence[Trial]) -> None:
        """What sets were worth; the distribution moves with each full generation."""
        for trial in trials:
            place = self._place(trial.parameters)
            if place >= 0:
                self._told.append((self._asked.pop(place)[1], -trial.guided))
        while len(self._told) >= self._generation:
            self._search.tell(self._told[: self._generation])
            self._told = self._told[self._generation :]
            if self._search.should_stop():
                self._begin(self._random.random(len(self._space)))

    def give_up(self) -> None:
        """Forget what was asked for and will not be told."""
        self._asked = []

    def _begin(self, mean: np.ndarray) -> None:
        from cmaes import CMA

        cube = np.tile([0.0, 1.0], (len(self._space), 1))
        seed = int(self._random.integers(2**31))
        self._search = CMA(mean=np.clip(mean, 0.0, 1.0), sigma=FIRST_STEP, bounds=cube, seed=seed, population_size=self._generation)
        self._asked = []
        self._told = []

    def _next(self) -> dict[str, Any]:
        point = self._search.ask()
        parameters = decoded(self._space, from_unit(self._space, point[np.newaxis, :])[0])
        self._asked.append((parameters, point))
        return dict(parameters)

    def _place(self, parameters: Mapping[str, Any]) -> int:
        return next((k for k, (one, _) in enumerate(self._asked) if one == dict(parameters)), -1)
