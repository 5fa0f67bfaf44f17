"""Progress of a run that takes long: the compiled loop in pieces of bars, and a bar on the terminal once two seconds have passed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

import numpy as np

from engine.machine import Feed, Machine

# Bars of all instruments together between two reports: a tenth of a second or so.
BARS_BETWEEN = 50_000
# A run that is over before needs no progress.
SECONDS_BEFORE = 2.0

Report = Callable[[int, int], None]


def run_in_pieces(
    machine: Machine, feed: Feed, indicators: np.ndarray, start: int, stop: int, report: Report
) -> tuple[np.ndarray, np.ndarray]:
    """As `Machine.run`, with the same bits, in pieces of bars. report: called with bars done and bars in all after each piece.

    The loop begins at any bar with the state that the bar before left, so pieces cost a call each and change nothing.
    """
    step = max(1, BARS_BETWEEN // feed.bars.shape[0])
    logs, curves = [], []
    for begin in range(start, stop, step) if stop > start else (start,):
        events, equity = machine.run(feed, indicators, begin, min(begin + step, stop))
        logs.append(events)
        curves.append(equity)
        report(min(begin + step, stop) - start, stop - start)
    return np.concatenate(logs), np.concatenate(curves)


class Delayed:
    """Tells `begin()`'s report nothing until SECONDS_BEFORE have passed; `begin` is called then, once."""

    def __init__(self, begin: Callable[[], Report], clock: Callable[[], float] = time.monotonic) -> None:
        self._begin, self._clock = begin, clock
        self._started = clock()
        self._report: Report | None = None

    def __call__(self, done: int, total: int) -> None:
        """Pass on bars done and bars in all, once it is time."""
        if self._report is None:
            if done >= total or self._clock() - self._started < SECONDS_BEFORE:
                return
            self._report = self._begin()
        self._report(done, total)


@contextmanager
def run_progress(quiet: bool, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> Iterator[Report | None]:
    """What `run(..., watch=...)` is given: a bar on stderr with bars done and time left; None when quiet or where nobody watches."""
    target = sys.stderr if stream is None else stream
    if quiet or not target.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("running"), BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("bars"), TimeRemainingColumn())
    display = Progress(*columns, console=Console(file=target), transient=True)

    def begin() -> Report:
        display.start()
        task = display.add_task("running", total=None)
        return lambda done, total: display.update(task, completed=done, total=total)

    try:
        yield Delayed(begin, clock)
    finally:
        display.stop()
