"""Runs batches of parameter sets over all train parts, on threads that share the market's arrays."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

from backtest.data.market import Market
from backtest.optimization.cells import Cell, CellRun, Figures, ReadyCell, cells_of
from backtest.optimization.parts import Part
from backtest.optimization.scores import Score, score
from backtest.optimization.settings import Optimization
from backtest.run import announced
from engine.account import Account
from engine.execution import Execution


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One set on its train parts.

    figures: one a cell, part after part, coins in order. daily: float32 [days], mean over coins of the returns by UTC day, the parts
    one after the other (never equity by bar: it would not fit into memory).
    """

    parameters: Mapping[str, Any]
    score: Score
    figures: tuple[Figures, ...]
    daily: np.ndarray


@dataclass
class Clock:
    """Where the time went, seconds: in compiled code (summed over threads), in batches (wall), proposing, storing, compiling once."""

    kernel: float = 0.0
    batches: float = 0.0
    proposing: float = 0.0
    storing: float = 0.0
    compiling: float = 0.0
    runs: int = 0


@dataclass
class Evaluator:
    """All cells of some parts, and what every run of them shares.

    strategy: the set that the searched parameters are laid over. execution: the user's, as the optimizer scores it: see `scored_execution`.
    """

    strategy: Any
    account: Account
    execution: Execution
    settings: Optimization
    parts: Sequence[Part]
    cells: Sequence[Cell]
    threads: int = 0
    clock: Clock = field(default_factory=Clock)
    _pool: ThreadPoolExecutor | None = None
    _ready: tuple[ReadyCell, ...] = ()

    def __post_init__(self) -> None:
        self.threads = self.threads or os.cpu_count() or 1
        self._ready = tuple(cell.ready(self.account, self.execution) for cell in self.cells)

    @classmethod
    def build(
        cls,
        markets: Sequence[Market],
        parts: Sequence[Part],
        strategy: Any,
        account: Account,
        execution: Execution,
        settings: Optimization,
        warmup: int,
        threads: int = 0,
    ) -> Evaluator:
        """Cut the markets into the cells of the parts. `warmup`: the most bars before a part that any set asks for."""
        cells = [cell for part in parts for cell in cells_of(markets, part, account, warmup)]
        return cls(strategy, account, execution, settings, tuple(parts), cells, threads)

    @property
    def bars(self) -> int:
        """Bars that one set walks."""
        return sum(int((cell.part.end - cell.part.begin) // cell.aligned.timeframe.ms) * len(cell.symbols) for cell in self.cells)

    def warm(self) -> None:
        """Compile (said so on a first start) before threads would do it side by side."""
        began = perf_counter()
        with announced(self.strategy) as cold:
            self.cells[0].run(self.strategy, self.account, self.execution)
        if cold:
            self.clock.compiling += perf_counter() - began

    def with_parameters(self, parameters: Mapping[str, Any]) -> Any:
        """The strategy with these parameters. Raises InputError when they do not go together."""
        return self.strategy.replace(**parameters)

    def evaluate(self, sets: Sequence[Mapping[str, Any]]) -> list[Evaluation]:
        """Run every set on every cell; in order, and the same numbers on any number of threads."""
        strategies = [self.with_parameters(one) for one in sets]
        jobs = [(strategy, record, cell) for strategy in strategies for record in [strategy.record()] for cell in self._ready]
        began = perf_counter()
        runs = self._answers(jobs)
        self.clock.batches += perf_counter() - began
        self.clock.kernel += sum(run.kernel_seconds for run in runs)
        self.clock.runs += len(runs)
        width = len(self.cells)
        return [self._put_together(one, runs[place * width : (place + 1) * width]) for place, one in enumerate(sets)]

    def _answers(self, jobs: Sequence[tuple[Any, np.ndarray, ReadyCell]]) -> list[CellRun]:
        if self.threads == 1:
            return [cell.run(strategy, record) for strategy, record, cell in jobs]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.threads)
        return list(self._pool.map(lambda job: job[2].run(job[0], job[1]), jobs))

    def _put_together(self, parameters: Mapping[str, Any], runs: Sequence[CellRun]) -> Evaluation:
        figures = tuple(run.figures for run in runs)
        made = score(figures, [cell.part.days for cell in self.cells], self.settings)
        return Evaluation(dict(parameters), made, figures, self.daily_of(runs).astype(np.float32))

    def daily_of(self, runs: Sequence[CellRun]) -> np.ndarray:
        """Mean over the coins of a part, part after part; float64 [days]."""
        coins = len(self.cells) // len(self.parts)
        pieces = [_mean_by_day([run.daily for run in runs[place * coins : (place + 1) * coins]]) for place in range(len(self.parts))]
        return np.concatenate(pieces)

    def close(self) -> None:
        """Let the threads go."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


def _mean_by_day(coins: Sequence[np.ndarray]) -> np.ndarray:
    """Mean of the coins' returns, day by day; a coin that begins later counts from its first day."""
    longest = max(one.size for one in coins)
    padded = np.full((len(coins), longest), np.nan)
    for row, one in zip(padded, coins, strict=True):
        row[longest - one.size :] = one
    return np.asarray(np.nanmean(padded, axis=0))


def scored_execution(execution: Execution, settings: Optimization) -> Execution:
    """The terms of every run of the optimizer: fills through `score_under` and open lots closed at the end of each part."""
    return execution.replace(through_bps=max(execution.through_bps, settings.score_under), close_at_end=True)
