"""`python -m backtest.data fetch`: what is missing, from the exchange into the cache."""

from __future__ import annotations

import argparse
import sys

from backtest.command_line import EXIT_DONE, EXIT_SOURCE
from backtest.data.cache.download import UpdateReport
from backtest.data.cache.ranges import Span
from backtest.data.cache.store import Cache
from backtest.data.cached import stop_of
from backtest.data.download import DEFAULT_SPAN, fetch_instrument, fetch_series, open_exchange
from backtest.data.exchange.venue import Venue
from backtest.data.progress import Watcher, watcher
from backtest.data.series import FUNDING, MARK, SeriesName
from backtest.data.symbols import resolve_symbol
from backtest.data.timeframe import DAY, Timeframe, parse_utc, utc_text
from engine.errors import InputError, SourceError


def fetch(options: argparse.Namespace) -> int:
    """Download bars, mark-price bars and funding of the coins, and their filters; one line a series.

    Mark prices that the exchange does not give are said, the others are fetched all the same, and the exit code is 3.
    """
    symbols = [resolve_symbol(coin) for coin in options.coins]
    timeframes = [str(Timeframe.parse(timeframe)) for timeframe in options.timeframe]
    begin = None if options.start is None else parse_utc(options.start, "start")
    end = None if options.end is None else parse_utc(options.end, "end")
    if begin is not None and end is not None and begin >= end:
        raise InputError(f"start = {utc_text(begin)} is refused: it must be before end = {utc_text(end)}")
    refused = 0
    with watcher(options.quiet) as watching:
        cache = Cache(options.cache_dir, watching.say)
        with open_exchange(options.exchange, symbols, watching, address=options.exchange_url) as venue:
            now = venue.now()
            stop = now if end is None else min(end, now)
            first = (stop - DEFAULT_SPAN) // DAY * DAY if begin is None else begin
            if first >= stop:
                raise InputError(f"start = {utc_text(first)} is refused: it is {utc_text(now)} UTC on {options.exchange}")
            for symbol in symbols:
                fetch_instrument(venue, cache, symbol, watching)
                for content in _contents(timeframes, options):
                    series = SeriesName(options.exchange, symbol, content)
                    part = Span(first, min(stop_of(content, stop), now))
                    refused += not _fetched(venue, cache, series, part, options, watching)
    return EXIT_SOURCE if refused else EXIT_DONE


def _fetched(venue: Venue, cache: Cache, series: SeriesName, part: Span, options: argparse.Namespace, watching: Watcher) -> bool:
    """Fetch one series and say so; False when the exchange does not give its mark prices, without which runs can do."""
    if not venue.offers(series.content):
        watching.say(f"{series}: {series.exchange} does not offer it")
        return True
    try:
        report = fetch_series(venue, cache, series, *part, options.refresh, watching)
    except SourceError as error:
        if not series.content.startswith(MARK):
            raise
        print(f"error: {series} was not fetched: {error}", file=sys.stderr)
        return False
    if not options.quiet:
        print(_line(series, report), flush=True)
    return True


def _contents(timeframes: list[str], options: argparse.Namespace) -> list[str]:
    marks = [] if options.no_mark else [f"{MARK}{timeframe}" for timeframe in timeframes]
    return [*timeframes, *marks, *([] if options.no_funding else [FUNDING])]


def _line(series: SeriesName, report: UpdateReport) -> str:
    if not report.asked:
        return f"{series}: nothing to fetch, everything is stored"
    spans = ", ".join(f"{utc_text(span.begin)} to {utc_text(span.stop)}" for span in report.asked[:3])
    more = f" and {len(report.asked) - 3} more stretches" if len(report.asked) > 3 else ""
    compared = f", {report.compared:,} stored rows compared and equal" if report.compared else ""
    aside = f"; set aside as unreadable: {', '.join(report.set_aside)}" if report.set_aside else ""
    pages = "page" if report.pages == 1 else "pages"
    return f"{series}: {report.rows:,} new rows in {report.pages:,} {pages}, {spans}{more} UTC{compared}{aside}"
