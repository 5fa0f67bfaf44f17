"""Where the profit came from: parts that sum to the change of equity.

The parts come from the totals that the loop keeps by label and side, so they exist without an event log too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from engine.records import (
    DAILY_LOSS_LABEL,
    DELISTED_LABEL,
    END_OF_RUN_LABEL,
    FAILED_LABEL,
    LIQUIDATION_LABEL,
    MARKET_CLOSE_LABEL,
    PROFIT_TARGET_LABEL,
    PRUNE_DEVIANCE,
    PRUNE_OFFSET,
    RECENTER_LABEL,
    SESSION_END_LABEL,
    SHORTFALL_LABEL,
    STOP_LABEL,
    TAKE_PROFIT_LABEL,
)

# What the rules of a funded account close.
GATE_CLOSES = (DAILY_LOSS_LABEL, FAILED_LABEL, SESSION_END_LABEL, PROFIT_TARGET_LABEL)
# Parts made of realized price PnL, and the labels of each; every label that realizes anything stands in exactly one.
PARTS_BY_LABEL: dict[str, tuple[int, ...]] = {
    "grid_profit": (TAKE_PROFIT_LABEL, TAKE_PROFIT_LABEL + 1),
    "stops": (STOP_LABEL, STOP_LABEL + 1),
    "prunes": tuple(range(PRUNE_DEVIANCE, PRUNE_OFFSET + 1)),
    "market_closes": (RECENTER_LABEL, DELISTED_LABEL, MARKET_CLOSE_LABEL, END_OF_RUN_LABEL, *GATE_CLOSES),
    "liquidations": (LIQUIDATION_LABEL,),
}
PARTS = (*PARTS_BY_LABEL, "shortfall", "funding", "fees", "open_positions")
COLUMNS = ("LONG", "SHORT", "account", "total")


def attribution(states: Sequence[np.void], multipliers: Sequence[float]) -> pd.DataFrame:
    """Quote currency by part (rows PARTS, then total) and side (LONG, SHORT, account: of no side, total).

    states: state_dtype records at the end of the run, one an instrument. Price PnL and fees stand apart: grid_profit is
    before fees. Fees are negative (a rebate is positive), funding is received less paid.
    The total is the change of equity over the run, up to rounding of binary fractions.
    """
    table = pd.DataFrame(0.0, index=pd.Index(PARTS, name="part"), columns=list(COLUMNS))
    for state, multiplier in zip(states, multipliers, strict=True):
        pnl = state["label_pnl"]
        for side in (0, 1):
            column = COLUMNS[side]
            for part, labels in PARTS_BY_LABEL.items():
                table.loc[part, column] += sum(float(pnl[label, side]) for label in labels)
            table.loc["funding", column] += float(state["funding"][side])
            table.loc["fees", column] -= float(state["fees"][side])
            if state["lot_count"][side] > 0:
                marked = multiplier * (float(state["mark"] * state["qty"][side]) - float(state["cost"][side]))
                table.loc["open_positions", column] += marked if side == 0 else -marked
        table.loc["shortfall", "account"] += float(pnl[SHORTFALL_LABEL].sum())
    table["total"] = table["LONG"] + table["SHORT"] + table["account"]
    table.loc["total"] = table.sum()
    return table
