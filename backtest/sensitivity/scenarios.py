"""Which assumptions are changed, one at a time: the rows of the sensitivity table that are runs of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from backtest.configuration import FEE_PRESETS, fee_preset, strategy_parameters
from backtest.data.market import Market
from backtest.data.settlements import market_settlements
from engine.account import Account
from engine.errors import InputError
from engine.execution import Execution

if TYPE_CHECKING:
    from backtest.result import Result

# Fills beyond the limit price, in basis points: a tick is next to nothing, the length of a queue is not.
THROUGH_BPS = (1.0, 3.0, 5.0)
# A queue is luck: at a mere touch a coin decides, and the median over so many seeds is the row.
TOUCH_PROBABILITY, TOUCH_SEEDS = 0.5, 32
STOP_SLIPPAGE_TIMES = {3: "three", 10: "ten"}
CAPITAL_TIMES = (1, 10, 100)
VOLUME_SHARE = 0.01
# What each path says first; `nearest` is a row only for runs that walk another one.
PATHS = {
    "low_first": "the low of every bar comes before its high",
    "high_first": "the high of every bar comes before its low",
    "nearest": "the extreme nearer to the open comes first",
}

AS_RUN, SYNTHETIC_FUNDING, NO_FUNDING, NO_SUB_BARS = "as run", "synthetic funding", "no funding", "no sub-bars"


@dataclass(frozen=True)
class Scenario:
    """One changed assumption: a name, a phrase that goes on after "when", the settings, and which markets to run on.

    draws: how many runs it is, each with a `touch_seed` of its own, 0 for the first.
    """

    name: str
    changed: str
    strategy: Any
    account: Account
    execution: Execution
    markets: str = AS_RUN
    draws: int = 1

    def runs(self) -> list[Scenario]:
        """The scenarios of one run each that this one is made of."""
        if self.draws == 1:
            return [self]
        return [replace(self, execution=self.execution.replace(touch_seed=seed), draws=1) for seed in range(self.draws)]


def changed_market(market: Market, change: str) -> Market:
    """A market with other settlements or without its finer bars; `change` is one of the constants of this module."""
    if change == SYNTHETIC_FUNDING:
        time, rates, synthetic = market_settlements(market.time, market.close, market.timeframe, None)
        return replace(market, funding_time=time, funding_rate=rates, funding_is_synthetic=synthetic)
    if change == NO_FUNDING:
        none = np.zeros(0, np.int64), np.zeros(0), np.zeros(0, bool)
        return replace(market, funding_time=none[0], funding_rate=none[1], funding_is_synthetic=none[2])
    if change == NO_SUB_BARS:
        return replace(market, sub_bars=None)
    return market


class _Listing:
    """Scenarios as they are found, and a sentence for each that the run's own settings leave no room for."""

    def __init__(self, result: Result) -> None:
        self.run = Scenario("this run", "nothing is changed", result.strategy, result.account, result.execution)
        self.found: list[Scenario] = []
        self.left_out: list[str] = []

    def add(self, name: str, changed: str, make: Callable[[Scenario], Scenario]) -> None:
        """Add the scenario that `make` gives; not one that is the run itself, nor one whose settings are refused."""
        try:
            made = make(self.run)
        except InputError as error:
            self.left_out.append(f"Left out, {name}: {error}")
            return
        if made != self.run:
            self.found.append(replace(made, name=name, changed=changed))

    def execution(self, name: str, changed: str, **settings: Any) -> None:
        """Add a scenario with other execution settings."""
        self.add(name, changed, lambda run: replace(run, execution=run.execution.replace(**settings)))

    def on(self, markets: str, changed: str) -> None:
        """Add a scenario on changed markets."""
        self.add(markets, changed, lambda run: replace(run, markets=markets))


def scenarios(result: Result) -> tuple[list[Scenario], list[str]]:
    """The scenarios of a result in the order of the table, and a sentence for each that cannot be had."""
    listing = _Listing(result)
    _add_fees(listing)
    _add_fills(listing)
    for path, words in PATHS.items():
        if path != "nearest" or result.execution.path != "nearest":
            listing.execution(f"path {path}", words, path=path)
    _add_stop_slippage(listing)
    _add_capital(listing)
    for markets, changed in _market_changes(result):
        listing.on(markets, changed)
    return listing.found, listing.left_out


