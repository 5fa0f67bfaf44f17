"""Fills by level of the grid: how many lots each level opened, and what came of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from backtest.lots import OPEN
from engine.errors import InputError
from engine.records import LABELS, TAKE_PROFIT_LABEL

if TYPE_CHECKING:
    from backtest.result import Result

COLUMNS = ("symbol", "position_side", "level", "opened", "taken_at_profit", "closed_otherwise", "still_open", "realized_pnl", "net")
_TAKE_PROFITS = (LABELS[TAKE_PROFIT_LABEL], LABELS[TAKE_PROFIT_LABEL + 1])
_KEYS = ["symbol", "position_side", "level"]


def fills_by_level(result: Result) -> pd.DataFrame:
    """A row for each coin, side and grid level that opened a lot.

    level: of the grid whose entry opened the lot, as that grid stood when the entry was quoted; 0 is the nearest to the middle, as
    in the tables of trades, lots and orders, and -1 stands for entries without a level.
    opened: lots. taken_at_profit: of these, closed completely by their take-profit; closed_otherwise: by anything else at last;
    still_open: the rest. realized_pnl: price PnL of the closes, net: also fees, funding and open lots at the last close, quote
    currency. Raises InputError without the event log.
    """
    if not result.has_log:
        raise InputError("fills_by_level needs the event log, which this run did not record")
    lots = result.lots
    taken, still_open = lots["how"].isin(_TAKE_PROFITS), lots["how"] == OPEN
    told = lots[[*_KEYS, "realized_pnl", "net"]].assign(
        opened=1,
        taken_at_profit=taken.astype("int64"),
        closed_otherwise=(~taken & ~still_open).astype("int64"),
        still_open=still_open.astype("int64"),
    )
    summed = told.groupby(_KEYS, sort=True).sum().reset_index()
    order = pd.Categorical(summed["symbol"], categories=list(result.symbols), ordered=True)
    summed = summed.assign(place=order.codes).sort_values(["place", *_KEYS[1:]], ignore_index=True)
    return summed[list(COLUMNS)]
