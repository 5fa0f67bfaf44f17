"""Which instrument a symbol is: given by the user, as last read from the exchange, or of the built-in table; and since when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from backtest.data.built_in import built_in_coins, built_in_instrument, built_in_tiers, filters_origin, tiers_origin
from backtest.data.cache.instruments import load_instrument, stored_symbols
from backtest.data.instrument import Instrument
from backtest.data.progress import Watcher
from backtest.data.request import Request, Terms
from backtest.data.symbols import base_coin, unknown_coin
from backtest.data.timeframe import utc_text
from engine.errors import SourceError

GIVEN = "as given"
SEVEN_TIERS = "seven BTC-style tiers"


@dataclass(frozen=True)
class Known:
    """An instrument, and where its filters and its tiers come from, for a sentence; tiers_origin is empty without tiers."""

    instrument: Instrument
    filters_origin: str = GIVEN
    tiers_origin: str = ""

    @classmethod
    def given(cls, instrument: Instrument) -> Known:
        """The instrument of a user."""
        return cls(instrument, GIVEN, "" if instrument.tiers is None else GIVEN)

    @classmethod
    def read(cls, instrument: Instrument, exchange: str, time: int) -> Known:
        """The instrument as `exchange` described it at `time`, ms UTC."""
        origin = f"{exchange} on {utc_text(time)[:10]}"
        return cls(instrument, origin, "" if instrument.tiers is None else origin)

    @classmethod
    def built_in(cls, symbol: str) -> Known:
        """The instrument of the built-in table. Raises InputError for a coin that it does not have."""
        return cls(built_in_instrument(symbol), filters_origin())

    def with_tiers(self) -> Known:
        """The same with the built-in tiers of its coin when it has none, or with the seven that stand in for all others."""
        if self.instrument.tiers is not None:
            return self
        tiers = built_in_tiers(self.instrument.symbol)
        if tiers is None:
            return replace(self, tiers_origin=SEVEN_TIERS)
        return replace(self, instrument=self.instrument.replace(tiers=tiers), tiers_origin=tiers_origin())

    def request(self, terms: Terms) -> Request:
        """The request for this coin on the terms of all."""
        own = {one.name: getattr(terms, one.name) for one in fields(Terms)}
        return Request(instrument=self.instrument, filters_origin=self.filters_origin, tiers_origin=self.tiers_origin, **own)

    @classmethod
    def of(cls, request: Request) -> Known:
        """The instrument of a request."""
        return cls(request.instrument, request.filters_origin, request.tiers_origin)

    @property
    def remark(self) -> str:
        """What is assumed by trading older bars with these."""
        return (
            f"Assumed: today's tick size, step size and least order sizes ({self.filters_origin}) and margin tiers "
            f"({self.tiers_origin or SEVEN_TIERS}) held at the time of all bars."
        )


def known_instrument(symbol: str, terms: Terms, given: Mapping[str, Instrument], watcher: Watcher) -> Known:
    """The instrument of a symbol without asking an exchange; tiers that were not given are those last read, if any.

    Raises InputError naming the nearest known coins.
    """
    stored = _stored(symbol, terms, watcher)
    if symbol in given:
        known = Known.given(given[symbol])
        if stored is None or stored.instrument.tiers is None or known.instrument.tiers is not None:
            return known
        return replace(known, instrument=known.instrument.replace(tiers=stored.instrument.tiers), tiers_origin=stored.tiers_origin)
    if stored is not None:
        return stored
    if base_coin(symbol) in built_in_coins():
        return Known.built_in(symbol)
    raise unknown_coin(base_coin(symbol), sorted({*built_in_coins(), *_stored_coins(terms)}), "the built-in table and the cache")


def simulated_instrument(symbol: str, terms: Terms, given: Mapping[str, Instrument], watcher: Watcher) -> Known:
    """As `known_instrument`, but the built-in table comes before the cache: a simulated path hangs on the tick size.

    The same seed has to give the same path whatever was downloaded.
    """
    if symbol not in given and base_coin(symbol) in built_in_coins():
        return Known.built_in(symbol)
    return known_instrument(symbol, terms, given, watcher)


def _stored(symbol: str, terms: Terms, watcher: Watcher) -> Known | None:
    """The instrument as last read from the exchange; None when it never was, or when the file of them is unreadable."""
    try:
        stored = load_instrument(terms.cache_dir, terms.exchange, symbol)
    except SourceError as error:
        watcher.say(f"{error}; until then the built-in table stands in")
        return None
    return None if stored is None else Known.read(stored[0], terms.exchange, stored[1])


def _stored_coins(terms: Terms) -> list[str]:
    try:
        return [base_coin(symbol) for symbol in stored_symbols(terms.cache_dir, terms.exchange)]
    except SourceError:
        return []
