"""A wallet of a result, stepped through its bars again with the order books open to view."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from backtest.align import align
from backtest.run import wallet_feed
from backtest.stepper import Stepper
from engine.machine import Feed

if TYPE_CHECKING:
    from backtest.data.market import Market
    from backtest.ledger import Ledger
    from backtest.result import Result


class OpenStepper(Stepper):
    """A stepper that shows what rests on the exchange and what the engine counts."""

    @property
    def resting(self) -> np.ndarray:
        """The living orders (`wanted_dtype`); lots' own exits that wait for the coming bar are not yet among them."""
        return self._order_list.of(self._machine.states)

    @property
    def states(self) -> np.ndarray:
        """The instruments' records, `state_dtype` (instruments,): the machine's own, to be read only."""
        return self._machine.states

    @property
    def memory(self) -> np.ndarray:
        """The strategy's own records, one an instrument, to be read only."""
        return self._machine.memory


@dataclass(frozen=True, eq=False)
class Wallet:
    """One wallet's bars as its run walked them.

    feed: the arrays. first, start, stop: indices in it of the first bar, the first that may trade, and behind the last one.
    begin: index of the feed's first bar in the market arrays.
    """

    markets: tuple[Market, ...]
    feed: Feed
    begin: int
    first: int
    start: int
    stop: int
    step_ms: int

    @classmethod
    def of(cls, result: Result, ledger: Ledger) -> Wallet:
        """The bars of one of a result's ledgers."""
        markets = tuple(market for market in result.markets if market.symbol in ledger.symbols)
        end = max(int(market.end_time) for market in result.markets)
        aligned = align(markets)
        feed, begin, start, stop = wallet_feed(aligned, result.strategy.warmup_bars(), end)
        first = int(feed.first_bars().min())
        return cls(markets, feed, begin, first, max(start, first), stop, aligned.timeframe.ms)

    def stepper(self, result: Result) -> OpenStepper:
        """A stepper of the result's settings that stands before the first bar that may trade."""
        shared = result.account.wallet == "shared"
        weights = [share for market, share in zip(result.markets, result.weights, strict=True) if market in self.markets]
        step = OpenStepper(
            [market.instrument for market in self.markets],
            result.strategy,
            result.account,
            result.execution,
            self.markets[0].timeframe,
            weights if shared else None,
            trade_from={market.symbol: self._open_of(trades) for market, trades in zip(self.markets, self.feed.first_trades, strict=True)},
            first_bar=self.begin + self.first,
        )
        for i in range(self.first, self.start):
            step.observe(self.bar(i))
        return step

    def _open_of(self, i: int) -> int:
        """Open time of bar `i`, ms, also of one behind the last."""
        return int(self.feed.time[0]) + int(i) * self.step_ms

    def bar(self, i: int) -> dict[str, tuple[float, ...]]:
        """Bar `i` of the instruments that have it, by symbol."""
        feed = self.feed
        listed = enumerate(self.markets)
        return {one.symbol: (int(feed.time[i]), *feed.bars[k, :, i].tolist()) for k, one in listed if feed.kinds[k, i] > 0}

    def sub_bars(self, i: int) -> dict[str, list[tuple[float, ...]]] | None:
        """The finer bars of bar `i` by symbol, None without any."""
        feed = self.feed
        if feed.sub_count == 0:
            return None
        length = self.step_ms // feed.sub_count

        def finer(k: int) -> Iterator[tuple[float, ...]]:
            for j in range(feed.sub_count):
                yield (int(feed.time[i]) + j * length, *feed.sub_bars[k, :, feed.sub_start[k, i] + j].tolist())

        return {one.symbol: list(finer(k)) for k, one in enumerate(self.markets) if feed.sub_start[k, i] >= 0}

    def delisted(self, i: int) -> list[str]:
        """Symbols for which bar `i` is the last while the run goes on."""
        length = len(self.feed.time)
        return [one.symbol for k, one in enumerate(self.markets) if self._lasts[k] == i and i + 1 < length]

    @cached_property
    def _lasts(self) -> np.ndarray:
        return self.feed.last_bars()

    def match(self, step: OpenStepper, i: int) -> np.ndarray:
        """Let the exchange walk bar `i`, settle it and close it. Returns the fills, `step_fill_dtype`."""
        bar = self.bar(i)
        fills = step.match(step.orders, bar, self.sub_bars(i))
        step.apply(fills)
        feed = self.feed
        for k, market in enumerate(self.markets):
            for s in range(feed.funding_offsets[k, i], feed.funding_offsets[k, i + 1]):
                step.fund(int(feed.time[i]) + self.step_ms, feed.funding_rates[s], feed.funding_marks[s], market.symbol)
        step.close(bar, self.delisted(i))
        return fills

    def decide(self, step: OpenStepper, i: int) -> None:
        """Let the strategy decide for bar `i`; before the very first bar there is nothing to decide on."""
        if i > self.first:
            step.decide()
