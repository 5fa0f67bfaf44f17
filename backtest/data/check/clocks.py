"""Whether two series that move together have the same clock: the shift of one at which their returns fit best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backtest.data.check.bars import Table
from backtest.data.timeframe import HOUR

# Fewer common returns than this say nothing.
LEAST_COMMON = 200
# Returns beyond this many times the median are cut to it.
WIDEST_RETURN = 20.0
# Clocks go wrong by whole hours (time zones, summer time) or by a bar (the time of the close in place of that of the open).
MOST_HOURS = 14


@dataclass(frozen=True, eq=False)
class Closes:
    """Closing times that are multiples of `step` ms (int64 ms, rising, never empty) and the logarithms of the closes, (rows,)."""

    time: np.ndarray
    log_close: np.ndarray
    step: int


@dataclass(frozen=True)
class Fit:
    """`compared` common returns; the shift of the first clock, ms, that fits best, its correlation and that without a shift."""

    compared: int
    offset: int
    correlation: float
    as_stored: float


def closes_of(table: Table, bar_ms: int, step: int) -> Closes:
    """The closes of a series' bars at multiples of `step`; its last close alone when there is none."""
    time = table.time + bar_ms
    rows = np.flatnonzero(time % step == 0)
    if rows.size == 0:
        rows = np.array([time.size - 1])
    return Closes(time[rows], np.log(table.values[3, rows]), step)


def best_fit(one: Closes, other: Closes) -> Fit | None:
    """The shift at which the returns of two series of the same step fit best; None when too few of them are common.

    Tried are one step and whole hours, up to fourteen, both ways. The correlation is that of returns, the widest cut short, without
    their mean taken off, which is nothing beside their spread.
    """
    step = one.step
    margin = MOST_HOURS * HOUR
    begin, end = max(one.time[0], other.time[0]) - margin, min(one.time[-1], other.time[-1]) + margin
    first, size = int(begin) // step, int(end - begin) // step + 1
    if size < LEAST_COMMON:
        return None
    moments = _moments(one, first, size), _moments(other, first, size)
    common, as_stored = _correlation(*moments, 0)
    if common < LEAST_COMMON:
        return None
    # Returns of different times are all but uncorrelated, so the squares of their correlations with the other's sum to one at most:
    # beyond a half no shift can fit better.
    if as_stored**2 > 0.5:
        return Fit(common, 0, as_stored, as_stored)
    hours = [hour * HOUR // step for hour in range(-MOST_HOURS, MOST_HOURS + 1) if hour * HOUR % step == 0]
    # The smallest shift comes first, so that it wins where several fit alike.
    found = {shift: _correlation(*moments, shift)[1] for shift in sorted({0, -1, 1, *hours}, key=abs)}
    best = max(found, key=lambda shift: found[shift])
    return Fit(common, best * step, found[best], as_stored)


def _moments(closes: Closes, first: int, size: int) -> np.ndarray:
    """Returns on the grid of `step` that begins with number `first`, their squares, and 1 where there is one, shape (3, size).

    All are 0 where a close or the one before is missing, or where the price stands still.
    """
    returns = np.zeros(size)
    place = closes.time[1:] // closes.step - first
    known = (np.diff(closes.time) == closes.step) & (place >= 0) & (place < size)
    change = np.diff(closes.log_close)[known]
    moving = np.abs(change[change != 0.0])
    if moving.size:
        # One wrong price must not drown all the others.
        most = WIDEST_RETURN * float(np.median(moving))
        change = np.clip(change, -most, most)
    returns[place[known]] = change
    return np.stack([returns, returns**2, returns != 0.0])


def _correlation(one: np.ndarray, other: np.ndarray, shift: int) -> tuple[int, float]:
    """How many returns two series have in common where both move, the first moved later by `shift` places, and their correlation.

    `one` and `other` are what `_moments` gives; sums over common places are products with the other's switch. Too few: 0.
    """
    size = one.shape[1]
    a = one[:, : size - shift] if shift >= 0 else one[:, -shift:]
    b = other[:, shift:] if shift >= 0 else other[:, : size + shift]
    common = round(float(a[2] @ b[2]))
    if common < LEAST_COMMON:
        return common, 0.0
    return common, float(a[0] @ b[0] / np.sqrt((a[1] @ b[2]) * (a[2] @ b[1])))
