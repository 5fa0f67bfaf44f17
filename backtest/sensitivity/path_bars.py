"""Bars in which the order of events inside the bar could matter, counted from the event log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from engine.records import LIQUIDATION_LABEL, LONG, OPEN_LABEL, SHORT, STOP_LABEL, TAKE_PROFIT_LABEL

if TYPE_CHECKING:
    from backtest.ledger import Ledger
    from backtest.result import Result

# Prices within this many ticks are the same price, as in the engine.
SAME_PRICE_TICKS = 1e-6

# What triggers on a falling and on a rising path: limits and stops of the position sides.
FALLING = (OPEN_LABEL + LONG, TAKE_PROFIT_LABEL + SHORT, STOP_LABEL + LONG)
RISING = (OPEN_LABEL + SHORT, TAKE_PROFIT_LABEL + LONG, STOP_LABEL + SHORT)


class PathBars(NamedTuple):
    """`ambiguous` of the `traded` bars, each coin's bars counted by themselves."""

    ambiguous: int
    traded: int

    @property
    def sentence(self) -> str:
        """Both counts in words."""
        share = f" ({100.0 * self.ambiguous / self.traded:.1f} %)" if self.traded else ""
        return (
            f"In {self.ambiguous:,} of {self.traded:,} bars with fills{share} orders traded on both sides of the open: "
            "there the order of events inside the bar is a guess."
        )


def _sides(log: np.ndarray, opens: np.ndarray, tick: float, slippage_stop: float) -> tuple[np.ndarray, np.ndarray]:
    """Which events of one coin traded below, and which above, the open of their bar; those at the open are neither."""
    label, price = log["label"], log["price"].copy()
    # A stop fills a slippage away from its trigger; it is the trigger that lies on the path.
    price[label == STOP_LABEL + LONG] /= 1.0 - slippage_stop
    price[label == STOP_LABEL + SHORT] /= 1.0 + slippage_stop
    liquidated = label == LIQUIDATION_LABEL
    below = (np.isin(label, FALLING) | liquidated) & (price < opens - SAME_PRICE_TICKS * tick)
    above = (np.isin(label, RISING) | liquidated) & (price > opens + SAME_PRICE_TICKS * tick)
    return below, above


def _of_coin(ledger: Ledger, index: int, market: Any, slippage_stop: float) -> PathBars:
    log = ledger.events[(ledger.events["instrument"] == index) & (ledger.events["lot"] >= 0)]
    row = np.searchsorted(market.time, log["time"])
    below, above = _sides(log, market.open[row], market.instrument.tick_size, slippage_stop)
    both = np.intersect1d(log["bar"][below], log["bar"][above])
    return PathBars(int(both.size), int(np.unique(log["bar"]).size))


def count_path_bars(result: Result) -> PathBars | None:
    """Bars in which something traded below the open and something above it; None without an event log.

    Which of the two came first the bar does not tell, and it decides what was open when the other one filled. Counted are
    limit fills, stops by their trigger, and liquidations. What fills at the open (market orders, prunes, limits and stops that
    the open had passed) has its place and does not count. A stop and a take-profit of one lot lie on two sides, so a bar that
    traded both is among them. Bars walked on finer bars are counted like the others, though their order is known that far.
    """
    if not result.has_log:
        return None
    execution = result.execution
    slippage = execution.slippage if execution.slippage_stop is None else execution.slippage_stop
    places = [(ledger, index) for ledger in result.ledgers for index in range(len(ledger.symbols))]
    counts = [_of_coin(ledger, index, market, slippage) for (ledger, index), market in zip(places, result.markets, strict=True)]
    return PathBars(sum(one.ambiguous for one in counts), sum(one.traded for one in counts))
