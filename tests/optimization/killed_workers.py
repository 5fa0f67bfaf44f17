"""Worker processes that tests start and kill, and what must be in the storage after them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from backtest.optimization.records import DESIGN, SEARCH
from backtest.optimization.storages import open_storage
from backtest.optimization.store import OptunaStore
from tests.optimization import fake_search

ROOT = Path(__file__).resolve().parents[2]
STUDY = "killed"

# A worker that hangs must fail its test, not stop the suite; seconds.
PATIENCE = 120.0


def start(storage: str, trials: int, seconds: float) -> subprocess.Popen[str]:
    """A worker of the study, on its way when this returns."""
    return start_together(1, storage, trials, seconds)[0]


def start_together(count: int, storage: str, trials: int, seconds: float) -> list[subprocess.Popen[str]]:
    """Workers of the study, all of them on their way when this returns."""
    command = [sys.executable, "-m", "tests.optimization.fake_search", storage, STUDY, str(trials), str(seconds)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = [subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
    return started


def wait_for_hands(store: OptunaStore, workers: Sequence[subprocess.Popen[str]]) -> None:
    """Wait until each of the workers has kept a batch."""
    wanted = {worker.pid for worker in workers}
    end = time.monotonic() + PATIENCE
    while not wanted <= {entry.worker.process for entry in store.leases.entries() if entry.is_kept}:
        assert all(worker.poll() is None for worker in workers), "a worker ended before the others had begun"
        assert time.monotonic() < end, "the workers live, and keep nothing"
        time.sleep(0.02)


def kill(process: subprocess.Popen[str]) -> bool:
    """Kill a worker as the power going does. False when it had ended already."""
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    return process.returncode == -signal.SIGKILL


def finish(process: subprocess.Popen[str]) -> int:
    """Wait for a worker; gives how many trials it saw at its end."""
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    return int(out)


def kill_and_resume(storage: str, trials: int, kills: int, seed: int, longest: float) -> int:
    """Begin and kill a worker some times at random moments, then let the same command end. Gives how often it was hit at work."""
    moments = random.Random(seed)
    hits = 0
    for _ in range(kills):
        process = start(storage, trials, 0.01)
        time.sleep(moments.uniform(0.0, longest))
        hits += kill(process)
    assert finish(start(storage, trials, 0.0)) == fake_search.DESIGN + trials
    return hits


def check_whole(storage: str, trials: int) -> OptunaStore:
    """Each design point exactly once, each trial of the search exactly once, nothing held any more."""
    store = OptunaStore(open_storage(storage), STUDY, fake_search.SPACE)
    found = store.all_trials()
    assert Counter(one.kind for one in found) == {DESIGN: fake_search.DESIGN, SEARCH: trials}
    assert sorted(one.place for one in found if one.kind == DESIGN) == list(range(fake_search.DESIGN))
    assert len({one.number for one in found}) == len(found)
    for one in found:
        assert one.value == fake_search.evaluation(one.parameters).score.value
    assert len({tuple(one.parameters.values()) for one in found}) == len(found)
    assert not any(entry.runs for entry in store.leases.entries())
    return store
