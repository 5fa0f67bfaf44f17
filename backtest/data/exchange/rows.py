"""The rows of one answer as checked arrays: an answer with a row that breaks a rule is not believed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backtest.data.columns import PRICES, Origin
from backtest.data.exchange.retry import PassingError
from backtest.data.integrity import check_values, drop_duplicates
from backtest.data.series import MARK, SeriesName
from backtest.data.timeframe import DAY, MINUTE, utc_text
from engine.errors import InputError, SourceError

# Times outside are no times of a market: 2009-01-01 to 2100-01-01.
_EARLIEST, _LATEST = 1_230_768_000_000, 4_102_444_800_000


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a series: `time` int64 ms UTC, unique and rising, (rows,); `values` float64, (fields, rows)."""

    time: np.ndarray
    values: np.ndarray

    def __len__(self) -> int:
        return self.time.size

    def between(self, begin: int, stop: int) -> Rows:
        """The rows in [begin, stop), ms UTC."""
        part = slice(*np.searchsorted(self.time, [begin, stop]))
        return Rows(self.time[part], np.ascontiguousarray(self.values[:, part]))

    @classmethod
    def none(cls, fields: int) -> Rows:
        """No rows of that many values."""
        return cls(np.zeros(0, np.int64), np.zeros((fields, 0)))


def merged(first: Rows, second: Rows, series: SeriesName) -> Rows:
    """The rows of both. Raises SourceError naming the first time at which they differ."""
    time = np.concatenate([first.time, second.time])
    order = np.argsort(time, kind="stable")
    values = np.concatenate([first.values, second.values], axis=1)[:, order]
    try:
        return Rows(*drop_duplicates(time[order], values, Origin(f"the answers of {series.exchange}"), series.fields)[:2])
    except InputError:
        pass
    common, left, right = np.intersect1d(first.time, second.time, assume_unique=True, return_indices=True)
    differ = first.values[:, left] != second.values[:, right]
    place, field = (int(found) for found in np.argwhere(differ.T)[0])
    raise SourceError(
        f"{series} changed between two answers at {utc_text(common[place])} UTC: {series.fields[field]} was "
        f"{first.values[field, left[place]]:.12g} and is {second.values[field, right[place]]:.12g}"
    )


def bar_rows(answer: Any, series: SeriesName) -> Rows:
    """Bars as ccxt hands them over, lists of open time, open, high, low, close, volume, in any order.

    Raises PassingError for a row without numbers, off the timeframe's grid, that breaks a rule of
    `backtest.data.integrity`, or that is there twice and differs.
    """
    assert series.timeframe is not None
    marks = series.content.startswith(MARK)
    width = 1 + len(PRICES) + (not marks)
    rows = _listed(answer, series, lambda row: isinstance(row, Sequence) and len(row) >= width)
    rows = _sorted_by_time(rows, [row[0] for row in rows], series)
    values = _numbers([row[1:width] for row in rows], width - 1, series)
    time = np.array([row[0] for row in rows], np.int64)
    off = np.flatnonzero(time % series.timeframe.ms)
    if off.size:
        raise PassingError(f"{series.exchange} answered with a bar at {utc_text(time[off[0]])}, where no {series.timeframe} bar opens")
    checked = values if not marks else np.concatenate([values, np.zeros((1, time.size))])
    origin = _origin(series)
    return _kept(lambda: check_values(time, checked, origin), time, values, series)


def funding_rows(answer: Any, series: SeriesName, symbol: str) -> Rows:
    """Settlements as ccxt hands them over, mappings with symbol, timestamp and fundingRate; times are rounded to the minute.

    Exchanges stamp settlements some milliseconds late. Raises PassingError for a row of another `symbol` (ccxt's name), one
    without time or rate, a rate that is no fraction, and settlements of one time that differ.
    """
    rows = _listed(answer, series, lambda row: isinstance(row, Mapping) and row.get("symbol") == symbol)
    stamps = [row.get("timestamp") for row in rows]
    rows = _sorted_by_time(rows, stamps, series)
    values = _numbers([[row.get("fundingRate")] for row in rows], 1, series)
    time = np.array([row["timestamp"] for row in rows], np.int64)
    time = (time + MINUTE // 2) // MINUTE * MINUTE

    def check() -> None:
        wrong = np.flatnonzero(~(np.abs(values[0]) < 1.0))
        if wrong.size:
            row = int(wrong[0])
            raise InputError(f"{_origin(series).row(row, time[row])}: rate = {values[0, row]:g} must be a fraction")

    return _kept(check, time, values, series)


def plausible_time(value: Any, name: str) -> int:
    """An exchange's clock as ms UTC. Raises PassingError for something else."""
    if isinstance(value, bool) or not isinstance(value, int) or not _EARLIEST < value < _LATEST:
        raise PassingError(f"{name} answered with {value!r} in place of the time")
    return value


def _listed(answer: Any, series: SeriesName, sound: Callable[[Any], bool]) -> list[Any]:
    if not isinstance(answer, list) or not all(sound(row) for row in answer):
        raise PassingError(f"{series.exchange} answered with rows that are no rows of {series.symbol} {series.content}")
    return answer


def _sorted_by_time(rows: list[Any], stamps: list[Any], series: SeriesName) -> list[Any]:
    for stamp in stamps:
        if isinstance(stamp, bool) or not isinstance(stamp, int) or not _EARLIEST < stamp < _LATEST + DAY:
            raise PassingError(f"{series.exchange} answered with a row of {series.symbol} {series.content} without a time")
    return [rows[place] for place in np.argsort(np.array(stamps, np.int64), kind="stable")]


def _numbers(rows: list[Any], fields: int, series: SeriesName) -> np.ndarray:
    """Values of shape (fields, rows); what is missing becomes NaN, which the rules refuse."""
    try:
        return np.ascontiguousarray(np.array(rows, np.float64).reshape(len(rows), fields).T)
    except (TypeError, ValueError):
        raise PassingError(f"{series.exchange} answered with rows of {series.symbol} {series.content} that hold no numbers") from None


def _kept(check: Callable[[], None], time: np.ndarray, values: np.ndarray, series: SeriesName) -> Rows:
    """The rows if they keep the rules; equal ones of one time are one."""
    try:
        check()
        return Rows(*drop_duplicates(time, values, _origin(series), series.fields)[:2])
    except InputError as error:
        raise PassingError(f"{series.exchange} answered with a row that cannot be: {error}") from None


def _origin(series: SeriesName) -> Origin:
    return Origin(f"the answer for {series.symbol} {series.content}")
