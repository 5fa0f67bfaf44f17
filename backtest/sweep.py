"""`bt.sweep`: a strategy over a grid of settings, on threads, one row of metrics a combination."""

from __future__ import annotations

import difflib
import itertools
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from backtest.align import Aligned, align
from backtest.data.market import Market
from backtest.evaluation.sessions import with_gates
from backtest.ledger import Ledger
from backtest.metrics import METRICS, compute_metrics
from backtest.metrics import equity as curve
from backtest.metrics.catalogue import NEED_THE_LOG, _from_accounts, _from_states
from backtest.result import Result
from backtest.run import announced, instrument_terms, memory_counters, wallet_feed
from backtest.strategy import Strategy, program_of
from backtest.sweep_backends import THREADS, check_backend, on_backend
from backtest.whole_numbers import checked_threads
from backtest.workbench import Workbench
from engine.account import Account
from engine.errors import InputError
from engine.evaluation import Evaluation
from engine.execution import Execution
from engine.machine import Feed, InstrumentTerms, Machine, instrument_record, terms_record
from engine.strategies.adaptive_grid_indicators import INDICATOR_SETTINGS
from engine.strategies.adaptive_grid_parameters import AdaptiveGrid
from engine.strategies.static_grid_parameters import StaticGrid

# The parameters that a strategy's indicators depend on; combinations that agree in them share the indicators' arrays.
INDICATOR_PARAMETERS: Mapping[type, tuple[str, ...]] = {
    AdaptiveGrid: INDICATOR_SETTINGS,
    StaticGrid: (),
}

DEFAULT_METRICS = (
    *("final_equity", "total_return", "cagr", "volatility", "sharpe", "sortino", "calmar", "max_drawdown", "max_drawdown_close"),
    *("longs_opened", "shorts_opened", "win_rate_exits", "profit_factor_exits", "fees", "funding_net", "turnover", "liquidations"),
    *("time_in_position", "leverage_max", "rungs_dropped"),
)
# Puts markets on one grid of bars.
Aligner = Callable[[tuple[Market, ...]], Aligned]

# A progress bar is worth its lines from this many combinations on.
_LONG = 32


@dataclass(frozen=True)
class Combination:
    """The settings of one row."""

    strategy: Any
    account: Account
    execution: Execution
    values: tuple[Any, ...]
    evaluation: Evaluation | None = None


def own_with(strategy: Strategy, changes: Mapping[str, Any]) -> Strategy:
    """A user's strategy with some parameters changed; it shares the compiled code."""
    parameters = {**strategy.parameters, **changes}
    return Strategy(strategy.decide, parameters, strategy.indicators, strategy.warmup, strategy.memory, strategy.name)


def combinations(strategy: Any, account: Account, execution: Execution, grid: Mapping[str, Sequence[Any]]) -> list[Combination]:
    """The cartesian product of the grid in order, the last name running fastest, as validated settings.

    A name is a parameter of the strategy, else a field of the account, else of the execution. Raises InputError for another one.
    """
    own = isinstance(strategy, Strategy)
    mine = tuple(strategy.parameters) if own else tuple(type(strategy).model_fields)
    known = [mine, tuple(Account.model_fields), tuple(Execution.model_fields)]
    owners = []
    for name in grid:
        owner = next((place for place, names in enumerate(known) if name in names), None)
        if owner is None:
            close = difflib.get_close_matches(name, [*itertools.chain(*known)], n=1, cutoff=0.4)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise InputError(f"{name} is not a setting of the strategy, the account or the execution{hint}")
        owners.append(owner)
    columns = []
    for name, values in grid.items():
        if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
            raise InputError(f"{name} = {values!r} is refused: it must be a list of values")
        columns.append([value.item() if isinstance(value, np.generic) else value for value in values])
        if not columns[-1]:
            raise InputError(f"{name} has no values: at least one is needed")
    rows = []
    for values in itertools.product(*columns):
        changes: list[dict[str, Any]] = [{}, {}, {}]
        for name, owner, value in zip(grid, owners, values, strict=True):
            changes[owner][name] = value
        changed = own_with(strategy, changes[0]) if own else strategy.replace(**changes[0])
        # What is not changed stays the same object: all rows with the same terms share their records.
        of_account = account.replace(**changes[1]) if changes[1] else account
        of_execution = execution.replace(**changes[2]) if changes[2] else execution
        rows.append(Combination(changed, of_account, of_execution, values))
    return rows


