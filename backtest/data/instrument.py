"""What is traded: price and quantity steps, minimum sizes and margin tiers of one contract."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from backtest.data.symbols import base_coin, resolve_symbol
from backtest.data.tiers import tier_records
from engine.errors import InputError
from gridcore.margin import default_tiers

_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9._-]*")


@dataclass(frozen=True, eq=False)
class Instrument:
    """One contract and the exchange's filters for it.

    symbol: the exchange's name, such as BTCUSDT.
    tick_size: price step, quote currency. step_size: quantity step, base units or contracts.
    min_qty: least quantity of an order. min_notional: least price*quantity*contract_multiplier, quote currency.
    contract_multiplier: base units of one contract.
    tiers: margin tiers (see `backtest.data.tiers.tier_records`); None is the built-in table of seven BTC-style tiers.

    Raises InputError, one sentence, when a field is not what it must be.
    """

    symbol: str
    tick_size: float
    step_size: float
    min_qty: float
    min_notional: float
    contract_multiplier: float = 1.0
    tiers: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.symbol, str) or not _SYMBOL.fullmatch(self.symbol):
            raise InputError(f"symbol = {self.symbol!r} is refused: it must be capital letters and digits, such as BTCUSDT")
        for name in ("tick_size", "step_size", "contract_multiplier"):
            object.__setattr__(self, name, self._number(name, zero=False))
        for name in ("min_qty", "min_notional"):
            object.__setattr__(self, name, self._number(name, zero=True))
        if self.tiers is not None:
            object.__setattr__(self, "tiers", tier_records(self.tiers, f"tiers of {self.symbol}"))

    def _number(self, name: str, zero: bool) -> float:
        value = getattr(self, name)
        whole = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
        if not whole or not math.isfinite(value) or value < 0 or (value == 0 and not zero):
            allowed = "zero or more" if zero else "above zero"
            raise InputError(f"{name} = {value!r} of {self.symbol} is refused: it must be a finite number {allowed}")
        return float(value)

    @property
    def tier_table(self) -> np.ndarray:
        """The margin tiers in force, shape (tiers,) of `tier_dtype`: those given, else the built-in table."""
        return default_tiers() if self.tiers is None else self.tiers

    @property
    def coin(self) -> str:
        """The base of the symbol: BTC of BTCUSDT."""
        return base_coin(self.symbol)

    @property
    def tiers_are_assumed(self) -> bool:
        """Whether the BTC-style default tiers stand in for those of another coin."""
        return self.tiers is None and self.coin != "BTC"

    def replace(self, **changes: Any) -> Instrument:
        """A validated copy with some fields changed."""
        return replace(self, **changes)

    def _key(self) -> tuple[Any, ...]:
        tiers = None if self.tiers is None else self.tiers.tobytes()
        return (self.symbol, self.tick_size, self.step_size, self.min_qty, self.min_notional, self.contract_multiplier, tiers)

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Instrument) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        tiers = "built-in tiers" if self.tiers is None else f"{len(self.tiers)} tiers"
        return (
            f"Instrument({self.symbol}: tick {self.tick_size:g}, step {self.step_size:g}, min qty {self.min_qty:g}, "
            f"min notional {self.min_notional:g}, multiplier {self.contract_multiplier:g}, {tiers})"
        )


def instrument_from_filters(text: str) -> Instrument:
    """The instrument that `COIN=TICK,STEP,MIN_QTY,MIN_NOTIONAL` describes, such as `DOGE=0.00001,1,1,5`. Raises InputError."""
    coin, _, values = text.partition("=")
    try:
        numbers = [float(value) for value in values.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 4:
        raise InputError(f"filters = {text!r} is refused: it must be COIN=TICK,STEP,MIN_QTY,MIN_NOTIONAL, such as DOGE=0.00001,1,1,5")
    tick, step, least_qty, least_notional = numbers
    return Instrument(resolve_symbol(coin), tick, step, least_qty, least_notional)
