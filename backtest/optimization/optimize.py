"""The whole walk: search on the train parts, choose, test, and touch the holdout once at the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backtest.data.market import Market
from backtest.metrics import equity as curve
from backtest.optimization.cells import Cell, CellRun, Figures, cells_of
from backtest.optimization.evaluation import Clock, Evaluator, scored_execution
from backtest.optimization.evidence.daily import sharpe, sharpes
from backtest.optimization.evidence.deflated_sharpe import DeflatedSharpe, deflated_sharpe, smallest_detectable_sharpe
from backtest.optimization.evidence.design import sobol_design
from backtest.optimization.evidence.holdout import Holdout, holdout
from backtest.optimization.evidence.overfitting import BLOCKS, Overfitting, overfitting
from backtest.optimization.evidence.plateau import DRAWS, Plateau, choose_winner, plateau
from backtest.optimization.evidence.verdict import Evidence, Verdict, verdict
from backtest.optimization.evidence.walk_forward import WalkForward, walk_forward
from backtest.optimization.parts import Part, Split, split_time
from backtest.optimization.records import DESIGN, Store, Trial
from backtest.optimization.search import Search, Watch
from backtest.optimization.settings import Optimization
from backtest.optimization.space import Space, decoded, encoded
from engine.account import Account
from engine.errors import InputError
from engine.execution import Execution

# The row of the verdict that asks whether the queue ate the profit.
QUEUE_BPS = 3.0
ROBUST = -1  # the window number of a search over all windows


@dataclass(frozen=True)
class Row:
    """One run of one wallet on one part: whose parameters, which part, and what it came to.

    kind: train, test, holdout, or SIMULATED. buy_and_hold: return of holding the coin over the part, a fraction.
    """

    whose: str
    kind: str
    window: int
    part: Part
    coins: str
    figures: Figures
    buy_and_hold: float


@dataclass(frozen=True, eq=False)
class Choice:
    """The set chosen in a search: its parameters, its trial, how its neighbours do, and the trials it was chosen from."""

    window: int
    parameters: Mapping[str, Any]
    trial: Trial
    plateau: Plateau
    trials: tuple[Trial, ...]


@dataclass(frozen=True, eq=False)
class Proof:
    """The evidence; None where it could not be had, and `left_out` says why. Every part of it is defined where it is computed."""

    deflated_sharpe: DeflatedSharpe | None
    overfitting: Overfitting | None
    walk_forward: WalkForward
    holdout: Holdout | None
    three_basis_points: float
    verdict: Verdict
    left_out: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Outcome:
    """Everything an optimization found.

    choices: one in robust mode, one a window in rolling mode; the last is `best`. rows: runs of the best set, of the defaults.
    out_of_sample: returns by UTC day of the test parts one after the other and of the holdout, by whose parameters; the days of each are
    in out_of_sample_days (int64, days since 1970).
    """

    settings: Optimization
    space: Space
    split: Split
    strategy: Any
    account: Account
    execution: Execution
    choices: tuple[Choice, ...]
    rows: tuple[Row, ...]
    proof: Proof
    out_of_sample: Mapping[str, np.ndarray]
    out_of_sample_days: np.ndarray
    trials_seen: int
    earlier_looks: int
    simulated: bool
    clock: Clock

    @property
    def best(self) -> Any:
        """The strategy to go on with: the one set, or in rolling mode the last window's."""
        return self.strategy.replace(**self.choices[-1].parameters)


