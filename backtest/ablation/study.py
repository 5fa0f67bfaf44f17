"""`ablation`: a result, run again with each module of the adaptive grid off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from backtest.ablation.modules import MODULES, Module
from backtest.ablation.trend_days import trend_capture
from backtest.configuration import strategy_name
from backtest.sensitivity.again import Again, Workers, outcome
from backtest.sensitivity.scenarios import Scenario
from backtest.whole_numbers import checked_threads
from engine.errors import InputError
from engine.strategies.adaptive_grid_parameters import AdaptiveGrid

if TYPE_CHECKING:
    from backtest.result import Result

ALL = "all of them"


@dataclass(frozen=True)
class AblationRow:
    """The run without one module, or the run itself.

    name: of the module. changes: parameter -> (its value in the run, its value here). total_return, max_drawdown: fractions; the
    drawdown is the one `Ablation.drawdown` names. change_points: total return less the run's, in percentage points.
    drawdown_points: the same of the drawdown. trend_capture: see `trend_days.DEFINITION`, NaN where it has no meaning.
    times: how often the module acted in the run itself, None where that is not counted. still: how often it acted with the
    module off, 0 unless its parameter cannot rule it out.
    """

    name: str
    changes: dict[str, tuple[float | bool, float | bool]]
    total_return: float
    max_drawdown: float
    change_points: float
    drawdown_points: float
    trend_capture: float
    liquidated: bool
    times: int | None = None
    still: int = 0


@dataclass(frozen=True)
class Ablation:
    """The run with each module off in turn.

    run: the run itself as a row. rows: one for each module that is on, in order, then one for all of them off when there are
    several. off: names of the modules that are off in the run. drawdown: "in bars" (along the walked path, one wallet) or
    "at closes" (several). left_out: a sentence for each row that could not be had.
    """

    run: AblationRow
    rows: tuple[AblationRow, ...]
    off: tuple[str, ...]
    drawdown: str
    left_out: tuple[str, ...]

    def sentences(self) -> list[str]:
        """What the rows say in words."""
        from backtest.ablation.rendering import sentences

        return sentences(self)

    @property
    def frame(self) -> pd.DataFrame:
        """The rows as a table, the run first; the columns are the fields of `AblationRow`."""
        return pd.DataFrame([asdict(row) for row in (self.run, *self.rows)])


@dataclass(frozen=True)
class _Found:
    """What a run of its own gives, before it is set beside the run."""

    total_return: float
    max_drawdown: float
    trend_capture: float
    liquidated: bool
    still: int = 0


def _found(result: Result, modules: Sequence[Module] = ()) -> _Found:
    told = outcome(result)
    still = sum(module.times(result) or 0 for module in modules)
    return _Found(told.total_return, told.max_drawdown, trend_capture(result), told.liquidated, still)


def _without(modules: Sequence[Module], strategy: AdaptiveGrid) -> AdaptiveGrid:
    for module in modules:
        strategy = module.without(strategy)
    return strategy


def _row(name: str, modules: Sequence[Module], result: Result, found: _Found, run: _Found) -> AblationRow:
    counts = [module.times(result) for module in modules]
    return AblationRow(
        name,
        {module.parameter: (getattr(result.strategy, module.parameter), module.off) for module in modules},
        found.total_return,
        found.max_drawdown,
        (found.total_return - run.total_return) * 100.0,
        (found.max_drawdown - run.max_drawdown) * 100.0,
        found.trend_capture,
        found.liquidated,
        counts[0] if len(counts) == 1 else None,
        found.still,
    )


def ablation(result: Result, watch: Callable[[int, int], None] | None = None, *, threads: int | None = None) -> Ablation:
    """The run of an adaptive grid with each of its modules off in turn; modules that are off already are not listed.

    watch: called with the number of runs done and the number needed. threads: None: as many as there are processors; the numbers
    do not depend on it. Needs no event log.
    Raises InputError when the strategy is another one, which has no such modules, and when the result cannot be run again: it
    was read from files, or is a part of a larger run.
    """
    workers = Workers(checked_threads(threads), watch)
    strategy = result.strategy
    if not isinstance(strategy, AdaptiveGrid):
        name = strategy_name(strategy)
        raise InputError(f"strategy {name} is refused: only {AdaptiveGrid.name} has modules that can be switched off one at a time")
    again = Again(result)
    on = [module for module in MODULES if module.is_on(strategy)]
    sets = [(module.name, (module,)) for module in on] + ([(ALL, tuple(on))] if len(on) > 1 else [])

    def answer(name: str, modules: tuple[Module, ...]) -> _Found | str:
        scenario = Scenario(name, "", _without(modules, strategy), result.account, result.execution)
        try:
            return _found(again.run(scenario), modules)
        except InputError as error:  # without prunes a side may, for one, come to more lots than it can hold
            return str(error)

    run, rows, left_out = _found(result), [], []
    for (name, modules), found in zip(sets, workers.answer([partial(answer, *one) for one in sets]), strict=True):
        if isinstance(found, str):
            left_out.append(f"Left out, without {name}: {found}")
        else:
            rows.append(_row(name, modules, result, found, run))
    drawdown = "in bars" if len(result.ledgers) == 1 else "at closes"
    off = tuple(module.name for module in MODULES if module not in on)
    return Ablation(_row("this run", (), result, run, run), tuple(rows), off, drawdown, tuple(left_out))