def indicator_key(strategy: Any) -> tuple[Any, ...]:
    """What two strategies of one kind must agree in to have the same indicators."""
    if isinstance(strategy, Strategy):
        return ()  # its function sees the bars alone
    names = INDICATOR_PARAMETERS.get(type(strategy), tuple(type(strategy).model_fields))
    return tuple(getattr(strategy, name) for name in names)


@dataclass
class Prepared:
    """One wallet's arrays for all combinations that share them. `last_terms`: the records made last, and of which terms."""

    aligned: Aligned
    feed: Feed
    begin: int
    start: int
    stop: int
    indicators: np.ndarray
    weights: tuple[float, ...]
    last_terms: tuple[Account, Execution, np.ndarray, np.ndarray] | None = None

    def records(self, account: Account, execution: Execution) -> tuple[np.ndarray, np.ndarray]:
        """The instruments and the terms as compiled code reads them."""
        last = self.last_terms
        if last is None or last[0] is not account or last[1] is not execution:
            listed = instruments_of(self.aligned, self.weights)
            instruments = np.concatenate([instrument_record(one, account.leverage) for one in listed])
            last = (account, execution, instruments, terms_record(account, execution, self.aligned.timeframe.ms, len(listed)))
            self.last_terms = last
        return last[2:]


def instruments_of(aligned: Aligned, weights: Sequence[float]) -> list[InstrumentTerms]:
    """The instruments of a wallet as the engine takes them."""
    return [instrument_terms(market.instrument, weight) for market, weight in zip(aligned.markets, weights, strict=True)]


def build_machine(combination: Combination, aligned: Aligned, weights: Sequence[float], log: bool = False) -> Machine:
    """A machine for one wallet of a combination; log: whether it keeps its events."""
    strategy, listed = combination.strategy, instruments_of(aligned, weights)
    rules = (combination.account, combination.execution, aligned.timeframe.ms)
    records = [strategy.record()] * len(listed)
    return Machine.build(program_of(strategy), records, listed, *rules, recording=log, evaluation=combination.evaluation)


@dataclass
class Shared:
    """What combinations with the same indicators share: made by the first that needs it, let go by the last."""

    markets: tuple[Market, ...]
    weights: Sequence[float] | None
    waiting: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    wallets: list[Prepared] | None = None
    aligned: Aligner = align

    def take(self, combination: Combination) -> list[Prepared]:
        """The wallets' arrays."""
        with self.lock:
            if self.wallets is None:
                self.wallets = [self._prepare(combination, markets, weights) for markets, weights in self._groups(combination.account)]
            return self.wallets

    def leave(self) -> None:
        """One combination less that will ask."""
        with self.lock:
            self.waiting -= 1
            if self.waiting == 0:
                self.wallets = None

    def _groups(self, account: Account) -> list[tuple[tuple[Market, ...], tuple[float, ...]]]:
        if account.wallet != "shared":
            return [((market,), (1.0,)) for market in self.markets]
        count = len(self.markets)
        return [(self.markets, tuple(self.weights) if self.weights is not None else (1.0 / count,) * count)]

    def _prepare(self, combination: Combination, markets: tuple[Market, ...], weights: tuple[float, ...]) -> Prepared:
        aligned = self.aligned(markets)
        end = max(int(market.end_time) for market in self.markets)
        feed, begin, start, stop = wallet_feed(aligned, combination.strategy.warmup_bars(), end, combination.execution.close_at_end)
        feed = with_gates(feed, aligned.timeframe.ms, combination.evaluation)
        indicators = build_machine(combination, aligned, weights).indicators(feed)
        return Prepared(aligned, feed, begin, start, stop, indicators, weights)


