"""The pages of an exchange, checked before anything is made of them: "could not read" is never "there is nothing"."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import numpy as np

from backtest.data.cache import rows
from backtest.data.cache.layout import close_of, on_grid
from backtest.data.cache.ranges import Span
from backtest.data.columns import Origin
from backtest.data.series import Page, PageSource, SeriesName
from backtest.data.timeframe import HOUR, utc_text
from engine.errors import InputError, SourceError

_LATE_BARS = 3


def checked_pages(series: SeriesName, source: PageSource, asked: Span) -> Iterator[Page]:
    """The pages of `asked`, whose bounds are on the grid: rows that keep the rules, finished, and known further page by page.

    The last page reaches the end of `asked`, or the bar before it where the source takes that for still forming; with bars
    missing at the end, and the end hardly past, it is known only up to the last bar. Raises SourceError when the source does
    not keep to its contract.
    """
    now = source.now()
    position = asked.begin
    # The source is a generator as a rule; closing it lets it end its connection when the caller stops half-way.
    with closing(source.pages(series, *asked)) as pages:  # type: ignore[type-var]
        for page in pages:
            until = min(on_grid(series, page.known_until), asked.stop)
            if page.time.size and close_of(series, int(page.time[-1])) > now:
                now = source.now()
            _check_page(series, page, Span(position, until), now)
            believed = _believed(series, page, until, now)
            if believed > position:
                yield Page(page.time, page.values, believed)
            position = until
    # An hour for settlements, which have no bar to be forming.
    if asked.stop - position > (HOUR if series.timeframe is None else series.timeframe.ms):
        raise SourceError(
            f"the exchange's answer for {series} ends at {utc_text(position)} UTC, before {utc_text(asked.stop)} UTC, without saying why"
        )


def _believed(series: SeriesName, page: Page, until: int, now: int) -> int:
    """Up to where a page that ends at `until` makes its series known.

    An exchange may list a bar some time after its close. So bars that are missing at the very end, where none follows, are
    no hole until some more bars' time has passed; they will be asked for again.
    """
    if series.timeframe is None:
        return until
    last_close = close_of(series, int(page.time[-1])) if page.time.size else 0
    settled = on_grid(series, now - _LATE_BARS * series.timeframe.ms)
    return min(until, max(last_close, settled))


def _check_page(series: SeriesName, page: Page, span: Span, now: int) -> None:
    """Refuse a page that does not advance, or has rows that break a rule, are unfinished or lie outside `span`."""
    if span.stop <= span.begin:
        raise SourceError(f"the exchange's answer for {series} does not advance beyond {utc_text(span.begin)} UTC")
    origin = Origin(f"the exchange's page of {series} from {utc_text(span.begin)} UTC")
    try:
        rows.check_rows(series, page.time, page.values, origin)
    except InputError as error:
        raise SourceError(str(error)) from None
    if page.time.size == 0:
        return
    if close_of(series, int(page.time[-1])) > now:
        raise SourceError(f"{origin.row(page.time.size - 1, page.time[-1])} is not finished yet: only closed bars are stored")
    outside = np.flatnonzero((page.time < span.begin) | (page.time >= span.stop))
    if outside.size:
        row = int(outside[0])
        raise SourceError(
            f"{origin.row(row, page.time[row])} lies outside the page, from {utc_text(span.begin)} to {utc_text(span.stop)} UTC"
        )
