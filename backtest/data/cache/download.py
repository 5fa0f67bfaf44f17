"""`update`: fetch what the cache does not have of a series, page by page, each page on the disk before the next is asked for.

Beside every missing stretch up to three stored bars (a day of settlements) on either side of it are asked for along with it, and compared:
where the exchange now tells another history than the one stored, that is an error and nothing is overwritten. `refresh` fetches
stored stretches again instead, and replaces a month once the whole of its part has come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from backtest.data.cache import rows
from backtest.data.cache.answers import checked_pages
from backtest.data.cache.layout import folder_of, month_bounds, months_between, on_grid
from backtest.data.cache.locks import locked
from backtest.data.cache.month_file import Month
from backtest.data.cache.ranges import Piece, Span, clipped, covered, missing, replaced, spans
from backtest.data.cache.store import EXCHANGE, Cache
from backtest.data.series import Page, PageSource, SeriesName, known_end
from backtest.data.timeframe import DAY, HOUR
from engine.errors import InputError, SourceError

_COMPARED_BARS = 3
# Settlements come every eight hours at most times; only for counting how far a download has come.
_SETTLEMENT_STEP = 8 * HOUR
_HELD_MONTHS = 4


Progress = Callable[[int, int, Span], None]
"""Told how far a download has come: rows so far and rows expected (holes count as rows, settlements by the eight-hour clock), and
the missing stretch that is being fetched, ms UTC."""


@dataclass
class UpdateReport:
    """What an update has done.

    asked: the stretches that were missing (or refreshed), ms UTC. pages: answers of the exchange. rows: new rows stored, all rows
    of it for a refresh. known_before: rows' worth of the range that was known and not asked for. compared: stored rows
    that came again and agreed. months: those written, such as 2024-01. set_aside: names of unreadable files, kept.
    """

    asked: tuple[Span, ...] = ()
    pages: int = 0
    rows: int = 0
    known_before: int = 0
    compared: int = 0
    months: list[str] = field(default_factory=list)
    set_aside: list[str] = field(default_factory=list)


def update(
    cache: Cache,
    series: SeriesName,
    source: PageSource,
    begin: int,
    stop: int,
    refresh: bool = False,
    progress: Progress | None = None,
) -> UpdateReport:
    """Make [begin, stop), ms UTC, of a series known, as far as its bars have closed; ask only for what is missing.

    refresh: ask for all of it and replace what is stored. progress: called at the start and after every page.

    Another process that updates the same series is waited for, and what it has stored is not asked for again. Raises
    SourceError when the exchange cannot be read, gives rows that break a rule, or tells another history than the one
    stored, and when the cache cannot be written; what was stored before that stays and need not be fetched again. Raises
    InputError for a range that is none.
    """
    if not 0 <= begin < stop:
        raise InputError(f"the range from {begin} to {stop} is refused: its bounds must be ms UTC and rise")
    first, last = on_grid(series, begin), min(on_grid(series, stop), known_end(series.timeframe, source.now()))
    if first >= last:
        return UpdateReport()
    with locked(folder_of(cache.root, series), str(series), cache.report):
        return _Download(cache, series, source, progress).run(Span(first, last), refresh)


class _Download:
    """One update of one series, while its lock is held."""

    def __init__(self, cache: Cache, series: SeriesName, source: PageSource, progress: Progress | None) -> None:
        self.cache = cache
        self.series = series
        self.source = source
        self.progress = progress
        self.report = UpdateReport()
        self.months: dict[str, Month] = {}
        self.step = _SETTLEMENT_STEP if series.timeframe is None else series.timeframe.ms

    def run(self, whole: Span, refresh: bool) -> UpdateReport:
        known = self._known(whole)
        asked = (whole,) if refresh else missing(known, *whole)
        expected = sum(self._worth(span) for span in asked)
        self.report.asked = asked
        self.report.known_before = self._worth(whole) - sum(self._worth(span) for span in missing(known, *whole))
        done = 0
        for span in asked:
            self._tell(done, expected, span)
            for reached in self._refreshed(span) if refresh else self._fetched(span):
                self._tell(done + self._worth(Span(span.begin, reached)), expected, span)
            done += self._worth(span)
        return self.report

    def _fetched(self, span: Span) -> Iterator[int]:
        """Fetch one missing stretch and store every page of it; yields up to where it is known by then."""
        asked = self._widened(span)
        position = asked.begin
        for page in checked_pages(self.series, self.source, asked):
            self.report.pages += 1
            late = self._late(Span(position, page.known_until), page)
            self._compare(Span(position, page.known_until), page, late)
            for time in late:
                self._put(Span(int(time), int(time) + 1), page.time, page.values)
            part = Span(max(position, span.begin), min(page.known_until, span.stop))
            if part.begin < part.stop:
                self._put(part, page.time, page.values)
                yield part.stop
            position = page.known_until

    def _refreshed(self, span: Span) -> Iterator[int]:
        """Fetch a stretch again; what is stored of a month is replaced once its part of the stretch has come."""
        held = rows.empty(self.series)
        begin = position = span.begin
        for page in checked_pages(self.series, self.source, span):
            self.report.pages += 1
            held = rows.merged(held, (page.time, page.values))
            position = page.known_until
            whole = [month_bounds(name)[1] for name in months_between(begin, position) if month_bounds(name)[1] <= position]
            if whole:
                self._put(Span(begin, whole[-1]), *held)
                begin = whole[-1]
                held = rows.between(*held, begin, span.stop)
            yield position
        self._put(Span(begin, position), *held)

    def _widened(self, span: Span) -> Span:
        """The stretch to ask for: the missing one, and of what is known beside it as much as is compared."""
        width = DAY if self.series.timeframe is None else _COMPARED_BARS * self.step
        begin, stop = span
        for beside in spans(self._known(Span(max(0, begin - width), stop + width))):
            if beside.stop == begin:
                begin = max(beside.begin, begin - width)
            elif beside.begin == stop:
                stop = min(beside.stop, stop + width)
        return Span(begin, stop)

    def _late(self, span: Span, page: Page) -> np.ndarray:
        """Times of settlements that are not stored though `span` was taken for known: the exchange listed them late."""
        if self.series.timeframe is not None:
            return page.time[:0]
        stored = [self._month(name).time for name in months_between(*span)]
        new = ~np.isin(page.time, np.concatenate(stored)) if stored else np.zeros(page.time.size, bool)
        return page.time[new & covered(self._known(span), page.time)]

    def _compare(self, span: Span, page: Page, late: np.ndarray) -> None:
        """Refuse a page that tells another history than the one stored, where `span` is known already; `late` rows are new."""
        known = self._known(span)
        here = covered(known, page.time) & ~np.isin(page.time, late)
        for name in months_between(*span) if known else ():
            month, bounds = self._month(name), month_bounds(name)
            time, values = rows.between(month.time, month.values, *span)
            # The exchange need not have a row that came from elsewhere.
            own = covered([piece for piece in known if piece.origin == EXCHANGE], time)
            kept = own | np.isin(time, page.time)
            given = rows.between(page.time[here], page.values[:, here], *bounds)
            unlike = rows.difference(self.series, (time[kept], values[:, kept]), given)
            if unlike:
                raise SourceError(
                    f"the exchange has revised its history of {self.series}: {unlike}; nothing stored was changed, "
                    "and --refresh fetches the range again in its place"
                )
            self.report.compared += int(np.count_nonzero(kept))

    def _put(self, span: Span, time: np.ndarray, values: np.ndarray) -> None:
        """Store the rows of `span` in place of all that is stored of it, month by month."""
        for name in months_between(*span):
            month, bounds = self._month(name), month_bounds(name)
            part = Span(max(span.begin, bounds[0]), min(span.stop, bounds[1]))
            others = (month.time < part.begin) | (month.time >= part.stop)
            new = rows.between(time, values, *part)
            table = rows.merged((month.time[others], month.values[:, others]), new)
            month = Month(self.series, name, *table, replaced(month.known, Piece(*part, EXCHANGE)))
            self.cache.write(month)
            self.months[name] = month
            self.report.rows += int(new[0].size)
            if name not in self.report.months:
                self.report.months.append(name)

    def _known(self, span: Span) -> tuple[Piece, ...]:
        return clipped((piece for name in months_between(*span) for piece in self._month(name).known), *span)

    def _month(self, name: str) -> Month:
        """A month as it is stored; only the last few are held, because a year of minutes fills a lot of memory."""
        if name not in self.months:
            while len(self.months) >= _HELD_MONTHS:
                del self.months[next(iter(self.months))]
            self.months[name] = self.cache.mended(self.series, name, self.report.set_aside)
        return self.months[name]

    def _worth(self, span: Span) -> int:
        """The rows that a stretch has when nothing is missing in it."""
        return -(-(span.stop - span.begin) // self.step)

    def _tell(self, done: int, expected: int, span: Span) -> None:
        if self.progress is not None:
            self.progress(done, expected, span)
