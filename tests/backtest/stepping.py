"""Runs and steppers over the same bars, for the tests of the stepper; the pieces of its cycle in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

import backtest as bt
from engine.machine import Feed, Machine
from engine.programs import STRATEGIES
from engine.toolbox import LONG, SHORT, cancel_entries, ceil_to, floor_to, place_bracket_entry
from tests.agreement.compiled import feed_of, machine_of, tiers_of
from tests.twin.random_runs import random_run

MINUTES_15 = 900_000
# Compiled code divides by zero as IEEE says; without the compiler numpy warns of it.
ieee_division = np.errstate(divide="ignore", invalid="ignore")


@numba.njit(error_model="numpy")
def quote_brackets(p, row, account, state, instrument, terms, memory):
    """Two entries a side round the last close, each with a take-profit and a stop of its own."""
    memory[0] += 1.0
    cancel_entries(state)
    tick = instrument["tick_size"]
    for side in (LONG, SHORT):
        sign = 1.0 - 2.0 * side
        for rung in range(1, 3):
            price = row[0] * (1.0 - sign * p["step"] * rung)
            price = floor_to(price, tick) if side == LONG else ceil_to(price, tick)
            exit_at = price * (1.0 + sign * p["step"])
            exit_at = ceil_to(exit_at, tick) if side == LONG else floor_to(exit_at, tick)
            stop_at = price * (1.0 - sign * 1.5 * p["step"])
            stop_at = floor_to(stop_at, tick) if side == LONG else ceil_to(stop_at, tick)
            qty = floor_to(p["share"] * account["equity"] * instrument["weight"] / price, instrument["step_size"])
            place_bracket_entry(account, state, instrument, terms, side, -1, price, qty, np.inf, exit_at, stop_at)


def mean_and_close(open_: np.ndarray, high: np.ndarray, low: np.ndarray, close: np.ndarray, volume: np.ndarray) -> np.ndarray:
    """Two causal columns: the mean of the last 4 closes, and the close."""
    mean = np.full(close.size, np.nan)
    for i in range(3, close.size):
        mean[i] = close[i - 3 : i + 1].mean()
    return np.stack([mean, close], axis=1)


_BRACKETS: list[bt.Strategy] = []


def bracket_strategy() -> bt.Strategy:
    """The user's strategy of these tests, compiled once a process."""
    if not _BRACKETS:
        _BRACKETS.append(bt.Strategy(quote_brackets, {"step": 0.003, "share": 0.05}, mean_and_close, warmup=6, name="brackets"))
    return _BRACKETS[0]


@dataclass
class Lane:
    """A market feed as a stepper is fed with it, and the outcome of one compiled run over it."""

    feed: Feed
    symbols: list[str]
    first: int  # index of the first bar that any instrument has
    start: int  # index of the first bar that may trade
    log: np.ndarray
    equity: np.ndarray  # from `start` on
    make: Callable[[], bt.Stepper]

    @property
    def length(self) -> int:
        return len(self.feed.time)

    def bar(self, i: int) -> dict[str, Any]:
        feed = self.feed
        return {symbol: (int(feed.time[i]), *feed.bars[k, :, i].tolist()) for k, symbol in enumerate(self.symbols) if feed.kinds[k, i] > 0}

    def sub_bars(self, i: int) -> dict[str, list[tuple[float, ...]]] | None:
        feed = self.feed
        if feed.sub_count == 0:
            return None
        step = MINUTES_15 // feed.sub_count
        return {
            symbol: [(int(feed.time[i]) + j * step, *feed.sub_bars[k, :, feed.sub_start[k, i] + j].tolist()) for j in range(feed.sub_count)]
            for k, symbol in enumerate(self.symbols)
            if feed.sub_start[k, i] >= 0
        }

    def delisted(self, i: int) -> list[str]:
        lasts = self.feed.last_bars()
        return [symbol for k, symbol in enumerate(self.symbols) if lasts[k] == i and i + 1 < self.length]

    def begin(self) -> bt.Stepper:
        """A stepper at the first bar that may trade."""
        step = self.make()
        for i in range(self.first, self.start):
            step.observe(self.bar(i))
        return step

    @ieee_division
    def cycle(self, step: bt.Stepper, i: int) -> float:
        """Bar `i` of the cycle. Returns equity."""
        if i > self.first:
            known = {symbol: row for symbol, row in self.bar(i - 1).items() if symbol in self.bar(i) or symbol not in self.delisted(i - 1)}
            orders = step.decide(known or None)
        else:
            orders = step.orders
        step.apply(step.match(orders, self.bar(i), self.sub_bars(i)))
        feed = self.feed
        for k, symbol in enumerate(self.symbols):
            for s in range(feed.funding_offsets[k, i], feed.funding_offsets[k, i + 1]):
                step.fund(int(feed.time[i]) + MINUTES_15, feed.funding_rates[s], feed.funding_marks[s], symbol)
        return step.close(self.bar(i), self.delisted(i))

    def bars(self) -> Iterator[int]:
        return iter(range(self.start, self.length))


@ieee_division
def random_lane(seed: int, strategy: bt.Strategy | None = None, bars: int = 150) -> Lane:
    """A random run of the twin's kind; with `strategy` in the place of the built-in one."""
    run = random_run(seed, bars)
    feed = feed_of(run)
    symbols = [f"RANDOM{k}" for k in range(len(run["instruments"]))]
    instruments = [
        bt.Instrument(
            symbol,
            *(item[name] for name in ("tick_size", "step_size", "min_qty", "min_notional", "contract_multiplier")),
            tiers=tiers_of(item["tiers"]),
        )
        for symbol, item in zip(symbols, run["instruments"], strict=True)
    ]
    kind = STRATEGIES[run["strategy"]]
    machine = machine_of(run)
    own: list[Any] = [kind.model_construct(**parameters) for parameters in run["parameters"]]  # as machine_of has them
    if strategy is not None:
        own = [strategy] * len(symbols)
        machine = Machine(strategy.program, np.concatenate([strategy.record()] * len(symbols)), machine.instruments, machine.terms)
        machine.reset(run["account"]["capital"])
    first = int(feed.first_bars().min())
    start = max(run["trade_from"], first)
    log, equity = machine.run(feed, machine.indicators(feed), run["trade_from"])

    def make() -> bt.Stepper:
        return bt.Stepper(
            instruments,
            own,
            bt.Account(**run["account"]),
            bt.Execution(**run["execution"]),
            "15m",
            [item["weight"] for item in run["instruments"]],
            first_bar=first,
        )

    return Lane(feed, symbols, first, start, log, equity[start - run["trade_from"] :], make)
