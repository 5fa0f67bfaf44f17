"""Tables of bars and settlements, however their columns are named and typed, as plain arrays of numbers.

Only form is dealt with here: which column is which, text that is no number, the unit of a time. Whether the numbers
make sense is `backtest.data.integrity`'s business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from backtest.data.timeframe import utc_text
from engine.errors import InputError

PRICES = ("open", "high", "low", "close")
BAR_FIELDS = (*PRICES, "volume")
_TIME_NAMES = (
    "timestamp",
    "time",
    "open_time",
    "opentime",
    "datetime",
    "date",
    "ts",
    "unix",
    "settlement_time",
    "funding_time",
    "fundingtime",
    "calc_time",
)
_RATE_NAMES = ("rate", "funding_rate", "fundingrate", "last_funding_rate")
# What a bar's values are called beside their own names.
_OTHER_NAMES = {"open": ("o",), "high": ("h",), "low": ("l",), "close": ("c",), "volume": ("vol", "v")}

# An integer time tells its unit by its size: seconds below 1e11 (the year 5138), milliseconds below 1e14, and so on.
_UNITS = ((1e8, 1e11, 1000.0), (1e11, 1e14, 1.0), (1e14, 1e17, 1e-3), (1e17, 1e20, 1e-6))
_UNIT_NAMES = ("seconds", "milliseconds", "microseconds", "nanoseconds")


@dataclass(frozen=True)
class Origin:
    """Where rows come from, so that a sentence can name one: `what` the table, `word` its unit, `first` the number of row 0.

    step: 1, or -1 for a table that was turned round because it had the newest row first.
    """

    what: str = "the frame"
    word: str = "row"
    first: int = 0
    step: int = 1

    def row(self, index: int | np.integer, time: int | np.integer | None = None) -> str:
        """`row 7 of the frame (2024-01-01 00:15)`."""
        when = "" if time is None else f" ({utc_text(time)})"
        return f"{self.word} {self.first + self.step * int(index)} of {self.what}{when}"


def bar_columns(frame: pd.DataFrame, origin: Origin, fields: tuple[str, ...] = BAR_FIELDS) -> tuple[np.ndarray, np.ndarray]:
    """Open times (int64 ms UTC, shape (rows,)) and open, high, low, close, volume (float64, shape (5, rows)) of a table.

    The time is a DatetimeIndex, or an index or a column called timestamp, time, open_time or date: datetimes, ISO text, or numbers in
    seconds, milliseconds, microseconds or nanoseconds; naive times are UTC. Column names may be in any case. A missing
    number is NaN. fields: the values wanted, `PRICES` for bars that have no volume. Raises InputError for a missing column, a text in
    a number's place or a time that is none.
    """
    _require_rows(frame, origin)
    time = _times(frame, origin)
    values = np.empty((len(fields), time.size))
    for number, field in enumerate(fields):
        values[number] = _numbers(frame, (field, *_OTHER_NAMES.get(field, ())), origin, time)
    return time, values


def time_form(frame: pd.DataFrame, origin: Origin) -> str:
    """How the times of a table are written: `milliseconds`, `ISO times`, `datetimes`, or several units joined by "and"."""
    series = _time_series(frame, origin)
    if series.dtype.kind == "M":
        return "datetimes"
    numbers = series if series.dtype.kind in "iuf" else pd.to_numeric(series, errors="coerce")
    if not numbers.notna().any():
        return "ISO times"
    return " and ".join(units_of(numbers.dropna().to_numpy()))


def units_of(stamps: np.ndarray) -> list[str]:
    """The units in which numeric time stamps are written, the longest unit first, none for numbers that are no times."""
    if stamps.size == 0:
        return []
    least, greatest = float(stamps.min()), float(stamps.max())
    return [name for name, (lowest, end, _) in zip(_UNIT_NAMES, _UNITS, strict=True) if greatest >= lowest and least < end]


def rate_columns(frame: pd.DataFrame, origin: Origin) -> tuple[np.ndarray, np.ndarray]:
    """Settlement times (int64 ms UTC) and rates (float64, fraction) of a table with a time and a column rate."""
    _require_rows(frame, origin)
    time = _times(frame, origin)
    return time, _numbers(frame, _RATE_NAMES, origin, time)


def price_column(frame: pd.DataFrame, names: Sequence[str], origin: Origin) -> tuple[np.ndarray, np.ndarray]:
    """Times (int64 ms UTC) and the first of the columns `names` (float64) of a table."""
    _require_rows(frame, origin)
    time = _times(frame, origin)
    return time, _numbers(frame, names, origin, time)


def _require_rows(frame: pd.DataFrame, origin: Origin) -> None:
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"{origin.what} must be a pandas DataFrame; it is a {type(frame).__name__}")
    if len(frame) == 0:
        raise InputError(f"{origin.what} has no rows")


def _column(frame: pd.DataFrame, names: Sequence[str], origin: Origin) -> pd.Series:
    by_name = [(_plain(column), position) for position, column in enumerate(frame.columns)]
    for name in names:
        found = [position for column, position in by_name if column == name]
        if len(found) > 1:
            raise InputError(f"{origin.what} has {len(found)} columns called {name}: there must be one")
        if found:
            return frame.iloc[:, found[0]]
    have = ", ".join(str(column) for column in frame.columns) or "none"
    raise InputError(f"{origin.what} has no column {names[0]}: its columns are {have}")


def _plain(name: object) -> str:
    """A column's name in small letters, `Open time` as open_time."""
    return str(name).strip().lower().replace(" ", "_")


