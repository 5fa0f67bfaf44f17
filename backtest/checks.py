"""`bt.check_lookahead` and `bt.check_warmup`: whether a decision knows the future, and indicators where they began."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from backtest.align import align
from backtest.data.columns import BAR_FIELDS
from backtest.data.market import Market
from backtest.data.timeframe import utc_text
from backtest.run import feed_of, instrument_terms
from backtest.strategy import Strategy, program_of
from engine.account import Account
from engine.errors import InputError
from engine.execution import Execution
from engine.machine import Feed, Machine
from engine.records import MAX_LOTS, TRADED
from engine.stepping import list_orders, wanted_dtype
from engine.strategies import adaptive_grid, static_grid
from engine.strategies.adaptive_grid_parameters import AdaptiveGrid
from engine.strategies.static_grid_parameters import StaticGrid

# Indicator columns of the built-in strategies, by position.
COLUMN_NAMES: Mapping[type, Mapping[int, str]] = {
    AdaptiveGrid: {
        adaptive_grid.CLOSE: "close",
        adaptive_grid.KAMA: "kama",
        adaptive_grid.ATR: "atr",
        adaptive_grid.ER: "er",
        adaptive_grid.Z: "z",
        adaptive_grid.SIGMA: "sigma",
        adaptive_grid.SLOPE: "slope",
    },
    StaticGrid: {static_grid.CLOSE: "close"},
}
# Values of an indicator that differ by no more, relatively, are called the same when they come out of different pieces of history.
_NOISE = 1e-9


@dataclass(frozen=True, repr=False)
class LookaheadReport:
    """What `check_lookahead` found; true when nothing. first_bar: index in the market's arrays of the earliest bar that knew."""

    passed: bool
    first_bar: int | None
    message: str
    samples: int

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return self.message


@dataclass(frozen=True, repr=False)
class WarmupReport:
    """What `check_warmup` found; true when the strategy's declared warm-up is enough.

    columns: bars each indicator needs until it agrees to `tolerance` wherever it began, None: it did not within the market.
    differences: what is left, relatively, once the `declared` bars have passed. bars: the most of `columns`, None if one is None.
    """

    passed: bool
    declared: int
    bars: int | None
    columns: Mapping[str, int | None]
    differences: Mapping[str, float]
    tolerance: float
    message: str

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return self.message


def column_names(strategy: Any) -> list[str]:
    """Names of a strategy's indicator columns; those of a user's own function go by number."""
    if isinstance(strategy, Strategy):
        if strategy.indicators is None:
            return list(BAR_FIELDS)
        return [f"column {number}" for number in range(strategy.program.columns)]
    columns = program_of(strategy).columns
    known = COLUMN_NAMES.get(type(strategy), {})
    return [known.get(number, f"column {number}") for number in range(columns)]


