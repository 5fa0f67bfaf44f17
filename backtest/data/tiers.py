"""Tables of margin tiers as files hold them, checked and turned into the records that compiled code reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import InputError
from gridcore.constants import tier_dtype
from gridcore.margin import derive_maintenance_amounts, validate_tiers

# What a file may call each field of a tier; the maintenance amount may be left out.
_FILE_NAMES = {
    "floor": ("notional_floor", "floor", "minNotional", "notionalFloor"),
    "cap": ("notional_cap", "cap", "maxNotional", "notionalCap"),
    "rate": ("maint_margin_rate", "rate", "maintenanceMarginRate", "maintMarginRatio"),
    "cum": ("cum", "maintenance_amount"),
    "max_leverage": ("max_leverage", "maxLeverage", "initialLeverage"),
}


def tier_records(rows: Iterable[Mapping[str, Any]] | np.ndarray, where: str = "tiers") -> np.ndarray:
    """Tiers as an array of `tier_dtype`, shape (tiers,), checked.

    `rows`: mappings with floor, cap (None: no end), rate, max_leverage and, if known, cum (quote currency, fractions);
    names as in `gridcore.constants.tier_dtype` or as exchanges spell them. An array of `tier_dtype` is only checked.
    `where` begins the sentence of the InputError that a bad table raises.
    """
    if isinstance(rows, np.ndarray) and rows.dtype == tier_dtype:
        tiers = np.array(rows)
    else:
        tiers = _from_mappings(rows, where)
    try:
        validate_tiers(tiers)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None
    return tiers


def _from_mappings(rows: Any, where: str) -> np.ndarray:
    if isinstance(rows, (str, bytes, Mapping)) or not isinstance(rows, Iterable):
        raise InputError(f"{where} must be a list of tiers, each with floor, cap, rate, cum and max_leverage")
    table = list(rows)
    tiers = np.zeros(len(table), tier_dtype)
    given_amounts = 0
    for number, row in enumerate(table):
        if not isinstance(row, Mapping):
            raise InputError(f"{where} row {number} must be a table with floor, cap, rate, cum and max_leverage; it is {row!r}")
        for field, names in _FILE_NAMES.items():
            name = next((name for name in names if name in row), None)
            if name is None:
                if field == "cum":
                    continue
                raise InputError(f"{where} row {number} has no {names[0]}")
            value = row[name]
            if field == "cap" and value is None:
                value = np.inf
            if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
                raise InputError(f"{where} row {number}: {name} = {value!r} is refused: it must be a number")
            tiers[number][field] = value
            given_amounts += field == "cum"
    if given_amounts == 0:
        tiers["cum"] = derive_maintenance_amounts(tiers["floor"], tiers["rate"])
    elif given_amounts != len(table):
        raise InputError(f"{where} gives cum in {given_amounts} of {len(table)} rows: it must be in all or in none")
    return tiers


def read_brackets(path: Path, symbol: str) -> np.ndarray | None:
    """The tiers of `symbol` ("BTCUSDT") in a brackets file, or None when the file does not have the symbol.

    The file is JSON: {"brackets": {"BTC/USDT:USDT": [{"notional_floor": 0, "notional_cap": 300000,
    "maint_margin_rate": 0.004, "cum": 0, "max_leverage": 150}, ...]}}; the outer table may be left out. Raises
    InputError naming the file, the symbol and the row when the file or the table is broken.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name} is not a readable brackets file: {str(error).splitlines()[0]}") from None
    tables = content.get("brackets", content) if isinstance(content, dict) else None
    if not isinstance(tables, dict):
        raise InputError(f"{path.name} is not a brackets file: it must hold a table of symbols under brackets")
    for name, rows in tables.items():
        if name.split(":")[0].replace("/", "") == symbol:
            return tier_records(rows, f"{path.name}, {name}")
    return None
