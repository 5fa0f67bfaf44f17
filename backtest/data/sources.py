"""Where markets come from: one function a source, all of one shape, and the rule by which `auto` chooses.

One call is all real or all simulated: a source serves every coin or raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from backtest.data.assemble import with_tiers
from backtest.data.built_in import built_in_coins, built_in_instrument
from backtest.data.cache.instruments import load_instrument, stored_symbols
from backtest.data.cache.store import Cache
from backtest.data.cached import cached_market, is_complete
from backtest.data.download import dated, download, open_exchange
from backtest.data.files.source import load_files
from backtest.data.instrument import Instrument
from backtest.data.market import Market
from backtest.data.progress import Watcher
from backtest.data.request import Terms
from backtest.data.simulated.source import load_simulated
from backtest.data.symbols import base_coin, unknown_coin
from engine.errors import SourceError

Source = Callable[[Sequence[str], Terms, Mapping[str, Instrument], bool, Watcher], list[Market]]
"""Symbols, terms, instruments given by symbol, whether to download again, and who watches -> markets in that order."""


def known_instrument(symbol: str, terms: Terms, given: Mapping[str, Instrument]) -> Instrument:
    """The instrument of a symbol without asking an exchange: the one given, the one last read from the exchange, the built-in one.

    Raises InputError naming the nearest known coins.
    """
    if symbol in given:
        return given[symbol]
    cache = Cache(terms.cache_dir)
    stored = load_instrument(cache.root, terms.exchange, symbol)
    if stored is not None:
        return stored[0]
    if base_coin(symbol) in built_in_coins():
        return built_in_instrument(symbol)
    known = {*built_in_coins(), *(base_coin(one) for one in stored_symbols(cache.root, terms.exchange))}
    raise unknown_coin(base_coin(symbol), sorted(known), "the built-in table and the cache")


def from_files(symbols: Sequence[str], terms: Terms, given: Mapping[str, Instrument], _refresh: bool, _watcher: Watcher) -> list[Market]:
    """Markets from the folder, archive or table `terms.data_dir`."""
    return [load_files(terms.of(known_instrument(symbol, terms, given))) for symbol in symbols]


def from_simulation(
    symbols: Sequence[str], terms: Terms, given: Mapping[str, Instrument], _refresh: bool, _watcher: Watcher
) -> list[Market]:
    """Simulated markets."""
    return [load_simulated(terms.of(with_tiers(known_instrument(symbol, terms, given))[0])) for symbol in symbols]


def from_cache(symbols: Sequence[str], terms: Terms, given: Mapping[str, Instrument], _refresh: bool, watcher: Watcher) -> list[Market]:
    """Markets from what was downloaded or imported before; nothing is asked of the exchange."""
    cache = Cache(terms.cache_dir, watcher.say)
    return [cached_market(terms.of(known_instrument(symbol, terms, given)), cache, f"cache of {terms.exchange}") for symbol in symbols]


def from_exchange(
    symbols: Sequence[str], terms: Terms, given: Mapping[str, Instrument], refresh: bool, watcher: Watcher, probe: bool = False
) -> list[Market]:
    """Markets from the exchange: what is missing is downloaded into the cache, and read from there.

    probe: one attempt of two seconds decides whether the exchange can be reached.
    """
    cache = Cache(terms.cache_dir, watcher.say)
    markets = []
    with open_exchange(terms.exchange, symbols, watcher, probe) as venue:
        terms = dated(terms, venue.now())
        for symbol in symbols:
            instrument, rows = download(venue, cache, symbol, terms, given.get(symbol), refresh, watcher)
            source = f"exchange {terms.exchange} ({rows:,} new rows, the rest from the cache)"
            markets.append(cached_market(terms.of(instrument), cache, source))
    return markets


def auto(symbols: Sequence[str], terms: Terms, given: Mapping[str, Instrument], refresh: bool, watcher: Watcher) -> list[Market]:
    """Cache, exchange or simulated market: the first that can serve every coin.

    The cache comes first only for dates with an end that it holds whole: without an end the newest bars are wanted. When
    the exchange cannot be reached, the cache serves with what it has of the dates.
    """
    cache = Cache(terms.cache_dir, watcher.say)
    if not refresh and all(is_complete(symbol, terms, cache) for symbol in symbols):
        return from_cache(symbols, terms, given, refresh, watcher)
    try:
        return from_exchange(symbols, terms, given, refresh, watcher, probe=True)
    except SourceError as error:
        unreached = str(error)
    for symbol in symbols:
        known_instrument(symbol, terms, given)  # a mistyped coin is refused, not simulated
    try:
        markets = from_cache(symbols, terms, given, refresh, watcher)
    except SourceError:
        markets = from_simulation(symbols, terms, given, refresh, watcher)
    remark = f"The exchange was not read: {unreached}."
    return [replace(market, remarks=(*market.remarks, remark)) for market in markets]


SOURCES: Mapping[str, Source] = {"cache": from_cache, "exchange": from_exchange, "files": from_files, "simulated": from_simulation}
