"""The grid in vectorbt: `Portfolio.from_order_func` with a flexible order function, two columns (long, short) that share their cash.

vectorbt has no resting orders: the user's function says which fills a bar has, at which price, and vectorbt books them. So the walk
through the bar below is the user's own, compiled by numba into vectorbt's loop, and fills can agree to the last one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import vectorbt as vbt
from numba import njit
from vectorbt.portfolio import nb
from vectorbt.portfolio.enums import Direction, NoOrder

from benchmarks.peers.grid import CLOSE, OPEN, Grid, fill_dtype
from benchmarks.peers.worker import Contestant, serve

# --- user code ---------------------------------------------------------------------------------------------------------
RESTING, EXITING, HELD, QUEUED = range(4)  # rows of `masks` (4, 2): one bit a rung, a column a side
COUNT, NEXT, INCOMPLETE = range(3)  # of `counts`: fills of this bar, the next to hand out, whether an entry could not rest


@njit
def decide(close, levels, spacing, tick, masks, rungs, counts, near):
    """From the last close: re-centre, rest entries and exits. `near` holds the nearest triggers above and below, and the grid's ends."""
    if close < near[2] or close > near[3]:
        masks[QUEUED] = masks[HELD]
        masks[:QUEUED] = 0
        for j in range(levels + 1):
            rungs[0, j] = np.floor(close * (1.0 - j * spacing) / tick + 1e-9) * tick
            rungs[1, j] = np.ceil(close * (1.0 + j * spacing) / tick - 1e-9) * tick
        near[2], near[3] = rungs[0, levels] - 1e-6 * tick, rungs[1, levels] + 1e-6 * tick
    elif counts[INCOMPLETE] == 0:
        return
    counts[INCOMPLETE] = 0
    masks[EXITING] = masks[HELD]
    near[0], near[1] = np.inf, np.inf  # mirrored below, so that a side's sign serves both
    for side in range(2):
        sign = 1.0 - 2.0 * side
        for j in range(levels):
            if masks[HELD, side] >> j & 1:
                near[side] = min(near[side], sign * rungs[side, j])
            elif sign * rungs[side, j + 1] < sign * close - 1e-6 * tick:
                masks[RESTING, side] |= 1 << j
                near[1 - side] = min(near[1 - side], -sign * rungs[side, j + 1])
            else:
                counts[INCOMPLETE] = 1


@njit
def book(counts, fills, side, size, price, fee):
    fills[counts[COUNT], 0], fills[counts[COUNT], 1], fills[counts[COUNT], 2], fills[counts[COUNT], 3] = side, size, price, fee
    counts[COUNT] += 1


@njit
def fill_entries(side, target, levels, masks, rungs, counts, fills, unit, maker, tolerance):
    sign = 1.0 - 2.0 * side
    for j in range(levels):
        if sign * rungs[side, j + 1] < sign * target - tolerance:
            return
        if masks[RESTING, side] >> j & 1:
            masks[RESTING, side] ^= 1 << j
            masks[HELD, side] |= 1 << j
            book(counts, fills, side, sign * unit, rungs[side, j + 1], maker)


@njit
def fill_exits(side, target, levels, masks, rungs, counts, fills, unit, maker, tolerance):
    sign = 1.0 - 2.0 * side
    for j in range(levels - 1, -1, -1):
        if sign * rungs[side, j] > sign * target + tolerance:
            return
        if masks[EXITING, side] >> j & 1:
            masks[EXITING, side] ^= 1 << j
            masks[HELD, side] ^= 1 << j
            book(counts, fills, side, -sign * unit, rungs[side, j], maker)


