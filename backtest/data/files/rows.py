"""What the rows of a file must keep to besides the rules of every table: the days in its name, and each time once.

Two downloads put together repeat rows anywhere in the file, so those that agree are dropped wherever they stand.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from backtest.data.columns import Origin
from backtest.data.files.catalogue import DataFile
from backtest.data.series import FUNDING
from backtest.data.timeframe import utc_text
from engine.errors import InputError


@dataclass(frozen=True, eq=False)
class PickedOrigin(Origin):
    """The origin of rows picked from a table: row i of them is row `rows[i]` of the table; int64, shape (rows,)."""

    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def row(self, index: int | np.integer, time: int | np.integer | None = None) -> str:
        """`row 7 of the frame (2024-01-01 00:15)`, by the numbers of the whole table."""
        return super().row(self.rows[index], time)


def refuse_other_days(file: DataFile, time: np.ndarray, origin: Origin) -> None:
    """Refuse the first row outside the days that the file's name promises; `time` int64 ms UTC, shape (rows,).

    A settlement may stand at the very end of them, where it belongs to the day before as much as to the day after.
    """
    if file.begin is None or file.stop is None:
        return
    late = time > file.stop if file.content == FUNDING else time >= file.stop
    outside = (time < file.begin) | late
    if outside.any():
        row = int(np.argmax(outside))
        raise InputError(f"{file.name} holds {utc_text(time[row])}, which is not in {file.span} ({_place(origin, row)})")


def first_of_each_time(time: np.ndarray, values: np.ndarray, origin: Origin, names: tuple[str, ...]) -> np.ndarray:
    """Which rows are the first of their time, rising, int64 (times,).

    time: int64 ms in any order, shape (rows,). values: shape (fields, rows), fields called `names`. Raises InputError naming both
    rows where a time is there again with other values.
    """
    _, first, group = np.unique(time, return_index=True, return_inverse=True)
    original = first[group]
    again = np.flatnonzero(original != np.arange(time.size))
    one, other = values[:, original[again]], values[:, again]
    # A missing number is equal to a missing number here; the rule against it names the row.
    unlike = (one != other) & ~(np.isnan(one) & np.isnan(other))
    if unlike.any():
        number = int(np.argmax(unlike.any(axis=0)))
        row, before = int(again[number]), int(original[again[number]])
        which = int(np.argmax(unlike[:, number]))
        if origin.step < 0:
            # A table that was turned round: the row that a reader of the file meets first is the later one.
            row, before = before, row
        raise InputError(
            f"{origin.row(row, time[row])} is there twice and the two differ: {names[which]} is "
            f"{values[which, before]:.12g} and {values[which, row]:.12g}, first in {_place(origin, before)}"
        )
    return np.sort(first)


def _place(origin: Origin, row: int) -> str:
    """`line 12`."""
    return f"{origin.word} {origin.first + origin.step * row}"
