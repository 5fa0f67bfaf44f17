"""`sensitivity`: a result, run again under every assumption of the table."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from backtest.sensitivity.again import Again, Outcome, Workers, outcome, total_return
from backtest.sensitivity.close_out import closed_out
from backtest.sensitivity.path_bars import count_path_bars
from backtest.sensitivity.scan import FUNDING_MULTIPLE, MAKER_FEE, Grid, Scan
from backtest.sensitivity.scenarios import Scenario, scenarios
from backtest.sensitivity.table import Row, Sensitivity
from backtest.whole_numbers import checked_threads
from engine.errors import InputError

if TYPE_CHECKING:
    from backtest.result import Result

Scans = Literal["full", "coarse", "none"]


def _median(found: Sequence[Outcome]) -> Outcome:
    """The median of each figure over several runs; liquidated if any of them was."""
    gain, drawdown, sharpe = (float(np.median([getattr(one, name) for one in found])) for name in Outcome._fields[:3])
    return Outcome(gain, drawdown, sharpe, any(one.liquidated for one in found))


def _row_of_draws(scenario: Scenario, found: Sequence[Outcome], run: Outcome) -> Row:
    """A row of one run, or of the medians of several with the range of their returns."""
    if scenario.draws == 1:
        return _row(scenario.name, scenario.changed, found[0], run)
    row = _row(scenario.name, scenario.changed, _median(found), run)
    low, high = np.quantile([one.total_return for one in found], (0.05, 0.95))
    return replace(row, draws=scenario.draws, total_return_low=float(low), total_return_high=float(high))


def _row(name: str, changed: str, found: Outcome, run: Outcome) -> Row:
    """A row beside the run. A run that neither gained nor lost has no sign to change."""
    gain, own = found.total_return, run.total_return
    turned = own != 0.0 and not math.isnan(gain + own) and (gain > 0.0) - (gain < 0.0) != (own > 0.0) - (own < 0.0)
    points = (gain - own) * 100.0
    return Row(name, changed, gain, found.max_drawdown, found.sharpe, points, turned, found.liquidated)


def _rows(again: Again, workers: Workers, run: Outcome) -> tuple[list[Row], list[str]]:
    """The rows, and a sentence for each that could not be had."""
    listed, left_out = scenarios(again.result)
    again.prepare(listed)

    def figures(scenario: Scenario) -> Outcome | str:
        try:
            return again.figures(scenario)
        except InputError as error:  # a scenario may, for one, need more lots than a side can hold
            return str(error)

    rows = []
    answers = iter(workers.answer([partial(figures, one) for scenario in listed for one in scenario.runs()]))
    for scenario in listed:
        found = list(itertools.islice(answers, scenario.draws))
        refused = [answer for answer in found if isinstance(answer, str)]
        if refused:
            left_out.append(f"Left out, {scenario.name}: {refused[0]}")
        else:
            rows.append(_row_of_draws(scenario, [answer for answer in found if isinstance(answer, Outcome)], run))
    rows.append(_row("open lots closed out", "the lots still open are closed at market", closed_out(again.result), run))
    return rows, left_out


def _scan(grid: Grid, scans: Scans, workers: Workers, rerun: Callable[[float], Result]) -> Scan:
    """Total returns over a grid of values; NaN where a run is refused."""

    def gain(value: float) -> float:
        try:
            return total_return(rerun(value))
        except InputError:
            return math.nan

    def gains(values: Sequence[float]) -> list[float]:
        return workers.answer([partial(gain, value) for value in values])

    return Scan.make(grid, scans == "coarse", gains)


def sensitivity(
    result: Result, threads: int | None = None, *, scans: Scans = "full", watch: Callable[[int, int], None] | None = None
) -> Sensitivity:
    """The same run again under assumptions that nobody can verify from bars, a row each, and its break-even points.

    threads: None: as many as there are processors; the numbers do not depend on it. scans: "full" runs 111 maker fees and 41
    multiples of the funding rates; "coarse" every tenth and every fourth, and all between two on different sides; "none" none.
    watch: called with the number of runs done and the number known to be needed so far.
    Needs no event log; without one the bars whose order could matter are not counted.
    Raises InputError when the result cannot be run again: it was read from files, or is a part of a larger run.
    """
    count = checked_threads(threads)
    if scans not in get_args(Scans):
        raise InputError(f"scans = {scans!r} is refused: it must be one of {', '.join(get_args(Scans))}")
    again = Again(result)
    workers = Workers(count, watch)
    run = outcome(result)
    rows, left_out = _rows(again, workers, run)
    fees = multiples = None
    if scans != "none":
        fees = _scan(MAKER_FEE, scans, workers, again.run_with_maker_fee)
        if any(market.funding_time.size for market in result.markets):
            multiples = _scan(FUNDING_MULTIPLE, scans, workers, again.run_with_funding)
    own = _row("this run", "nothing is changed", run, run)
    drawdown = "in bars" if len(result.ledgers) == 1 else "at closes"
    return Sensitivity(own, tuple(rows), drawdown, fees, multiples, count_path_bars(result), tuple(left_out))
