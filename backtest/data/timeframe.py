"""Timeframes and UTC times: "15m" to milliseconds, dates to milliseconds, milliseconds to text."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.errors import InputError

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
# Markets of this kind never close, and a year has 365 days, as the annualized metrics of the field have it.
YEAR = 365 * DAY

_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_PATTERN = re.compile(r"([1-9][0-9]{0,3})([smhd])")


@dataclass(frozen=True)
class Timeframe:
    """The length of a bar, `ms` milliseconds, from one minute to one day; it divides the day, so that UTC days begin with a bar.

    Finer bars beneath those of a market (`finer`) may be as short as one second.
    """

    ms: int

    @classmethod
    def parse(cls, value: str | Timeframe) -> Timeframe:
        """`"15m"`, `"4h"`, `"1d"` as a timeframe. Raises InputError for anything else."""
        frame = cls._of(value)
        if frame is None or frame.ms < MINUTE:
            raise InputError(f"timeframe = {value!r} is refused: it must be 1m to 1d and divide the day, such as 1m, 5m, 15m, 1h, 4h or 1d")
        return frame

    @classmethod
    def finer(cls, value: str | Timeframe) -> Timeframe:
        """As `parse`, for bars that only serve beneath others: `"1s"` and what else divides the day is allowed too."""
        frame = cls._of(value)
        if frame is None:
            raise InputError(f"timeframe = {value!r} is refused: it must be 1s to 1d and divide the day, such as 1s, 1m, 5m or 1h")
        return frame

    @classmethod
    def _of(cls, value: str | Timeframe) -> Timeframe | None:
        if isinstance(value, Timeframe):
            return value
        match = _PATTERN.fullmatch(value.strip()) if isinstance(value, str) else None
        length = int(match[1]) * _UNITS[match[2]] if match else 0
        return cls(length) if SECOND <= length <= DAY and DAY % length == 0 else None

    @property
    def bars_per_year(self) -> float:
        """Bars in 365 days: 35 040 for 15m. It annualizes metrics per bar."""
        return YEAR / self.ms

    def __str__(self) -> str:
        for unit in ("d", "h", "m", "s"):
            if self.ms % _UNITS[unit] == 0:
                return f"{self.ms // _UNITS[unit]}{unit}"
        raise AssertionError(self.ms)


def utc_text(time: int | np.integer) -> str:
    """`1704067200000` as `2024-01-01 00:00`; seconds and milliseconds are shown when there are any."""
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=int(time))
    if moment.microsecond:
        return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03d}"
    return moment.strftime("%Y-%m-%d %H:%M:%S" if moment.second else "%Y-%m-%d %H:%M")


def parse_utc(value: str | dt.date | dt.datetime | pd.Timestamp | np.datetime64 | int, field: str) -> int:
    """A date or time as milliseconds UTC: ISO text, a date, a datetime (naive: UTC), or milliseconds as an integer.

    `field` is the name an InputError gives it.
    """
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        if not 0 < int(value) < 10**14:
            raise InputError(f"{field} = {value} is refused: an integer must be milliseconds UTC since 1970")
        return int(value)
    try:
        if not isinstance(value, (str, dt.date, np.datetime64)) or (isinstance(value, str) and not value[:4].isdigit()):
            raise ValueError
        # Python's own reader, because it takes ISO dates only and never guesses between day and month.
        moment = pd.Timestamp(dt.datetime.fromisoformat(value) if isinstance(value, str) else value)
        if moment is pd.NaT:
            raise ValueError
    except (ValueError, TypeError, OverflowError):
        raise InputError(f"{field} = {value!r} is refused: it must be a date such as 2024-01-01 or 2024-01-01T08:00 (UTC)") from None
    moment = moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")
    return round(moment.timestamp() * 1000)
