"""The store of trials: what goes in comes out to the bit, work is given out once, and late answers are discarded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import TrialState, create_trial

from backtest.optimization import store as store_module
from backtest.optimization import writing
from backtest.optimization.encoding import frozen_trials
from backtest.optimization.evaluation import Evaluation
from backtest.optimization.leases import Leases
from backtest.optimization.proposer import Proposer, distribution_of
from backtest.optimization.records import DESIGN, SEARCH, Lease, MemoryStore, Trial
from backtest.optimization.storages import open_storage
from backtest.optimization.store import OptunaStore
from backtest.optimization.worker import Worker
from tests.optimization.fake_search import BATCH, SPACE, design, evaluation, search

NO_PROCESS = 2**22 + 1  # above the highest number that Linux gives


@pytest.fixture(params=["journal", "sqlite", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> BaseStorage:
    if request.param == "memory":
        return InMemoryStorage()
    return open_storage(str(tmp_path / {"journal": "studies.log", "sqlite": "studies.db"}[request.param]))


def a_store(storage: BaseStorage, name: str = "study") -> OptunaStore:
    return OptunaStore(storage, name, SPACE, poll_seconds=0.001)


def as_rows(trials: Sequence[Trial]) -> list[str]:
    """Everything of each trial, NaN included, comparable."""
    return [repr((*(getattr(one, name) for name in one.__dataclass_fields__ if name != "daily"), one.daily.tobytes())) for one in trials]


def end(lease: Lease) -> list:
    return [evaluation(design()[place % 32]) for place in (lease.places or range(lease.size))]


def test_a_search_leaves_the_same_trials_in_every_store(storage: BaseStorage) -> None:
    expected = search(MemoryStore(), 20)
    assert len(expected) == 52
    store = a_store(storage)
    assert as_rows(search(store, 20)) == as_rows(expected)
    assert as_rows(a_store(storage).trials(-1)) == as_rows(expected)  # out of the storage itself
    assert all(one.daily.dtype == np.float32 for one in a_store(storage).trials(-1))


def test_a_finished_search_runs_nothing_again_and_a_longer_one_goes_on(storage: BaseStorage) -> None:
    first = search(a_store(storage), 8)
    assert as_rows(search(a_store(storage), 8)) == as_rows(first)
    longer = search(a_store(storage), 24)
    assert as_rows(longer[: len(first)]) == as_rows(first)
    assert len(longer) == len(first) + 16
    proposed = [tuple(one.parameters.values()) for one in longer if one.kind == SEARCH]
    assert len(set(proposed)) == len(proposed)  # nothing is proposed twice


def test_windows_and_studies_are_apart(storage: BaseStorage) -> None:
    store, other = a_store(storage), a_store(storage, "other")
    search(store, 8, window=0)
    assert (len(store.trials(0)), len(store.trials(1)), len(other.all_trials())) == (40, 0, 0)
    search(store, 8, window=1)
    assert (len(store.trials(1)), len(store.all_trials())) == (40, 80)


def test_two_workers_are_given_different_work(storage: BaseStorage) -> None:
    one, two = a_store(storage), a_store(storage)
    leases = [worker.lease(DESIGN, -1, 20, 8) for worker in (one, two, one)]
    assert [lease.places for lease in leases if lease] == [tuple(range(8)), tuple(range(8, 16)), tuple(range(16, 20))]
    assert one.lease(DESIGN, -1, 20, 8) is None
    sizes = [worker.lease(SEARCH, -1, 20, 8) for worker in (one, two, one)]
    assert [lease.size for lease in sizes if lease] == [8, 8, 4]
    assert two.lease(SEARCH, -1, 20, 8) is None


def test_of_two_claims_to_the_same_the_earlier_wins(storage: BaseStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = a_store(storage), a_store(storage)
    standing = two.leases._standing
    seen = standing(DESIGN, -1)  # two has looked, and then one is faster
    first = one.lease(DESIGN, -1, 12, 8)
    stale = [seen]
    monkeypatch.setattr(two.leases, "_standing", lambda *which: stale.pop() if stale else standing(*which))
    second = two.lease(DESIGN, -1, 12, 8)
    assert first is not None
    assert second is not None
    assert (first.places, second.places) == (tuple(range(8)), tuple(range(8, 12)))
    assert second.number == 3  # the claim that lost has the number between
    states = [entry.state for entry in one.leases.entries()]
    assert states == [TrialState.RUNNING, TrialState.FAIL, TrialState.RUNNING]


def test_a_lease_that_is_not_renewed_runs_out_and_its_late_answer_is_discarded(
    storage: BaseStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    one, two = a_store(storage), a_store(storage)
    two.leases._clock = lambda: now[0]
    lost = one.lease(SEARCH, -1, 8, 8)
    assert lost is not None
    two.leases._mine[99] = (0, 0)  # so that it does not wait for the other
    assert two.lease(SEARCH, -1, 8, 8) is None  # from here its clock counts
    now[0] = 59.0
    one.renew(lost)
    now[0] = 70.0
    assert two.lease(SEARCH, -1, 8, 8) is None  # the beat went on
    now[0] = 131.0
    taken = two.lease(SEARCH, -1, 8, 8)
    assert taken is not None
    one.renew(lost)  # a worker that slept wakes
    assert one.commit(lost, end(lost)) is None
    assert two.trials(-1) == one.trials(-1) == []
    assert len(two.commit(taken, end(taken)) or []) == 8
    assert len(one.trials(-1)) == 8
    assert one.commit(taken, end(taken)) is None  # not its own


def test_the_lease_of_a_process_that_is_gone_runs_out_at_once(storage: BaseStorage) -> None:
    here = Worker.this()
    gone = replace(here, process=NO_PROCESS)
    reused = replace(here, started="1")  # another process has its number now
    elsewhere = replace(gone, host="another")  # nothing is known of the other machine
    for window, worker in enumerate((here, gone, reused, elsewhere)):
        store = a_store(storage)
        store.leases.worker = replace(worker, token=str(window))
        assert store.lease(DESIGN, window, 8, 8) is not None
    looks = a_store(storage)
    looks.leases._mine[99] = (0, 0)  # so that it does not wait for the others
    assert [looks.lease(DESIGN, window, 8, 8) is not None for window in range(4)] == [False, True, True, False]


def test_what_is_given_back_is_given_out_again(storage: BaseStorage) -> None:
    one, two = a_store(storage), a_store(storage)
    assert one.lease(DESIGN, -1, 8, 8) is not None
    one.release()
    again = two.lease(DESIGN, -1, 8, 8)
    assert again is not None
    assert again.places == tuple(range(8))


def test_a_search_that_is_stopped_gives_its_leases_back(storage: BaseStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    store = a_store(storage)
    monkeypatch.setattr(store, "commit", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        search(store, 8)
    assert not any(entry.runs for entry in store.leases.entries())
    assert len(search(a_store(storage), 8)) == 40


def test_trials_written_without_the_end_of_their_lease_do_not_count(storage: BaseStorage) -> None:
    killed = a_store(storage)
    killed.leases.worker = replace(Worker.this(), process=NO_PROCESS)
    lease = killed.lease(DESIGN, -1, 32, 8)
    assert lease is not None
    distributions = {dimension.name: distribution_of(dimension) for dimension in SPACE}
    for frozen in frozen_trials(lease, end(lease), distributions)[:5]:
        storage.create_new_trial(killed.study, frozen)
    assert a_store(storage).trials(-1) == []
    trials = search(a_store(storage), 8)
    assert sorted(one.place for one in trials if one.kind == DESIGN) == list(range(32))
    assert len(trials) == 40


def test_a_broken_line_after_the_writing_doubles_nothing(storage: BaseStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    store = a_store(storage)
    lease = store.lease(DESIGN, -1, 8, 8)
    assert lease is not None
    tries = []

    def keep(*everything: object) -> bool:
        tries.append(1)
        kept = writing.keep_batch(*everything)
        if len(tries) == 1:
            raise StorageInternalError("the line broke")
        return kept

    monkeypatch.setattr(store_module, "keep_batch", keep)
    monkeypatch.setattr(store_module, "wait_exponential", lambda **_: 0.0)
    made = store.commit(lease, end(lease))
    assert [one.place for one in made or []] == list(range(8))
    assert len(tries) == 2
    assert as_rows(a_store(storage).trials(-1)) == as_rows(made or [])


def test_a_worker_without_work_waits_for_what_others_may_give_back(storage: BaseStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = a_store(storage), a_store(storage)
    lease = one.lease(DESIGN, -1, 8, 8)
    assert lease is not None
    waits = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        assert len(waits) < 50, "waits for ever"
        if len(waits) == 3:
            one.release()

    monkeypatch.setattr("backtest.optimization.leases.time.sleep", sleep)
    taken = two.lease(DESIGN, -1, 8, 8)
    assert taken is not None
    assert len(waits) == 3
    two.commit(taken, end(taken))
    assert two.lease(DESIGN, -1, 8, 8) is None  # all is done: no waiting
    assert len(waits) == 3


def test_a_torn_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "studies.log"
    search(a_store(open_storage(str(path))), 8)
    whole = path.read_bytes()
    for torn in (b'{"op_code":4,"worker', b"x" * 9000, b"\0" * 3):
        path.write_bytes(whole + torn)
        store = a_store(open_storage(str(path)))
        assert len(store.trials(-1)) == 40
        store.set_attribute("note", 1)
        assert path.read_bytes().startswith(whole + b'{"op_code":2')
        assert a_store(open_storage(str(path))).attribute("note") == 1


def test_batches_are_one_write_in_a_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = []
    store = a_store(open_storage(str(tmp_path / "studies.log")))
    lease = store.lease(DESIGN, -1, BATCH, BATCH)
    assert lease is not None
    monkeypatch.setattr("backtest.optimization.storages.os.fsync", syncs.append)
    store.commit(lease, end(lease))
    assert len(syncs) == 1


def test_only_new_leases_and_trials_are_read_again(storage: BaseStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    store = a_store(storage)
    search(store, 8)
    decoded, asked = [], []
    monkeypatch.setattr(store_module, "trial_from", lambda *_: decoded.append(1))
    monkeypatch.setattr(store_module.OptunaStore, "_read", lambda *_: asked.append(1))
    assert len(store.trials(-1)) == 40
    assert (decoded, asked) == ([], [])


def test_leases_of_the_own_process_that_nobody_holds_are_ended(storage: BaseStorage) -> None:
    store = a_store(storage)
    leases: Leases = store.leases
    wish = {"kind": DESIGN, "window": -1, "size": 8, "places": list(range(8)), "worker": leases.worker.as_json()}
    storage.create_new_trial(leases._study, create_trial(state=TrialState.RUNNING, user_attrs={"lease": wish, "beat": 0}))
    lease = store.lease(DESIGN, -1, 8, 8)
    assert lease is not None
    assert lease.number == 2


def test_trials_that_are_dropped_stay_counted_and_are_not_run_again(storage: BaseStorage) -> None:
    store = a_store(storage)
    trials = search(store, 16)
    gone = [one.number for one in trials if one.kind == SEARCH][3:]
    store.drop(-1, [*gone, trials[0].number])  # the design stays: the evidence needs it
    for seen in (store, a_store(storage)):
        assert [one.number for one in seen.trials(-1)] == [one.number for one in trials if one.number not in gone]
        assert (seen.dropped(-1), seen.dropped(0)) == (13, 0)
    assert len(search(a_store(storage), 16)) == 48 - 13
    assert len(search(a_store(storage), 24)) == 48 - 13 + 8


def test_a_search_learns_from_the_trials_of_other_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = InMemoryStorage()
    mine, other = a_store(storage), a_store(storage)
    told: list[Trial] = []
    tell, commit = Proposer.tell, mine.commit

    def told_too(self: Proposer, trials: Sequence[Trial]) -> None:
        told.extend(trials)
        tell(self, trials)

    def other_first(lease: Lease, evaluations: Sequence[Evaluation]) -> list[Trial] | None:
        beside = other.lease(SEARCH, -1, 64, 8) if lease.kind == SEARCH else None
        if beside is not None:
            other.commit(beside, end(beside))
        return commit(lease, evaluations)

    monkeypatch.setattr(Proposer, "tell", told_too)
    monkeypatch.setattr(mine, "commit", other_first)
    everything = search(mine, 64)
    assert len(everything) == 96
    assert sorted(one.number for one in told) == sorted(one.number for one in everything if one.kind == SEARCH)
