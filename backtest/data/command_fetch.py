"""`python -m backtest.data fetch`: what is missing, from the exchange into the cache."""

from __future__ import annotations

import argparse

from backtest.data.cache.download import UpdateReport
from backtest.data.cache.store import Cache
from backtest.data.cached import stop_of
from backtest.data.download import DEFAULT_SPAN, fetch_instrument, fetch_series, open_exchange
from backtest.data.progress import watcher
from backtest.data.series import FUNDING, MARK, SeriesName
from backtest.data.symbols import resolve_symbol
from backtest.data.timeframe import DAY, Timeframe, parse_utc, utc_text
from engine.errors import InputError


def fetch(options: argparse.Namespace) -> None:
    """Download bars, mark-price bars and funding of the coins, and their filters; one line a series."""
    symbols = [resolve_symbol(coin) for coin in options.coins]
    timeframes = [str(Timeframe.parse(timeframe)) for timeframe in options.timeframe]
    begin = None if options.start is None else parse_utc(options.start, "start")
    end = None if options.end is None else parse_utc(options.end, "end")
    if begin is not None and end is not None and begin >= end:
        raise InputError(f"start = {utc_text(begin)} is refused: it must be before end = {utc_text(end)}")
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
                    if not venue.offers(content):
                        watching.say(f"{series}: {options.exchange} does not offer it")
                        continue
                    report = fetch_series(venue, cache, series, first, min(stop_of(content, stop), now), options.refresh, watching)
                    if not options.quiet:
                        print(_line(series, report), flush=True)


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
