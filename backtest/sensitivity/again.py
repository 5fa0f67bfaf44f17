"""Runs a result's markets again under other settings, on arrays that are aligned once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from backtest.data.market import Market
from backtest.metrics import equity as curve
from backtest.sensitivity.scenarios import AS_RUN, Scenario, changed_market
from backtest.strategy import program_of
from backtest.sweep import Combination, Shared, run_combination
from backtest.workbench import Workbench
from engine.errors import InputError

if TYPE_CHECKING:
    from backtest.result import Result

Answer = TypeVar("Answer")


class Outcome(NamedTuple):
    """What a row tells of a run; fractions."""

    total_return: float
    max_drawdown: float  # inside bars where that is known (one wallet), else at closes
    sharpe: float
    liquidated: bool


def portfolio_equity(result: Result) -> np.ndarray:
    """`Result.equity_values`, without a search for common bars where the wallets have the same."""
    first = result.ledgers[0].time
    if all(np.array_equal(first, ledger.time) for ledger in result.ledgers):
        return np.asarray(sum(ledger.equity for ledger in result.ledgers))
    return result.equity_values


def total_return(result: Result) -> float:
    """Total return, as `Result.metrics` has it."""
    last = [float(ledger.equity[-1]) if ledger.equity.size else ledger.capital for ledger in result.ledgers]
    return curve.total_return(np.array([sum(last)]), result.capital)


def outcome(result: Result, equity: np.ndarray | None = None) -> Outcome:
    """The figures of a row, as `Result.metrics` has them; of another curve `equity` [bars] when given."""
    values = portfolio_equity(result) if equity is None else equity
    per_year = curve.bars_per_year(result.timeframe.ms)
    if len(result.ledgers) == 1:
        deepest = float(result.ledgers[0].account["path_drawdown_max"])
    else:
        deepest = curve.max_drawdown(curve.drawdowns(values, result.capital))
    returns = curve.returns_per_bar(values, result.capital)
    return Outcome(curve.total_return(values, result.capital), deepest, curve.sharpe(returns, per_year), result.liquidated)


@dataclass
class Again:
    """A result that can be run again. Raises InputError when its markets or its strategy are not whole."""

    result: Result
    _shared: dict[str, Shared] = field(default_factory=dict)
    _bench: Workbench = field(default_factory=Workbench)

    def __post_init__(self) -> None:
        for symbol, market in zip(self.result.symbols, self.result.markets, strict=True):
            if not isinstance(market, Market):
                raise InputError(f"{symbol}: the result was read from files, which hold no whole bars; load the market and run it again")
        program_of(self.result.strategy)
        self._check()

    def _check(self) -> None:
        """Refuse a result that its own settings do not give again, such as one coin's part of a shared wallet."""
        again = self.run(Scenario("", "", self.result.strategy, self.result.account, self.result.execution))
        before, after = self.result.ledgers, again.ledgers
        same = len(before) == len(after) and all(
            np.array_equal(one.equity, other.equity, equal_nan=True) for one, other in zip(before, after, strict=True)
        )
        if not same:
            raise InputError(
                f"the result of {', '.join(self.result.symbols)} cannot be run again by itself: the same settings give another equity; "
                "a part of a larger run needs the whole"
            )

    def shared(self, change: str) -> Shared:
        """The arrays of the markets with a change; made when first asked for, which no two threads may do at once."""
        if change not in self._shared:
            markets = tuple(changed_market(market, change) for market in self.result.markets)
            weights = self.result.weights if self.result.account.wallet == "shared" else None
            self._shared[change] = Shared(markets, weights)
        return self._shared[change]

    def prepare(self, scenarios: Sequence[Scenario]) -> None:
        """Make what the scenarios share, before threads ask for it."""
        for scenario in scenarios:
            self.shared(scenario.markets)

    def run(self, scenario: Scenario, log: bool = False) -> Result:
        """The result of a scenario; log: whether it keeps its events."""
        combination = Combination(scenario.strategy, scenario.account, scenario.execution, (), self.result.evaluation)
        return run_combination(combination, self.shared(scenario.markets), log)

    def figures(self, scenario: Scenario) -> Outcome:
        """The row of a scenario, without its result."""
        combination = Combination(scenario.strategy, scenario.account, scenario.execution, (), self.result.evaluation)
        return outcome(run_combination(combination, self.shared(scenario.markets), bench=self._bench))

    def run_with_maker_fee(self, fee: float) -> Result:
        """The run with another maker fee, a fraction."""
        if fee == self.result.execution.fee_maker:
            return self.result
        execution = self.result.execution.replace(fee_maker=fee)
        return self.run(Scenario("", "", self.result.strategy, self.result.account, execution))

    def run_with_funding(self, multiple: float) -> Result:
        """The run with every funding rate multiplied."""
        if multiple == 1.0:
            return self.result
        base = Combination(self.result.strategy, self.result.account, self.result.execution, (), self.result.evaluation)
        own = self.shared(AS_RUN)
        wallets = [replace(one, feed=replace(one.feed, funding_rates=one.feed.funding_rates * multiple)) for one in own.take(base)]
        return run_combination(base, Shared(own.markets, own.weights, wallets=wallets))


@dataclass
class Workers:
    """Threads that answer jobs in order. `watch` is told how many of how many are done, in the calling thread."""

    threads: int
    watch: Callable[[int, int], None] | None = None
    done: int = 0
    total: int = 0

    def answer(self, jobs: Sequence[Callable[[], Answer]]) -> list[Answer]:
        """The answers in order."""
        self.total = max(self.total, self.done + len(jobs))
        if self.threads == 1:
            return [self._count(job()) for job in jobs]
        with ThreadPoolExecutor(self.threads) as pool:
            try:
                return [self._count(answer) for answer in pool.map(lambda job: job(), jobs)]
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _count(self, answer: Answer) -> Answer:
        self.done += 1
        if self.watch is not None:
            self.watch(self.done, self.total)
        return answer
