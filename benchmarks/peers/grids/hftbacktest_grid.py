"""The grid in hftbacktest: each bar is two trades, at its high and its low in the order of the path; resting limits fill at their price.

hftbacktest nets one position an asset; which lot an order opens or closes the strategy knows by the order's id. There is no order book in
bars, so a market order has nothing to fill against: a re-centring closes with limits at the next open, which the script looks up and
for which it pays the maker's fee. Exits that the market has passed already rest, and fill at their own price.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hftbacktest import (
    BUY_EVENT,
    EXCH_EVENT,
    FILLED,
    GTC,
    LIMIT,
    LOCAL_EVENT,
    SELL_EVENT,
    TRADE_EVENT,
    BacktestAsset,
    HashMapMarketDepthBacktest,
)
from hftbacktest.types import event_dtype
from numba import njit

from benchmarks.peers.grid import BAR_MS, CLOSE, OPEN, Grid, fill_dtype
from benchmarks.peers.worker import Contestant, serve

# --- user code ---------------------------------------------------------------------------------------------------------
BAR_NS = BAR_MS * 1_000_000
NOTHING, ENTRY, LOT, EXIT, CLOSING = range(5)  # of a rung: free, entry rests, lot without an exit, exit rests, lot closes at the next open


@njit
def submit(hbt, buying, order_id, price, qty):
    if buying:
        hbt.submit_buy_order(0, order_id, price, qty, GTC, LIMIT, False)
    else:
        hbt.submit_sell_order(0, order_id, price, qty, GTC, LIMIT, False)


@njit
def recentre(hbt, close, next_open, spacing, tick, qty, states, ids, rungs, next_id):
    """Cancel what rests, close every lot at the next open, lay the grid round the close. Returns the next free order id."""
    levels = states.shape[1]
    for side in range(2):
        for j in range(levels - 1, -1, -1):
            if states[side, j] == ENTRY or states[side, j] == EXIT:
                hbt.cancel(0, ids[side, j], False)
            if states[side, j] == LOT or states[side, j] == EXIT:
                submit(hbt, side == 1, next_id, next_open, qty)
                next_id += 1
            states[side, j] = CLOSING if states[side, j] >= LOT else NOTHING
    for j in range(levels + 1):
        rungs[0, j] = np.floor(close * (1.0 - j * spacing) / tick + 1e-9) * tick
        rungs[1, j] = np.ceil(close * (1.0 + j * spacing) / tick - 1e-9) * tick
    return next_id


@njit
def quote(hbt, close, tick, qty, states, ids, rungs, next_id):
    """Rest the exit of every new lot and the entry of every free rung that does not cross. Returns the next id and what is left."""
    levels = states.shape[1]
    waiting = False
    for side in range(2):
        sign = 1.0 - 2.0 * side
        for j in range(levels):
            if states[side, j] == LOT:
                submit(hbt, side == 1, next_id, rungs[side, j], qty)
                states[side, j] = EXIT
            elif states[side, j] == NOTHING and sign * rungs[side, j + 1] < sign * close - 1e-6 * tick:
                submit(hbt, side == 0, next_id, rungs[side, j + 1], qty)
                states[side, j] = ENTRY
            else:
                waiting = waiting or states[side, j] == NOTHING
                continue
            ids[side, j] = next_id
            next_id += 1
    return next_id, waiting


@njit
def read_fills(hbt, i, states, ids, fills, count):
    """What has filled since the last bar, from the states of the orders. Returns how many fills there are in all."""
    orders = hbt.orders(0)
    for side in range(2):
        for j in range(states.shape[1]):
            if states[side, j] == ENTRY or states[side, j] == EXIT:
                order = orders.get(ids[side, j])
                if order is not None and order.status == FILLED:
                    opening = states[side, j] == ENTRY
                    states[side, j] = LOT if opening else NOTHING
                    fills[count, 0], fills[count, 1], fills[count, 2], fills[count, 3] = i, side, 0 if opening else 1, order.exec_price
                    count += 1
    hbt.clear_inactive_orders(0)
    return count


@njit
def run_grid(hbt, opens, closes, levels, spacing, tick, qty, fills):
    states = np.zeros((2, levels), np.int64)
    ids = np.zeros((2, levels), np.uint64)
    rungs = np.zeros((2, levels + 1))
    rungs[0, levels] = np.inf
    next_id = np.uint64(1)
    count = 0
    trades = 0
    waiting = True
    hbt.elapse(BAR_NS - 1)  # its clock starts at the first trade, 1 ns into the first bar
    for i in range(1, closes.size):
        close = closes[i - 1]
        if close < rungs[0, levels] - 1e-6 * tick or close > rungs[1, levels] + 1e-6 * tick:
            next_id = recentre(hbt, close, opens[i], spacing, tick, qty, states, ids, rungs, next_id)
            for side in range(2):
                for j in range(levels - 1, -1, -1):
                    if states[side, j] == CLOSING:
                        fills[count, 0], fills[count, 1], fills[count, 2], fills[count, 3] = i, side, 1, opens[i]
                        count += 1
                        trades += 1
                        states[side, j] = NOTHING
            waiting = True
        if waiting:
            next_id, waiting = quote(hbt, close, tick, qty, states, ids, rungs, next_id)
        hbt.elapse(BAR_NS)
        done = hbt.state_values(0).num_trades
        if done != trades:
            trades = done
            count = read_fills(hbt, i, states, ids, fills, count)
            waiting = True
    values = hbt.state_values(0)
    return count, values.balance + values.position * closes[-1] - values.fee


def prepare(bars: np.ndarray, grid: Grid) -> tuple[Any, ...]:
    """Two trades a bar: a purchase at the high, a sale at the low, the nearer to the open first."""
    opens, highs, lows, closes = (np.ascontiguousarray(row) for row in bars[:4])
    count = opens.size
    high_first = highs - opens < opens - lows - grid.tolerance
    events = np.zeros(2 * count, event_dtype)
    kind = TRADE_EVENT | EXCH_EVENT | LOCAL_EVENT
    for k in range(2):
        at_high = high_first == (k == 0)
        events["ev"][k::2] = np.where(at_high, kind | BUY_EVENT, kind | SELL_EVENT)
        events["px"][k::2] = np.where(at_high, highs, lows)
        events["exch_ts"][k::2] = events["local_ts"][k::2] = np.arange(count) * BAR_NS + 1 + k
    events["qty"] = 1e6
    return grid, opens, closes, events


def run(prepared: tuple[Any, ...]) -> tuple[np.ndarray, float]:
    """The backtest built and run: no latency, no queue before an order, whole fills, no recorder."""
    grid, opens, closes, events = prepared
    asset = (
        BacktestAsset()
        .data(events)
        .linear_asset(1.0)
        .constant_order_latency(0, 0)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(grid.fee_maker, grid.fee_taker)
        .tick_size(grid.tick)
        .lot_size(0.001)
        .last_trades_capacity(0)
    )
    hbt = HashMapMarketDepthBacktest([asset])
    fills = np.empty((4 * grid.levels * opens.size, 4))
    count, gained = run_grid(hbt, opens, closes, grid.levels, grid.spacing, grid.tick, grid.qty, fills)
    hbt.close()
    return fills[:count], grid.capital + gained


# --- end of user code --------------------------------------------------------------------------------------------------


def fills_of(result: tuple[np.ndarray, float]) -> np.ndarray:
    """Its rows as fills, all of one quantity."""
    rows = result[0]
    found = np.empty(len(rows), fill_dtype)
    found["bar"], found["side"], found["price"], found["qty"] = rows[:, 0], rows[:, 1], rows[:, 3], 1.0
    found["action"] = np.where(rows[:, 2] == 0.0, OPEN, CLOSE)
    return found


contestant = Contestant(prepare, run, fills_of, package="hftbacktest", equity=lambda result: result[1])

if __name__ == "__main__":
    serve(contestant)
