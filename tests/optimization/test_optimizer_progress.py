"""What a person sees of a search where there is no terminal."""

from __future__ import annotations

import io

import pytest

from backtest.optimization.progress import Lines, Silent, follower


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_lines_come_every_half_minute_and_at_the_end() -> None:
    clock, sink = Clock(), io.StringIO()
    lines = Lines(sink, batch=10, clock=clock)
    lines.say("searching all windows")
    for done in range(10, 1010, 10):
        clock.now += 1.0
        lines.watch(done, 1000, float("-inf") if done < 500 else 0.25)
    assert sink.getvalue().splitlines() == [
        "searching all windows",
        "300 of 1,000 sets, 30 %, 10.0 sets/s, no score yet, 70 s left",
        "600 of 1,000 sets, 60 %, 10.0 sets/s, best 0.250, 40 s left",
        "900 of 1,000 sets, 90 %, 10.0 sets/s, best 0.250, 10 s left",
        "1,000 of 1,000 sets, 100 %, 10.0 sets/s, best 0.250",
    ]


def test_a_search_that_goes_on_does_not_count_what_was_there() -> None:
    clock, sink = Clock(), io.StringIO()
    lines = Lines(sink, batch=10, clock=clock)
    lines.say("searching")
    clock.now += 1.0
    lines.watch(910, 1000, 0.5)
    clock.now += 1.0
    lines.watch(1000, 1000, 0.5)
    assert sink.getvalue().splitlines()[-1] == "1,000 of 1,000 sets, 100 %, 50.0 sets/s, best 0.500"


@pytest.mark.parametrize("quiet", [True, False])
def test_quiet_says_nothing_and_a_pipe_gets_lines(quiet: bool) -> None:
    sink = io.StringIO()
    with follower(quiet, 16, sink) as told:
        told.say("holdout")
        told.watch(5, 5, 0.1)
    assert isinstance(told, Silent) is quiet
    assert (sink.getvalue() == "") is quiet
