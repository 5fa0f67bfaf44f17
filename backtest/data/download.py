"""From an exchange into the cache: what a run needs of a coin, only what is missing, and with progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from backtest.data.cache.download import UpdateReport, update
from backtest.data.cache.instruments import load_instrument, save_instruments
from backtest.data.cache.ranges import Span
from backtest.data.cache.store import Cache
from backtest.data.cached import stop_of, wanted_contents
from backtest.data.exchange.client import exchange_class
from backtest.data.exchange.venue import DEFAULT_EXCHANGE, Venue, open_venue
from backtest.data.known import Known
from backtest.data.progress import Watcher
from backtest.data.request import Terms
from backtest.data.series import FUNDING, MARK, SeriesName, known_end
from backtest.data.symbols import base_coin, unlisted_coin
from backtest.data.timeframe import DAY, HOUR, Timeframe, utc_text
from engine.errors import InputError, SourceError

# Without a start the exchange's last year trades, like the simulated market's.
DEFAULT_SPAN = 365 * DAY


def open_exchange(name: str, symbols: Sequence[str], watcher: Watcher, probe: bool = False, address: str | None = None) -> Venue:
    """The exchange, which trades every symbol.

    Raises InputError with the nearest names for an unknown coin; SourceError when the exchange cannot be reached.
    """
    if name != DEFAULT_EXCHANGE:
        exchange_class(name)  # a mistyped name is refused, whether or not it could be asked
    venue = open_venue(name, address=address, probe=probe, on_wait=watcher.say)
    try:
        listed = venue.symbols()
        for symbol in symbols:
            if symbol not in listed:
                raise unlisted_coin(base_coin(symbol), [base_coin(one) for one in listed], name)
    except BaseException:
        venue.close()
        raise
    return venue


def settled(terms: Terms, venue: Venue) -> Terms:
    """The same terms with a start and an end that the exchange can serve, and with a timeframe of bars that it offers.

    Without a start it is a year before the end. The end is the last bar of which the settlements are known as well: within
    the quarter of an hour after a settlement may have been due, a bar that closed with it is left for later. Raises InputError for
    dates that have not come yet, and when the exchange offers no bars that those asked for can be made of.
    """
    now, step = venue.now(), terms.timeframe.ms
    last = known_end(terms.timeframe, now)
    funding_known = known_end(None, now)
    if venue.offers(FUNDING) and -(-funding_known // HOUR) * HOUR <= last:
        last = (-(-funding_known // HOUR) * HOUR - 1) // step * step
    end = last if terms.end is None else min(-(-terms.end // step) * step, last)
    start = (end - DEFAULT_SPAN) // DAY * DAY if terms.start is None else terms.start
    if start >= end:
        raise InputError(f"start = {utc_text(start)} is refused: it is {utc_text(now)} UTC on {terms.exchange}")
    return replace(terms, start=start, end=end, base_timeframe=terms.base_timeframe or _offered(terms, venue))


def _offered(terms: Terms, venue: Venue) -> Timeframe | None:
    """None when the exchange offers the timeframe, else the longest it has that divides it."""
    offered = [Timeframe.finer(one) for one in venue.timeframes()]
    if not offered or terms.timeframe in offered:
        return None
    dividing = [one for one in offered if terms.timeframe.ms % one.ms == 0]
    if not dividing:
        raise InputError(f"timeframe = {terms.timeframe} is refused: {terms.exchange} has {', '.join(str(one) for one in offered)}")
    return max(dividing, key=lambda one: one.ms)


def download(venue: Venue, cache: Cache, symbol: str, terms: Terms, refresh: bool, watcher: Watcher) -> list[str]:
    """Bring everything that a run on these terms, which are `settled`, reads of a symbol into the cache; returns remarks.

    Only mark prices can be done without: when the exchange does not give them, a remark says so.
    """
    begin, stop = terms.first_wanted, terms.last_wanted
    assert begin is not None
    assert stop is not None
    rows, remarks = 0, []
    for content in wanted_contents(terms):
        if not venue.offers(content):
            continue
        series, end = SeriesName(terms.exchange, symbol, content), min(stop_of(content, stop), venue.now())
        try:
            rows += fetch_series(venue, cache, series, max(0, begin), end, refresh, watcher).rows
        except SourceError as error:
            if not content.startswith(MARK):
                raise
            remarks.append(f"The mark price was not read: {error}.")
    if rows:
        watcher.say(f"{symbol}: {rows:,} new rows from {terms.exchange}")
    return remarks


def fetch_series(venue: Venue, cache: Cache, series: SeriesName, begin: int, stop: int, refresh: bool, watcher: Watcher) -> UpdateReport:
    """Bring one series up to date; whoever watches is told when there is something to fetch."""
    tell: Callable[[int, int], None] | None = None

    def progress(done: int, expected: int, _span: Span) -> None:
        nonlocal tell
        if tell is None:
            tell = watcher.watch(f"{series.symbol} {series.content}")
        tell(done, expected)

    return update(cache, series, venue, begin, stop, refresh, progress)


def fetch_instrument(venue: Venue, cache: Cache, symbol: str, watcher: Watcher) -> tuple[Known, tuple[str, ...]]:
    """Filters and tiers as the exchange lists them now, and what it did not say.

    Both are kept in the cache with their date; tiers that the exchange hides stay as last read.
    """
    listed, now = venue.instrument(symbol), venue.now()
    save_instruments(cache.root, venue.name, [listed.instrument], now, watcher.say)
    stored = load_instrument(cache.root, venue.name, symbol)
    assert stored is not None
    return Known.read(stored[0], venue.name, now), listed.remarks
