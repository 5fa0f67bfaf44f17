"""What a person sees of a search: which step, trials per second, the best score so far, time left; plain lines in a log."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

# Without a terminal a line is printed at most this often.
SECONDS_BETWEEN_LINES = 30.0


class Follower(Protocol):
    """Whoever is told how a search goes on: a new step in words, and after each batch trials done, trials in all, best score."""

    def say(self, step: str) -> None:
        """A step begins."""
        ...

    def watch(self, done: int, total: int, best: float) -> None:
        """A batch is done."""
        ...


class Silent:
    """Tells nobody."""

    def say(self, step: str) -> None:
        """Nothing."""

    def watch(self, done: int, total: int, best: float) -> None:
        """Nothing."""


class _Rate:
    """Trials per second since the step began; trials that were there before do not count."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.restart()

    def restart(self) -> None:
        self.began = self._clock()
        self._first: int | None = None

    def of(self, done: int, batch: int) -> float:
        """`batch`: how many the first call is told of at most that were not there before."""
        if self._first is None:
            self._first = max(0, done - batch)
        passed = self._clock() - self.began
        return (done - self._first) / passed if passed > 0.0 else 0.0


def score_text(best: float) -> str:
    """A score as people read it."""
    return f"best {best:.3f}" if math.isfinite(best) else "no score yet"


class Lines:
    """Plain lines for logs and pipes: steps at once, batches now and then, the last one always."""

    def __init__(self, stream: TextIO, batch: int = 16, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock, self._batch = stream, clock, batch
        self._rate = _Rate(clock)
        self._printed_at = clock()

    def say(self, step: str) -> None:
        """Print the step."""
        self._rate.restart()
        self._printed_at = self._clock()
        print(step, file=self._stream, flush=True)

    def watch(self, done: int, total: int, best: float) -> None:
        """Lines such as `512 of 2,256 sets, 23 %, 41.0 sets/s, best 0.412, 43 s left`."""
        rate = self._rate.of(done, self._batch)
        share = done / total if total else 1.0
        if done < total and self._clock() - self._printed_at < SECONDS_BETWEEN_LINES:
            return
        self._printed_at = self._clock()
        line = f"{done:,} of {total:,} sets, {100.0 * share:.0f} %, {rate:.1f} sets/s, {score_text(best)}"
        if rate > 0.0 and done < total:
            line += f", {(total - done) / rate:,.0f} s left"
        print(line, file=self._stream, flush=True)


class Bar:
    """A bar of a terminal."""

    def __init__(self, display: Progress, batch: int = 16) -> None:
        self._display, self._batch = display, batch
        self._rate = _Rate(time.monotonic)
        self._step = ""
        self._task: TaskID | None = None

    def say(self, step: str) -> None:
        """The next bar, or a line where nothing is counted."""
        self._rate.restart()
        if self._task is not None:
            self._display.stop_task(self._task)
        self._task, self._step = None, step
        self._display.console.print(Text(step))

    def watch(self, done: int, total: int, best: float) -> None:
        """Move the bar."""
        if self._task is None:
            self._task = self._display.add_task("sets", total=total, words="")
        words = f"{done:,} of {total:,}, {self._rate.of(done, self._batch):.1f} sets/s, {score_text(best)}"
        self._display.update(self._task, completed=done, total=max(total, done), words=words)


@contextmanager
def follower(quiet: bool = False, batch: int = 16, stream: TextIO | None = None) -> Iterator[Follower]:
    """Whoever fits: nobody when quiet, a bar on a terminal, lines elsewhere; all on stderr, so that stdout is the result's."""
    target = sys.stderr if stream is None else stream
    if quiet:
        yield Silent()
    elif target.isatty():
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.fields[words]}"))
        with Progress(*columns, TimeRemainingColumn(elapsed_when_finished=True), console=Console(file=target)) as display:
            yield Bar(display, batch)
    else:
        yield Lines(target, batch)
