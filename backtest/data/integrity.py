"""The rules that bars and settlements keep, always: a row that breaks one is named with its time.

Each rule is told twice: the `..._violations` find every row that breaks it, the others refuse the first of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from backtest.data.columns import BAR_FIELDS, Origin
from backtest.data.timeframe import MINUTE, Timeframe, utc_text
from engine.errors import InputError

# More bars than this are a stray time stamp, not a market: a century of minutes has 53 million.
_MOST_BARS = 60_000_000


@dataclass(frozen=True, eq=False)
class Violations:
    """The rows of a table that break a rule: `rows` int64, rising; `tell` makes the sentence of one of them."""

    rows: np.ndarray
    tell: Callable[[int], str]

    def sentences(self, most: int) -> list[str]:
        """The sentences of the first `most` broken rows."""
        return [self.tell(int(row)) for row in self.rows[:most]]

    def refuse(self) -> None:
        """Raise InputError with the sentence of the first broken row; none: nothing."""
        if self.rows.size:
            raise InputError(self.tell(int(self.rows[0])))


def value_violations(time: np.ndarray, values: np.ndarray, origin: Origin) -> Violations:
    """Bars with a missing, infinite or non-positive price, a negative volume or an extreme inside open and close.

    `time` int64 ms, shape (rows,); `values` float64 open, high, low, close, shape (4, rows), or with volume (5, rows).
    """
    opens, highs, lows, closes = values[:4]
    broken = (lows > np.minimum(opens, closes)) | (highs < np.maximum(opens, closes))
    if not (np.isfinite(values).all() and (values[:4] > 0).all() and (values[4:] >= 0).all()):
        broken |= ~(np.isfinite(values).all(axis=0) & (values[:4] > 0).all(axis=0) & (values[4:] >= 0).all(axis=0))
    return Violations(np.flatnonzero(broken), lambda row: f"{origin.row(row, time[row])}: {_value_problem(values[:, row])}")


def _value_problem(bar: np.ndarray) -> str:
    """What is wrong with one bar: the first value that is no price or volume, else the extreme that is none."""
    for field, value in zip(BAR_FIELDS, bar, strict=False):
        if np.isnan(value):
            return f"{field} is missing"
        if not np.isfinite(value) or value < 0 or (value == 0 and field != "volume"):
            allowed = "zero or more" if field == "volume" else "above zero"
            return f"{field} = {value:g} is refused: it must be a finite number {allowed}"
    opened, high, low, close = bar[:4]
    numbers = f"open {opened:g}, high {high:g}, low {low:g}, close {close:g}"
    if high < low:
        return f"the high is below the low ({numbers})"
    if low > min(opened, close):
        return f"the low is above the open or the close ({numbers})"
    return f"the high is below the open or the close ({numbers})"


def grid_violations(time: np.ndarray, timeframe: Timeframe, origin: Origin) -> Violations:
    """Rows whose time (int64 ms) is before that of the row above, or no open time of the UTC grid; equal neighbours are allowed."""
    early = np.concatenate([[False], np.diff(time) < 0])

    def tell(row: int) -> str:
        if early[row]:
            return f"{origin.row(row, time[row])} comes after {utc_text(time[row - 1])}: the times must rise"
        return f"{origin.row(row, time[row])} is not on the {timeframe} grid: no {timeframe} bar opens at that time UTC"

    return Violations(np.flatnonzero(early | (time % timeframe.ms != 0)), tell)


def span_problem(time: np.ndarray, timeframe: Timeframe, origin: Origin) -> str | None:
    """Why a table with these times (int64 ms, in any order) cannot be one of the timeframe; None when it can."""
    first, last = int(time.min()), int(time.max())
    if (last - first) // timeframe.ms >= _MOST_BARS:
        return f"{origin.what} runs from {utc_text(first)} to {utc_text(last)}, which is too long for {timeframe} bars"
    steps = np.diff(time)
    steps = steps[steps > 0]
    if steps.size >= 2 and steps.min() > timeframe.ms:
        return (
            f"the rows of {origin.what} are at least {steps.min() // MINUTE} minutes apart, "
            f"so timeframe = {timeframe} cannot be right for it"
        )
    return None


def duplicate_violations(
    time: np.ndarray, values: np.ndarray, origin: Origin, names: tuple[str, ...], number: np.ndarray | None = None
) -> Violations:
    """Rows that have the time of the row before and other values; `values` has shape (fields, rows), fields called `names`.

    `number`, int64 (rows,): where each row stands in the table that `origin` names, when rows were moved or left out.
    """
    again = np.flatnonzero(time[1:] == time[:-1]) + 1
    rows = again[(values[:, again] != values[:, again - 1]).any(axis=0)]

    def tell(row: int) -> str:
        field = int(np.argmax(values[:, row] != values[:, row - 1]))
        return (
            f"{origin.row(row if number is None else number[row], time[row])} is there twice and the two differ: "
            f"{names[field]} is {values[field, row - 1]:.12g} and {values[field, row]:.12g}"
        )

    return Violations(rows, tell)


def rate_violations(time: np.ndarray, rates: np.ndarray, origin: Origin) -> Violations:
    """Settlements whose time (int64 ms) is before that of the row above, or whose rate (float64) is no fraction; shape (rows,)."""
    early = np.concatenate([[False], np.diff(time) < 0])

    def tell(row: int) -> str:
        if early[row]:
            return f"{origin.row(row, time[row])}: the settlement times must rise"
        return f"{origin.row(row, time[row])}: rate = {rates[row]:g} is refused: it must be a fraction, 0.0001 for 0.01 %"

    return Violations(np.flatnonzero(early | ~(np.abs(rates) < 1.0)), tell)


def check_values(time: np.ndarray, values: np.ndarray, origin: Origin) -> None:
    """Refuse the first of the `value_violations`."""
    value_violations(time, values, origin).refuse()


def check_grid(time: np.ndarray, timeframe: Timeframe, origin: Origin) -> None:
    """Refuse the first of the `grid_violations`, then a span that cannot be one of the timeframe."""
    grid_violations(time, timeframe, origin).refuse()
    problem = span_problem(time, timeframe, origin)
    if problem is not None:
        raise InputError(problem)


def drop_duplicates(time: np.ndarray, values: np.ndarray, origin: Origin, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, int]:
    """Rows with unique times, and how many were dropped; rows of one time that differ are refused.

    `time` rises, shape (rows,); `values` has shape (fields, rows), fields called `names`.
    """
    again = time[1:] == time[:-1]
    if not again.any():
        return time, values, 0
    duplicate_violations(time, values, origin, names).refuse()
    keep = np.concatenate([[True], ~again])
    return time[keep], np.ascontiguousarray(values[:, keep]), int(again.sum())


def checked_bars(time: np.ndarray, values: np.ndarray, timeframe: Timeframe, origin: Origin) -> tuple[np.ndarray, np.ndarray, int]:
    """Bars that keep every rule, with unique rising times, and the number of equal duplicates that were dropped."""
    check_grid(time, timeframe, origin)
    check_values(time, values, origin)
    return drop_duplicates(time, values, origin, BAR_FIELDS)


def fill_gaps(time: np.ndarray, values: np.ndarray, timeframe: Timeframe) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same bars on the regular grid: missing ones flat at the close before, without volume.

    Returns the grid's open times (bars,), values (5, bars) and a switch (bars,) that is True where a bar was missing.
    """
    bars = int((time[-1] - time[0]) // timeframe.ms) + 1
    if bars == time.size:
        return time, values, np.zeros(bars, bool)
    place = (time - time[0]) // timeframe.ms
    grid = time[0] + timeframe.ms * np.arange(bars, dtype=np.int64)
    missing = np.ones(bars, bool)
    missing[place] = False
    # The row in force at each bar: the last one that is there.
    row = np.zeros(bars, np.int64)
    row[place] = np.arange(time.size)
    row = np.maximum.accumulate(row)
    full = np.ascontiguousarray(values[:, row])
    full[:4, missing] = full[3, missing]
    full[4, missing] = 0.0
    return grid, full, missing