@dataclass
class Optimizer:
    """One optimization of some markets, to be run once.

    markets: bars from `warmup` bars before the first part on. seen: trials of other studies that saw these bars; looks: how often
    other studies have touched this holdout. watch is told after every batch; say is told what is going on, in words.
    """

    markets: Sequence[Market]
    strategy: Any
    account: Account
    execution: Execution
    settings: Optimization
    space: Space
    store: Store
    warmup: int
    purge_hours: float
    threads: int = 0
    seen: int = 0
    looks: int = 0
    watch: Watch | None = None
    say: Callable[[str], None] = lambda _: None
    touch_holdout: Callable[[Part], None] = lambda _: None

    def __post_init__(self) -> None:
        self.terms = scored_execution(self.execution, self.settings)
        begin = max(int(market.time[market.trade_from]) for market in self.markets)
        end = min(market.end_time for market in self.markets)
        self.split = split_time(begin, end, self.markets[0].timeframe, self.settings, self.purge_hours)
        self.clock = Clock()

    def run(self) -> Outcome:
        """Search, choose, test, and only then look at the holdout."""
        choices = self._choices()
        mine = [self.strategy.replace(**choice.parameters) for choice in choices]
        per_window = mine if len(mine) > 1 else mine * len(self.split.windows)
        defaults = [self.strategy] * len(self.split.windows)
        self.say("test parts")
        rows, daily = self._rows("best", per_window)
        other_rows, other_daily = self._rows("defaults", defaults)
        tests = np.concatenate([one for _, one in daily["test"]])
        last: dict[str, np.ndarray] = {}
        found: Holdout | None = None
        queue = math.nan
        days = [_days(part) for part in self.split.tests]
        if self.split.holdout is not None:
            self.say("holdout")
            self.touch_holdout(self.split.holdout)
            part = self.split.holdout
            own_rows, last["best"] = self._part_rows("best", "holdout", len(self.split.windows), part, mine[-1])
            default_rows, last["defaults"] = self._part_rows("defaults", "holdout", len(self.split.windows), part, self.strategy)
            rows += own_rows
            other_rows += default_rows
            held = self._held(part)
            found = holdout(last["best"], held, seed=self.settings.seed)
            queue = self._under_queue(mine[-1], part)
            last["buy_and_hold"] = held
            days.append(_days(part))
        proof = self._proof(choices, daily, found, queue, last.get("best"))
        out = {
            "best": np.concatenate([tests, last.get("best", np.zeros(0))]),
            "defaults": np.concatenate([*(one for _, one in other_daily["test"]), last.get("defaults", np.zeros(0))]),
            "buy_and_hold": np.concatenate([*(self._held(part) for part in self.split.tests), last.get("buy_and_hold", np.zeros(0))]),
        }
        return Outcome(
            self.settings, self.space, self.split, self.strategy, self.account, self.terms, tuple(choices), (*rows, *other_rows), proof,
            out, np.concatenate(days), self._count(choices), self.looks, any(market.simulated for market in self.markets), self.clock,
        )  # fmt: skip

    # --- search ------------------------------------------------------------------------------------------------------

    def _choices(self) -> list[Choice]:
        if self.settings.mode == "robust":
            return [self._choice(ROBUST, self.split.trains)]
        return [self._choice(number, (window.train,)) for number, window in enumerate(self.split.windows)]

    def _choice(self, window: int, parts: Sequence[Part]) -> Choice:
        """Search the parts and choose the set on the best neighbourhood."""
        evaluator = Evaluator.build(self.markets, parts, self.strategy, self.account, self.terms, self.settings, self.warmup, self.threads)
        evaluator.clock = self.clock
        try:
            evaluator.warm()
            where = "all windows" if window == ROBUST else f"window {window + 1} of {len(self.split.windows)}"
            self.say(f"searching {where}")
            design = [decoded(self.space, row) for row in sobol_design(self.space, self.settings.design, self.settings.seed, self._allowed)]
            trials = Search(evaluator, self.space, design, self.settings, self.store, window, self.watch).run()
            self.say(f"neighbours of the best of {where}")
            return self._best_of(window, trials, evaluator)
        finally:
            evaluator.close()

    def _best_of(self, window: int, trials: Sequence[Trial], evaluator: Evaluator) -> Choice:
        def scores(sets: np.ndarray) -> np.ndarray:
            return self._scores(evaluator, sets)

        unique = list({tuple(encoded(self.space, trial.parameters)): trial for trial in reversed(trials)}.values())[::-1]
        # Without a feasible set the least bad is chosen, and the verdict is not robust whatever the tests say.
        feasible = [trial for trial in unique if trial.feasible] or unique
        rows = np.array([encoded(self.space, trial.parameters) for trial in feasible])
        own = np.array([trial.guided for trial in feasible])
        winner = choose_winner(self.space, rows, own, scores, self.settings.seed, self._allowed)
        trial = feasible[winner.index]
        best = float(own.max())
        around = plateau(self.space, rows[winner.index], scores, self.settings.seed, self._allowed, best)
        return Choice(window, dict(trial.parameters), trial, around, tuple(trials))

    def _scores(self, evaluator: Evaluator, sets: np.ndarray) -> np.ndarray:
        """What sets are worth that are no trials; the watcher is told where there are many."""
        found: list[float] = []
        for first in range(0, len(sets), DRAWS):
            found += [one.score.guided for one in evaluator.evaluate([decoded(self.space, row) for row in sets[first : first + DRAWS]])]
            if self.watch is not None and len(sets) > 2 * DRAWS:
                self.watch(len(found), len(sets), max(found))
        return np.array(found)

    def _allowed(self, sets: np.ndarray) -> np.ndarray:
        """Which sets keep the rules between parameters."""
        kept = np.ones(len(sets), bool)
        for place, row in enumerate(sets):
            try:
                self.strategy.replace(**decoded(self.space, row))
            except InputError:
                kept[place] = False
        return kept

    def _count(self, choices: Sequence[Choice]) -> int:
        """Trials that saw these bars, those of other studies among them."""
        return self.seen + sum(len(choice.trials) for choice in choices)

    # --- runs of a chosen set -----------------------------------------------------------------------------------------

    def _rows(self, whose: str, strategies: Sequence[Any]) -> tuple[list[Row], dict[str, list[tuple[int, np.ndarray]]]]:
        """Rows and daily returns of the train and test part of every window."""
        rows: list[Row] = []
        daily: dict[str, list[tuple[int, np.ndarray]]] = {"train": [], "test": []}
        for number, (window, strategy) in enumerate(zip(self.split.windows, strategies, strict=True)):
            for kind, part in (("train", window.train), ("test", window.test)):
                found, returns = self._part_rows(whose, kind, number, part, strategy)
                rows += found
                daily[kind].append((number, returns))
        return rows, daily

    def _part_rows(self, whose: str, kind: str, window: int, part: Part, strategy: Any) -> tuple[list[Row], np.ndarray]:
        cells, runs = self._runs(part, strategy, self.terms)
        rows = [Row(whose, kind, window, part, cell.name, run.figures, _held_return(cell)) for cell, run in zip(cells, runs, strict=True)]
        return rows, np.mean([run.daily for run in runs], axis=0)

    def _runs(self, part: Part, strategy: Any, terms: Execution) -> tuple[list[Cell], list[CellRun]]:
        cells = cells_of(self.markets, part, self.account, self.warmup)
        return cells, [cell.run(strategy, self.account, terms) for cell in cells]

    def _under_queue(self, strategy: Any, part: Part) -> float:
        """Mean return over the wallets with fills through QUEUE_BPS."""
        _, runs = self._runs(part, strategy, self.terms.replace(through_bps=max(self.terms.through_bps, QUEUE_BPS)))
        return float(np.mean([run.figures.total_return for run in runs]))

    def _held(self, part: Part) -> np.ndarray:
        """Daily returns of holding an equal share of each coin over a part, from its first open; no costs."""
        shares = []
        for market in self.markets:
            cut = market.slice(part.begin, part.end)
            shares.append(cut.close / cut.open[0])
        values = np.mean(shares, axis=0)
        return curve.daily_returns(cut.time, values, 1.0)

    # --- evidence -----------------------------------------------------------------------------------------------------

    def _proof(
        self,
        choices: Sequence[Choice],
        daily: Mapping[str, Sequence[tuple[int, np.ndarray]]],
        found: Holdout | None,
        queue: float,
        last: np.ndarray | None,
    ) -> Proof:
        left_out: list[str] = []
        choice = choices[-1]
        design = [trial for trial in choice.trials if trial.kind == DESIGN]
        matrix = np.column_stack([trial.daily for trial in design])
        trials = self._count(choices)
        deflated = _or_none(lambda: deflated_sharpe(choice.trial.daily, sharpes(matrix), trials), "deflated Sharpe ratio", left_out)
        pbo = _or_none(lambda: overfitting(matrix, BLOCKS), "probability of backtest overfitting", left_out)
        walked = walk_forward([one for _, one in daily["train"]], [one for _, one in daily["test"]])
        train_sharpe = sharpe(choice.trial.daily)
        evidence = Evidence(
            deflated_sharpe=math.nan if deflated is None else deflated.probability,
            overfitting=math.nan if pbo is None else pbo.probability,
            train_mean=walked.train_mean,
            test_mean=walked.test_mean,
            holdout_low=math.nan if found is None else found.total_return.low,
            holdout_high=math.nan if found is None else found.total_return.high,
            alpha=math.nan if found is None else found.alpha.observed,
            three_basis_points=queue,
            plateau_share=choice.plateau.share if choice.trial.feasible else math.nan,
            train_sharpe=train_sharpe,
            detectable=math.nan if deflated is None else deflated.detectable,
            detectable_holdout=math.nan if last is None or last.size < 2 else smallest_detectable_sharpe(last.size),
            earlier_looks=self.looks,
        )
        if not choice.trial.feasible:
            left_out.append("No set kept all hard constraints: the least bad one is shown, and its plateau does not count.")
        return Proof(deflated, pbo, walked, found, queue, verdict(evidence), tuple(left_out))


def _or_none(make: Callable[[], Any], name: str, left_out: list[str]) -> Any:
    try:
        return make()
    except InputError as error:
        left_out.append(f"The {name} is missing: {error}.")
        return None


def _days(part: Part) -> np.ndarray:
    """UTC days of a part, int64 since 1970."""
    return np.arange(part.begin // curve.DAY_MS, (part.end - 1) // curve.DAY_MS + 1, dtype=np.int64)


def _held_return(cell: Cell) -> float:
    """Return of holding an equal share of the cell's coins over its part, without costs."""
    return float(np.mean([market.close[-1] / market.open[market.trade_from] - 1.0 for market in cell.aligned.markets]))