def _time_series(frame: pd.DataFrame, origin: Origin) -> pd.Series:
    if isinstance(frame.index, pd.DatetimeIndex) or _plain(frame.index.name) in _TIME_NAMES:
        return pd.Series(frame.index, name=frame.index.name or "time")
    return _column(frame, _TIME_NAMES, origin).reset_index(drop=True)


def _times(frame: pd.DataFrame, origin: Origin) -> np.ndarray:
    series = _time_series(frame, origin)
    if not isinstance(series.dtype, pd.DatetimeTZDtype) and series.dtype.kind not in "iufM":
        # Text: numbers as text first, ISO dates otherwise.
        numbers = pd.to_numeric(series, errors="coerce")
        if numbers.notna().any():
            _refuse_text(series, numbers, series.name, origin)
            series = numbers
        else:
            moments = pd.to_datetime(series, utc=True, errors="coerce", format="ISO8601")
            _refuse_text(series, moments, series.name, origin)
            series = moments
    missing = np.flatnonzero(series.isna().to_numpy())
    if missing.size:
        raise InputError(f"{origin.row(missing[0])} has no time")
    if series.dtype.kind == "M":
        stamps = pd.DatetimeIndex(series)
        stamps = stamps.tz_localize("UTC") if stamps.tz is None else stamps.tz_convert("UTC")
        return stamps.as_unit("ms").asi8.astype(np.int64)
    return milliseconds(series.to_numpy(np.float64) if series.dtype.kind == "f" else series.to_numpy(), str(series.name), origin)


def milliseconds(stamps: np.ndarray, name: str, origin: Origin) -> np.ndarray:
    """Numeric time stamps in the unit that their size tells, as milliseconds (int64). Raises InputError for one that is no time."""
    least, greatest = (stamps.min(), stamps.max()) if stamps.size else (0, 0)
    time = np.zeros(stamps.size, np.int64)
    known = np.zeros(stamps.size, bool)
    for lowest, end, factor in _UNITS:
        if least >= lowest and greatest < end:
            return _in_milliseconds(stamps, factor)
        here = (stamps >= lowest) & (stamps < end)
        if here.any():
            time[here] = _in_milliseconds(stamps[here], factor)
            known |= here
    if not known.all():
        bad = int(np.flatnonzero(~known)[0])
        raise InputError(
            f"{origin.row(bad)}: {name} = {stamps[bad]:g} is no time; "
            "it must be seconds, milliseconds or microseconds since 1970, or an ISO date"
        )
    return time


def _in_milliseconds(stamps: np.ndarray, factor: float) -> np.ndarray:
    """Stamps of one unit, `factor` milliseconds long."""
    if factor >= 1.0:
        return (stamps if factor == 1.0 and stamps.dtype.kind in "iu" else np.rint(stamps * factor)).astype(np.int64)
    # Whole-number division keeps microseconds and nanoseconds exact.
    return stamps.astype(np.int64) // round(1.0 / factor)


def _numbers(frame: pd.DataFrame, names: Sequence[str], origin: Origin, time: np.ndarray) -> np.ndarray:
    series = _column(frame, names, origin)
    if series.dtype.kind in "iuf":
        return series.to_numpy(np.float64, na_value=np.nan)
    numbers = pd.to_numeric(series, errors="coerce") if series.dtype.kind != "b" else pd.Series(np.nan, series.index)
    _refuse_text(series, numbers, series.name, origin, time)
    return numbers.to_numpy(np.float64, na_value=np.nan)


def _refuse_text(series: pd.Series, converted: pd.Series, name: object, origin: Origin, time: np.ndarray | None = None) -> None:
    """Name the first row whose text could not be converted."""
    bad = np.flatnonzero((converted.isna() & series.notna()).to_numpy())
    if bad.size:
        wanted = "a time" if time is None else "a number"
        value = series.iloc[bad[0]]
        shown = repr(value.item() if isinstance(value, np.generic) else value)
        when = None if time is None else time[bad[0]]
        raise InputError(f"{origin.row(bad[0], when)}: {name} = {shown[:60]} is not {wanted}")
