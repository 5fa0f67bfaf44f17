"""One wallet over one part of time: the unit that the optimizer runs, on the same code as `bt.run`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from backtest.align import Aligned, align
from backtest.data.market import Market
from backtest.metrics import equity as curve
from backtest.optimization.parts import Part
from backtest.run import instrument_terms, wallet_feed
from backtest.strategy import program_of
from engine.account import Account
from engine.execution import Execution
from engine.machine import Machine


class Figures(NamedTuple):
    """What one run of a cell came to; the same numbers, to the bit, as `bt.run` on that part gives.

    Fractions and ratios as the metrics of that name; drawdown is the one inside bars. `round_trips` are lots closed.
    """

    total_return: float
    growth: float  # a year
    drawdown: float
    sharpe: float
    sortino: float
    profit_factor: float
    win_rate: float
    round_trips: int
    liquidations: int


@dataclass(frozen=True, eq=False)
class CellRun:
    """Figures, returns by UTC day (float64 [days]) and the seconds spent in compiled code."""

    figures: Figures
    daily: np.ndarray
    kernel_seconds: float


@dataclass(frozen=True, eq=False)
class Cell:
    """A wallet's markets over a part, ready to run any parameter set. `symbols` in order; one of them with separate wallets."""

    part: Part
    aligned: Aligned
    weights: tuple[float, ...]
    end: int

    @property
    def symbols(self) -> tuple[str, ...]:
        """Its coins."""
        return tuple(market.symbol for market in self.aligned.markets)

    @property
    def name(self) -> str:
        """Its coins in one word."""
        return "+".join(self.symbols)

    def run(self, strategy: Any, account: Account, execution: Execution) -> CellRun:
        """Run a set of parameters from a flat start, its indicators warmed on the bars before the part."""
        feed, _, start, stop = wallet_feed(self.aligned, strategy.warmup_bars(), self.end, execution.close_at_end)
        terms = [instrument_terms(market.instrument, weight) for market, weight in zip(self.aligned.markets, self.weights, strict=True)]
        records = [strategy.record()] * len(terms)
        machine = Machine.build(program_of(strategy), records, terms, account, execution, self.aligned.timeframe.ms, recording=False)
        began = perf_counter()
        indicators = machine.indicators(feed)
        _, equity = machine.run(feed, indicators, start, stop)
        seconds = perf_counter() - began
        daily = curve.daily_returns(feed.time[start:stop], equity, account.capital)
        return CellRun(figures_of(machine, equity, self.aligned.timeframe.ms), daily, seconds)


def figures_of(machine: Machine, equity: np.ndarray, timeframe_ms: int) -> Figures:
    """The figures of a machine that has run; equity [bars] at closes."""
    account, states = machine.accounts[0], machine.states
    capital, per_year = float(account["capital"]), curve.bars_per_year(timeframe_ms)
    returns = curve.returns_per_bar(equity, capital)
    wins, losses = int(states["winning_closes"].sum()), int(states["losing_closes"].sum())
    profit, loss = float(states["gross_profit"].sum()), float(states["gross_loss"].sum())
    return Figures(
        curve.total_return(equity, capital),
        curve.cagr(equity, capital, per_year),
        float(account["path_drawdown_max"]),
        curve.sharpe(returns, per_year),
        curve.sortino(returns, per_year),
        profit / loss if loss > 0.0 else (np.inf if profit > 0.0 else np.nan),
        wins / (wins + losses) if wins + losses else np.nan,
        wins + losses,
        int(account["liquidations"]),
    )


def cells_of(markets: Sequence[Market], part: Part, account: Account, warmup: int, weights: Sequence[float] | None = None) -> list[Cell]:
    """The wallets of a part: each coin's own, or the shared one. `warmup` bars stand before it, the most that any set asks for."""
    cut = [market.slice(part.begin, part.end, warmup) for market in markets]
    end = max(int(market.end_time) for market in cut)
    if account.wallet == "shared":
        shares = tuple(weights) if weights is not None else (1.0 / len(cut),) * len(cut)
        return [Cell(part, align(cut), shares, end)]
    return [Cell(part, align([market]), (1.0,), end) for market in cut]
