"""Workers killed at random moments: the same command goes on, and nothing is lost or doubled beyond the batch in flight."""

from __future__ import annotations

from pathlib import Path

import pytest

from backtest.optimization.storages import open_storage
from backtest.optimization.store import OptunaStore
from tests.optimization.fake_search import SPACE
from tests.optimization.killed_workers import STUDY, check_whole, finish, kill, kill_and_resume, start_together, wait_for_hands

ENDINGS = ["log", "db"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_killed_search_goes_on(tmp_path: Path, ending: str) -> None:
    storage = str(tmp_path / f"studies.{ending}")
    assert kill_and_resume(storage, 600, kills=2, seed=1, longest=0.6) >= 1  # the first has more to do than its time allows
    store = check_whole(storage, 600)
    kept = sum(entry.is_kept for entry in store.leases.entries())
    assert kept >= (600 + 32) // 8  # at least so many batches; those in flight were run again


def test_two_workers_of_a_journal_share_the_work_and_one_is_killed(tmp_path: Path) -> None:
    storage = str(tmp_path / "studies.log")
    first, second = start_together(2, storage, 400, 0.1)
    wait_for_hands(OptunaStore(open_storage(storage), STUDY, SPACE), [first, second])
    assert kill(first)
    assert finish(second) == 432
    check_whole(storage, 400)


@pytest.mark.slow
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("seed", range(4))
def test_a_search_killed_many_times_goes_on(tmp_path: Path, ending: str, seed: int) -> None:
    storage = str(tmp_path / f"studies.{ending}")
    hits = kill_and_resume(storage, 2000, kills=12, seed=seed, longest=0.5)
    assert hits >= 6
    check_whole(storage, 2000)
