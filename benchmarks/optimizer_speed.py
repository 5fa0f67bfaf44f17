"""The optimizer: milliseconds a trial, the share of them in compiled code, and whether trials become dearer the more there are."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter, process_time
from typing import Any

import backtest as bt
from backtest.optimization.evaluation import Evaluator
from backtest.optimization.evidence.design import sobol_design
from backtest.optimization.parts import split_time
from backtest.optimization.records import MemoryStore
from backtest.optimization.search import Search
from backtest.optimization.settings import Optimization
from backtest.optimization.space import decoded, search_space
from benchmarks.calibration import calibration
from benchmarks.context import Context
from benchmarks.market import WARM_UP, simulated
from benchmarks.rows import Row, timed
from benchmarks.timing import Samples, seconds_of

GROUP = "optimizer"
PURGE_HOURS = 24.0
CALIBRATIONS = 10  # before and after each search


@dataclass
class Progress:
    """When which number of trials beyond the design was done, processor seconds."""

    design: int
    moments: list[tuple[int, float]] = field(default_factory=list)

    def told(self, done: int, _total: int, _best: float) -> None:
        """As the search's `watch`."""
        if done >= self.design:
            self.moments.append((done - self.design, process_time()))

    def milliseconds(self, begin: float, end: float) -> float:
        """Milliseconds a proposed trial between two shares of them, to whole batches."""
        last = self.moments[-1][0]
        first, began = max(moment for moment in self.moments if moment[0] <= begin * last)
        final, ended = min(moment for moment in self.moments if moment[0] >= end * last)
        return 1e3 * (ended - began) / (final - first)


def optimizer_rows(context: Context) -> list[Row]:
    """Rows of a search by TPE and one by CMA-ES on half a year of 1h bars: two windows, one coin, one thread."""
    rows = []
    for sampler, trials in (("tpe", context.rounds(64, 400)), ("cmaes", context.rounds(128, 2000))):
        context.say(f"optimizer, {trials:,} trials by {sampler}")
        rows += _rows(sampler, trials)
    return rows


def _goes_together(strategy: Any, parameters: dict[str, Any]) -> bool:
    """Whether a set keeps the rules between parameters."""
    try:
        strategy.replace(**parameters)
    except bt.InputError:
        return False
    return True


def _rows(sampler: Any, trials: int) -> list[Row]:
    market = simulated("1h", "2024-01-01", "2024-07-01")
    settings = Optimization(trials=trials, windows=2, sampler=sampler)
    split = split_time(int(market.time[market.trade_from]), market.end_time, market.timeframe, settings, PURGE_HOURS)
    strategy, space = bt.AdaptiveGrid(), search_space(bt.AdaptiveGrid)
    evaluator = Evaluator.build([market], split.trains, strategy, bt.Account(), bt.Execution(), settings, WARM_UP, threads=1)
    evaluator.warm()
    importlib.import_module("optuna")  # its import is no trial's
    design = [one for one in (decoded(space, row) for row in sobol_design(space, 256, settings.seed)) if _goes_together(strategy, one)][:32]
    progress = Progress(len(design))
    calibrate = calibration()
    beside = [seconds_of(calibrate)[0] for _ in range(CALIBRATIONS)]
    began, used = perf_counter(), process_time()
    Search(evaluator, space, design, settings, MemoryStore(), watch=progress.told).run()
    wall, process, clock = perf_counter() - began, process_time() - used, evaluator.clock
    evaluator.close()
    beside += [seconds_of(calibrate)[0] for _ in range(CALIBRATIONS)]
    done = progress.moments[-1][0] + len(design)
    counts = {
        "trials": done,
        "trials_per_second": done / wall,
        "kernel_share": clock.kernel / wall,
        "proposing_share": clock.proposing / wall,
        "storing_share": clock.storing / wall,
        "ms_first_quarter": progress.milliseconds(0.0, 0.25),
        "ms_last_quarter": progress.milliseconds(0.75, 1.0),
    }
    samples = Samples([process], [wall], [median(beside)])
    return [timed(GROUP, f"{sampler}, {done:,} trials", "ms a trial", samples, 1e3 / done, counts=counts)]
