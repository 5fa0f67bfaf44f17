"""Fills by depth of the ladder: how deep a side stood in lots when each one was opened, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from backtest.lots import OPEN
from engine.errors import InputError
from engine.records import LABELS, TAKE_PROFIT_LABEL

if TYPE_CHECKING:
    from backtest.result import Result

COLUMNS = ("symbol", "position_side", "depth", "opened", "taken_at_profit", "closed_otherwise", "still_open", "realized_pnl", "net")
_TAKE_PROFITS = (LABELS[TAKE_PROFIT_LABEL], LABELS[TAKE_PROFIT_LABEL + 1])
_KEYS = ["symbol", "position_side", "depth"]


def fills_by_depth(result: Result) -> pd.DataFrame:
    """A row for each coin, side and depth at which a lot was opened.

    depth: lots that the side held once the lot was opened, itself included; 1 is the first of a ladder. It is the level of a grid whose
    levels fill one after the other; a grid that was centred anew begins with its level 1 while older lots are still held.
    opened: lots. taken_at_profit: of these, closed completely by their take-profit; closed_otherwise: by anything else at last;
    still_open: the rest. realized_pnl: price PnL of the closes, net: also fees, funding and open lots at the last close, quote
    currency. Raises InputError without the event log.
    """
    if not result.has_log:
        raise InputError("fills_by_depth needs the event log, which this run did not record")
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
    summed = summed.assign(place=order.codes).sort_values(["place", "position_side", "depth"], ignore_index=True)
    return summed[list(COLUMNS)]
