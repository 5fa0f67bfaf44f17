"""The built-in table: filters and margin tiers of the ten most traded coins, for when no exchange can be asked.

The figures and their dates stand in `built_in_instruments.json`. Tables read from the exchange, or given in a folder,
win over this one.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from backtest.data.instrument import Instrument
from backtest.data.symbols import base_coin, resolve_symbol, unknown_coin
from backtest.data.tiers import tier_records


@cache
def _table() -> dict[str, Any]:
    text = resources.files("backtest.data").joinpath("built_in_instruments.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table


def built_in_coins() -> tuple[str, ...]:
    """The coins whose filters and tiers are known without an exchange."""
    return tuple(base_coin(symbol) for symbol in _table()["instruments"])


def built_in_instrument(coin: str, tiers: np.ndarray | None = None) -> Instrument:
    """The instrument of a common coin with the built-in filters, and `tiers` if given (`built_in_tiers` has the table's).

    Raises InputError naming the nearest known coins and the way to give filters.
    """
    symbol = resolve_symbol(coin)
    row = _table()["instruments"].get(symbol)
    if row is None:
        raise unknown_coin(coin, built_in_coins(), "the built-in table")
    return Instrument(symbol, row["tick_size"], row["step_size"], row["min_qty"], row["min_notional"], tiers=tiers)


def built_in_tiers(symbol: str) -> np.ndarray | None:
    """The margin tiers of a symbol in the table, or None when it has none."""
    table = _table()
    row = table["instruments"].get(symbol)
    if row is None:
        return None
    return tier_records([dict(zip(table["tier_columns"], tier, strict=True)) for tier in row["tiers"]], f"built-in tiers of {symbol}")


def filters_origin() -> str:
    """`built-in table of 2025`, for the sentence that names where filters come from."""
    return f"built-in table of {_table()['filters_date']}"


def tiers_origin() -> str:
    """`built-in table of 2026-09-29`, for the sentence that names where tiers come from."""
    return f"built-in table of {_table()['tiers_date']}"
