"""Rows of any series: the rules that they keep, and how two tables of the same times are compared."""

from __future__ import annotations

import numpy as np

from backtest.data.columns import PRICES, Origin
from backtest.data.integrity import check_values
from backtest.data.series import FUNDING, SeriesName
from backtest.data.timeframe import utc_text
from engine.errors import InputError


def empty(series: SeriesName) -> tuple[np.ndarray, np.ndarray]:
    """No rows: times (0,) and values (fields, 0)."""
    return np.zeros(0, np.int64), np.zeros((len(series.fields), 0))


def between(time: np.ndarray, values: np.ndarray, begin: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows with times in [begin, stop), ms UTC."""
    rows = slice(*np.searchsorted(time, [begin, stop]))
    return time[rows], values[:, rows]


def merged(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Two tables without a time in common as one, in order of time."""
    time = np.concatenate([first[0], second[0]])
    order = np.argsort(time, kind="stable")
    return time[order], np.ascontiguousarray(np.concatenate([first[1], second[1]], axis=1)[:, order])


def check_rows(series: SeriesName, time: np.ndarray, values: np.ndarray, origin: Origin) -> None:
    """Refuse rows that break a rule of `backtest.data.integrity`, naming the row; the times must be unique and rise.

    `check_grid` there also refuses rows that are all far apart, to tell a wrong timeframe; here the timeframe is the one
    that was asked for, and a few bars among holes are allowed.
    """
    if time.dtype != np.int64 or values.dtype != np.float64 or values.shape != (len(series.fields), time.size):
        raise InputError(
            f"{origin.what} has times of type {time.dtype} and values of type {values.dtype}, shape {values.shape}: "
            f"they must be int64 and float64, shape ({len(series.fields)}, {time.size})"
        )
    _check_times(series, time, origin)
    if series.content == FUNDING:
        wrong = np.flatnonzero(~(np.abs(values[0]) < 1.0))
        if wrong.size:
            row = int(wrong[0])
            raise InputError(
                f"{origin.row(row, time[row])}: rate = {values[0, row]:g} is refused: it must be a fraction, 0.0001 for 0.01 %"
            )
    elif len(series.fields) == len(PRICES):
        check_values(time, np.vstack([values, np.zeros(time.size)]), origin)
    else:
        check_values(time, values, origin)


def _check_times(series: SeriesName, time: np.ndarray, origin: Origin) -> None:
    early = np.flatnonzero(np.diff(time) <= 0)
    if early.size:
        row = int(early[0]) + 1
        raise InputError(f"{origin.row(row, time[row])} comes after {utc_text(time[row - 1])}: the times must rise")
    if series.timeframe is not None:
        off = np.flatnonzero(time % series.timeframe.ms != 0)
        if off.size:
            row = int(off[0])
            raise InputError(f"{origin.row(row, time[row])} is not on the {series.timeframe} grid")


def difference(
    series: SeriesName,
    stored: tuple[np.ndarray, np.ndarray],
    given: tuple[np.ndarray, np.ndarray],
) -> str | None:
    """How rows that should be equal to those stored differ from them, at the first such time; None when they are equal."""
    together = np.union1d(stored[0], given[0])
    here = [np.isin(together, table[0]) for table in (stored, given)]
    one_sided = ~(here[0] & here[1])
    first_odd = together[one_sided][0] if one_sided.any() else None
    time = together[~one_sided]
    left, right = (table[1][:, np.isin(table[0], time)] for table in (stored, given))
    unequal = np.argwhere((left != right).T)
    first_unequal = time[unequal[0][0]] if unequal.size else None
    if first_odd is not None and (first_unequal is None or first_odd < first_unequal):
        had = "there is a row now where none was stored" if first_odd in given[0] else "the row stored is not there now"
        return f"at {utc_text(first_odd)} {had}"
    if first_unequal is None:
        return None
    row, field = (int(place) for place in unequal[0])
    # repr, because two numbers that differ must be seen to differ.
    return (
        f"at {utc_text(time[row])} the {series.fields[field]} stored is {float(left[field, row])!r}, now it is {float(right[field, row])!r}"
    )
