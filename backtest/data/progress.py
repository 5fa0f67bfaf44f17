"""What a person sees while data is downloaded: rows, rate and time left, or a line now and then when nobody watches."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

# Without a terminal a line is printed at most this often, seconds.
_SECONDS_BETWEEN_LINES = 10.0


class Watcher(Protocol):
    """Whoever is told how a download goes on."""

    def watch(self, title: str) -> Callable[[int, int], None]:
        """Begin a series; what is returned is called with rows so far and rows expected."""
        ...

    def say(self, sentence: str) -> None:
        """Something worth a line, such as that the exchange asks to wait."""
        ...


class Silent:
    """Tells nobody."""

    def watch(self, title: str) -> Callable[[int, int], None]:  # noqa: ARG002 the protocol's
        """A function that does nothing."""
        return lambda *_: None

    def say(self, sentence: str) -> None:
        """Nothing."""


class Lines:
    """Plain lines for logs and pipes: one at most every ten seconds, and a last one where there were others."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock

    def watch(self, title: str) -> Callable[[int, int], None]:
        """Lines such as `BTCUSDT 15m: 12,000 of 140,256 rows, 9 %, 4,000 rows/s, 32 s left`."""
        started = self._clock()
        printed, done = started, False

        def report(rows: int, expected: int) -> None:
            nonlocal printed, done
            now = self._clock()
            complete = rows >= expected
            # What is over before the first line was due needs none.
            if done or (printed == started if complete else now - printed < _SECONDS_BETWEEN_LINES):
                return
            printed, done = now, complete
            rate = rows / (now - started) if now > started else 0.0
            line = f"{title}: {rows:,} of {expected:,} rows"
            if rate and rows < expected:
                line += f", {100.0 * rows / expected:.0f} %, {rate:,.0f} rows/s, {(expected - rows) / rate:,.0f} s left"
            self.say(line)

        return report

    def say(self, sentence: str) -> None:
        """Print a line."""
        print(sentence, file=self._stream, flush=True)


@contextmanager
def watcher(quiet: bool = False, stream: TextIO | None = None) -> Iterator[Watcher]:
    """Whoever fits: nobody when quiet, bars on a terminal, lines elsewhere; all on stderr, so that stdout is the result's."""
    target = sys.stderr if stream is None else stream
    if quiet:
        yield Silent()
    elif target.isatty():
        from backtest.data.progress_bars import bars_on

        with bars_on(target) as bars:
            yield bars
    else:
        yield Lines(target)
