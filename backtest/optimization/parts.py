"""How time is split: windows of a train and a test part, purged between, and a holdout at the end.

The sampler sees train parts only. Every part runs from a flat start and is closed at its end.
"""

from __future__ import annotations

from dataclasses import dataclass

from backtest.data.timeframe import DAY, HOUR, Timeframe, utc_text
from backtest.optimization.settings import Optimization
from engine.errors import InputError

# A part shorter than this says nothing.
LEAST_DAYS = 7


@dataclass(frozen=True)
class Part:
    """The bars that open in [begin, end), ms UTC."""

    begin: int
    end: int

    @property
    def days(self) -> float:
        """Length in days."""
        return (self.end - self.begin) / DAY

    def __str__(self) -> str:
        return f"{utc_text(self.begin)} to {utc_text(self.end)}"


@dataclass(frozen=True)
class Window:
    """A train part and the test part behind it. In robust mode the test is a validation: later train parts saw later time."""

    train: Part
    test: Part


@dataclass(frozen=True)
class Split:
    """Windows in order of time, and the holdout (None when its share is 0). `purge` is the gap in ms."""

    windows: tuple[Window, ...]
    holdout: Part | None
    purge: int

    @property
    def trains(self) -> tuple[Part, ...]:
        """The train parts."""
        return tuple(window.train for window in self.windows)

    @property
    def tests(self) -> tuple[Part, ...]:
        """The test parts."""
        return tuple(window.test for window in self.windows)


def split_time(begin: int, end: int, timeframe: Timeframe, settings: Optimization, purge_hours: float) -> Split:
    """Split [begin, end), ms UTC, by the rules of the settings' mode. Raises InputError when a part would be shorter than a week.

    robust: `windows` stretches of equal length, each train then test, so that no two parts overlap.
    rolling: windows of span / (1 + test_share*(windows-1)), each one test length later than the one before, so that the tests
    follow each other without a hole; anchored: every train part begins where the first does.
    A purge gap stands before every test part (cut from the end of the train part), before the next train part in robust mode
    (cut from the end of the test part), and before the holdout.
    """
    step = timeframe.ms

    def on_grid(moment: float) -> int:
        return begin + int((moment - begin) // step) * step

    purge = on_grid(begin + purge_hours * HOUR + step - 1) - begin
    holdout_begin = on_grid(end - settings.holdout * (end - begin)) if settings.holdout > 0.0 else end
    holdout = Part(holdout_begin, end) if settings.holdout > 0.0 else None
    stop = holdout_begin - (purge if holdout else 0)
    span, test_share, count = stop - begin, 1.0 - settings.train_share, settings.windows
    windows = []
    if settings.mode == "robust":
        length = span / count
        for number in range(count):
            first, last = on_grid(begin + number * length), on_grid(begin + (number + 1) * length) if number + 1 < count else stop
            middle = on_grid(first + settings.train_share * (last - first))
            behind = purge if number + 1 < count else 0
            windows.append(Window(Part(first, middle - purge), Part(middle, last - behind)))
    else:
        length = span / (1.0 + test_share * (count - 1))
        for number in range(count):
            first = begin if settings.anchored else on_grid(begin + number * test_share * length)
            middle = on_grid(begin + number * test_share * length + settings.train_share * length)
            last = on_grid(begin + (number + 1) * test_share * length + settings.train_share * length) if number + 1 < count else stop
            windows.append(Window(Part(first, middle - purge), Part(middle, last)))
    made = Split(tuple(windows), holdout, purge)
    shortest = min((*made.trains, *made.tests, *([holdout] if holdout else [])), key=lambda part: part.days)
    if shortest.days < LEAST_DAYS:
        raise InputError(
            f"windows = {count} is refused: {(end - begin) / DAY:.0f} days leave parts of {max(0.0, shortest.days):.1f} days "
            f"(a purge of {purge / HOUR:.0f} hours stands between them), and a part needs at least {LEAST_DAYS}"
        )
    return made
