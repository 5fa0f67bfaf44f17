"""`evaluation_study`: how often a strategy passes a funded account's evaluation, over every start and over paths drawn anew."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from backtest.data.market import Market
from backtest.evaluation.attempts import Attempt, attempt, attempts, jobs, session_starts
from backtest.evaluation.incidence import event_table, incidence_of
from backtest.evaluation.paths import path_wallet, whole_sessions
from backtest.run import announced
from backtest.sensitivity.again import Workers
from backtest.strategy import program_of
from backtest.sweep import Combination, Prepared, Shared, build_machine
from backtest.uncertainty.bootstrap import drawn_days
from backtest.uncertainty.estimate import HIGH, LOW
from backtest.whole_numbers import checked_threads, whole_number
from engine.account import Account
from engine.errors import InputError
from engine.evaluation import Evaluation
from engine.execution import Execution
from engine.risk_gates import OUTCOMES, PASSED, UNDECIDED

if TYPE_CHECKING:
    from backtest.result import Result

HORIZON, PATHS, DRAWS = 60, 200, 500
# Fewer starts that do not overlap say next to nothing, and their draws are nearly the sample itself: no interval is made of them.
FEW_STARTS = 10
CAUSES = len(OUTCOMES) - 1
# Draws of starts weighed at a time: some megabytes for years of starts.
_BATCH = 100


@dataclass(frozen=True)
class Incidence:
    """Probability that an attempt has ended by day 0, 1, ..., `horizon`, by outcome.

    attempts: how many were made. unfinished: those that the end of the bars cut off. values: float64 (outcomes but "undecided",
    horizon + 1), in the order of `engine.risk_gates.OUTCOMES`. low, high: 5 % and 95 % at the horizon (outcomes,); NaN: not known.
    """

    attempts: int
    unfinished: int
    mean_days: float
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def at(self, outcome: int) -> float:
        """Probability of an outcome by the horizon; of "undecided" what the others leave."""
        last = self.values[:, -1]
        return float(max(0.0, 1.0 - last.sum()) if outcome == UNDECIDED else last[outcome - 1])

    def days_to(self, outcome: int) -> float:
        """Median day of those that end so within the horizon; NaN when none does."""
        curve = self.values[outcome - 1]
        return float(np.argmax(curve >= 0.5 * curve[-1])) if curve[-1] > 0.0 else math.nan


@dataclass(frozen=True)
class EvaluationStudy:
    """How often attempts at an evaluation pass.

    starts: over every session start of the markets, each from a flat account. paths: over drawn paths; None when none were asked for.
    effective_starts: how many starts would not overlap: whole sessions over the mean length of an attempt, at most the starts.
    mean_block: starts that stay together in the draws of the interval. expected_value: of one try with its fees and resets, quote
    currency, with the 5 % and 95 % points of the draws; NaN where there is no interval. capital: an attempt begins with, quote currency.
    """

    evaluation: Evaluation
    symbols: tuple[str, ...]
    capital: float
    horizon: int
    sessions: int
    starts: Incidence
    paths: Incidence | None
    paths_left_out: str
    effective_starts: float
    mean_block: float
    expected_value: tuple[float, float, float]
    draws: int
    seed: int
    simulated: bool

    def sentences(self) -> list[str]:
        """What the figures say in words."""
        from backtest.evaluation.rendering import sentences

        return sentences(self)

    def plot(self) -> Any:
        """The chart: cumulative incidence by session of passing and of each way to fail."""
        from backtest.evaluation.chart import evaluation_chart

        return evaluation_chart(self)


def expected_value(evaluation: Evaluation, passed: Any, failed: Any) -> Any:
    """Payout less fees of an evaluation with its resets, quote currency, from the probabilities of one attempt.

    The first attempt costs `fee`, each of up to `resets` further ones, after a failed one, `reset_fee`. An attempt that is undecided at
    the horizon pays nothing and is not begun again.
    """
    tries = sum(failed**k for k in range(evaluation.resets + 1))
    return evaluation.payout * passed * tries - evaluation.fee - evaluation.reset_fee * (tries - 1.0)


def _plain_incidence(found: list[Attempt], horizon: int) -> tuple[Incidence, np.ndarray]:
    outcome, days = attempts(found)
    table = event_table(days, outcome, CAUSES, horizon)
    unknown = np.full(len(OUTCOMES), math.nan)
    cut = int(np.count_nonzero((outcome == UNDECIDED) & (days < horizon)))
    return Incidence(len(found), cut, float(np.maximum(days, 1).mean()), incidence_of(table.sum(axis=0)), unknown, unknown), table


def _drawn_ends(table: np.ndarray, draws: int, seed: int, mean_block: float) -> np.ndarray:
    """Probabilities at the horizon (draws, outcomes but "undecided") when starts are drawn again in blocks."""
    random, count = np.random.default_rng(seed), table.shape[0]
    flat, ends = table.reshape(count, -1), []
    for first in range(0, draws, _BATCH):
        size = min(_BATCH, draws - first)
        rows = drawn_days(random, size, count, mean_block)
        weights = np.stack([np.bincount(row, minlength=count) for row in rows]).astype(np.float64)
        ends.append(incidence_of((weights @ flat).reshape(size, *table.shape[1:]))[:, :, -1])
    return np.concatenate(ends)


def _range(values: np.ndarray) -> tuple[float, float]:
    """The 5 % and 95 % points of draws; NaN where all are alike, which is no certainty."""
    if np.ptp(values) == 0.0:
        return math.nan, math.nan
    return float(np.quantile(values, LOW)), float(np.quantile(values, HIGH))


def _with_interval(found: Incidence, ends: np.ndarray) -> Incidence:
    """The incidence with the 5 % and 95 % points of the draws, "undecided" first; NaN where all starts came out alike."""
    whole = np.concatenate([np.maximum(0.0, 1.0 - ends.sum(axis=1, keepdims=True)), ends], axis=1)
    low, high = np.quantile(whole, (LOW, HIGH), axis=0)
    own = np.array([found.at(outcome) for outcome in range(len(OUTCOMES))])
    alike = (own <= 0.0) | (own >= 1.0)
    return replace(found, low=np.where(alike, math.nan, low), high=np.where(alike, math.nan, high))


def _taken(
    subject: Result | Market | Sequence[Market], strategy: Any, account: Account | None, execution: Execution | None
) -> tuple[Any, ...]:
    """Markets, strategy, account, execution and weights of a result, or as they are given."""
    from backtest.result import Result

    if isinstance(subject, Result):
        if strategy is not None or account is not None or execution is not None:
            raise InputError("strategy, account and execution are refused beside a result: it has its own")
        markets = tuple(subject.markets)
        shared = subject.account.wallet == "shared"
        return markets, subject.strategy, subject.account, subject.execution, tuple(subject.weights) if shared else None
    markets = (subject,) if isinstance(subject, Market) else tuple(subject)
    return markets, strategy, account or Account(), execution or Execution(), None


def check_one_account(coins: int, account: Account) -> None:
    """Raise InputError when so many coins do not trade on one account."""
    if coins > 1 and account.wallet != "shared":
        raise InputError(f"an evaluation is of one account, and {coins} coins have one each: give one coin, or wallet = shared")


def _wallet(taken: tuple[Any, ...], evaluation: Evaluation) -> tuple[Combination, Prepared]:
    """The one account of the study, its arrays ready. Raises InputError when there are several, or what was read from files."""
    markets, strategy, account, execution, weights = taken
    program_of(strategy)  # refuses what is not a strategy
    if not markets or not all(isinstance(market, Market) for market in markets):
        raise InputError("an evaluation study needs whole markets: the result was read from files; load the market and run it again")
    check_one_account(len(markets), account)
    combination = Combination(strategy, account, execution, (), evaluation)
    shared = Shared(markets, weights)
    with announced(strategy):
        wallet = shared.take(combination)[0]
    return combination, wallet


def _on_paths(
    combination: Combination, wallet: Prepared, paths: int, horizon: int, seed: int, workers: Workers, evaluation: Evaluation
) -> Incidence:
    """Attempts on drawn paths; each path has a seed of its own, so that threads change nothing."""
    sessions = whole_sessions(wallet)
    before = combination.strategy.warmup_bars()

    def one(number: int) -> Attempt:
        drawn = sessions.draw(np.random.default_rng((seed, number)), before, horizon)
        made = path_wallet(wallet, sessions, drawn, horizon, evaluation.atr_period)
        indicators = build_machine(combination, made.aligned, made.weights).indicators(made.feed)
        return attempt(combination, replace(made, indicators=indicators), made.start, horizon)

    found, _ = _plain_incidence(workers.answer([lambda n=n: one(n) for n in range(paths)]), horizon)  # type: ignore[misc]
    return found


def evaluation_study(
    subject: Result | Market | Sequence[Market],
    strategy: Any = None,
    evaluation: Evaluation | None = None,
    account: Account | None = None,
    execution: Execution | None = None,
    *,
    horizon: int = HORIZON,
    paths: int = PATHS,
    draws: int = DRAWS,
    seed: int = 1,
    threads: int | None = None,
    watch: Callable[[int, int], None] | None = None,
) -> EvaluationStudy:
    """How often a strategy passes an evaluation, how it fails, and how long that takes.

    subject: a result, whose markets and settings are taken, or markets with a strategy, account and execution as for `bt.run`.
    evaluation: the rules; default: those of the result, else `bt.Evaluation()`. horizon: sessions after which an attempt is left open.
    paths: how many drawn paths beside the starts, 0 for none. draws: of starts in blocks, for the intervals. threads: None: as many as
    there are processors; the numbers do not depend on it. watch: called with the attempts made and to be made.
    Every attempt begins flat, with the capital, at the first bar of a session. Attempts that the end of the bars cuts off count for as
    long as they were seen (competing risks, Aalen-Johansen), they are not dropped.
    Raises InputError for settings that are out of range, for several wallets, and when no session begins within the bars.
    """
    rules = evaluation or getattr(subject, "evaluation", None) or Evaluation()
    horizon, paths = whole_number("horizon", horizon, 1, 10_000), whole_number("paths", paths, 0, 100_000)
    draws, seed = whole_number("draws", draws, 100, 100_000), whole_number("seed", seed, 0, 2**63 - 1)
    workers = Workers(checked_threads(threads), watch)
    combination, wallet = _wallet(_taken(subject, strategy, account, execution), rules)
    begins = session_starts(wallet.feed, wallet.start)
    if begins.size == 0:
        raise InputError("no session begins within the bars that may trade: give more of them, or other session hours")
    workers.total = begins.size + paths
    with announced(combination.strategy):
        first = jobs(combination, wallet, begins[:1], horizon)[0]()  # alone, so that threads do not compile side by side
    found = [first, *workers.answer(jobs(combination, wallet, begins[1:], horizon))]
    plain, table = _plain_incidence(found, horizon)
    block = min(max(plain.mean_days, 1.0) * 2.0, float(begins.size))
    effective = min(float(begins.size), max(1.0, begins.size / plain.mean_days))
    starts, spread = plain, (math.nan, math.nan)
    if effective >= FEW_STARTS:
        ends = _drawn_ends(table, draws, seed, block)
        starts, spread = _with_interval(plain, ends), _range(expected_value(rules, ends[:, PASSED - 1], ends[:, PASSED:].sum(axis=1)))
    own = expected_value(rules, starts.at(PASSED), float(starts.values[PASSED:, -1].sum()))
    on_paths, left_out = None, ""
    if paths:
        try:
            on_paths = _on_paths(combination, wallet, paths, horizon, seed, workers, rules)
        except InputError as error:
            left_out = f"No drawn paths: {error}."
    return EvaluationStudy(
        rules,
        tuple(market.symbol for market in wallet.aligned.markets),
        combination.account.capital,
        horizon,
        int(begins.size),
        starts,
        on_paths,
        left_out,
        effective,
        block,
        (float(own), *spread),
        draws,
        seed,
        any(bool(market.simulated) for market in wallet.aligned.markets),
    )
