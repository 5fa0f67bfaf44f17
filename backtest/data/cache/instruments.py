"""Filters and margin tiers of instruments as an exchange gave them: `<root>/<exchange>/instruments.json`, with their dates."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from backtest.data.atomic import sync_folder, write_atomically
from backtest.data.cache.layout import default_root, free_name
from backtest.data.cache.locks import locked, report_nothing, told_in_one_sentence
from backtest.data.instrument import Instrument
from backtest.data.series import FUNDING, SeriesName
from backtest.data.tiers import tier_records
from engine.errors import InputError, SourceError

SCHEMA = 1
_FILE = "instruments.json"
_ANY = "instruments"
_NUMBERS = ("tick_size", "step_size", "min_qty", "min_notional", "contract_multiplier")
_TIER = ("floor", "cap", "rate", "cum", "max_leverage")


def save_instruments(
    root: Path | str | None,
    exchange: str,
    instruments: Iterable[Instrument],
    fetched_ms: int,
    report: Callable[[str], None] = report_nothing,
) -> None:
    """Store instruments of an exchange beside or in place of those stored; `fetched_ms` is the exchange's time, ms UTC.

    An instrument that comes without tiers keeps those stored, with their own date. Raises SourceError when the cache cannot
    be written.
    """
    path = _path(root, exchange)
    with locked(path.parent, f"the instruments of {exchange}", report):
        with told_in_one_sentence(path):
            stored = _stored_or_set_aside(path, exchange, report)
        for instrument in instruments:
            entry = _as_entry(instrument, fetched_ms)
            before = stored.get(instrument.symbol)
            if instrument.tiers is None and before is not None:
                entry |= {name: before[name] for name in ("tiers", "tiers_fetched")}
            stored[instrument.symbol] = entry
        content = {"schema": SCHEMA, "exchange": exchange, "instruments": dict(sorted(stored.items()))}
        with told_in_one_sentence(path):
            write_atomically(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


def load_instrument(root: Path | str | None, exchange: str, symbol: str) -> tuple[Instrument, int] | None:
    """An instrument such as BTCUSDT and when the exchange gave its filters, ms UTC; None when none is stored.

    Raises SourceError when the file is unreadable.
    """
    entry = _read(_path(root, exchange), exchange).get(symbol)
    return None if entry is None else (_from_entry(symbol, entry), int(entry["fetched"]))


def stored_symbols(root: Path | str | None, exchange: str) -> list[str]:
    """The symbols of an exchange whose instruments are stored, in alphabetical order. Raises SourceError when the file is unreadable."""
    return sorted(_read(_path(root, exchange), exchange))


def _path(root: Path | str | None, exchange: str) -> Path:
    folder = default_root() if root is None else Path(root).expanduser()
    return folder / SeriesName(exchange, _ANY, FUNDING).exchange / _FILE  # refuses a name that is no folder's


def _read(path: Path, exchange: str) -> dict[str, dict[str, Any]]:
    try:
        with told_in_one_sentence(path, "read"):
            return _stored(path, exchange)
    except InputError as error:
        raise SourceError(f"{path} is unreadable: {error}; fetch the instruments again") from None


def _stored(path: Path, exchange: str) -> dict[str, dict[str, Any]]:
    """The entries of the file, each of which makes an instrument; none without a file. Raises InputError when it is broken."""
    try:
        content = json.loads(path.read_bytes())
        if (content["schema"], content["exchange"]) != (SCHEMA, exchange):
            raise InputError(f"it is of schema {content['schema']!r} and exchange {content['exchange']!r}")
        for symbol, entry in content["instruments"].items():
            _from_entry(symbol, entry)
            int(entry["fetched"])
    except FileNotFoundError:
        return {}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("it is not a file of instruments") from None
    return content["instruments"]


def _stored_or_set_aside(path: Path, exchange: str, report: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    try:
        return _stored(path, exchange)
    except InputError as error:
        kept = free_name(path)
        path.rename(kept)
        sync_folder(path.parent)
        report(f"{path} is unreadable: {error}; it is kept as {kept.name}")
        return {}


def _as_entry(instrument: Instrument, fetched_ms: int) -> dict[str, Any]:
    tiers = None
    if instrument.tiers is not None:
        # JSON has no infinity: no cap is null.
        tiers = [{name: float(row[name]) if math.isfinite(row[name]) else None for name in _TIER} for row in instrument.tiers]
    entry: dict[str, Any] = {name: getattr(instrument, name) for name in _NUMBERS}
    return entry | {"fetched": int(fetched_ms), "tiers": tiers, "tiers_fetched": None if tiers is None else int(fetched_ms)}


def _from_entry(symbol: str, entry: dict[str, Any]) -> Instrument:
    if {"tiers", "tiers_fetched"} - entry.keys():
        raise KeyError("tiers")
    tiers = None if entry["tiers"] is None else tier_records(entry["tiers"], f"tiers of {symbol}")
    numbers: dict[str, Any] = {name: entry[name] for name in _NUMBERS}
    return Instrument(symbol, tiers=tiers, **numbers)
