"""One wallet over one part of time: the unit that the optimizer runs, on the same code as `bt.run`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from backtest.align import Aligned, align
from backtest.data.market import Market
from backtest.metrics import equity as curve
from backtest.optimization.parts import Part
from backtest.run import instrument_terms, wallet_feed
from backtest.sweep import indicator_key
from backtest.workbench import Workbench
from engine.account import Account
from engine.execution import Execution
from engine.machine import Feed, Machine, instrument_record, terms_record

# One machine a thread for all cells.
_BENCH = Workbench()


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
        return self.ready(account, execution).run(strategy, strategy.record())

    def ready(self, account: Account, execution: Execution) -> ReadyCell:
        """The cell under these terms, for many runs."""
        aligned = self.aligned
        instruments = [instrument_terms(market.instrument, weight) for market, weight in zip(aligned.markets, self.weights, strict=True)]
        records = np.concatenate([instrument_record(one, account.leverage) for one in instruments])
        terms = terms_record(account, execution, aligned.timeframe.ms, len(instruments))
        feed, _, start, stop = wallet_feed(aligned, aligned.trade_from, self.end, execution.close_at_end)
        return ReadyCell(self, account, execution, records, terms, feed, start, stop)


class Bars(NamedTuple):
    """The feed of a run, the bars it trades from and stops before, and its indicators."""

    feed: Feed
    start: int
    stop: int
    indicators: np.ndarray


@dataclass(eq=False)
class ReadyCell:
    """A cell under fixed terms: what all its runs share is made once. feed: all bars there are; it trades from bar `start` to `stop`.

    last: on what the bars of the last run depend, and the bars themselves once they were asked for twice in a row: a search that
    leaves the indicators alone makes them once, another one keeps none.
    """

    cell: Cell
    account: Account
    execution: Execution
    instruments: np.ndarray
    terms: np.ndarray
    feed: Feed
    start: int
    stop: int
    last: tuple[Any, Bars | None] = (None, None)

    def run(self, strategy: Any, record: np.ndarray) -> CellRun:
        """Run a set of parameters, `record` being `strategy.record()`, from a flat start; on the bars that `bt.run` would take."""
        machine = _BENCH.machine_for(strategy, record, self.instruments, self.terms, self.account.capital)
        began = perf_counter()
        bars = self._bars_of(strategy, machine)
        _, equity = machine.run(bars.feed, bars.indicators, bars.start, bars.stop)
        seconds = perf_counter() - began
        daily = curve.daily_returns(bars.feed.time[bars.start : bars.stop], equity, self.account.capital)
        return CellRun(figures_of(machine, equity, self.cell.aligned.timeframe.ms), daily, seconds)

    def _bars_of(self, strategy: Any, machine: Machine) -> Bars:
        """The bars of a run. Threads may make the same ones side by side; they are equal."""
        key = (machine.program, strategy.warmup_bars(), indicator_key(strategy))
        known, bars = self.last
        if known == key and bars is not None:
            return bars
        feed, start, stop = self._feed_of(strategy.warmup_bars())
        made = Bars(feed, start, stop, machine.indicators(feed))
        self.last = (key, made if known == key else None)
        return made

    def _feed_of(self, warmup: int) -> tuple[Feed, int, int]:
        """The feed that begins `warmup` bars before the part, and where it trades: with one coin a view of the whole but for its bars."""
        if len(self.instruments) > 1:
            feed, _, start, stop = wallet_feed(self.cell.aligned, warmup, self.cell.end, self.execution.close_at_end)
            return feed, start, stop
        begin = max(0, self.start - warmup)
        whole = self.feed
        feed = replace(
            whole,
            time=whole.time[begin:],
            bars=np.ascontiguousarray(whole.bars[:, :, begin:]),
            kinds=whole.kinds[:, begin:],
            funding_offsets=whole.funding_offsets[:, begin:],
            sub_start=whole.sub_start[:, begin:],
            first_trades=whole.first_trades - begin,
        )
        return feed, self.start - begin, self.stop - begin


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
