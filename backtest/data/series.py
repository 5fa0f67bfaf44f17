"""What a series of market data is called, what a row of it holds, and the pages in which an exchange hands it over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from backtest.data.columns import BAR_FIELDS, PRICES
from backtest.data.timeframe import MINUTE, SECOND, Timeframe
from engine.errors import InputError

FUNDING = "funding"
MARK = "mark-"
BAR_DELAY = 5 * SECOND
_SETTLEMENT_STEP = 15 * MINUTE
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class SeriesName:
    """One series of one exchange: `content` is "15m" (bars), "mark-15m" (bars of the mark price) or "funding".

    Every part is safe as the name of a folder. Raises InputError for one that is not.
    """

    exchange: str
    symbol: str
    content: str

    def __post_init__(self) -> None:
        for field in ("exchange", "symbol", "content"):
            if not isinstance(getattr(self, field), str) or not _SAFE.fullmatch(getattr(self, field)):
                raise InputError(f"{field} = {getattr(self, field)!r} is refused: it must be letters, digits, dots, dashes or underscores")
        if self.content != FUNDING:
            Timeframe.finer(self.content.removeprefix(MARK))

    @property
    def timeframe(self) -> Timeframe | None:
        """Length of a bar; None for settlements, which keep to no grid."""
        return None if self.content == FUNDING else Timeframe.finer(self.content.removeprefix(MARK))

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the values of a row, beside its `timestamp`."""
        if self.content == FUNDING:
            return ("rate",)
        return PRICES if self.content.startswith(MARK) else BAR_FIELDS

    def __str__(self) -> str:
        return f"{self.exchange} {self.symbol} {self.content}"


def known_end(timeframe: Timeframe | None, now: int) -> int:
    """Up to where the rows of a series are final when the exchange's clock shows `now`, ms UTC.

    A bar counts some seconds after its close, when its last trades are in. Settlements (timeframe None), which may be listed
    a little late, count up to the last whole quarter of an hour.
    """
    if timeframe is None:
        return now // _SETTLEMENT_STEP * _SETTLEMENT_STEP
    return (now - BAR_DELAY) // timeframe.ms * timeframe.ms


@dataclass(frozen=True, eq=False)
class Page:
    """Rows of a series, and how far it is known with them.

    time: int64 ms UTC, unique and rising, (rows,). values: float64, (fields, rows), in the order of `SeriesName.fields`.
    known_until: ms UTC; every row before it that the exchange has is on this page or was on one before. It may lie
    beyond the last row: the exchange has said that there is nothing in between.
    """

    time: np.ndarray
    values: np.ndarray
    known_until: int


class PageSource(Protocol):
    """Whatever hands over a series page by page: an exchange, or what stands in for one in a test."""

    def now(self) -> int:
        """The exchange's own time, ms UTC; what opens before it and has not closed by then is unfinished."""
        ...

    def pages(self, series: SeriesName, begin: int, stop: int) -> Iterator[Page]:
        """The rows that open (or settle) in [begin, stop), in order of time, finished ones only.

        The `known_until` of the pages rises; the last is `stop`, or earlier where the bar then is still forming.
        Raises SourceError when the exchange cannot be read; never an empty page in place of that.
        """
        ...
