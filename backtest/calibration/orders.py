"""The orders of a real account, read from a table of fills: a row an order, checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from backtest.data.timeframe import parse_utc
from engine.errors import InputError

KINDS = ("LIMIT", "STOP", "MARKET")
REQUIRED = ("time", "side", "kind", "price", "qty")
OPTIONAL = ("order_id", "order_price", "order_qty", "placed_at", "canceled_at", "position_side", "symbol")
NEVER = -1  # a time that is not known or did not come


def _refuse(row: int, name: str, value: Any, allowed: str) -> InputError:
    shown = value.item() if isinstance(value, np.generic) else value
    return InputError(f"my_fills row {row}: {name} = {shown!r} is refused: it must be {allowed}")


def _words(frame: pd.DataFrame, name: str, allowed: tuple[str, ...], missing: str | None = None) -> np.ndarray:
    """A column of words in capitals; `missing` stands for an empty cell where one is allowed."""
    out = np.empty(len(frame), dtype=object)
    for row, value in enumerate(frame[name]):
        word = missing if pd.isna(value) else str(value).strip().upper()
        if word not in allowed and (word is None or word != missing):
            raise _refuse(row, name, value, " or ".join(allowed))
        out[row] = word
    return out


def _numbers(frame: pd.DataFrame, name: str, allowed: str, fits: Callable[[np.ndarray], np.ndarray], empty: bool = False) -> np.ndarray:
    """A column of finite numbers; NaN for empty cells where these are allowed."""
    values = pd.to_numeric(frame[name], errors="coerce").to_numpy(np.float64)
    blank = frame[name].isna().to_numpy()
    bad = ~np.isfinite(values) | ~fits(np.where(np.isfinite(values), values, 0.0))
    if empty:
        bad &= ~blank
    if bad.any():
        row = int(np.argmax(bad))
        raise _refuse(row, name, frame[name].iloc[row], allowed)
    return values


def _times(frame: pd.DataFrame, name: str) -> np.ndarray:
    """A column of times as ms UTC, NEVER for empty cells."""
    out = np.full(len(frame), NEVER, np.int64)
    if name not in frame:
        return out
    for row, value in enumerate(frame[name]):
        if pd.isna(value):
            continue
        whole = isinstance(value, (float, np.floating)) and float(value).is_integer()
        out[row] = parse_utc(int(value) if whole else value, f"my_fills row {row}: {name}")
    return out


def _above_zero(values: np.ndarray) -> np.ndarray:
    return values > 0.0


def _rows(frame: pd.DataFrame, symbol: str) -> pd.DataFrame:
    """The table's rows with checked values, times in ms."""
    rows = len(frame)
    optional = {name: frame[name] if name in frame else pd.Series([None] * rows, dtype=object) for name in OPTIONAL}
    whole = frame[list(REQUIRED)].assign(**optional)
    if "symbol" in frame:
        for row, value in enumerate(frame["symbol"]):
            if not pd.isna(value) and str(value) != symbol:
                raise _refuse(row, "symbol", value, f"{symbol}, the market's")
    table = pd.DataFrame(
        {
            "side": _words(whole, "side", ("BUY", "SELL")),
            "kind": _words(whole, "kind", KINDS),
            "position_side": _words(whole, "position_side", ("LONG", "SHORT"), missing=""),
            "price": _numbers(whole, "price", "a number above zero, of an unfilled order its limit price", _above_zero),
            "qty": _numbers(whole, "qty", "a number of 0 (unfilled) or more", lambda values: values >= 0.0),
            "order_price": _numbers(whole, "order_price", "a number above zero", _above_zero, empty=True),
            "order_qty": _numbers(whole, "order_qty", "a number above zero", _above_zero, empty=True),
            "time": _times(whole, "time"),
            "placed": _times(whole, "placed_at"),
            "canceled": _times(whole, "canceled_at"),
        }
    )
    ids = whole["order_id"]
    table["order_id"] = [f"row {row}" if pd.isna(value) else str(value) for row, value in enumerate(ids)]
    return table


