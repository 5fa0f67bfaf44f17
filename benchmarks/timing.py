"""Timing that can be trusted on a busy machine: rounds that alternate between the candidates, each beside the calibration kernel.

Process time is the measure: it does not count what other processes took. A slow round slows the calibration next to it too, so the ratio
of the two is steadier than either.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median, quantiles
from time import perf_counter, process_time

from benchmarks.calibration import calibration

Work = Callable[[], object]
SHORTEST = 0.01  # processor seconds of a sample, at least


@dataclass
class Samples:
    """Seconds of one candidate, a value a round: processor, wall, and the processor seconds of the calibration beside it."""

    process: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)
    repeats: int = 1  # calls of which one value is the mean

    def ratios(self) -> list[float]:
        """Processor time over that of the calibration, a value a round."""
        return [mine / base for mine, base in zip(self.process, self.beside, strict=True)]

    def quartiles(self) -> tuple[float, float, float]:
        """Lower quartile, median and upper quartile of the ratios."""
        return quartiles(self.ratios())

    def against(self, other: Samples, wall: bool = False) -> float:
        """Median over the rounds of this one's time over the other's."""
        mine, base = (self.wall, other.wall) if wall else (self.process, other.process)
        return median(one / two for one, two in zip(mine, base, strict=True))


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile; of one value three times itself."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return low, middle, high


def seconds_of(work: Work) -> tuple[float, float]:
    """Processor and wall seconds of one call."""
    wall, process = perf_counter(), process_time()
    work()
    return process_time() - process, perf_counter() - wall


# Slowdowns planted to see whether the gate notices: name of a candidate -> times as long.
_planted: dict[str, float] = {}


@contextmanager
def planted(slowdowns: Mapping[str, float]) -> Iterator[None]:
    """Make the candidates of these names take longer, each by its factor, while the context lasts."""
    _planted.update(slowdowns)
    try:
        yield
    finally:
        _planted.clear()


def slowed(work: Work, factor: float) -> Work:
    """The work, then idle turns of the processor until `factor` times its processor time has passed."""

    def longer() -> object:
        began = process_time()
        answer = work()
        stop = began + factor * (process_time() - began)
        while process_time() < stop:
            pass
        return answer

    return longer


def alternate(candidates: Mapping[str, Work], rounds: int, warm_up: bool = True) -> dict[str, Samples]:
    """Run every candidate a round in turn, the calibration before and after each; a short one several times, as often as SHORTEST takes.

    With `warm_up` all run once before, untimed; without it none is repeated.
    """
    candidates = {name: slowed(work, _planted[name]) if name in _planted else work for name, work in candidates.items()}
    samples = {name: Samples() for name in candidates}
    calibrate = calibration()
    calibrate()
    for name, work in candidates.items() if warm_up else ():
        work()
        samples[name].repeats = max(1, math.ceil(SHORTEST / max(seconds_of(work)[0], 1e-6)))
    for _ in range(rounds):
        before, _ = seconds_of(calibrate)
        for name, work in candidates.items():
            one = samples[name]
            process, wall = seconds_of(functools.partial(_several, work, one.repeats))
            after, _ = seconds_of(calibrate)
            one.process.append(process / one.repeats)
            one.wall.append(wall / one.repeats)
            one.beside.append((before + after) / 2.0)
            before = after
    return samples


def _several(work: Work, times: int) -> None:
    for _ in range(times):
        work()
