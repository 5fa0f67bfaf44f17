"""What is kept of a trial, and what a store of trials must do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from backtest.optimization.cells import Figures
from backtest.optimization.evaluation import Evaluation

DESIGN, SEARCH = "design", "search"


@dataclass(frozen=True, eq=False)
class Trial:
    """A set that was run.

    number: its place in the store. kind: DESIGN (a point of the Sobol design, `place` is which) or SEARCH (`place` is -1).
    window: which window it was optimized for, -1 for all together (robust mode). value: its score; guided: what the sampler is told.
    figures: one a cell. daily: float32 [days] of the train parts.
    """

    number: int
    kind: str
    place: int
    window: int
    parameters: Mapping[str, Any]
    value: float
    guided: float
    violations: tuple[float, ...]
    figures: tuple[Figures, ...]
    daily: np.ndarray

    @property
    def feasible(self) -> bool:
        """Whether every hard constraint is kept."""
        return all(one <= 0.0 for one in self.violations)


def trial_of(evaluation: Evaluation, number: int, kind: str, place: int, window: int) -> Trial:
    """An evaluation as a trial."""
    made = evaluation.score
    return Trial(
        number, kind, place, window, evaluation.parameters, made.value, made.guided, made.violations, evaluation.figures, evaluation.daily
    )


@dataclass(frozen=True)
class Lease:
    """The right to run `size` more trials of a window, or the design's points `places`; it ends when the worker stops renewing it."""

    number: int
    kind: str
    window: int
    size: int
    places: tuple[int, ...] = ()


class Store(Protocol):
    """Where trials are kept, shared by all workers of a study."""

    def trials(self, window: int) -> list[Trial]:
        """All trials of a window (-1: robust mode) that are there, in order of number."""
        ...

    def lease(self, kind: str, window: int, total: int, most: int) -> Lease | None:
        """At most `most` of the `total` trials of a kind that neither exist nor are leased to a living worker; None when none is left."""
        ...

    def renew(self, lease: Lease) -> None:
        """Say that the lease's worker lives."""
        ...

    def commit(self, lease: Lease, evaluations: Sequence[Evaluation]) -> list[Trial] | None:
        """Keep the results of a lease, all of them at once. None when the lease had run out: the answer comes late and is discarded."""
        ...

    def release(self) -> None:
        """Give back every lease of this worker, which stops before its work is done."""
        ...


class MemoryStore:
    """A store in memory, for one process: nothing outlives it."""

    def __init__(self) -> None:
        self._trials: dict[int, list[Trial]] = {}
        self._leases: dict[int, Lease] = {}
        self._dropped: dict[int, int] = {}
        self._count = 0
        self._issued = 0

    def trials(self, window: int) -> list[Trial]:
        """All trials of a window."""
        return list(self._trials.get(window, []))

    def drop(self, window: int, numbers: Sequence[int]) -> None:
        """Forget these trials of the search. They stay counted: they are not run again, and the evidence knows of them."""
        gone = set(numbers)
        kept = [trial for trial in self._trials.get(window, []) if trial.number not in gone or trial.kind == DESIGN]
        self._dropped[window] = self.dropped(window) + len(self._trials.get(window, [])) - len(kept)
        self._trials[window] = kept

    def dropped(self, window: int) -> int:
        """How many trials of a window were run and are kept no more."""
        return self._dropped.get(window, 0)

    def lease(self, kind: str, window: int, total: int, most: int) -> Lease | None:
        """See `Store.lease`."""
        mine = [one for one in self._leases.values() if (one.kind, one.window) == (kind, window)]
        done = [trial for trial in self._trials.get(window, []) if trial.kind == kind]
        if kind == DESIGN:
            taken = {trial.place for trial in done} | {place for one in mine for place in one.places}
            places = tuple(place for place in range(total) if place not in taken)[:most]
            size = len(places)
        else:
            places, size = (), min(most, total - len(done) - self.dropped(window) - sum(one.size for one in mine))
        if size <= 0:
            return None
        self._issued += 1
        lease = Lease(self._issued, kind, window, size, places)
        self._leases[lease.number] = lease
        return lease

    def renew(self, lease: Lease) -> None:
        """Nothing runs out in one process."""

    def release(self) -> None:
        """See `Store.release`."""
        self._leases.clear()

    def commit(self, lease: Lease, evaluations: Sequence[Evaluation]) -> list[Trial] | None:
        """See `Store.commit`."""
        if self._leases.pop(lease.number, None) is None:
            return None
        places = lease.places if lease.kind == DESIGN else (-1,) * len(evaluations)
        made = [
            trial_of(one, self._count + offset, lease.kind, place, lease.window)
            for offset, (one, place) in enumerate(zip(evaluations, places, strict=True))
        ]
        self._count += len(made)
        self._trials.setdefault(lease.window, []).extend(made)
        return made
