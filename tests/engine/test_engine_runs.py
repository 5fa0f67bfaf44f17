"""One run is one result: in pieces, in several threads at once, with a log that must grow, or with none."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest

from engine import machine as machine_module
from engine.errors import InputError
from engine.machine import Machine, check_status
from engine.records import OK, TOO_MANY_EVENTS, TOO_MANY_LOTS, TOO_MANY_ORDERS
from tests.agreement.compared import IEEE_RULES
from tests.agreement.compiled import feed_of, machine_of
from tests.conftest import COMPILED
from tests.twin.random_runs import random_run

pytestmark = IEEE_RULES

SEEDS = range(40_000, 40_000 + (12 if COMPILED else 3))
KINDS = ("ordinary", "violent")
BARS = 150
# A few of a busy run's bars fill a log of this many events.
SMALL_LOG = 64


def state_of(machine: Machine) -> bytes:
    """Everything a run leaves behind."""
    return b"".join(part.tobytes() for part in (machine.accounts, machine.states, machine.memory))


def whole(run: dict[str, Any], recording: bool = True) -> tuple[bytes, bytes, bytes]:
    machine, feed = machine_of(run, recording), feed_of(run)
    log, equity = machine.run(feed, machine.indicators(feed), run["trade_from"])
    return log.tobytes(), equity.tobytes(), state_of(machine)


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_of_a_run_are_the_run(kind: str) -> None:
    for seed in SEEDS:
        run = random_run(seed, BARS, kind)
        expected = whole(run)
        for cuts in ([75], [41, 42, 120], list(range(41, BARS, 7))):
            machine, feed = machine_of(run), feed_of(run)
            table = machine.indicators(feed)
            ends = [run["trade_from"], *cuts, BARS]
            parts = [machine.run(feed, table, start, stop) for start, stop in pairwise(ends)]
            log, equity = (b"".join(part[j].tobytes() for part in parts) for j in (0, 1))
            assert (log, equity, state_of(machine)) == expected, (seed, cuts)


def test_a_machine_that_is_reset_begins_anew() -> None:
    run = random_run(40_001, BARS)
    machine, feed = machine_of(run), feed_of(run)
    table = machine.indicators(feed)
    results = []
    for _ in range(2):
        log, equity = machine.run(feed, table, run["trade_from"])
        results.append((log.tobytes(), equity.tobytes(), state_of(machine)))
        machine.reset(run["account"]["capital"])
    assert results[0] == results[1] == whole(run)
    assert len(results[0][0]) > 0


def test_threads_do_not_change_results() -> None:
    runs = [random_run(seed, BARS, kind) for kind in KINDS for seed in SEEDS]
    expected = [whole(run) for run in runs]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            assert list(pool.map(whole, runs)) == expected
        # The same run in all of them, at the same time, on arrays that all of them read.
        run = runs[1]
        feed = feed_of(run)
        table = machine_of(run).indicators(feed)

        def on_shared_arrays(_: int) -> tuple[bytes, bytes, bytes]:
            machine = machine_of(run)
            log, equity = machine.run(feed, table, run["trade_from"])
            return log.tobytes(), equity.tobytes(), state_of(machine)

        assert set(pool.map(on_shared_arrays, range(16))) == {expected[1]}


def test_a_log_that_is_too_small_grows_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    grown = 0
    for seed in SEEDS:
        run = random_run(seed, BARS)
        expected = whole(run)
        events = len(expected[0]) // machine_module.event_dtype.itemsize
        with monkeypatch.context() as patch:
            patch.setattr(machine_module, "MAX_EVENTS", SMALL_LOG)
            assert whole(run) == expected
        grown += events > BARS + SMALL_LOG
    assert grown >= len(SEEDS) // 4  # those logs grew more than once


def test_recording_changes_nothing_but_the_log() -> None:
    for kind in KINDS:
        for seed in SEEDS:
            run = random_run(seed, BARS, kind)
            recorded, silent = whole(run), whole(run, recording=False)
            assert silent == (b"", *recorded[1:])


@pytest.mark.parametrize("code", [TOO_MANY_LOTS, TOO_MANY_ORDERS, TOO_MANY_EVENTS])
def test_what_does_not_fit_is_an_error_that_names_the_bar(code: int) -> None:
    with pytest.raises(InputError, match=r"^bar 17: (.* )?more than \d+ "):
        check_status(code, 17)
    check_status(OK, 17)
