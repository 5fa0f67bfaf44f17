"""Orders, fills, events and positions of a stepper as tables in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from backtest.lots import utc
from engine.records import LABELS, SIDES

KINDS = ("ENTRY", "TAKE_PROFIT", "STOP", "MARKET", "LIQUIDATION")


def events_frame(log: np.ndarray, symbols: Sequence[str], coin: np.ndarray | None = None) -> pd.DataFrame:
    """An event log: time, bar, symbol, label, position_side, price, qty, fee, realized_pnl, funding, wallet, lot, level.

    `lot` is -1 for events without one; `level` is the grid level that opened the lot, 0 the nearest, -1 for none.
    coin: index of each event in `symbols`; default: the log's own instruments.
    """
    words = {
        "symbol": np.array(symbols, dtype=object)[log["instrument"] if coin is None else coin],
        "label": np.array(LABELS, dtype=object)[log["label"]],
        "position_side": np.array(SIDES, dtype=object)[log["side"]],
    }
    columns: dict[str, Any] = {"time": utc(log["time"]), "bar": log["bar"]}
    columns.update({name: pd.Series(values, dtype="str") for name, values in words.items()})
    columns.update({name: log[name] for name in ("price", "qty", "fee", "realized_pnl", "funding", "wallet", "lot", "level")})
    return pd.DataFrame(columns)


def records_frame(records: np.ndarray, symbols: Sequence[str]) -> pd.DataFrame:
    """Orders (`wanted_dtype`) or fills (`step_fill_dtype`): symbol, kind and position_side in words, then the other fields."""
    words = {
        "symbol": np.array(symbols, dtype=object)[records["instrument"]],
        "kind": np.array(KINDS, dtype=object)[records["kind"]],
        "position_side": np.array(SIDES, dtype=object)[records["side"]],
    }
    names = records.dtype.names or ()
    if "label" in names:
        words["label"] = np.array(LABELS, dtype=object)[records["label"]]
    columns: dict[str, Any] = {name: pd.Series(values, dtype="str") for name, values in words.items()}
    others = [name for name in names if name not in ("instrument", "kind", "side", "label")]
    columns.update({name: records[name] for name in others})
    return pd.DataFrame(columns)


def positions_frame(states: np.ndarray, symbols: Sequence[str], multipliers: Sequence[float]) -> pd.DataFrame:
    """What is held, a row for each symbol and position side with a lot: qty, entry (average), mark, unrealized_pnl, lots."""
    rows = []
    for state, symbol, multiplier in zip(states, symbols, multipliers, strict=True):
        for side in range(2):
            if state["lot_count"][side] == 0:
                continue
            qty, cost, mark = float(state["qty"][side]), float(state["cost"][side]), float(state["mark"])
            pnl = (1 - 2 * side) * multiplier * (mark * qty - cost)
            rows.append((symbol, SIDES[side], qty, cost / qty, mark, pnl, int(state["lot_count"][side])))
    return pd.DataFrame(rows, columns=["symbol", "position_side", "qty", "entry", "mark", "unrealized_pnl", "lots"])
