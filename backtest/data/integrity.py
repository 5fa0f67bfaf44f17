"""The rules that bars and settlements keep, always: a row that breaks one is named with its time."""

from __future__ import annotations

import numpy as np

from backtest.data.columns import BAR_FIELDS, Origin
from backtest.data.timeframe import MINUTE, Timeframe, utc_text
from engine.errors import InputError

# More bars than this are a stray time stamp, not a market: a century of minutes has 53 million.
_MOST_BARS = 60_000_000


def check_values(time: np.ndarray, values: np.ndarray, origin: Origin) -> None:
    """Refuse bars with a missing, infinite or non-positive price, a negative volume or an extreme inside open and close.

    `time` int64 ms, shape (rows,); `values` float64 open, high, low, close, volume, shape (5, rows).
    """
    opens, highs, lows, closes, volumes = values
    if np.isfinite(values).all() and (values[:4] > 0).all() and (volumes >= 0).all():
        inside = (lows > np.minimum(opens, closes)) | (highs < np.maximum(opens, closes))
        if not inside.any():
            return
        row = int(np.flatnonzero(inside)[0])
        bar = f"open {opens[row]:g}, high {highs[row]:g}, low {lows[row]:g}, close {closes[row]:g}"
        if highs[row] < lows[row]:
            broken = "the high is below the low"
        elif lows[row] > min(opens[row], closes[row]):
            broken = "the low is above the open or the close"
        else:
            broken = "the high is below the open or the close"
        raise InputError(f"{origin.row(row, time[row])}: {broken} ({bar})")
    for number, field in enumerate(BAR_FIELDS):
        column = values[number]
        wrong = ~np.isfinite(column) | ((column < 0) if field == "volume" else (column <= 0))
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            allowed = "zero or more" if field == "volume" else "above zero"
            problem = "is missing" if np.isnan(column[row]) else f"= {column[row]:g} is refused: it must be a finite number {allowed}"
            raise InputError(f"{origin.row(row, time[row])}: {field} {problem}")


def check_grid(time: np.ndarray, timeframe: Timeframe, origin: Origin) -> None:
    """Refuse times that do not rise, or are not open times of the timeframe's UTC grid; equal neighbours are allowed."""
    early = np.flatnonzero(np.diff(time) < 0)
    if early.size:
        row = int(early[0]) + 1
        raise InputError(f"{origin.row(row, time[row])} comes after {utc_text(time[row - 1])}: the times must rise")
    off = np.flatnonzero(time % timeframe.ms != 0)
    if off.size:
        row = int(off[0])
        raise InputError(f"{origin.row(row, time[row])} is not on the {timeframe} grid: no {timeframe} bar opens at that time UTC")
    if (time[-1] - time[0]) // timeframe.ms >= _MOST_BARS:
        raise InputError(f"{origin.what} runs from {utc_text(time[0])} to {utc_text(time[-1])}, which is too long for {timeframe} bars")
    steps = np.diff(time)
    steps = steps[steps > 0]
    if steps.size >= 2 and steps.min() > timeframe.ms:
        raise InputError(
            f"the rows of {origin.what} are at least {steps.min() // MINUTE} minutes apart, "
            f"so timeframe = {timeframe} cannot be right for it"
        )


def drop_duplicates(time: np.ndarray, values: np.ndarray, origin: Origin, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, int]:
    """Rows with unique times, and how many were dropped; rows of one time that differ are refused.

    `time` rises, shape (rows,); `values` has shape (fields, rows), fields called `names`.
    """
    again = np.flatnonzero(time[1:] == time[:-1]) + 1
    if again.size == 0:
        return time, values, 0
    differ = values[:, again] != values[:, again - 1]
    if differ.any():
        field, place = (int(found) for found in np.argwhere(differ.T)[0][::-1])
        row = int(again[place])
        raise InputError(
            f"{origin.row(row, time[row])} is there twice and the two differ: "
            f"{names[field]} is {values[field, row - 1]:.12g} and {values[field, row]:.12g}"
        )
    keep = np.ones(time.size, bool)
    keep[again] = False
    return time[keep], np.ascontiguousarray(values[:, keep]), int(again.size)


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