def _add_fees(listing: _Listing) -> None:
    """Market-maker fees, or the regular ones for a run that has market-maker fees already."""
    preset = "regular" if fee_preset(listing.run.execution) == "market_maker" else "market_maker"
    maker, taker = FEE_PRESETS[preset]
    words = {"regular": "regular fees", "market_maker": "market-maker fees"}[preset]
    few = ", which few accounts have" if preset == "market_maker" else ""
    changed = f"the fees are {maker * 100.0:.3f} % maker and {taker * 100.0:.3f} % taker{few}"
    listing.execution(words, changed, fee_maker=maker, fee_taker=taker)


def _add_fills(listing: _Listing) -> None:
    """Fills at half of the touches, and only beyond the limit price; at every touch for a run that asks for more."""
    at_touch: dict[str, Any] = {"through": 0.0, "through_bps": 0.0, "touch_probability": 1.0}
    run = listing.run.execution
    if run.through or run.through_bps or run.touch_probability < 1.0:
        listing.execution("fills at a touch", "orders fill at a touch of their price", **at_touch)
    by_chance = run.replace(through=0.0, through_bps=0.0, touch_probability=TOUCH_PROBABILITY)
    words = "a mere touch fills an order with probability one half"
    listing.add("fills at half of touches", words, lambda base: replace(base, execution=by_chance, draws=TOUCH_SEEDS))
    listing.execution("fills through 1 tick", "orders fill only one tick beyond their price", **at_touch | {"through": 1.0})
    for bps in THROUGH_BPS:
        points = f"{bps:g} basis point{'' if bps == 1.0 else 's'}"
        changed = f"orders fill only {points} beyond their price"
        listing.execution(f"fills through {bps:g} bp", changed, **at_touch | {"through_bps": bps})


def _add_stop_slippage(listing: _Listing) -> None:
    execution = listing.run.execution
    base = execution.slippage if execution.slippage_stop is None else execution.slippage_stop
    if base == 0.0:
        listing.left_out.append("Left out, more slippage on stops: the run has none that could be multiplied.")
        return
    for times, word in STOP_SLIPPAGE_TIMES.items():
        changed = f"stops and prunes slip {word} times as far ({base * times * 100.0:.3g} %)"
        listing.execution(f"stop slippage x{times}", changed, slippage_stop=base * times)


def _add_capital(listing: _Listing) -> None:
    limit = f"an order fills at most {VOLUME_SHARE * 100.0:g} % of a bar's volume"
    for times in CAPITAL_TIMES:
        size = f"the capital is {times} times larger and " if times > 1 else ""
        name = f"capital x{times}, 1 % volume" if times > 1 else "at most 1 % of volume"
        listing.add(name, size + limit, partial(_with_capital, times=times))


def _with_capital(run: Scenario, times: int) -> Scenario:
    """More capital under the volume limit. Order sizes given in units grow with it, or most of the capital would lie idle."""
    strategy = run.strategy
    units = strategy_parameters(strategy).get("order_qty")
    if times > 1 and units and hasattr(strategy, "replace"):
        strategy = strategy.replace(order_qty=units * times)
    account = run.account.replace(capital=run.account.capital * times)
    return replace(run, strategy=strategy, account=account, execution=run.execution.replace(max_volume_share=VOLUME_SHARE))


def _market_changes(result: Result) -> Iterator[tuple[str, str]]:
    """Changes of funding and finer bars that differ from what the markets have, each with its phrase."""
    settled = any(market.funding_time.size for market in result.markets)
    all_synthetic = settled and all(bool(market.funding_is_synthetic.all()) for market in result.markets)
    if not all_synthetic:
        yield SYNTHETIC_FUNDING, "every funding rate is synthetic"
    if settled:
        yield NO_FUNDING, "no funding is charged"
    if any(market.sub_bars is not None for market in result.markets):
        yield NO_SUB_BARS, "orders walk the bars alone, without the finer ones"