def run_combination(combination: Combination, shared: Shared, log: bool = False, bench: Workbench | None = None) -> Result:
    """The result of one combination; log: whether it keeps its events. bench: where to run without a log; see there."""
    ledgers = []
    for place, wallet in enumerate(shared.take(combination)):
        if bench is None or combination.evaluation is not None:
            machine = build_machine(combination, wallet.aligned, wallet.weights, log)
        else:
            strategy, account = combination.strategy, combination.account
            records = wallet.records(account, combination.execution)
            machine = bench.machine_for(strategy, strategy.record(), *records, account.capital, place)
        events, equity = machine.run(wallet.feed, wallet.indicators, wallet.start, wallet.stop)
        events["bar"] += wallet.begin
        ledgers.append(
            Ledger(
                wallet.feed.time[wallet.start : wallet.stop],
                wallet.begin + wallet.start,
                equity,
                events,
                machine.accounts[0].copy(),
                machine.states,
                memory_counters(machine),
                tuple(market.symbol for market in wallet.aligned.markets),
            )
        )
    count = len(shared.markets)
    single = combination.account.wallet != "shared" or shared.weights is None
    weights = (1.0 / count,) * count if single else tuple(shared.weights or ())
    terms = (combination.strategy, combination.account, combination.execution)
    return Result(*terms, shared.markets, ledgers, weights, evaluation=combination.evaluation)


def curve_metrics(result: Result) -> dict[str, float]:
    """The metrics of the equity curve that need no other market data; the same numbers as `Result.metrics`."""
    values, capital, per_year = result.equity_values, result.capital, curve.bars_per_year(result.timeframe.ms)
    returns = curve.returns_per_bar(values, capital)
    drawdown = curve.drawdowns(values, capital)
    annual, deepest = curve.cagr(values, capital, per_year), curve.max_drawdown(drawdown)
    return {
        "final_equity": float(values[-1]) if values.size else capital,
        "total_return": curve.total_return(values, capital),
        "cagr": annual,
        "volatility": curve.volatility(returns, per_year),
        "sharpe": curve.sharpe(returns, per_year),
        "sortino": curve.sortino(returns, per_year),
        "calmar": curve.calmar(annual, deepest),
        "max_drawdown_close": deepest,
    }


def metrics_of(result: Result, names: Sequence[str]) -> list[float]:
    """The named metrics; those that fall out of the loop are had without the rest."""
    values = {**curve_metrics(result), **_from_accounts(result), **_from_states(result)}
    if any(name not in values for name in names):
        values = compute_metrics(result)
    return [values[name] for name in names]


def checked_metrics(metrics: Sequence[str] | None) -> tuple[str, ...]:
    """Names of metrics that a sweep can give. Raises InputError for an unknown one and for one that needs the event log."""
    names = DEFAULT_METRICS if metrics is None else (metrics,) if isinstance(metrics, str) else tuple(metrics)
    for name in names:
        if name not in METRICS:
            close = difflib.get_close_matches(str(name), METRICS, n=1)
            raise InputError(f"{name!r} is not a metric{f'; did you mean {close[0]}?' if close else ''}")
        if name in NEED_THE_LOG:
            raise InputError(f"{name} is refused: it needs the event log, which a sweep does not keep; run that combination with bt.run")
    return names


@dataclass(frozen=True)
class Task:
    """What all combinations of a sweep have in common; it may be sent to another process. `grid`: the names of the settings."""

    markets: tuple[Market, ...]
    weights: Sequence[float] | None
    metrics: tuple[str, ...]
    grid: tuple[str, ...]

    def prepared(self, rows: Sequence[Combination]) -> tuple[list[int], Callable[[int], list[float]]]:
        """The order in which to run combinations, by their number, and what runs one of them; each is to be run once.

        Combinations that share arrays follow each other, so that few of these are held at a time.
        """
        pools: dict[tuple[Any, ...], Shared] = {}
        parts, bench, aligned = [], Workbench(), cache(align)
        for row in rows:
            key = (row.account.wallet, row.execution.close_at_end, row.strategy.warmup_bars(), indicator_key(row.strategy))
            part = pools.setdefault(key, Shared(self.markets, self.weights, aligned=aligned))
            part.waiting += 1
            parts.append(part)

        def work(number: int) -> list[float]:
            try:
                return metrics_of(run_combination(rows[number], parts[number], bench=bench), self.metrics)
            except InputError as error:
                settings = ", ".join(f"{name} = {value!r}" for name, value in zip(self.grid, rows[number].values, strict=True))
                raise InputError(f"{settings}: {error}" if settings else str(error)) from None
            finally:
                parts[number].leave()

        places = {id(part): place for place, part in enumerate(pools.values())}
        return sorted(range(len(rows)), key=lambda number: places[id(parts[number])]), work

    def run(self, rows: Sequence[Combination]) -> list[list[float]]:
        """All of some combinations, one after the other; their metrics in the order given."""
        order, work = self.prepared(rows)
        found = {number: work(number) for number in order}
        return [found[number] for number in range(len(rows))]


