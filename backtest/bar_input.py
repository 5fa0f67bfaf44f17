"""Bars, finer bars and fills as a caller of the stepper gives them, read and checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from backtest.data.timeframe import parse_utc, utc_text
from engine.errors import InputError
from engine.records import LIQUIDATION_FILL, SIDES
from engine.stepping import step_fill_dtype

FIELDS = ("time", "open", "high", "low", "close", "volume")
# Finer bars add up to the bar when prices differ by less than this, relatively.
SAME = 1e-9


@dataclass(frozen=True, slots=True)
class Fill:
    """A fill that an exchange reports.

    order_id: of an order that `Stepper.decide` gave; -1 for a liquidation, whose position side must be said. time: ms UTC.
    price: quote currency. qty: base units or contracts. fee: quote currency, negative for a rebate. maker: whether it rested.
    symbol: may be left out with a single instrument. mark: where the market stood, for the cost of slippage; default: `price`.
    Raises InputError for a value that no fill can have.
    """

    order_id: int
    time: int
    price: float
    qty: float
    fee: float
    maker: bool
    symbol: str | None = None
    position_side: Literal["LONG", "SHORT"] | None = None
    mark: float | None = None

    def __post_init__(self) -> None:
        for name in ("price", "qty", "fee", "mark"):
            value = getattr(self, name)
            if value is None and name == "mark":
                continue
            if not isinstance(value, (int, float, np.integer, np.floating)) or not math.isfinite(value) or (name != "fee" and value <= 0.0):
                allowed = "finite" if name == "fee" else "finite and above zero"
                raise InputError(f"{name} = {value!r} of the fill of order {self.order_id} is refused: it must be a number, {allowed}")
        if self.order_id < 0 and self.position_side not in SIDES[:2]:
            raise InputError(f"position_side = {self.position_side!r} of a liquidation is refused: it must be LONG or SHORT")


def bar_row(row: Any, symbol: str) -> tuple[int, float, float, float, float, float]:
    """Open time (ms UTC), open, high, low, close, volume of a bar given as a mapping, a structured row or six values."""
    if isinstance(row, Mapping) or (isinstance(row, np.void) and row.dtype.names):
        try:
            values = tuple(row[name] for name in FIELDS)
        except (KeyError, ValueError) as error:
            raise InputError(f"the bar of {symbol} lacks {error}: it must have {', '.join(FIELDS)}") from None
    else:
        try:
            values = tuple(row)
        except TypeError:
            values = ()
        if len(values) != len(FIELDS):
            raise InputError(f"the bar of {symbol} is {row!r}: it must have {', '.join(FIELDS)}")
    stamp = values[0]
    if isinstance(stamp, (float, np.floating)) and stamp == int(stamp):
        stamp = int(stamp)
    time = int(stamp) if isinstance(stamp, (int, np.integer)) else parse_utc(stamp, "time")
    try:
        open_, high, low, close, volume = map(float, values[1:])
    except (TypeError, ValueError):
        raise InputError(f"the bar of {symbol} at {utc_text(time)} UTC is {row!r}: its prices and its volume must be numbers") from None
    if not (0.0 < low <= open_ <= high < math.inf and low <= close <= high and 0.0 <= volume < math.inf):
        raise InputError(
            f"the bar of {symbol} at {utc_text(time)} UTC is refused: open {open_:g}, high {high:g}, low {low:g}, close {close:g}, "
            f"volume {volume:g}; prices must be above zero with low <= open, close <= high, and the volume zero or more"
        )
    return time, open_, high, low, close, volume


def finer_bars(rows: Sequence[Any], symbol: str, bar: np.ndarray, time: int, length: int) -> np.ndarray | None:
    """Finer bars as an array (5, walks), or None when their set is not complete or does not add up to the bar.

    bar: (5,) of the coarse bar that opens at `time` and lasts `length` ms. The same rule as for the markets of a run.
    """
    count = len(rows)
    if count < 2 or length % count:
        return None
    table = np.empty((5, count))
    step = length // count
    for j, row in enumerate(rows):
        stamp, *values = bar_row(row, symbol)
        if stamp != time + j * step:
            return None
        table[:, j] = values
    made = np.array([table[0, 0], table[1].max(), table[2].min(), table[3, -1]])
    return table if bool(np.all(np.abs(made - bar[:4]) <= SAME * np.abs(bar[:4]))) else None


def fill_table(fills: Any, instruments: int, place: Callable[[str | None, str], int]) -> np.ndarray:
    """Fills as a new array of `step_fill_dtype`: what `Stepper.match` gave, or `bt.Fill`s. `place` finds a symbol's index."""
    if isinstance(fills, np.ndarray):
        if fills.dtype != step_fill_dtype:
            raise InputError(f"fills of type {fills.dtype} are refused: they must be what match() gave, or bt.Fill")
        table = np.array(fills, step_fill_dtype, ndmin=1)
        if len(table) and not (table["instrument"].min() >= 0 and table["instrument"].max() < instruments):
            raise InputError(f"fills name an instrument that is not there: there are {instruments}")
        return table
    listed = [fills] if isinstance(fills, Fill) else list(fills)
    table = np.zeros(len(listed), step_fill_dtype)
    for row, fill in zip(table, listed, strict=True):
        if not isinstance(fill, Fill):
            raise InputError(f"fills hold {fill!r}: each must be a bt.Fill, or all of them the array that match() gave")
        row["instrument"] = place(fill.symbol, "a fill")
        row["order_id"], row["time"], row["maker"] = fill.order_id, fill.time, bool(fill.maker)
        row["price"], row["qty"], row["fee"] = fill.price, fill.qty, fill.fee
        row["mark"] = fill.price if fill.mark is None else fill.mark
        if fill.order_id < 0:
            assert fill.position_side is not None
            row["kind"], row["side"] = LIQUIDATION_FILL, SIDES.index(fill.position_side)
    return table
