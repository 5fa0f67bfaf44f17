"""An exchange inside the process: hands over pages of made rows, and counts, fails or dies where a test wants it to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from backtest.data.series import Page, SeriesName
from backtest.data.timeframe import HOUR, parse_utc

BARS = SeriesName("fake", "BTCUSDT", "4h")
MARKS = SeriesName("fake", "BTCUSDT", "mark-4h")
FUNDING = SeriesName("fake", "BTCUSDT", "funding")
FAR = parse_utc("2030-01-01", "now")


def at(text: str) -> int:
    return parse_utc(text, "time")


def made_rows(series: SeriesName, begin: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows that follow from their times alone, in [begin, stop)."""
    step = 8 * HOUR if series.timeframe is None else series.timeframe.ms
    time = np.arange(-(-begin // step), -(-stop // step), dtype=np.int64) * step
    wave = np.sin(time / 7.7e7)
    if series.timeframe is None:
        return time, (wave * 1e-4)[np.newaxis]
    opens, closes = 100 + 10 * wave, 100 + 10 * np.sin((time + step) / 7.7e7)
    columns = [opens, np.maximum(opens, closes) + 1, np.minimum(opens, closes) - 1, closes, 5 + wave]
    return time, np.array(columns[: len(series.fields)])


def tree(root: Path) -> dict[str, bytes]:
    """Every file below a folder but the locks, by path."""
    files = (path for path in root.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


class MadeSource:
    """Pages of `made_rows`: at most `size` rows a page, no rows at `holes` or before `listed`; `clock` is the exchange's time.

    `before_page(number)` is called before each page (from 0, counted over all calls); `edit(page)` may change one.
    """

    def __init__(
        self,
        size: int = 100,
        clock: int = FAR,
        holes: tuple[int, ...] = (),
        listed: int = 0,
        before_page: Callable[[int], None] = lambda number: None,
        edit: Callable[[Page], Page] = lambda page: page,
    ) -> None:
        self.size = size
        self.clock = clock
        self.holes = holes
        self.listed = listed
        self.before_page = before_page
        self.edit = edit
        self.asked: list[tuple[int, int]] = []
        self.count = 0

    def now(self) -> int:
        return self.clock

    def rows(self, series: SeriesName, begin: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        time, values = made_rows(series, begin, stop)
        there = (time >= self.listed) & ~np.isin(time, self.holes)
        return time[there], values[:, there]

    def pages(self, series: SeriesName, begin: int, stop: int) -> Iterator[Page]:
        self.asked.append((begin, stop))
        time, values = self.rows(series, begin, stop)
        for first in range(0, max(1, time.size), self.size):
            self.before_page(self.count)
            self.count += 1
            last = first + self.size
            known = int(time[last]) if last < time.size else stop
            yield self.edit(Page(time[first:last], np.ascontiguousarray(values[:, first:last]), known))