def sweep(
    markets: Market | Sequence[Market],
    strategy: Any,
    grid: Mapping[str, Sequence[Any]],
    account: Account | None = None,
    execution: Execution | None = None,
    *,
    weights: Sequence[float] | None = None,
    threads: int | None = None,
    metrics: Sequence[str] | None = None,
    evaluation: Evaluation | None = None,
    backend: str | None = None,
) -> pd.DataFrame:
    """Run every combination of a grid of settings; one row each, in order, with the settings and the metrics as columns.

    grid: name -> values; a name is a parameter of the strategy or a field of the account or the execution. markets, strategy,
    account, execution, weights, evaluation: as for `bt.run`. threads: None: as many as there are processors; the numbers do not
    depend on it. metrics: names of `Result.metrics` that need no event log; default: those that cost nothing beside the run.
    backend: None or threads; or a back end of joblib, to which `threads` is how many jobs run at a time: loky for processes of this
    machine, dask for the cluster of the connected Client, ray. The numbers are the same to the bit.
    Raises InputError, one sentence, before anything runs when a setting is unknown or out of its range.
    """
    listed = (markets,) if isinstance(markets, Market) else tuple(markets)
    workers = checked_threads(threads)
    names = checked_metrics(metrics)
    check_backend(backend)
    program_of(strategy)  # refuses what is not a strategy
    if not isinstance(grid, Mapping):
        raise InputError(f"grid = {grid!r} is refused: it must map names to lists of values")
    rows = combinations(strategy, account or Account(), execution or Execution(), grid)
    rows = [replace(row, evaluation=evaluation) for row in rows]
    align(listed)  # refuses markets that do not go together before anything runs
    if weights is not None:
        check_weights(weights, len(listed), rows)
    task = Task(listed, weights, names, tuple(grid))
    order, work = task.prepared(rows)
    table: list[list[float]] = [[] for _ in rows]
    # The first one alone, so that threads or processes do not compile side by side.
    with announced(strategy):
        table[order[0]] = work(order[0])
    rest = order[1:]
    if backend in (None, THREADS):
        made_of = _on_threads(work, rest, workers)
    else:
        made_of = iter(on_backend(str(backend), threads, Task.run, task, [rows[number] for number in rest]))
    for number, values in zip(rest, made_of, strict=True):
        table[number] = values
    settings = {name: [row.values[place] for row in rows] for place, name in enumerate(grid)}
    made = pd.DataFrame({**settings, **{name: [values[place] for values in table] for place, name in enumerate(names)}})
    made.attrs["simulated"] = any(market.simulated for market in listed)  # for the title of a picture of it
    return made


def check_weights(weights: Sequence[float], count: int, rows: Sequence[Combination]) -> None:
    """Raise InputError when weights do not fit the markets or the wallets."""
    if any(row.account.wallet != "shared" for row in rows):
        raise InputError("weights are refused: they size the orders of a shared wallet, and the wallets are separate")
    if len(weights) != count or not all(0.0 < share <= 1.0 for share in weights) or sum(weights) > 1.0 + 1e-9:
        raise InputError(f"weights = {weights!r} is refused: one share above 0 for each of {count} markets, together at most 1")


def _on_threads(work: Callable[[int], list[float]], numbers: Sequence[int], threads: int) -> Iterator[list[float]]:
    """Results of `work` in order. The compiled loop lets other threads run."""
    if threads == 1 or len(numbers) < 2:
        yield from _watched(map(work, numbers), len(numbers))
        return
    with ThreadPoolExecutor(min(threads, len(numbers))) as pool:
        try:
            yield from _watched(pool.map(work, numbers), len(numbers))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _watched(results: Iterator[list[float]], count: int) -> Iterator[list[float]]:
    """The same results, with a progress bar when there are many and someone is watching."""
    if count < _LONG or not sys.stderr.isatty():
        yield from results
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(results, "sweep", total=count, console=Console(stderr=True), transient=True)
