"""Names of coins: what a person types, the symbol it means, and the nearest known names when it means none."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from engine.errors import InputError

QUOTE = "USDT"
# Contracts of cheap coins are quoted in thousands or millions of them: PEPE trades as 1000PEPE.
_MULTIPLIERS = ("1000", "10000", "1000000", "1M")
_SUGGESTIONS = 3


def resolve_symbol(coin: str) -> str:
    """The linear USDT perpetual that a name means: BTC, btc, BTCUSDT, BTC/USDT and BTC/USDT:USDT are all BTCUSDT.

    Raises InputError for a name that is not one, or that is settled in another currency than USDT.
    """
    text = coin.strip().upper() if isinstance(coin, str) else ""
    pair, _, settle = text.partition(":")
    base, slash, quote = pair.partition("/")
    if not slash:
        base = base.removesuffix(QUOTE) or base
        quote = QUOTE
    if not re.fullmatch(r"[A-Z0-9]+", base):
        raise InputError(f"coin = {coin!r} is refused: it must be a name such as BTC, BTCUSDT or BTC/USDT:USDT")
    if quote != QUOTE or settle not in ("", QUOTE):
        raise InputError(
            f"coin = {coin!r} is refused: only linear perpetuals quoted and settled in {QUOTE} are traded, such as {base}/USDT:USDT"
        )
    return base + QUOTE


def base_coin(symbol: str) -> str:
    """The base of a symbol: BTC of BTCUSDT."""
    return symbol.removesuffix(QUOTE) or symbol


def nearest_coins(coin: str, known: Iterable[str]) -> list[str]:
    """Known coins that a mistyped one may mean, the likeliest first; the contract in thousands of it before all others."""
    names = sorted(set(known))
    found = [multiplier + coin for multiplier in _MULTIPLIERS if multiplier + coin in names]
    found += [name for name in names if coin in (multiplier + name for multiplier in _MULTIPLIERS)]
    found += [name for name in difflib.get_close_matches(coin, names, n=_SUGGESTIONS, cutoff=0.5) if name not in found]
    return found[:_SUGGESTIONS]


def unlisted_coin(coin: str, known: Iterable[str], exchange: str) -> InputError:
    """The error for a coin that an exchange does not trade, with the nearest it does."""
    return InputError(f"coin = {coin!r} is unknown to {exchange}, {_hint(coin, known)}")


def unknown_coin(coin: str, known: Iterable[str], where: str) -> InputError:
    """The error for a coin that `where` ("the built-in table") does not have, with the nearest it has, and the way out."""
    name = base_coin(resolve_symbol(coin))
    return InputError(
        f"coin = {coin!r} is unknown to {where}, {_hint(coin, known)} A coin that cannot be looked up needs its filters: "
        f"--filters {name}=TICK,STEP,MIN_QTY,MIN_NOTIONAL on the command line, instrument=Instrument(...) in Python"
    )


def _hint(coin: str, known: Iterable[str]) -> str:
    names = list(known)
    near = nearest_coins(base_coin(resolve_symbol(coin)), names)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"it has {', '.join(names)}." if len(names) <= 12 else f"it has {len(names)} others."