def _check_times(table: pd.DataFrame) -> None:
    """Refuse rows whose times are missing or run backwards."""
    filled = table["qty"] > 0.0
    for bad, words in (
        (filled & (table["time"] == NEVER), "has a qty but no time of its fill"),
        (
            ~filled & (table["kind"] == "LIMIT") & ((table["placed"] == NEVER) | (table["canceled"] == NEVER)),
            "is an unfilled limit order: it needs placed_at and canceled_at, else nobody knows what it missed",
        ),
        (filled & (table["placed"] > table["time"]), "was filled before it was placed"),
        ((table["canceled"] != NEVER) & (table["canceled"] < table["placed"]), "was canceled before it was placed"),
    ):
        if bad.any():
            raise InputError(f"my_fills row {int(np.argmax(bad.to_numpy()))} is refused: it {words}")


def _merged(table: pd.DataFrame) -> pd.DataFrame:
    """One row an order: the fills of an order added up, at their average price."""
    for name in ("side", "kind", "position_side", "order_price"):
        several = table.groupby("order_id", sort=False)[name].nunique(dropna=True)
        if (several > 1).any():
            raise InputError(f"my_fills: order {several.idxmax()} has rows with different {name}: an order has one")
    table = table.assign(
        paid=table["price"] * table["qty"],
        time=table["time"].where(table["qty"] > 0.0, NEVER),
        placed=table["placed"].replace(NEVER, np.iinfo(np.int64).max),
    )
    by_moment = table.assign(moment=table["time"].where(table["time"] != NEVER, np.iinfo(np.int64).max))
    groups = by_moment.sort_values("moment", kind="stable").groupby("order_id", sort=False)
    orders = groups.agg(
        side=("side", "first"),
        kind=("kind", "first"),
        position_side=("position_side", "first"),
        quoted=("price", "first"),
        qty=("qty", "sum"),
        paid=("paid", "sum"),
        order_price=("order_price", "first"),
        order_qty=("order_qty", "max"),
        time=("time", "first"),
        placed=("placed", "min"),
        canceled=("canceled", "max"),
    )
    orders = orders.loc[table["order_id"].unique()].reset_index()  # in order of first mention again
    orders["placed"] = orders["placed"].replace(np.iinfo(np.int64).max, NEVER)
    return orders


def read_orders(my_fills: pd.DataFrame, symbol: str) -> pd.DataFrame:
    """A row an order, in order of first mention.

    Columns: order_id, side (BUY, SELL), kind, position_side ("" unknown), limit (price it rested at or was sent at), reference
    (whether that was given), price (average of its fills, NaN unfilled), qty, filled (fraction of the order), time (of its first
    fill), placed, canceled (ms UTC, NEVER). Raises InputError, one sentence, for a table that cannot be read so.
    """
    if not isinstance(my_fills, pd.DataFrame):
        raise InputError(f"my_fills is a {type(my_fills).__name__}: it must be a DataFrame with a row for each fill")
    missing = [name for name in REQUIRED if name not in my_fills]
    if missing:
        raise InputError(f"my_fills lacks {', '.join(missing)}: it must have {', '.join(REQUIRED)}, and may have {', '.join(OPTIONAL)}")
    if len(my_fills) == 0:
        raise InputError("my_fills has no rows: there is nothing to compare")
    rows = _rows(my_fills.reset_index(drop=True), symbol)
    _check_times(rows)
    orders = _merged(rows)
    done = orders["qty"] > 0.0
    price = (orders["paid"] / orders["qty"].where(done)).to_numpy(np.float64)
    limit_fill = (orders["kind"] == "LIMIT") & orders["order_price"].isna()
    return pd.DataFrame(
        {
            **{name: orders[name] for name in ("order_id", "side", "kind", "position_side")},
            "limit": orders["order_price"].where(~limit_fill, orders["quoted"]),
            "reference": orders["order_price"].notna(),
            "price": price,
            "qty": orders["qty"],
            "filled": np.where(done, np.minimum((orders["qty"] / orders["order_qty"]).fillna(1.0), 1.0), 0.0),
            **{name: orders[name] for name in ("time", "placed", "canceled")},
        }
    )
