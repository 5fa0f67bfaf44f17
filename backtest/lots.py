"""The lots of a run, put together from its event log: when each was opened and closed, how, and what it earned."""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.records import FUNDING_LABEL, LABELS, OPEN_LABEL, SIDES

LOT_COLUMNS = (
    "symbol",
    "lot",
    "level",
    "position_side",
    "opened",
    "opened_bar",
    "entry_price",
    "qty",
    "closed",
    "closed_bar",
    "exit_price",
    "how",
    "realized_pnl",
    "unrealized_pnl",
    "pnl",
    "fees",
    "funding",
    "net",
    "bars_held",
    "open_qty",
)
OPEN = "open"  # `how` of a lot that still stands


def utc(time: np.ndarray) -> pd.DatetimeIndex:
    """Milliseconds as a UTC index."""
    return pd.DatetimeIndex(np.asarray(time, dtype=np.int64).astype("datetime64[ms]")).tz_localize("UTC")


def empty_lots() -> pd.DataFrame:
    """A table without lots, with the columns and types of `lots_of`."""
    whole = {"lot", "level", "opened_bar", "closed_bar", "bars_held"}
    words = {"symbol", "position_side", "how"}
    times = {"opened", "closed"}
    columns: dict[str, object] = {}
    for name in LOT_COLUMNS:
        if name in times:
            columns[name] = utc(np.zeros(0, dtype=np.int64))
        else:
            columns[name] = pd.Series(dtype="str" if name in words else np.int64 if name in whole else np.float64)
    return pd.DataFrame(columns)


def _funding_of_lots(
    log: np.ndarray, opens: np.ndarray, closes: np.ndarray, lot_of_close: np.ndarray, side_of_lot: np.ndarray
) -> np.ndarray:
    """Funding received by each lot [lots], quote currency.

    A settlement is shared out by quantity, so each side has one running total per unit; a lot's part is its quantity
    times what that total gained while it was held.
    """
    per_unit = np.zeros(log.size)
    paid = (log["label"] == FUNDING_LABEL) & (log["qty"] > 0.0)
    per_unit[paid] = log["funding"][paid] / log["qty"][paid]
    running = np.zeros((2, log.size))
    for side in range(2):
        running[side] = np.cumsum(np.where(log["side"] == side, per_unit, 0.0))
    received = log["qty"][opens] * (running[side_of_lot, -1] - running[side_of_lot, opens])
    not_earned = log["qty"][closes] * (running[log["side"][closes], -1] - running[log["side"][closes], closes])
    return np.asarray(received - np.bincount(lot_of_close, weights=not_earned, minlength=opens.size))


def lots_of(log: np.ndarray, symbol: str, last_price: float, last_bar: int, multiplier: float, step_size: float) -> pd.DataFrame:
    """One row a lot of one instrument, in order of opening; columns LOT_COLUMNS.

    log: the instrument's events in order (event_dtype), from the start of its run.
    last_price: where open lots are marked, quote currency. last_bar: index of the last bar of the run.
    `exit_price` is the average over partial exits, `how` the label of the last one. `net = pnl - fees + funding`, with
    `pnl = realized_pnl + unrealized_pnl`; an open lot has paid no exit fee yet. `bars_held` counts to the last bar for open
    lots; `closed` is NaT and `closed_bar` -1 for them. `level` is the grid level that opened the lot, 0 the nearest, -1 for none.
    """
    is_open = (log["label"] == OPEN_LABEL) | (log["label"] == OPEN_LABEL + 1)
    opens = np.flatnonzero(is_open)
    if opens.size == 0:
        return empty_lots()
    closes = np.flatnonzero(~is_open & (log["lot"] >= 0) & (log["qty"] > 0.0))
    ids = log["lot"][opens]
    by_id = np.argsort(ids, kind="stable")
    lot_of_close = by_id[np.searchsorted(ids[by_id], log["lot"][closes])]
    count = opens.size

    def summed(values: np.ndarray) -> np.ndarray:
        return np.bincount(lot_of_close, weights=values, minlength=count)

    qty = log["qty"][opens]
    entry = log["price"][opens]
    side = log["side"][opens]
    closed_qty = summed(log["qty"][closes])
    open_qty = qty - closed_qty
    still_open = open_qty >= 0.5 * step_size  # the engine never leaves less
    open_qty = np.where(still_open, open_qty, 0.0)
    last_close = np.full(count, -1)
    np.maximum.at(last_close, lot_of_close, closes)
    with np.errstate(invalid="ignore", divide="ignore"):
        exit_price = summed(log["price"][closes] * log["qty"][closes]) / closed_qty
    sign = 1.0 - 2.0 * side
    realized = summed(log["realized_pnl"][closes])
    unrealized = np.where(still_open, sign * (last_price - entry) * open_qty * multiplier, 0.0)
    fees = log["fee"][opens] + summed(log["fee"][closes])
    funding = _funding_of_lots(log, opens, closes, lot_of_close, side)
    closed_bar = np.where(still_open, -1, log["bar"][last_close])
    labels = np.array(LABELS, dtype=object)
    return pd.DataFrame(
        {
            "symbol": pd.Series([symbol] * count, dtype="str"),
            "lot": ids,
            "level": log["level"][opens],
            "position_side": pd.Series(np.array(SIDES, dtype=object)[side], dtype="str"),
            "opened": utc(log["time"][opens]),
            "opened_bar": log["bar"][opens],
            "entry_price": entry,
            "qty": qty,
            "closed": pd.Series(utc(log["time"][last_close])).where(~still_open),
            "closed_bar": closed_bar,
            "exit_price": exit_price,
            "how": pd.Series(np.where(still_open, OPEN, labels[log["label"][last_close]]), dtype="str"),
            "realized_pnl": realized,
            "unrealized_pnl": unrealized,
            "pnl": realized + unrealized,
            "fees": fees,
            "funding": funding,
            "net": realized + unrealized - fees + funding,
            "bars_held": np.where(still_open, last_bar, closed_bar) - log["bar"][opens],
            "open_qty": open_qty,
        }
    )
