"""A tight kernel written by hand for this one grid: what the machine can do when nothing else is asked for.

No account rules, no margin, no funding, no order lists: four bit masks a run say which rungs have an entry or an exit resting and
which wait. It is the reference for speed, not a backtester.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from benchmarks.peers.grid import Grid, fill_dtype
from benchmarks.peers.worker import Contestant, serve


# --- user code ---------------------------------------------------------------------------------------------------------
@njit(cache=False, error_model="numpy")
def price_rungs(anchor, spacing, tick, levels, rungs):
    for j in range(levels + 1):
        rungs[0, j] = np.floor(anchor * (1.0 - j * spacing) / tick + 1e-9) * tick
        rungs[1, j] = np.ceil(anchor * (1.0 + j * spacing) / tick - 1e-9) * tick


@njit(cache=False, error_model="numpy")
def run_grid(opens, highs, lows, closes, levels, spacing, tick, unit, maker, taker, capital, bars, sides, actions, prices, equity):
    """Fills go to `bars`, `sides`, `actions`, `prices`, equity a bar to `equity`; returns how many fills there were."""
    near = 1e-6 * tick
    rungs = np.empty((2, levels + 1))
    # One bit a rung: an entry rests, an exit rests, a lot is held, a lot closes at the next open.
    resting = np.zeros(2, np.int64)
    exiting = np.zeros(2, np.int64)
    held = np.zeros(2, np.int64)
    queued = np.zeros(2, np.int64)
    queued_rungs = np.empty((2, levels + 1))
    wallet = capital
    qty = 0.0  # long less short: all the mark to market needs
    cost = 0.0
    above = np.inf
    below = -np.inf
    lowest = np.inf
    highest = -np.inf
    count = 0
    incomplete = True
    close = closes[0]
    equity[0] = wallet
    for i in range(1, closes.size):
        if incomplete or close < lowest or close > highest:
            if close < lowest or close > highest:
                queued[0], queued[1] = held[0], held[1]
                held[:] = 0
                exiting[:] = 0
                resting[:] = 0
                queued_rungs[:] = rungs
                price_rungs(close, spacing, tick, levels, rungs)
                lowest = rungs[0, levels] - near
                highest = rungs[1, levels] + near
            incomplete = False
            above = np.inf
            below = -np.inf
            exiting[0], exiting[1] = held[0], held[1]
            for j in range(levels):
                bit = 1 << j
                if held[0] & bit:
                    above = min(above, rungs[0, j] - near)
                elif rungs[0, j + 1] < close - near:
                    resting[0] |= bit
                    below = max(below, rungs[0, j + 1] + near)
                else:
                    incomplete = True
                if held[1] & bit:
                    below = max(below, rungs[1, j] + near)
                elif rungs[1, j + 1] > close + near:
                    resting[1] |= bit
                    above = min(above, rungs[1, j + 1] - near)
                else:
                    incomplete = True
        high = highs[i]
        low = lows[i]
        if high >= above or low <= below or queued[0] | queued[1]:
            start = opens[i]
            for side in range(2):
                sign = 1.0 - 2.0 * side
                j = levels - 1
                while queued[side]:
                    if queued[side] >> j & 1:
                        queued[side] &= ~(1 << j)
                        entry = queued_rungs[side, j + 1]
                        wallet += sign * (start - entry) * unit - start * unit * taker
                        qty -= sign * unit
                        cost -= sign * entry * unit
                        bars[count], sides[count], actions[count], prices[count] = i, side, 1, start
                        count += 1
                    j -= 1
            high_first = high - start < start - low - near
            last = start
            # Phases 0 and 1 are entries and exits that the open reaches, 2 and 3 the ways to the extremes. The way to the close
            # reaches nothing that the extremes have not.
            first = 0 if start >= above or start <= below else 2
            for phase in range(first, 4):
                if phase < 2:
                    target = start
                else:
                    target = high if high_first == (phase == 2) else low
                rising = target > last
                last = target
                for part in range(2):
                    # At the open entries of both sides come first; on a way exits, which stand nearer, come first.
                    entries = (phase == 0) if phase < 2 else part == 1
                    side = part if phase < 2 else (1 if entries == rising else 0)
                    sign = 1.0 - 2.0 * side
                    reach = sign * target
                    if entries:
                        for j in range(levels):
                            price = rungs[side, j + 1]
                            if sign * price < reach - near:
                                break
                            if resting[side] >> j & 1:
                                resting[side] &= ~(1 << j)
                                held[side] |= 1 << j
                                wallet -= price * unit * maker
                                qty += sign * unit
                                cost += sign * price * unit
                                bars[count], sides[count], actions[count], prices[count] = i, side, 0, price
                                count += 1
                                incomplete = True
                    elif exiting[side]:
                        for j in range(levels - 1, -1, -1):
                            price = rungs[side, j]
                            if sign * price > reach + near:
                                break
                            if exiting[side] >> j & 1:
                                exiting[side] &= ~(1 << j)
                                held[side] &= ~(1 << j)
                                entry = rungs[side, j + 1]
                                wallet += sign * (price - entry) * unit - price * unit * maker
                                qty -= sign * unit
                                cost -= sign * entry * unit
                                bars[count], sides[count], actions[count], prices[count] = i, side, 1, price
                                count += 1
                                incomplete = True
        close = closes[i]
        equity[i] = wallet + (qty * close - cost)
    return count


# --- end of user code --------------------------------------------------------------------------------------------------


def prepare(bars: np.ndarray, grid: Grid) -> tuple[Grid, list[np.ndarray]]:
    """One contiguous array a column."""
    return grid, [np.ascontiguousarray(row) for row in bars[:4]]


def run(prepared: tuple[Grid, list[np.ndarray]]) -> tuple[Any, ...]:
    """The whole run, buffers included: a bar can fill every rung of both sides twice over, memory that is not written costs nothing."""
    grid, columns = prepared
    most = 4 * grid.levels * columns[0].size
    bars, sides, actions = np.empty(most, np.int32), np.empty(most, np.int8), np.empty(most, np.int8)
    prices, equity = np.empty(most), np.empty(columns[0].size)
    terms = (grid.levels, grid.spacing, grid.tick, grid.qty, grid.fee_maker, grid.fee_taker, grid.capital)
    count = run_grid(*columns, *terms, bars, sides, actions, prices, equity)
    return bars[:count], sides[:count], actions[:count], prices[:count], grid.qty, equity


def fills(result: tuple[Any, ...]) -> np.ndarray:
    """Its buffers as fills."""
    found = np.empty(len(result[0]), fill_dtype)
    for name, values in zip(("bar", "side", "action", "price", "qty"), result[:5], strict=True):
        found[name] = values
    return found


contestant = Contestant(prepare, run, fills, package="numba", equity=lambda result: float(result[5][-1]))

if __name__ == "__main__":
    serve(contestant)
