"""The right to run a batch, shared by processes that know nothing of each other but the storage.

A lease is a trial of the companion study `<study>.leases`: RUNNING while its worker has it, COMPLETE when its trials are kept, FAIL
when it was given up or ran out. Two things that every storage of Optuna does make this safe: a new trial gets a number that no
other has, in order, and a trial that has ended cannot be ended again.

Who wants work writes down a claim and then reads all of them: of two claims to the same work the lower number wins, the other is
given up. A lease runs out when its worker's beat has stood still for `seconds` on the clock of whoever looks on, so that the clocks of
two machines are never compared; when the worker ran on the same machine and is gone, it runs out at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from backtest.optimization.records import DESIGN, Lease
from backtest.optimization.worker import Worker
from backtest.optimization.writing import end_lease

LEASE_SECONDS = 60.0
# How often a worker that has nothing left to run looks whether the others are done.
POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Entry:
    """One lease as it stands in the storage. `identity` is the storage's name for it, `beat` counts its renewals."""

    lease: Lease
    identity: int
    state: TrialState
    worker: Worker
    beat: int

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self.state is TrialState.RUNNING

    @property
    def is_kept(self) -> bool:
        """Whether its trials are in the storage and count."""
        return self.state is TrialState.COMPLETE


class Leases:
    """The leases of one study, seen by one worker. `study` is the storage's number of the companion study."""

    def __init__(
        self,
        storage: BaseStorage,
        study: int,
        seconds: float = LEASE_SECONDS,
        poll: float = POLL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.worker = Worker.this()
        self._storage = storage
        self._study = study
        self._seconds = seconds
        self._poll = poll
        self._clock = clock
        self._ended: dict[int, Entry] = {}
        self._beats: dict[int, tuple[int, float]] = {}
        self._mine: dict[int, tuple[int, int]] = {}  # number -> identity and beat

    def entries(self) -> list[Entry]:
        """All leases in order of number."""
        found = []
        for frozen in self._storage.get_all_trials(self._study, deepcopy=False):
            entry = self._ended.get(frozen.number)
            if entry is None:
                entry = _entry(frozen)
                if not entry.runs:
                    self._ended[frozen.number] = entry
            found.append(entry)
        return found

    def claim(self, kind: str, window: int, total: int, most: int) -> Lease | None:
        """See `Store.lease`. A worker that holds none waits for what others still run: it may come back to be run again."""
        while True:
            standing = self._standing(kind, window)
            places, size = _free(standing, kind, total, most)
            if size > 0:
                lease = self._win(kind, window, total, size, places)
                if lease is not None:
                    return lease
            elif self._mine or not any(entry.runs for entry in standing):
                return None
            else:
                time.sleep(self._poll)

    def renew(self) -> None:
        """Beat for every lease of this worker: those that wait for their turn must not run out either."""
        for number, (identity, beat) in list(self._mine.items()):
            try:
                self._storage.set_trial_user_attr(identity, "beat", beat + 1)
                self._mine[number] = (identity, beat + 1)
            except UpdateFinishedTrialError:  # it ran out; its answer will be refused
                continue

    def identity(self, lease: Lease) -> int | None:
        """The storage's name of a lease of this worker, None when it has none of that number."""
        held = self._mine.get(lease.number)
        return None if held is None else held[0]

    def forget(self, lease: Lease) -> None:
        """The lease has ended."""
        self._mine.pop(lease.number, None)

    def release(self) -> None:
        """Give back all leases of this worker."""
        for identity, _ in list(self._mine.values()):
            end_lease(self._storage, identity)
        self._mine.clear()

    def _standing(self, kind: str, window: int) -> list[Entry]:
        """Leases of a kind and window that are kept or held by somebody alive; those that ran out are ended."""
        found = []
        for entry in self.entries():
            if (entry.lease.kind, entry.lease.window) != (kind, window) or not (entry.runs or entry.is_kept):
                continue
            if entry.runs and self._has_run_out(entry):
                end_lease(self._storage, entry.identity)
                return self._standing(kind, window)
            found.append(entry)
        return found

    def _has_run_out(self, entry: Entry) -> bool:
        if entry.worker.token == self.worker.token:
            # Its own, but not held: the claim was written and this worker never heard of it.
            return entry.lease.number not in self._mine
        if entry.worker.is_gone:
            return True
        beat, since = self._beats.get(entry.lease.number, (-1, 0.0))
        if beat != entry.beat:
            self._beats[entry.lease.number] = (entry.beat, self._clock())
            return False
        return self._clock() - since > self._seconds

    def _win(self, kind: str, window: int, total: int, size: int, places: tuple[int, ...]) -> Lease | None:
        """Claim, and see whether an earlier claim wants the same. None when it does."""
        wish = {"kind": kind, "window": window, "size": size, "places": list(places), "worker": self.worker.as_json()}
        template = create_trial(state=TrialState.RUNNING, user_attrs={"lease": wish, "beat": 0})
        identity = self._storage.create_new_trial(self._study, template)
        number = self._storage.get_trial(identity).number
        earlier = []
        for entry in self.entries():
            same = (entry.lease.kind, entry.lease.window) == (kind, window)
            if same and (entry.is_kept or (entry.runs and entry.lease.number < number + 1)):
                earlier.append(entry)
        lease = Lease(number + 1, kind, window, size, places)
        if _clash(earlier, lease, total):
            end_lease(self._storage, identity)
            return None
        self._mine[lease.number] = (identity, 0)
        return lease


def _entry(frozen: FrozenTrial) -> Entry:
    wish: dict[str, Any] = frozen.user_attrs["lease"]
    # Numbers begin at 1, as those of the store in memory do.
    lease = Lease(frozen.number + 1, wish["kind"], wish["window"], wish["size"], tuple(wish["places"]))
    return Entry(lease, frozen._trial_id, frozen.state, Worker(**wish["worker"]), frozen.user_attrs["beat"])  # noqa: SLF001  # its only name


def _free(standing: Sequence[Entry], kind: str, total: int, most: int) -> tuple[tuple[int, ...], int]:
    """Places of the design, or a number of trials, that nobody has or has done."""
    if kind == DESIGN:
        taken = {place for entry in standing for place in entry.lease.places}
        places = tuple(place for place in range(total) if place not in taken)[:most]
        return places, len(places)
    return (), min(most, total - sum(entry.lease.size for entry in standing))


def _clash(earlier: Sequence[Entry], lease: Lease, total: int) -> bool:
    if lease.kind == DESIGN:
        return any(place in entry.lease.places for entry in earlier for place in lease.places)
    return sum(entry.lease.size for entry in earlier) + lease.size > total