def relative_differences(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """How far two arrays (columns, bars) are apart, against the value or the column's usual size; NaN in one only is infinite."""
    finite = np.isfinite(first)
    usual = np.where(finite, np.abs(first), 0.0).sum(axis=1, keepdims=True) / np.maximum(finite.sum(axis=1, keepdims=True), 1)
    scale = np.maximum(np.abs(first), usual)
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.abs(first - second) / scale
    apart[(first == second) | (np.isnan(first) & np.isnan(second))] = 0.0
    return np.where(np.isnan(apart), np.inf, apart)


def changed_future(feed: Feed, last: int, random: np.random.Generator) -> Feed:
    """The same market up to bar `last`; after it other prices and volumes (valid bars still), other funding, no finer bars."""
    later = slice(last + 1, None)
    count = len(feed.time) - last - 1
    bars = feed.bars.copy()
    # Each bar by a factor of its own, up or down by 5 to 60 %: high and low keep their places round open and close.
    factors = np.exp(random.choice([-1.0, 1.0], count) * random.uniform(0.05, 0.5, count))
    bars[:, :4, later] *= factors
    bars[:, 4, later] *= random.uniform(0.2, 5.0, count)
    rates = feed.funding_rates.copy()
    for k in range(len(bars)):
        settled = slice(feed.funding_offsets[k, last + 1], feed.funding_offsets[k, -1])
        rates[settled] = -rates[settled] + 1e-4
    sub_start = feed.sub_start.copy()
    sub_start[:, later] = -1
    return replace(feed, bars=bars, funding_rates=rates, sub_start=sub_start)


@dataclass
class _Trial:
    """Runs one strategy up to a bar of a feed and asks for the orders of the next."""

    strategy: Any
    market: Market
    account: Account
    execution: Execution
    start: int

    def machine(self) -> Machine:
        terms = instrument_terms(self.market.instrument, 1.0)
        program = program_of(self.strategy)
        return Machine.build(program, [self.strategy.record()], [terms], self.account, self.execution, self.market.timeframe.ms)

    def outcome(self, feed: Feed, indicators: np.ndarray, last: int) -> tuple[np.ndarray, np.ndarray]:
        """Event log up to bar `last`, and the orders wanted for the one after it."""
        machine = self.machine()
        log, _ = machine.run(feed, indicators, self.start, last + 1)
        machine.states["time"] = feed.time[last + 1]
        machine.states["bar"] = last + 1
        machine.row[0] = indicators[0, :, last]
        records = (machine.accounts, machine.states, machine.instruments, machine.terms, machine.journals)
        kinds = np.full((1, 1), TRADED, np.int8)
        machine.program.decide_once((machine.parameters, machine.memory, *records, kinds, np.zeros(1, np.int64), machine.row[0], 0, 0))
        orders = np.zeros(8 * MAX_LOTS, wanted_dtype)
        return log, orders[: list_orders(machine.states, orders)]


def check_lookahead(
    strategy: Any,
    market: Market,
    samples: int = 40,
    seed: int = 0,
    account: Account | None = None,
    execution: Execution | None = None,
) -> LookaheadReport:
    """Whether any decision changes when the future does.

    At `samples` bars spread over the market everything after the bar is changed, the indicators are made anew from the whole
    changed market, and the strategy runs up to the bar. Its events so far and the orders it wants for the next bar must stay
    equal to the bit, and its indicators up to the bar to 1e-9. It can show that a strategy looks ahead; that none does it
    makes likely. Raises InputError for a market without two bars to trade.
    """
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
        raise InputError(f"samples = {samples!r} is refused: it must be a whole number of at least 1")
    aligned = align(market)
    feed, begin, start = feed_of(aligned, strategy.warmup_bars())
    first, end = max(start, 1), len(feed.time) - 1
    if first >= end:
        raise InputError(f"market has {len(feed.time) - start} bars to trade: looking ahead can be seen from two on")
    trial = _Trial(strategy, market, account or Account(), execution or Execution(), start)
    known = trial.machine().indicators(feed)
    random = np.random.default_rng(seed)
    edges = np.linspace(first, end, min(samples, end - first) + 1).astype(np.int64)
    names = column_names(strategy)
    for low, high in pairwise(edges.tolist()):
        last = int(random.integers(low, high))
        changed = changed_future(feed, last, random)
        rows = trial.machine().indicators(changed)
        knew: list[tuple[int, str]] = []
        apart = relative_differences(known[0, :, : last + 1], rows[0, :, : last + 1]) > _NOISE
        if apart.any():
            row = int(np.argmax(apart.any(axis=0)))
            knew.append((row + 1, f"the indicator {names[int(np.argmax(apart[:, row]))]!r} of the bar before it"))
        log, orders = trial.outcome(feed, known, last)
        other_log, other_orders = trial.outcome(changed, rows, last)
        if log.tobytes() != other_log.tobytes():
            shorter = min(len(log), len(other_log))
            unlike = np.flatnonzero(log[:shorter] != other_log[:shorter])
            longer = log if len(log) > shorter else other_log
            event = log[unlike[0]] if unlike.size else longer[shorter]
            knew.append((int(event["bar"]), "an event in it"))
        elif orders.tobytes() != other_orders.tobytes():
            knew.append((last + 1, "the orders wanted for it"))
        if knew:
            bar, _ = min(knew)
            what = " and ".join(text for at, text in sorted(knew) if at == bar)
            moment = f"bar {begin + bar} ({utc_text(feed.time[bar])} UTC)"
            found = f"Look-ahead at {moment}: {what} changed when only bars after {begin + last} did."
            return LookaheadReport(False, begin + bar, found, samples)
    count, span = len(edges) - 1, f"bars {begin + first} to {begin + end}"
    found = f"No look-ahead found: changing every later bar at {count} places of {span} moved no event and no order."
    return LookaheadReport(True, None, found, samples)


def check_warmup(strategy: Any, market: Market, tolerance: float = 1e-9, places: int = 24) -> WarmupReport:
    """How many bars it takes until the indicators stop depending on where they start.

    The indicators are begun at the market's first bar and at `places` later ones. A column has settled when from then on
    both agree to `tolerance`, relative to the value or to the column's mean size. Raises InputError for a market that is too short.
    """
    declared = strategy.warmup_bars()
    length = len(market)
    if length < 3 * (declared + 2):
        raise InputError(f"market has {length:,} bars: checking a warm-up of {declared:,} bars takes at least {3 * (declared + 2):,}")
    program = program_of(strategy)
    record = strategy.record()
    bars = np.stack([getattr(market, field) for field in BAR_FIELDS])

    def rows_from(start: int) -> np.ndarray:
        out = np.full((program.columns, length - start), np.nan)
        program.fill_indicators(record, np.ascontiguousarray(bars[:, start:]), out, 0)
        return out

    whole = rows_from(0)
    needed = np.zeros(program.columns, np.int64)
    settled = np.ones(program.columns, bool)
    left = np.zeros(program.columns)
    for start in np.linspace(length // 3, 2 * length // 3 - declared, places).astype(np.int64):
        apart = relative_differences(whole[:, start:], rows_from(int(start)))
        wrong = apart > tolerance
        # One more than the last bar that is wrong is the first right one, whose row needs that many bars and itself.
        last_wrong = np.where(wrong.any(axis=1), wrong.shape[1] - 1 - np.argmax(wrong[:, ::-1], axis=1), -1)
        settled &= last_wrong < wrong.shape[1] - 1
        needed = np.maximum(needed, last_wrong + 2)
        left = np.maximum(left, apart[:, declared - 1 :].max(axis=1))
    names = column_names(strategy)
    columns = {name: int(count) if done else None for name, count, done in zip(names, needed, settled, strict=True)}
    differences = {name: float(value) for name, value in zip(names, left, strict=True)}
    late = [name for name, count in columns.items() if count is None or count > declared]
    most = max(needed.tolist()) if settled.all() else None
    return WarmupReport(
        not late, declared, most, columns, differences, tolerance, _warmup_message(columns, differences, late, declared, tolerance, length)
    )


def _warmup_message(
    columns: Mapping[str, int | None], differences: Mapping[str, float], late: list[str], declared: int, tolerance: float, length: int
) -> str:
    """The finding in plain words."""
    if not late:
        most = max(count for count in columns.values() if count is not None)
        return (
            f"The declared warm-up ({_bars(declared)}) is enough: wherever they begin, the indicators agree to {tolerance:g} "
            f"after {_bars(most)}."
        )
    parts = []
    for name in late:
        count = columns[name]
        when = f"takes {_bars(count)}" if count is not None else f"does not settle within {_bars(length // 3)}"
        parts.append(f"{name} {when} (after the declared ones {differences[name]:.1e} is left)")
    return f"The declared warm-up ({_bars(declared)}) does not make the indicators agree to {tolerance:g}: {', '.join(parts)}."


def _bars(count: int) -> str:
    return f"{count:,} bar" if count == 1 else f"{count:,} bars"
