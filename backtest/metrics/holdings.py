"""What was held at each close, from the event log: net exposure, lots a side, how often a side stood at its cap."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from backtest.configuration import strategy_parameters
from backtest.inventory import Inventory, inventory
from backtest.ledger import Ledger, closes_on

if TYPE_CHECKING:
    from backtest.result import Result


class Coin(NamedTuple):
    """One coin of a result: its wallet, its place in it and its market."""

    symbol: str
    ledger: Ledger
    place: int
    market: Any
    weight: float  # share of the wallet's equity that sizes its orders

    @property
    def log(self) -> np.ndarray:
        """The coin's events in order."""
        return self.ledger.events[self.ledger.events["instrument"] == self.place]

    @property
    def close(self) -> np.ndarray:
        """Closes on the wallet's bars [bars]."""
        return closes_on(self.ledger.time, self.market)

    def inventory(self) -> Inventory:
        """Positions at each close of the wallet's bars."""
        instrument = self.market.instrument
        return inventory(self.log, self.ledger.time, instrument.contract_multiplier, instrument.step_size)

    def notional(self) -> np.ndarray:
        """Notional of LONG and SHORT at each close [2, bars], quote currency, both positive."""
        qty = self.inventory().qty
        price = self.market.instrument.contract_multiplier * self.close
        return np.where(qty > 0.0, qty * np.where(qty > 0.0, price, 0.0), 0.0)


def coins_of(result: Result) -> Iterator[Coin]:
    """The coins of a result in its order."""
    places = [(ledger, index) for ledger in result.ledgers for index in range(len(ledger.symbols))]
    for (ledger, index), market, weight in zip(places, result.markets, result.weights, strict=True):
        yield Coin(ledger.symbols[index], ledger, index, market, weight if result.is_shared else 1.0)


def is_part_of_shared(result: Result) -> bool:
    """Whether a result is one coin's part of a shared wallet, which knows neither the whole wallet's equity nor its margin."""
    return bool(result.account.wallet == "shared" and not result.is_shared and tuple(result.weights) != (1.0,))


def net_exposure(result: Result) -> np.ndarray:
    """Notional of longs less that of shorts over equity, at each close [bars]; 0 without equity. Needs the event log."""
    net = np.zeros(result.time.size)
    for coin in coins_of(result):
        notional = coin.notional()
        own = np.concatenate((np.zeros(1), notional[0] - notional[1]))
        net += own[np.searchsorted(coin.ledger.time, result.time, side="right")]
    equity = result.equity_values
    return np.divide(net, equity, out=np.zeros(net.size), where=equity > 0.0)


def lots_held(coin: Coin, lots: pd.DataFrame) -> np.ndarray:
    """Lots of LONG and SHORT held at each close of the coin's wallet, int64 [2, bars]. lots: `Result.lots`."""
    bars = coin.ledger.time.size
    mine = lots[lots["symbol"] == coin.symbol]
    opened = mine["opened_bar"].to_numpy() - coin.ledger.first_bar
    closed = np.where(mine["closed_bar"] < 0, bars, mine["closed_bar"] - coin.ledger.first_bar)
    side = (mine["position_side"] == "SHORT").to_numpy().astype(np.int64)
    steps = np.zeros((2, bars + 1), dtype=np.int64)
    np.add.at(steps, (side, opened), 1)
    np.add.at(steps, (side, closed), -1)
    return np.cumsum(steps, axis=1)[:, :bars]


def average_lots_held(result: Result) -> float:
    """Mean of the lots one side of one coin holds, over the closes at which that side holds any. Needs the event log."""
    held, closes = 0, 0
    for coin in coins_of(result):
        counts = lots_held(coin, result.lots)
        held, closes = held + int(counts.sum()), closes + int(np.count_nonzero(counts))
    return held / closes if closes else math.nan


def time_at_cap(result: Result) -> float:
    """Share of closes, over all coins, at which a side has less room below its cap than one order of order_pct.

    NaN for strategies without max_position_pct and order_pct, and for one coin's part of a shared wallet, whose cap goes by
    the equity of the whole. Needs the event log.
    """
    settings = strategy_parameters(result.strategy)
    if not {"max_position_pct", "order_pct"} <= set(settings) or is_part_of_shared(result):
        return math.nan
    exposure = result.account.leverage if result.account.exposure is None else result.account.exposure
    share = exposure * (float(settings["max_position_pct"]) - float(settings["order_pct"]))
    full, closes = 0, 0
    for coin in coins_of(result):
        room = share * coin.weight * coin.ledger.equity
        notional = coin.notional().max(axis=0)
        full += int(np.count_nonzero((notional > room) & (notional > 0.0)))
        closes += notional.size
    return full / closes if closes else math.nan
