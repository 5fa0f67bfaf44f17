"""A compiled loop ready to be run again and again: the one place where the benchmarks touch the engine's inner interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import backtest as bt
from backtest.align import align
from backtest.run import feed_of, instrument_terms
from backtest.strategy import program_of
from engine.machine import Feed, Machine
from engine.records import LABELS

# Events that open or close a lot; the others (funding, a halt, a shift, a re-centring) move no position.
NO_FILLS = (
    *("CIRCUIT_BREAKER_HALT", "CIRCUIT_BREAKER_RESUME", "TRAILING_SHIFT", "SHORTFALL", "FUNDING", "RECENTER"),
    *("DAILY_LOSS_LIMIT", "EVALUATION_FAILED", "SESSION_END", "PROFIT_TARGET", "DAILY_TARGET", "EVALUATION_PASSED"),
)
FILL_LABELS = tuple(label for label in LABELS if label not in NO_FILLS)


@dataclass
class Loop:
    """One wallet's records and arrays. `start`: first bar that trades; `bars`: how many do."""

    account: bt.Account
    machine: Machine
    feed: Feed
    columns: np.ndarray  # indicators, (instruments, columns, bars)
    start: int

    @property
    def bars(self) -> int:
        """Bars that trade."""
        return int(self.feed.time.size) - self.start

    def run(self, bars: int | None = None) -> None:
        """Run the first `bars` bars that trade (None: all) from a flat start. Indicators are not made anew."""
        self.machine.reset(self.account.capital)
        self.machine.run(self.feed, self.columns, self.start, None if bars is None else self.start + bars)

    def indicators(self) -> np.ndarray:
        """Make the indicators of all bars."""
        return self.machine.indicators(self.feed)

    def per_bar(self) -> dict[str, float | None]:
        """What the last whole run did, each a bar: events, those of them that are fills, and re-quotes (None: not counted)."""
        machine, bars = self.machine, self.bars
        fills = sum(int(machine.states["label_counts"][:, LABELS.index(label)].sum()) for label in FILL_LABELS)
        names = machine.memory.dtype.names or ()
        return {
            "events_per_bar": int(machine.accounts["events"][0]) / bars,
            "fills_per_bar": fills / bars,
            "requotes_per_bar": int(machine.memory["requotes"].sum()) / bars if "requotes" in names else None,
        }


def loop_of(markets: bt.Market | Sequence[bt.Market], strategy: Any, log: bool, account: bt.Account | None = None) -> Loop:
    """The loop of `strategy` on one wallet of all `markets`, with or without its event log."""
    account = account or bt.Account()
    aligned = align(markets)
    feed, _, start = feed_of(aligned, strategy.warmup_bars())
    count = len(aligned.markets)
    machine = Machine.build(
        program_of(strategy),
        [strategy.record()] * count,
        [instrument_terms(market.instrument, 1.0 / count) for market in aligned.markets],
        account,
        bt.Execution(),
        aligned.timeframe.ms,
        log,
    )
    return Loop(account, machine, feed, machine.indicators(feed), start)
