"""The grid in plain Python: lists, floats and a loop, as one would write it with care and without libraries."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.peers.grid import CLOSE, LONG, OPEN, SHORT, Grid, fills_from
from benchmarks.peers.worker import Contestant, serve

# --- user code ---------------------------------------------------------------------------------------------------------
WAITING, RESTING, HELD, EXITING = range(4)  # of a rung: no entry yet, entry rests, lot without an exit, exit rests


class GridLoop:
    """One run: the state of each rung of both sides, the account, and what it does bar by bar."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.wallet = grid.capital
        self.rungs: tuple[list[float], list[float]] | None = None
        self.states = [[WAITING] * grid.levels, [WAITING] * grid.levels]
        self.entries = [[0.0] * grid.levels, [0.0] * grid.levels]  # prices of the lots
        self.queue: list[tuple[int, float]] = []  # lots to close at the next open: side, entry
        self.above = float("inf")  # the nearest orders above and below the market
        self.below = -float("inf")
        self.qty = [0.0, 0.0]
        self.cost = [0.0, 0.0]
        self.fills: list[tuple[int, int, int, float, float]] = []
        self.equity: list[float] = []
        self.changed = True  # something has filled since the last decision
        self.before = 0.0  # the last close

    def exchange(self, bar: int, side: int, action: int, price: float, fee: float, entry: float = 0.0) -> None:
        qty = self.grid.qty
        self.wallet -= price * qty * fee
        if action == OPEN:
            self.qty[side] += qty
            self.cost[side] += price * qty
        else:
            self.wallet += (price - entry if side == LONG else entry - price) * qty
            self.qty[side] -= qty
            self.cost[side] -= entry * qty
        self.fills.append((bar, side, action, price, qty))

    def exit_price(self, side: int, rung: int) -> float:
        assert self.rungs is not None
        return self.rungs[side][rung]

    def open_lot(self, bar: int, side: int, rung: int) -> None:
        assert self.rungs is not None
        price = self.rungs[side][rung + 1]
        self.exchange(bar, side, OPEN, price, self.grid.fee_maker)
        self.states[side][rung] = HELD
        self.entries[side][rung] = price

    def close_lot(self, bar: int, side: int, rung: int) -> None:
        self.exchange(bar, side, CLOSE, self.exit_price(side, rung), self.grid.fee_maker, self.entries[side][rung])
        self.states[side][rung] = WAITING

    def decide(self, close: float) -> None:
        grid, near = self.grid, self.grid.tolerance
        if self.rungs is None or close < self.rungs[LONG][-1] - near or close > self.rungs[SHORT][-1] + near:
            for side in (LONG, SHORT):
                for rung in range(grid.levels - 1, -1, -1):
                    if self.states[side][rung] in (HELD, EXITING):
                        self.queue.append((side, self.entries[side][rung]))
                self.states[side] = [WAITING] * grid.levels
            self.rungs = grid.rungs(close)
        above, below = float("inf"), -float("inf")
        for side in (LONG, SHORT):
            states, prices = self.states[side], self.rungs[side]
            for rung in range(grid.levels):
                if states[rung] == WAITING and (prices[rung + 1] < close - near if side == LONG else prices[rung + 1] > close + near):
                    states[rung] = RESTING
                elif states[rung] == HELD:
                    states[rung] = EXITING
                if states[rung] == RESTING and side == LONG:
                    below = max(below, prices[rung + 1])
                elif states[rung] == RESTING:
                    above = min(above, prices[rung + 1])
                elif states[rung] == EXITING and side == LONG:
                    above = min(above, prices[rung])
                elif states[rung] == EXITING:
                    below = max(below, prices[rung])
        self.above, self.below = above - near, below + near

    def fall_to(self, bar: int, price: float) -> None:
        """Exits of shorts, the highest first, then entries of longs, which all stand below them."""
        assert self.rungs is not None
        price -= self.grid.tolerance
        for rung in range(self.grid.levels - 1, -1, -1):
            if self.states[SHORT][rung] == EXITING and self.rungs[SHORT][rung] >= price:
                self.close_lot(bar, SHORT, rung)
        for rung in range(self.grid.levels):
            if self.states[LONG][rung] == RESTING and self.rungs[LONG][rung + 1] >= price:
                self.open_lot(bar, LONG, rung)

    def rise_to(self, bar: int, price: float) -> None:
        assert self.rungs is not None
        price += self.grid.tolerance
        for rung in range(self.grid.levels - 1, -1, -1):
            if self.states[LONG][rung] == EXITING and self.rungs[LONG][rung] <= price:
                self.close_lot(bar, LONG, rung)
        for rung in range(self.grid.levels):
            if self.states[SHORT][rung] == RESTING and self.rungs[SHORT][rung + 1] <= price:
                self.open_lot(bar, SHORT, rung)

    def open_at(self, bar: int, price: float) -> None:
        """Queued market orders, then what the open itself reaches: entries before exits, long before short."""
        for side, entry in self.queue:
            self.exchange(bar, side, CLOSE, price, self.grid.fee_taker, entry)
        self.queue = []
        assert self.rungs is not None
        near, levels = self.grid.tolerance, self.grid.levels
        longs, shorts = self.rungs
        for rung in range(levels):
            if self.states[LONG][rung] == RESTING and longs[rung + 1] >= price - near:
                self.open_lot(bar, LONG, rung)
        for rung in range(levels):
            if self.states[SHORT][rung] == RESTING and shorts[rung + 1] <= price + near:
                self.open_lot(bar, SHORT, rung)
        for rung in range(levels - 1, -1, -1):
            if self.states[LONG][rung] == EXITING and longs[rung] <= price + near:
                self.close_lot(bar, LONG, rung)
        for rung in range(levels - 1, -1, -1):
            if self.states[SHORT][rung] == EXITING and shorts[rung] >= price - near:
                self.close_lot(bar, SHORT, rung)

    def walk(self, bar: int, open_: float, high: float, low: float, close: float) -> None:
        self.open_at(bar, open_)
        high_first = high - open_ < open_ - low - self.grid.tolerance
        price = open_
        for target in (high, low, close) if high_first else (low, high, close):
            if target > price:
                self.rise_to(bar, target)
            else:
                self.fall_to(bar, target)
            price = target

    def step(self, bar: int, open_: float, high: float, low: float, close: float) -> None:
        if self.changed or self.waits(self.before):
            self.decide(self.before)
            self.changed = False
        if self.queue or high >= self.above or low <= self.below:
            filled = len(self.fills)
            self.walk(bar, open_, high, low, close)
            self.changed = len(self.fills) > filled
        held = (close * self.qty[LONG] - self.cost[LONG]) + (self.cost[SHORT] - close * self.qty[SHORT])
        self.equity.append(self.wallet + held)
        self.before = close

    def run(self, bars: list[tuple[float, float, float, float]]) -> None:
        self.before = bars[0][3]
        self.equity.append(self.wallet)
        for bar in range(1, len(bars)):
            self.step(bar, *bars[bar])

    def waits(self, close: float) -> bool:
        """Whether a decision could change something though nothing has filled: the grid is left, or an entry could not rest."""
        assert self.rungs is not None
        near = self.grid.tolerance
        left = close < self.rungs[LONG][-1] - near or close > self.rungs[SHORT][-1] + near
        return left or WAITING in self.states[LONG] or WAITING in self.states[SHORT]


# --- end of user code --------------------------------------------------------------------------------------------------


def prepare(bars: np.ndarray, grid: Grid) -> tuple[Grid, list[tuple[float, float, float, float]]]:
    """Bars as tuples of Python floats."""
    return grid, list(zip(*(row.tolist() for row in bars[:4]), strict=True))


def run(prepared: tuple[Grid, list[Any]]) -> GridLoop:
    """The whole run."""
    grid, bars = prepared
    loop = GridLoop(grid)
    loop.run(bars)
    return loop


contestant = Contestant(prepare, run, lambda loop: fills_from(loop.fills), equity=lambda loop: loop.equity[-1])

if __name__ == "__main__":
    serve(contestant)
