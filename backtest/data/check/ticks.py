"""The tick that orders of a symbol are rounded to: that last read from its exchange, or that of the built-in table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from backtest.data.built_in import built_in_coins
from backtest.data.cache.instruments import load_instrument
from backtest.data.known import Known
from backtest.data.symbols import base_coin
from engine.errors import SourceError


@dataclass(frozen=True)
class Tick:
    """A tick size, quote currency, and which table has it: `built-in table of 2025`, `binanceusdm on 2024-03-01`."""

    size: float
    origin: str


def built_in_tick(symbol: str) -> Tick | None:
    """The tick of the built-in table; None for a coin that it does not have."""
    return _tick(Known.built_in(symbol)) if base_coin(symbol) in built_in_coins() else None


class Ticks:
    """Ticks as a run finds them: the instruments of a cache win over the built-in table.

    `cache_dir`: the folder of the cache, None for the default; `exchange`: the one whose instruments count for series of an
    exchange that has none in the cache. `remarks` says which file of instruments is unreadable.
    """

    def __init__(self, cache_dir: Path | str | None, exchange: str) -> None:
        self._cache_dir = cache_dir
        self._exchange = exchange
        self._unreadable: dict[str, str] = {}
        self._known: dict[tuple[str, str], Tick | None] = {}

    def of(self, exchange: str, symbol: str) -> Tick | None:
        """The tick of a symbol; None when no table has it."""
        key = exchange, symbol
        if key not in self._known:
            self._known[key] = self._stored(exchange, symbol) or self._stored(self._exchange, symbol) or built_in_tick(symbol)
        return self._known[key]

    @property
    def remarks(self) -> tuple[str, ...]:
        """A sentence for every file of instruments that could not be read."""
        return tuple(self._unreadable.values())

    def _stored(self, exchange: str, symbol: str) -> Tick | None:
        if exchange in self._unreadable:
            return None
        try:
            stored = load_instrument(self._cache_dir, exchange, symbol)
        except SourceError as error:
            self._unreadable[exchange] = f"{error}; until then the built-in table stands in."
            return None
        return None if stored is None else _tick(Known.read(stored[0], exchange, stored[1]))


def _tick(known: Known) -> Tick:
    return Tick(known.instrument.tick_size, known.filters_origin)
