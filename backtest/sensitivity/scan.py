"""Break-even by scanning: profit is a step function of a fee or a rate, so crossings are listed and none is an answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Grid:
    """What is scanned: a name, `values` in rising order, the `step` between them, how many steps a coarse scan makes at once."""

    name: str
    values: tuple[float, ...]
    step: float
    stride: int
    show: Callable[[float], str]


# Maker fees as fractions: -0.01 % to 0.1 % in steps of 0.001 %.
MAKER_FEE = Grid("maker fee", tuple(step / 100_000 for step in range(-10, 101)), 0.00001, 10, lambda fee: f"{fee * 100.0:.3f} %")
# What every funding rate is multiplied by: 0 to 10 in steps of a quarter.
FUNDING_MULTIPLE = Grid("funding multiple", tuple(step / 4 for step in range(41)), 0.25, 4, lambda multiple: f"{multiple:g}")


def _known(values: Sequence[float], gains: Mapping[float, float]) -> list[tuple[float, bool]]:
    """The values that were run, and whether each made a profit."""
    return [(value, gains[value] > 0.0) for value in values if not math.isnan(gains.get(value, math.nan))]


@dataclass(frozen=True)
class Scan:
    """Total return over the values of one setting.

    grid: what was scanned. values: those that were run, in rising order. total_returns: of each, NaN where it could not be run.
    """

    grid: Grid
    values: tuple[float, ...]
    total_returns: tuple[float, ...]

    @classmethod
    def make(cls, grid: Grid, coarse: bool, run: Callable[[Sequence[float]], Sequence[float]]) -> Scan:
        """Scan every value of the grid, or every `stride`-th and the values between two of them that lie on different sides.

        run: total returns of so many values. A coarse scan misses two crossings between neighbours that lie on one side.
        """
        first = grid.values[:: grid.stride] if coarse else grid.values
        gains = dict(zip(first, run(first), strict=True))
        known = _known(grid.values, gains)
        parted = [(low, high) for (low, before), (high, after) in pairwise(known) if before != after]
        between = [value for value in grid.values if value not in gains and any(low < value < high for low, high in parted)]
        gains.update(zip(between, run(between), strict=True))
        values = tuple(sorted(gains))
        return cls(grid, values, tuple(gains[value] for value in values))

    @property
    def complete(self) -> bool:
        """Whether every value of the grid was run."""
        return len(self.values) == len(self.grid.values)

    @property
    def crossings(self) -> tuple[float, ...]:
        """Values at which profit begins or ends: the first one run on the other side, with a return above zero or not."""
        known = _known(self.values, dict(zip(self.values, self.total_returns, strict=True)))
        return tuple(value for (_, before), (value, profit) in pairwise(known) if profit != before)

    @property
    def sentence(self) -> str:
        """The crossings, or that there are none and on which side the whole range lies."""
        show, step = self.grid.show, self.grid.step
        steps = f"in steps of {show(step if self.complete else step * self.grid.stride)}"
        if not self.complete and self.crossings:
            steps += f", of {show(step)} next to a crossing"
        span = f"from {show(self.values[0])} to {show(self.values[-1])} {steps}"
        if self.crossings:
            where = ", ".join(show(value) for value in self.crossings)
            return f"Break-even {self.grid.name}: the return crosses zero at {where} (scanned {span})."
        known = [gain for gain in self.total_returns if not math.isnan(gain)]
        side = "a profit" if known and known[0] > 0.0 else "no profit"
        return f"Break-even {self.grid.name}: none in range, {side} anywhere {span}."
