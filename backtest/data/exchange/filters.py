"""Symbols and instruments of an exchange as ccxt reads them: linear perpetuals settled in USDT, their filters and tiers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from backtest.data.exchange.client import API_KEY, API_SECRET, Client
from backtest.data.instrument import Instrument
from backtest.data.tiers import tier_records
from engine.errors import InputError, SourceError

_QUOTE = "USDT"
# Exchanges that answer the question for margin tiers without a signature.
# Exchanges whose tiers are known to be in quote currency: ccxt hands over OKX's, for one, in contracts under the same names.
_NOTIONAL_TIERS = frozenset({"binance", "binanceusdm", "bybit"})
# Of these, the ones that show them without a signature.
_PUBLIC_TIERS = frozenset({"bybit"})
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9._-]*")


@dataclass(frozen=True)
class ListedInstrument:
    """An instrument as the exchange describes it, and sentences about what it did not say."""

    instrument: Instrument
    remarks: tuple[str, ...] = ()


def perpetual_symbols(markets: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """BTCUSDT -> BTC/USDT:USDT for every linear perpetual quoted and settled in USDT that is traded now.

    The name is base and quote, which on Binance is the exchange's own and on others spares their dashes.
    """
    found: dict[str, str] = {}
    for symbol, market in markets.items():
        perpetual = market.get("swap") is True and market.get("linear") is True and market.get("active") is not False
        if not perpetual or market.get("quote") != _QUOTE or market.get("settle") != _QUOTE:
            continue
        name = f"{market.get('base')}{_QUOTE}"
        if _SYMBOL.fullmatch(name):
            found.setdefault(name, symbol)
    return found


def filters_of(market: Mapping[str, Any], symbol: str, name: str, steps_are_decimals: bool) -> ListedInstrument:
    """The instrument that a ccxt market of exchange `name` describes, without tiers.

    steps_are_decimals: precision is a number of decimal places, not a step. Raises SourceError when a step is missing.
    """
    precision, limits = market.get("precision") or {}, market.get("limits") or {}
    for what, key in (("tick size", "price"), ("quantity step", "amount")):
        if precision.get(key) is None:
            raise SourceError(f"{name} does not say the {what} of {symbol}")
    tick, step = (_step(precision[key], steps_are_decimals) for key in ("price", "amount"))
    least_qty = (limits.get("amount") or {}).get("min")
    least_notional = (limits.get("cost") or {}).get("min")
    remarks = []
    if least_qty is None:
        remarks.append(f"{name} names no least quantity of {symbol}: one step is assumed.")
    if least_notional is None:
        remarks.append(f"{name} names no least notional of {symbol}: none is assumed.")
    try:
        instrument = Instrument(
            symbol,
            tick_size=tick,
            step_size=step,
            min_qty=step if least_qty is None else least_qty,
            min_notional=0.0 if least_notional is None else least_notional,
            contract_multiplier=market.get("contractSize") or 1.0,
        )
    except InputError as error:
        raise SourceError(f"{name} describes {symbol} in a way that cannot be: {error}") from None
    return ListedInstrument(instrument, tuple(remarks))


def with_tiers(client: Client, listed: ListedInstrument, symbol: str) -> ListedInstrument:
    """The instrument with its margin tiers where they can be read; else a remark says why not. `symbol` is ccxt's."""
    name, coin, exchange = client.name, listed.instrument.symbol, client.exchange
    if exchange.has.get("fetchMarketLeverageTiers") is True:
        method = partial(exchange.fetch_market_leverage_tiers, symbol)
    elif exchange.has.get("fetchLeverageTiers") is True:
        method = partial(_tiers_among_all, exchange, symbol)
    else:
        return _without(listed, f"{name} does not offer them")
    if name not in _NOTIONAL_TIERS:
        return _without(listed, f"it is not known in which unit {name} states them")
    with client.credentials() as given:
        if not given and name not in _PUBLIC_TIERS:
            return _without(listed, f"{name} shows them only with credentials, and {API_KEY} and {API_SECRET} are not set")
        try:
            rows = client.ask(f"the margin tiers of {coin}", method, secret=given)
        except SourceError as error:
            if given:  # who gives credentials counts on the tiers
                raise
            return _without(listed, str(error))
    try:
        tiers = tier_records([_tier(row) for row in rows], f"tiers of {coin}")
    except InputError as error:
        return _without(listed, f"what {name} answered cannot be, {error}")
    return ListedInstrument(listed.instrument.replace(tiers=tiers), listed.remarks)


def _without(listed: ListedInstrument, reason: str) -> ListedInstrument:
    return ListedInstrument(listed.instrument, (*listed.remarks, f"The margin tiers of {listed.instrument.symbol} are not read: {reason}."))


def _tiers_among_all(exchange: Any, symbol: str) -> Any:
    return exchange.fetch_leverage_tiers([symbol])[symbol]


def _tier(row: Mapping[str, Any]) -> dict[str, Any]:
    tier = {
        "floor": row["minNotional"],
        "cap": row["maxNotional"],
        "rate": row["maintenanceMarginRate"],
        "max_leverage": row["maxLeverage"],
    }
    amount = (row.get("info") or {}).get("cum")
    return tier if amount is None else {**tier, "cum": float(amount)}


def _step(precision: Any, decimals: bool) -> float:
    return float(f"1e{-int(precision)}") if decimals else float(precision)
