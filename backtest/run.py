"""`bt.run`: one strategy on one or several markets."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from time import perf_counter
from typing import Any

import numpy as np

from backtest.align import Aligned, align
from backtest.data.instrument import Instrument
from backtest.data.market import Market
from backtest.evaluation.sessions import with_gates
from backtest.evaluation.verdict import verdict_notes
from backtest.ledger import Ledger
from backtest.result import Result
from backtest.run_progress import Report, run_in_pieces
from backtest.strategy import Strategy, program_of
from engine.account import Account
from engine.errors import InputError
from engine.evaluation import Evaluation
from engine.execution import Execution
from engine.machine import Feed, InstrumentTerms, Machine
from engine.records import ABSENT
from engine.stepping import complete_books
from gridcore.compile import is_warm, mark_warm


def instrument_terms(instrument: Instrument, weight: float) -> InstrumentTerms:
    """An instrument as the engine takes it."""
    return InstrumentTerms(
        instrument.symbol,
        instrument.tick_size,
        instrument.step_size,
        instrument.min_qty,
        instrument.min_notional,
        instrument.contract_multiplier,
        instrument.tier_table,
        weight,
    )


def with_absent_bar(feed: Feed, timeframe_ms: int) -> Feed:
    """The feed with one more bar in which every instrument is absent: the run goes on elsewhere after its last bar."""
    count = feed.bars.shape[0]
    return replace(
        feed,
        time=np.append(feed.time, feed.time[-1] + timeframe_ms),
        bars=np.concatenate([feed.bars, np.full((count, 5, 1), np.nan)], axis=2),
        kinds=np.concatenate([feed.kinds, np.full((count, 1), ABSENT, np.int8)], axis=1),
        funding_offsets=np.concatenate([feed.funding_offsets, feed.funding_offsets[:, -1:]], axis=1),
        sub_start=np.concatenate([feed.sub_start, np.full((count, 1), -1, np.int64)], axis=1),
    )


def feed_of(aligned: Aligned, warmup: int) -> tuple[Feed, int, int]:
    """The engine's arrays, cut to the warm-up bars before the first that may trade.

    Returns (feed, index of its first bar in the common grid, first bar that may trade counted within the feed). Indicators of
    each instrument start `warmup` bars before its own first trade, however many bars were loaded before.
    """
    begin = max(0, aligned.trade_from - warmup)
    kinds = aligned.kinds[:, begin:].copy()
    first_trades = aligned.first_trades - begin
    for k, first in enumerate(first_trades):
        kinds[k, : max(0, first - warmup)] = ABSENT
    columns = max((table.shape[1] for table in aligned.sub_tables), default=0)
    sub_bars = np.zeros((len(aligned.markets), 5, columns))
    for k, table in enumerate(aligned.sub_tables):
        sub_bars[k, :, : table.shape[1]] = table
    feed = Feed(
        np.ascontiguousarray(aligned.time[begin:]),
        np.ascontiguousarray(aligned.bars[:, :, begin:]),
        kinds,
        np.ascontiguousarray(aligned.settlement_offsets[:, begin:]),
        aligned.settlement_rates,
        aligned.settlement_marks,
        np.ascontiguousarray(aligned.sub_rows[:, begin:]),
        aligned.sub_count,
        sub_bars,
        first_trades,
    )
    return feed, begin, aligned.trade_from - begin


def wallet_feed(aligned: Aligned, warmup: int, end: int, close_at_end: bool = False) -> tuple[Feed, int, int, int]:
    """The arrays of one wallet in a run that ends at `end` (ms): (feed, its first bar in the grid, first bar to trade, stop).

    A wallet whose own bars end earlier is delisted with its last bar, and one that closes at the end closes there: both take one
    more, absent bar behind it to see.
    """
    feed, begin, start = feed_of(aligned, warmup)
    stop = feed.time.size
    if close_at_end or int(feed.time[-1]) + aligned.timeframe.ms < end:
        feed = with_absent_bar(feed, aligned.timeframe.ms)
    return feed, begin, start, stop


def memory_counters(machine: Machine) -> list[dict[str, Any]]:
    """The strategy's counters of each instrument, by name; a user's memory by position."""
    if machine.memory.dtype.names is None:
        return [{f"memory_{j}": float(value) for j, value in enumerate(row)} for row in machine.memory]
    single = _single_fields(machine.memory.dtype)
    return [{name: row[name].item() for name in single} for row in machine.memory]


@cache
def _single_fields(kind: np.dtype) -> tuple[str, ...]:
    """The fields of a record that hold one number."""
    return tuple(name for name in kind.names or () if kind[name].shape == ())


@contextmanager
def announced(strategy: Any) -> Iterator[bool]:
    """Say that a first start compiles, and how long that took. Yields whether it does."""
    name = f"{program_of(strategy).name}-run"
    cold = not isinstance(strategy, Strategy) and not is_warm(name)
    began = perf_counter()
    if cold:
        print("compiling once, this takes about a minute ...", file=sys.stderr, flush=True)
    yield cold
    if cold:
        print(f"compiled in {perf_counter() - began:.1f} s; later starts are warm", file=sys.stderr, flush=True)
        mark_warm(name)


def run_wallet(
    markets: Sequence[Market],
    strategy: Any,
    account: Account,
    execution: Execution,
    weights: Sequence[float],
    log: bool,
    end: int,
    watch: Report | None = None,
    evaluation: Evaluation | None = None,
) -> tuple[Ledger, tuple[str, ...]]:
    """Run the markets of one wallet. Returns its ledger and what aligning found, one sentence each.

    `end` (ms) is when the whole run ends: a wallet whose bars end earlier is delisted then. watch: told how far it is.
    """
    aligned = align(markets)
    program = program_of(strategy)
    feed, begin, start, stop = wallet_feed(aligned, strategy.warmup_bars(), end, execution.close_at_end)
    feed = with_gates(feed, aligned.timeframe.ms, evaluation)
    machine = Machine.build(
        program,
        [strategy.record()] * len(markets),
        [instrument_terms(market.instrument, weight) for market, weight in zip(markets, weights, strict=True)],
        account,
        execution,
        aligned.timeframe.ms,
        recording=log,
        evaluation=evaluation,
    )
    with announced(strategy) as cold:
        indicators = machine.indicators(feed)
        if cold:
            machine.run(feed, indicators, start, start)
    if watch is None:
        events, equity = machine.run(feed, indicators, start, stop)
    else:
        events, equity = run_in_pieces(machine, feed, indicators, start, stop, watch)
    complete_books(machine.accounts, machine.states, machine.instruments, machine.terms)
    if begin:
        events["bar"] += begin
    ledger = Ledger(
        feed.time[start:stop].copy(),
        begin + start,
        equity,
        events,
        machine.accounts[0].copy(),
        machine.states,
        memory_counters(machine),
        tuple(market.symbol for market in markets),
    )
    return ledger, tuple(aligned.notes)


def _part_of(watch: Report, before: int, own: int, total: int) -> Report:
    """Tells `watch` of a wallet of `own` bars as a part of `total`, of which `before` are done."""
    return lambda done, of: watch(before + own * done // max(of, 1), total)


def warmup_notes(markets: Sequence[Market], strategy: Any) -> list[str]:
    """Markets that have fewer bars before their first trade than the strategy asks for."""
    wanted = strategy.warmup_bars()
    return [
        f"{market.symbol}: {market.trade_from:,} bars stand before the first that may trade, the strategy asks for {wanted:,}; "
        "trading starts when its indicators are known."
        for market in markets
        if 0 < market.trade_from < wanted
    ]


def run(
    markets: Market | Sequence[Market],
    strategy: Any,
    account: Account | None = None,
    execution: Execution | None = None,
    *,
    weights: Sequence[float] | None = None,
    log: bool = True,
    watch: Report | None = None,
    evaluation: Evaluation | None = None,
) -> Result:
    """Run a strategy on one market, or on a list of them.

    strategy: `bt.AdaptiveGrid(...)`, `bt.StaticGrid(...)` or a `bt.Strategy` of your own. account, execution: the terms; the
    defaults are those of `bt.Account()` and `bt.Execution()`. weights: in a shared wallet, each market's share of the equity
    that sizes its orders (default: equal shares). log=False keeps no events (for sweeps). watch: called now and then with the bars
    done and the bars in all, over all markets; the numbers do not depend on it.
    evaluation: rules of a funded account above the strategy, `bt.Evaluation()`, for each wallet; None: no rules.
    Raises InputError for settings that do not fit together, one sentence.
    """
    listed = (markets,) if isinstance(markets, Market) else tuple(markets)
    if not listed:
        raise InputError("markets is empty: at least one market is needed")
    account = account or Account()
    execution = execution or Execution()
    shared = account.wallet == "shared"
    count = len(listed)
    if weights is None:
        shares = [1.0 / count if shared else 1.0] * count
    else:
        shares = [float(share) for share in weights]
        if not shared:
            raise InputError("weights are refused: they size the orders of a shared wallet, and the wallets are separate")
        if len(shares) != count or not all(0.0 < share <= 1.0 for share in shares) or sum(shares) > 1.0 + 1e-9:
            raise InputError(f"weights = {weights!r} is refused: one share above 0 for each of {count} markets, together at most 1")
    notes = warmup_notes(listed, strategy)
    groups = [(listed, shares)] if shared else [((market,), [share]) for market, share in zip(listed, shares, strict=True)]
    if not shared and count > 1:
        align(listed)  # refuses repeated symbols and unlike timeframes before anything runs
    end = max(int(market.end_time) for market in listed)
    ledgers = []
    bars = [sum(market.time.size - market.trade_from for market in group) for group, _ in groups]
    for place, (group, parts) in enumerate(groups):
        report = None if watch is None else _part_of(watch, sum(bars[:place]), bars[place], sum(bars))
        ledger, found = run_wallet(group, strategy, account, execution, parts, log, end, report, evaluation)
        ledgers.append(ledger)
        notes += found
        notes += verdict_notes(ledger)
    result_shares = shares if shared else [1.0 / count] * count
    return Result(strategy, account, execution, listed, tuple(ledgers), tuple(result_shares), tuple(notes), evaluation)
