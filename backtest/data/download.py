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
from backtest.data.instrument import Instrument
from backtest.data.progress import Watcher
from backtest.data.request import Terms
from backtest.data.series import SeriesName
from backtest.data.symbols import base_coin, unknown_coin
from backtest.data.timeframe import DAY

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
                raise unknown_coin(base_coin(symbol), [base_coin(one) for one in listed], name)
    except BaseException:
        venue.close()
        raise
    return venue


def dated(terms: Terms, now: int) -> Terms:
    """The same terms with a start: a year before the end, or before the exchange's present time."""
    if terms.start is not None:
        return terms
    end = now if terms.end is None else min(terms.end, now)
    return replace(terms, start=(end - DEFAULT_SPAN) // DAY * DAY)


def download(
    venue: Venue, cache: Cache, symbol: str, terms: Terms, given: Instrument | None, refresh: bool, watcher: Watcher
) -> tuple[Instrument, int]:
    """Bring everything that a run on these terms reads of a symbol into the cache; the instrument, and how many rows are new.

    `terms` have a start. The instrument is the one given, else as the exchange lists it now; it is kept with its date.
    """
    assert terms.start is not None
    begin = max(0, terms.start - terms.warmup * terms.timeframe.ms)
    now = venue.now()
    stop = now if terms.end is None else min(terms.end, now)
    rows = 0
    for content in wanted_contents(terms) if begin < stop else ():
        if venue.offers(content):
            series = SeriesName(terms.exchange, symbol, content)
            rows += fetch_series(venue, cache, series, begin, min(stop_of(content, stop), now), refresh, watcher).rows
    return (fetch_instrument(venue, cache, symbol, now, watcher) if given is None else given), rows


def fetch_series(venue: Venue, cache: Cache, series: SeriesName, begin: int, stop: int, refresh: bool, watcher: Watcher) -> UpdateReport:
    """Bring one series up to date; whoever watches is told when there is something to fetch."""
    tell: Callable[[int, int], None] | None = None

    def progress(done: int, expected: int, _span: Span) -> None:
        nonlocal tell
        if tell is None:
            tell = watcher.watch(f"{series.symbol} {series.content}")
        tell(done, expected)

    return update(cache, series, venue, begin, stop, refresh, progress)


def fetch_instrument(venue: Venue, cache: Cache, symbol: str, now: int, watcher: Watcher) -> Instrument:
    """Filters and tiers as the exchange lists them now, kept in the cache with their date; tiers it hides stay as last read."""
    listed = venue.instrument(symbol)
    save_instruments(cache.root, venue.name, [listed.instrument], now, watcher.say)
    stored = load_instrument(cache.root, venue.name, symbol)
    assert stored is not None
    return stored[0]
