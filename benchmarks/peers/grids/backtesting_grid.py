"""The grid in backtesting.py: `hedging=True`, a limit order a rung, a trade's own take-profit set at the close after its fill.

backtesting.py fills a limit that the open is already past at the open, not at the limit; fills of one bar come in the order of its
list of orders, not of the path; one commission is charged on all fills, so the taker's fee of a re-centring is the maker's here.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy

from benchmarks.peers.grid import CLOSE, GRID, LONG, OPEN, SHORT, Grid, fills_from
from benchmarks.peers.worker import Contestant, serve

# --- user code ---------------------------------------------------------------------------------------------------------


class StaticGrid(Strategy):
    """Rungs are tags of orders and trades, (side, rung); `free` are those without an entry order or a lot."""

    grid = GRID

    def init(self) -> None:
        self.closes = self.data.df["Close"].to_numpy().tolist()
        self.rungs: tuple[list[float], ...] | None = None
        self.free: set[tuple[int, int]] = set()
        self.held: dict[tuple[int, int], Any] = {}  # the trade of each rung that has a lot

    def next(self) -> None:
        close = self.closes[len(self.data) - 1]
        near = self.grid.tolerance
        trades = self.trades
        if self.rungs is None or close < self.rungs[LONG][-1] - near or close > self.rungs[SHORT][-1] + near:
            self.recentre(close, trades)
        elif len(trades) != len(self.held) or any(trade.tp is None for trade in trades):
            now = {trade.tag: trade for trade in trades}
            self.free.update(self.held.keys() - now.keys())
            self.held = now
            for (side, rung), trade in now.items():
                if trade.tp is None:
                    trade.tp = self.rungs[side][rung]
        if self.free:
            self.rest_entries(close)

    def recentre(self, close: float, trades: Any) -> None:
        for order in self.orders:
            if not order.is_contingent:
                order.cancel()
        for trade in trades:
            trade.close()
        self.held = {}
        # Its limits are compared exactly: prices must be free of the noise of binary fractions.
        self.rungs = tuple([round(price, 2) for price in side] for side in self.grid.rungs(close))
        self.free = {(side, rung) for side in (LONG, SHORT) for rung in range(self.grid.levels)}

    def rest_entries(self, close: float) -> None:
        near = self.grid.tolerance
        for side, rung in sorted(self.free):
            price = self.rungs[side][rung + 1]
            if side == LONG and price < close - near:
                self.buy(size=self.grid.qty, limit=price, tag=(side, rung))
                self.free.discard((side, rung))
            elif side == SHORT and price > close + near:
                self.sell(size=self.grid.qty, limit=price, tag=(side, rung))
                self.free.discard((side, rung))


def prepare(bars: np.ndarray, grid: Grid) -> Backtest:
    """A backtest of these bars. The first decision is at the close of its second bar, so the first bar is given twice."""
    doubled = np.concatenate([bars[:, :1], bars], axis=1)
    index = pd.date_range("2022-01-01", periods=doubled.shape[1], freq="15min")
    frame = pd.DataFrame(doubled.T, index=index, columns=["Open", "High", "Low", "Close", "Volume"])
    return Backtest(frame, StaticGrid, cash=grid.capital, commission=grid.fee_maker, hedging=True)


def run(backtest: Backtest) -> Any:
    """The whole run, statistics included, as `run` makes them; trades still open at the end stay open."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return backtest.run()


# --- end of user code --------------------------------------------------------------------------------------------------


def fills(stats: Any) -> np.ndarray:
    """Entries and exits of all trades, by bar; within one, closings first."""
    strategy = stats["_strategy"]
    rows = []
    for trade in (*strategy.closed_trades, *strategy.trades):
        side = LONG if trade.is_long else SHORT
        rows.append((trade.entry_bar - 1, side, OPEN, trade.entry_price, abs(trade.size)))
        if trade.exit_bar is not None:
            rows.append((trade.exit_bar - 1, side, CLOSE, trade.exit_price, abs(trade.size)))
    return fills_from(sorted(rows, key=lambda row: (row[0], -row[2])))


contestant = Contestant(prepare, run, fills, package="backtesting", equity=lambda stats: float(stats["Equity Final [$]"]))

if __name__ == "__main__":
    serve(contestant)
