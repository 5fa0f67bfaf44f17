"""A store of trials in any storage of Optuna, shared by all workers of a study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from optuna.exceptions import DuplicatedStudyError, StorageInternalError
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from backtest.optimization.encoding import frozen_trials, trial_from
from backtest.optimization.evaluation import Evaluation
from backtest.optimization.leases import LEASE_SECONDS, POLL_SECONDS, Leases
from backtest.optimization.parts import Part
from backtest.optimization.proposer import distribution_of
from backtest.optimization.records import DESIGN, Lease, Trial
from backtest.optimization.space import Dimension
from backtest.optimization.writing import keep_batch

LEASES = ".leases"  # what the companion study's name ends in
HOLDOUT = "holdout"
DROPPED = "dropped"

_T = TypeVar("_T")


def study_number(storage: BaseStorage, name: str) -> int:
    """The storage's number of a study, which is made when it is not there; two workers may ask at once."""
    try:
        return storage.get_study_id_from_name(name)
    except KeyError:
        try:
            return storage.create_new_study([StudyDirection.MAXIMIZE], name)
        except DuplicatedStudyError:
            return storage.get_study_id_from_name(name)


class OptunaStore:
    """The trials of one study; see `records.Store`. One thread uses it.

    A trial counts when the lease that it was run under ended well, so that a batch is there as a whole or not at all. What is known is
    kept in memory, and only the leases are read again at every step: trials are read when another worker has finished some.
    """

    def __init__(
        self,
        storage: BaseStorage,
        name: str,
        space: Sequence[Dimension],
        lease_seconds: float = LEASE_SECONDS,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self.storage = storage
        self.name = name
        self.space = tuple(space)
        self.study = study_number(storage, name)
        self.leases = Leases(storage, study_number(storage, name + LEASES), lease_seconds, poll_seconds)
        self._distributions = {dimension.name: distribution_of(dimension) for dimension in space}
        self._batches: dict[int, list[Trial]] = {}
        self._dropped: dict[str, list[int]] = self.attribute(DROPPED) or {}

    def trials(self, window: int) -> list[Trial]:
        """All trials of a window (-1: robust mode) that are there, in order of number."""
        return [trial for trial in self.all_trials() if trial.window == window]

    def all_trials(self) -> list[Trial]:
        """All trials of the study in order of number."""
        kept = [entry.lease.number for entry in again(self.leases.entries) if entry.is_kept]
        if any(number not in self._batches for number in kept):
            self._read(set(kept))
        gone = {number for numbers in self._dropped.values() for number in numbers}
        found = (trial for number in kept for trial in self._batches.get(number, ()) if trial.number not in gone)
        return sorted(found, key=lambda trial: trial.number)

    def lease(self, kind: str, window: int, total: int, most: int) -> Lease | None:
        """See `records.Store.lease`. Waits while only other workers have something to run, which may come back."""
        return again(lambda: self.leases.claim(kind, window, total, most))

    def renew(self, lease: Lease) -> None:  # noqa: ARG002  # the protocol names one; all wait for their turn and are renewed
        """Say that this worker lives; counts for all its leases."""
        again(self.leases.renew)

    def commit(self, lease: Lease, evaluations: Sequence[Evaluation]) -> list[Trial] | None:
        """See `records.Store.commit`."""
        identity = self.leases.identity(lease)
        if identity is None:
            return None
        frozen = frozen_trials(lease, evaluations, self._distributions)
        kept = again(lambda: keep_batch(self.storage, self.study, identity, frozen))
        if not kept:
            # It had run out; or, when the line broke after the server had kept it, it is there nevertheless.
            kept = again(lambda: self.storage.get_trial(identity)).state is TrialState.COMPLETE
        self.leases.forget(lease)
        if not kept:
            return None
        self._read({lease.number})
        return self._batches[lease.number]

    def release(self) -> None:
        """Give back the leases of this worker, when it stops before its work is done."""
        again(self.leases.release)

    def drop(self, window: int, numbers: Sequence[int]) -> None:
        """Pass over these trials of the search from now on. They stay counted: they are not run again, and the evidence knows of them.

        No storage of Optuna takes single trials away, so they are listed with the study and no bytes are freed.
        """
        mine = {trial.number for trial in self.trials(window) if trial.kind != DESIGN}
        self._dropped = {**self._dropped, str(window): sorted({*self._dropped.get(str(window), []), *(mine & set(numbers))})}
        self.set_attribute(DROPPED, self._dropped)

    def dropped(self, window: int) -> int:
        """How many trials of a window were run and are passed over."""
        return len(self._dropped.get(str(window), []))

    @property
    def size(self) -> int:
        """Trials that were run, those passed over among them."""
        return len(self.all_trials()) + sum(len(numbers) for numbers in self._dropped.values())

    def touch_holdout(self, part: Part) -> None:
        """Record that this study has looked at the bars of a holdout, how often, and how many trials it had run each time."""
        seen = self.attribute(HOLDOUT) or {"times": 0, "trials": []}
        trials = sorted({*seen["trials"], self.size})
        self.set_attribute(HOLDOUT, {"begin": part.begin, "end": part.end, "times": int(seen["times"]) + 1, "trials": trials})

    def attribute(self, key: str) -> Any:
        """A plain value kept with the study, None when it is not there."""
        return again(lambda: self.storage.get_study_user_attrs(self.study)).get(key)

    def set_attribute(self, key: str, value: Any) -> None:
        """Keep a plain value with the study."""
        again(lambda: self.storage.set_study_user_attr(self.study, key, value))

    def _read(self, kept: set[int]) -> None:
        """Take in the trials of leases that are not known yet. Of a batch written twice (a broken line) the first counts."""
        names = [dimension.name for dimension in self.space]
        found: dict[int, dict[int, Trial]] = {}
        for frozen in again(lambda: self.storage.get_all_trials(self.study, deepcopy=False)):
            origin = frozen.user_attrs.get("origin")
            if origin is not None and origin["lease"] in kept and origin["lease"] not in self._batches:
                found.setdefault(origin["lease"], {}).setdefault(origin["index"], trial_from(frozen, names))
        self._batches.update({lease: [batch[index] for index in sorted(batch)] for lease, batch in found.items()})


def again(ask: Callable[[], _T]) -> _T:
    """Ask a storage, and ask again when it is busy or the line to it broke: four times more within a quarter of a minute."""
    for attempt in Retrying(
        retry=retry_if_exception_type(StorageInternalError),
        stop=stop_after_attempt(5),
        wait=wait_exponential(multiplier=0.5, max=8.0),
        reraise=True,
    ):
        with attempt:
            return ask()
    raise AssertionError("tenacity ends by a value or an error")