@njit
def walk(open_, high, low, at_open, levels, tick, masks, rungs, counts, fills, unit, maker, taker):
    """The fills of a bar, in the order of the path, into `fills`: side, signed size, price, fee rate.

    The way to the close reaches nothing that the extremes have not. `at_open`: whether the open itself reaches something.
    """
    tolerance = 1e-6 * tick
    for side in range(2):
        for j in range(levels - 1, -1, -1):
            if masks[QUEUED, side] >> j & 1:
                book(counts, fills, side, (2.0 * side - 1.0) * unit, open_, taker)
        masks[QUEUED, side] = 0
    if at_open:
        for side in range(2):
            fill_entries(side, open_, levels, masks, rungs, counts, fills, unit, maker, tolerance)
        for side in range(2):
            fill_exits(side, open_, levels, masks, rungs, counts, fills, unit, maker, tolerance)
    high_first = high - open_ < open_ - low - tolerance
    last = open_
    for target in (high if high_first else low, low if high_first else high):
        rising = target > last
        last = target
        fill_exits(0 if rising else 1, target, levels, masks, rungs, counts, fills, unit, maker, tolerance)
        fill_entries(1 if rising else 0, target, levels, masks, rungs, counts, fills, unit, maker, tolerance)


@njit
def before_bar(c, opens, highs, lows, closes, levels, spacing, tick, unit, maker, taker, masks, rungs, counts, near, fills):
    counts[COUNT] = 0
    counts[NEXT] = 0
    i = c.i
    if i > 0:
        decide(closes[i - 1], levels, spacing, tick, masks, rungs, counts, near)
        above, below = near[0] - 1e-6 * tick, -near[1] + 1e-6 * tick
        if highs[i] >= above or lows[i] <= below or masks[QUEUED, 0] | masks[QUEUED, 1]:
            at_open = opens[i] >= above or opens[i] <= below
            walk(opens[i], highs[i], lows[i], at_open, levels, tick, masks, rungs, counts, fills, unit, maker, taker)
            if counts[COUNT] > 0:
                counts[INCOMPLETE] = 1
    return ()


@njit
def next_order(c, counts, fills):
    k = counts[NEXT]
    if k == counts[COUNT]:
        return -1, NoOrder
    counts[NEXT] = k + 1
    return int(fills[k, 0]), nb.order_nb(size=fills[k, 1], price=fills[k, 2], fees=fills[k, 3], direction=Direction.Both)


def prepare(bars: np.ndarray, grid: Grid) -> tuple[Any, ...]:
    """Contiguous columns, the close twice over (one column a side)."""
    columns = [np.ascontiguousarray(row) for row in bars[:4]]
    return grid, columns, np.column_stack([bars[3], bars[3]])


def run(prepared: tuple[Any, ...]) -> Any:
    """The simulation with everything off that is not asked for: logs, position records, values along the way."""
    grid, columns, closes = prepared
    masks, counts = np.zeros((4, 2), np.int64), np.zeros(3, np.int64)
    rungs, near = np.zeros((2, grid.levels + 1)), np.array([np.inf, np.inf, np.inf, -np.inf])
    fills = np.empty((6 * grid.levels, 4))
    terms = (grid.levels, grid.spacing, grid.tick, grid.qty, grid.fee_maker, grid.fee_taker)
    return vbt.Portfolio.from_order_func(
        closes,
        next_order,
        counts,
        fills,
        flexible=True,
        init_cash=grid.capital,
        cash_sharing=True,
        pre_segment_func_nb=before_bar,
        pre_segment_args=(*columns, *terms, masks, rungs, counts, near, fills),
        update_value=False,
        fill_pos_record=False,
        max_orders=2 * len(closes),
        max_logs=0,
    )


# --- end of user code --------------------------------------------------------------------------------------------------


def fills_of(portfolio: Any) -> np.ndarray:
    """Its order records as fills."""
    records = portfolio.order_records
    found = np.empty(len(records), fill_dtype)
    found["bar"], found["side"], found["price"], found["qty"] = records["idx"], records["col"], records["price"], records["size"]
    found["action"] = np.where(records["side"] == records["col"], OPEN, CLOSE)  # a buy opens a long, a sell a short
    return found


def equity(portfolio: Any) -> float:
    """Cash and holdings at the last close."""
    return float(portfolio.final_value())


contestant = Contestant(prepare, run, fills_of, package="vectorbt", equity=equity)

if __name__ == "__main__":
    serve(contestant)
