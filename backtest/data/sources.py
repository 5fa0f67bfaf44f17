"""Where markets come from: one function a source, all of one shape, and the rule by which `auto` chooses.

One call is all real or all simulated: a source serves every coin or raises. What only one of them needs is imported when it serves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from backtest.data.cache.store import Cache
from backtest.data.cached import NothingStoredError, cached_market, is_complete
from backtest.data.instrument import Instrument
from backtest.data.known import Known, known_instrument, simulated_instrument
from backtest.data.market import Market
from backtest.data.progress import Watcher
from backtest.data.request import Terms
from engine.errors import InputError, SourceError

if TYPE_CHECKING:
    from backtest.data.exchange.venue import Venue

Source = Callable[[Sequence[str], Terms, Mapping[str, Instrument], bool, Watcher], list[Market]]
"""Symbols, terms, instruments given by symbol, whether to download again, and who watches -> markets in that order."""


def from_files(symbols: Sequence[str], terms: Terms, given: Mapping[str, Instrument], _refresh: bool, watcher: Watcher) -> list[Market]:
    """Markets from the folder, archive or table `terms.data_dir`. Raises InputError for several coins of one file that names none."""
    from backtest.data.files.source import load_files, tells_no_coin

    if len(symbols) > 1 and terms.data_dir is not None and tells_no_coin(terms.data_dir):
        raise InputError(
            f"data_dir = {terms.data_dir} is refused for {len(symbols)} coins: the name of a single file must tell which coin it holds, "
            f"{terms.exchange}_{symbols[0]}_{terms.timeframe}.csv for instance"
        )
    return [load_files(known_instrument(symbol, terms, given, watcher).request(terms)) for symbol in symbols]


def from_simulation(
    symbols: Sequence[str], terms: Terms, given: Mapping[str, Instrument], _refresh: bool, watcher: Watcher
) -> list[Market]:
    """Simulated markets."""
    from backtest.data.simulated.source import load_simulated

    return [load_simulated(simulated_instrument(symbol, terms, given, watcher).with_tiers().request(terms)) for symbol in symbols]


def from_cache(symbols: Sequence[str], terms: Terms, given: Mapping[str, Instrument], _refresh: bool, watcher: Watcher) -> list[Market]:
    """Markets from what was downloaded or imported before; nothing is asked of the exchange."""
    cache = Cache(terms.cache_dir, watcher.say)
    known = [known_instrument(symbol, terms, given, watcher) for symbol in symbols]
    return [cached_market(one.request(terms), cache, f"cache of {terms.exchange}") for one in known]


def from_exchange(symbols: Sequence[str], terms: Terms, given: Mapping[str, Instrument], refresh: bool, watcher: Watcher) -> list[Market]:
    """Markets from the exchange: what is missing is downloaded into the cache, and read from there."""
    from backtest.data.download import open_exchange

    with open_exchange(terms.exchange, symbols, watcher) as venue:
        return _downloaded(venue, symbols, terms, given, refresh, watcher)


def auto(symbols: Sequence[str], terms: Terms, given: Mapping[str, Instrument], refresh: bool, watcher: Watcher) -> list[Market]:
    """Cache, exchange or simulated market: the first that can serve every coin.

    The cache comes first only for dates with an end that it holds whole: without an end the newest bars are wanted. When
    the exchange cannot be reached, the cache serves with what it has of the dates. An exchange that was reached and then
    fails, and a cache that cannot be read, are errors: nothing is put in their place.
    """
    cache = Cache(terms.cache_dir, watcher.say)
    if not refresh and all(is_complete(symbol, terms, cache) and _is_known(symbol, terms, given, watcher) for symbol in symbols):
        return from_cache(symbols, terms, given, refresh, watcher)
    from backtest.data.download import open_exchange

    try:
        venue = open_exchange(terms.exchange, symbols, watcher, probe=True)
    except SourceError as error:
        if refresh:
            raise
        return _without_exchange(symbols, terms, given, watcher, str(error))
    with venue:
        return _downloaded(venue, symbols, terms, given, refresh, watcher)


def _is_known(symbol: str, terms: Terms, given: Mapping[str, Instrument], watcher: Watcher) -> bool:
    try:
        known_instrument(symbol, terms, given, watcher)
    except InputError:
        return False
    return True


def _downloaded(
    venue: Venue, symbols: Sequence[str], terms: Terms, given: Mapping[str, Instrument], refresh: bool, watcher: Watcher
) -> list[Market]:
    from backtest.data.download import download, fetch_instrument, settled

    cache = Cache(terms.cache_dir, watcher.say)
    terms = settled(terms, venue)
    markets = []
    for symbol in symbols:
        known, remarks = fetch_instrument(venue, cache, symbol, watcher)
        if symbol in given:
            known, remarks = known_instrument(symbol, terms, given, watcher), ()
        notes = [*remarks, *download(venue, cache, symbol, terms, refresh, watcher)]
        markets.append(cached_market(known.request(terms), cache, f"exchange {terms.exchange}", notes))
    return markets


def _without_exchange(
    symbols: Sequence[str], terms: Terms, given: Mapping[str, Instrument], watcher: Watcher, unreached: str
) -> list[Market]:
    """The cache with what it has of the dates, else the simulated market; the reason stands in the markets' notes."""
    known: list[Known] = [known_instrument(symbol, terms, given, watcher) for symbol in symbols]
    assert known, "a mistyped coin was refused, not simulated"
    reason = f"The exchange was not read: {unreached}."
    try:
        markets = from_cache(symbols, terms, given, False, watcher)
    except NothingStoredError as error:
        reason = f"{reason[:-1]}; {error}."
        try:
            markets = from_simulation(symbols, terms, given, False, watcher)
        except InputError as refused:
            raise InputError(f"{refused}; the exchange was not read ({unreached}), and {error}") from None
    return [replace(market, remarks=(*market.remarks, reason)) for market in markets]


SOURCES: Mapping[str, Source] = {"cache": from_cache, "exchange": from_exchange, "files": from_files, "simulated": from_simulation}
