"""Wallets with a made-up history for the tests of results: random fills, kept by the simplest possible bookkeeping.

Nothing here comes from the code under test: wallet, equity, lots and totals are followed one event at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from backtest.data.instrument import Instrument
from backtest.data.timeframe import Timeframe
from backtest.result import Ledger, Result
from engine.account import Account
from engine.execution import Execution
from engine.records import LABELS, account_dtype, event_dtype, state_dtype
from engine.strategies.adaptive_grid_parameters import AdaptiveGrid

START = 1_704_067_200_000  # 2024-01-01 00:00 UTC
BAR = 900_000
LABEL = {name: code for code, name in enumerate(LABELS)}
CLOSINGS = (
    ("SELL_CLOSE_LONG", "BUY_CLOSE_SHORT"),
    ("STOP_LONG", "STOP_SHORT"),
    ("PRUNE_DEVIANCE",) * 2,
    ("PRUNE_OLDEST",) * 2,
    ("RECENTER",) * 2,
    ("MARKET_CLOSE",) * 2,
)


@dataclass(frozen=True, eq=False)
class PlainMarket:
    """Bars and facts that results read of a market."""

    instrument: Instrument
    time: np.ndarray
    open: np.ndarray
    close: np.ndarray
    timeframe: Timeframe = field(default_factory=lambda: Timeframe(BAR))
    source: str = "SIMULATED market, seed 1, no edge by construction (a martingale)"
    simulated: bool = True
    notes: tuple[str, ...] = ()

    @property
    def high(self) -> np.ndarray:
        return np.maximum(self.open, self.close) + 2.0

    @property
    def low(self) -> np.ndarray:
        return np.minimum(self.open, self.close) - 2.0


def make_market(
    symbol: str = "BTCUSDT", bars: int = 400, seed: int = 1, first: int = 0, multiplier: float = 1.0, **facts: Any
) -> PlainMarket:
    """A random walk on ticks of 0.1 that begins `first` bars after START."""
    random = np.random.default_rng(seed)
    close = np.round(np.maximum(1000.0 + np.cumsum(random.normal(0.0, 5.0, bars)), 100.0), 1)
    opens = np.concatenate(([1000.0], close[:-1]))
    time = START + BAR * (first + np.arange(bars, dtype=np.int64))
    instrument = Instrument(symbol, 0.1, 0.001, 0.001, 5.0, contract_multiplier=multiplier)
    return PlainMarket(instrument, time, opens, close, **facts)


class Book:
    """One wallet's bookkeeping, lot by lot."""

    def __init__(self, markets: list[PlainMarket], time: np.ndarray, capital: float, execution: Execution) -> None:
        self.markets, self.time, self.execution = markets, time, execution
        self.account = np.zeros(1, dtype=account_dtype)[0]
        self.states = np.zeros(len(markets), dtype=state_dtype)
        self.wallet = self.account["capital"] = capital
        self.lots: list[dict[str, Any]] = []
        self.next_id = [0] * len(markets)
        self.rows: list[tuple[Any, ...]] = []
        self.equity: list[float] = []
        self.peak, self.bar = capital, 0

    def record(
        self, k: int, label: str, side: int, price: float, qty: float, fee: float, pnl: float, funding: float, lot: int, level: int = -1
    ) -> None:
        self.wallet += pnl - fee + funding
        bar = self.bar + int(self.time[0] - self.markets[k].time[0]) // BAR
        self.rows.append((self.time[self.bar], bar, k, LABEL[label], side, price, qty, fee, pnl, funding, self.wallet, lot, level))
        column = side if side < 2 else 0
        self.account["events"] += 1
        self.account["fees"] += fee
        self.states[k]["label_counts"][LABEL[label], column] += 1
        self.states[k]["label_pnl"][LABEL[label], column] += pnl
        self.states[k]["fees"][column] += fee
        self.states[k]["funding"][column] += funding

    def open(self, k: int, side: int, price: float, qty: float, level: int = -1) -> None:
        notional = price * qty * self.markets[k].instrument.contract_multiplier
        fee = notional * self.execution.fee_maker
        self.lots.append({"k": k, "side": side, "entry": price, "qty": qty, "id": self.next_id[k], "level": level})
        self.record(k, ("BUY_OPEN_LONG", "SELL_OPEN_SHORT")[side], side, price, qty, fee, 0.0, 0.0, self.next_id[k], level)
        self.next_id[k] += 1
        self.account["turnover"] += notional
        self.account["maker_notional"] += notional
        state = self.states[k]
        state["entries_filled"] += 1
        held = sum(1 for lot in self.lots if lot["k"] == k and lot["side"] == side)
        state["lots_max"] = max(int(state["lots_max"]), held)

    def close(self, lot: dict[str, Any], price: float, qty: float, label: str) -> None:
        k, side = lot["k"], lot["side"]
        multiplier = self.markets[k].instrument.contract_multiplier
        notional = price * qty * multiplier
        maker = label in ("SELL_CLOSE_LONG", "BUY_CLOSE_SHORT")
        rate = self.execution.liquidation_fee if label == "LIQUIDATION" else self.execution.fee_maker if maker else self.execution.fee_taker
        pnl = (price - lot["entry"]) * qty * multiplier * (1 if side == 0 else -1)
        lot["qty"] = round(lot["qty"] - qty, 3)
        if lot["qty"] == 0.0:
            self.lots.remove(lot)
        self.record(k, label, side, price, qty, notional * rate, pnl, 0.0, lot["id"], lot["level"])
        self.account["turnover"] += notional
        if maker:
            self.account["maker_notional"] += notional
        else:
            self.account["slippage_cost"] += notional * self.execution.slippage

    def fund(self, k: int, rate: float, mark: float) -> None:
        self.states[k]["settlements"] += 1
        for side, sign in ((0, 1.0), (1, -1.0)):
            qty = sum(lot["qty"] for lot in self.lots if lot["k"] == k and lot["side"] == side)
            if qty > 0.0:
                amount = -sign * qty * self.markets[k].instrument.contract_multiplier * mark * rate
                self.account["funding_received" if amount >= 0.0 else "funding_paid"] += abs(amount)
                self.record(k, "FUNDING", side, mark, qty, 0.0, 0.0, amount, -1)

    def liquidate(self, prices: list[float]) -> None:
        self.account["liquidations"] += 1
        for lot in list(self.lots):
            self.close(lot, prices[lot["k"]], lot["qty"], "LIQUIDATION")
        if self.wallet < 0.0:
            self.record(0, "SHORTFALL", 2, 0.0, 0.0, 0.0, -self.wallet, 0.0, -1)

    def mark(self, prices: list[float]) -> None:
        multipliers = [market.instrument.contract_multiplier for market in self.markets]
        gains = [
            (prices[lot["k"]] - lot["entry"]) * lot["qty"] * multipliers[lot["k"]] * (1 if lot["side"] == 0 else -1) for lot in self.lots
        ]
        gross = sum(prices[lot["k"]] * lot["qty"] * multipliers[lot["k"]] for lot in self.lots)
        equity = self.wallet + sum(gains)
        self.equity.append(equity)
        self.account["bars"] += 1
        if equity > 0.0:
            self.account["exposure_sum"] += gross / equity
            self.account["leverage_max"] = max(float(self.account["leverage_max"]), gross / equity)
        self.account["bars_in_position"] += gross > 0.0
        self.peak = max(self.peak, equity)
        # The walked path goes a little deeper than the closes.
        self.account["path_drawdown_max"] = max(float(self.account["path_drawdown_max"]), min(1.0, 1.0 - equity / self.peak + 0.001))
        for k, price in enumerate(prices):
            self.states[k]["mark"] = price

    def ledger(self, first_bar: int) -> Ledger:
        for k, state in enumerate(self.states):
            for side in (0, 1):
                mine = [lot for lot in self.lots if lot["k"] == k and lot["side"] == side]
                state["qty"][side] = sum(lot["qty"] for lot in mine)
                state["cost"][side] = sum(lot["qty"] * lot["entry"] for lot in mine)
                state["lot_count"][side] = len(mine)
            state["entries_placed"] = 3 * state["entries_filled"]
            state["wanted_rungs"] = 1000
        self.account["wallet"] = self.wallet
        self.account["equity"] = self.equity[-1] if self.equity else self.wallet
        memory = [{"var_blocked_bars": 0, "floor_bars": 300, "decisions": 400} for _ in self.markets]
        symbols = tuple(market.instrument.symbol for market in self.markets)
        events = np.array(self.rows, dtype=event_dtype)
        return Ledger(self.time, first_bar, np.array(self.equity), events, self.account, self.states, memory, symbols)


def random_ledger(markets: list[PlainMarket], seed: int = 1, capital: float = 10_000.0, skip: int = 10, liquidate_at: int = -1) -> Ledger:
    """A wallet on markets of one time grid, trading at random from bar `skip` on."""
    random = np.random.default_rng(seed)
    time = markets[0].time[skip:]
    book = Book(markets, time, capital, Execution())
    for i in range(time.size):
        book.bar = i
        prices = [float(market.close[skip + i]) for market in markets]
        for k in range(len(markets)):
            if random.random() < 0.25 and len(book.lots) < 12:
                # Levels of a grid of 60, and every fifth entry of none.
                level = 7 * book.next_id[k] % 60 if book.next_id[k] % 5 else -1
                book.open(k, int(random.integers(2)), prices[k], round(float(random.uniform(0.05, 0.4)), 3), level)
            mine = [lot for lot in book.lots if lot["k"] == k]
            if mine and random.random() < 0.2:
                lot = mine[int(random.integers(len(mine)))]
                qty = lot["qty"] if random.random() < 0.7 else max(round(lot["qty"] / 2, 3), 0.001)
                book.close(lot, prices[k], qty, CLOSINGS[int(random.integers(len(CLOSINGS)))][lot["side"]])
            if (time[i] + BAR) % 28_800_000 == 0:
                book.fund(k, float(random.normal(0.0001, 0.0003)), prices[k])
        if i == liquidate_at:
            # A crash through everything: longs of great size at a fifth of the price.
            book.open(0, 0, prices[0], round(2.0 * capital / prices[0], 3))
            book.liquidate([price * 0.2 for price in prices])
        book.mark(prices)
    return book.ledger(skip)


def make_result(symbols: tuple[str, ...] = ("BTCUSDT",), shared: bool = False, bars: int = 400, seed: int = 1, **options: Any) -> Result:
    """A result of separate wallets or one shared wallet."""
    facts = {name: options.pop(name) for name in ("notes", "simulated", "source", "multiplier", "first") if name in options}
    markets = [make_market(symbol, bars, seed + place, **facts) for place, symbol in enumerate(symbols)]
    strategy = options.pop("strategy", AdaptiveGrid())
    execution = options.pop("execution", Execution())
    account = Account(wallet="shared" if shared else "separate")
    if shared:
        ledgers = [random_ledger(markets, seed, **options)]
    else:
        ledgers = [random_ledger([market], seed + place, **options) for place, market in enumerate(markets)]
    return Result(strategy, account, execution, markets, ledgers, [1.0 / len(symbols)] * len(symbols))


# Made results that every metric of lots and holdings must bear.
TWO = ("BTCUSDT", "ETHUSDT")
CASES: dict[str, dict[str, Any]] = {
    "one": {},
    "contracts": {"multiplier": 0.1},
    "separate": {"symbols": TWO},
    "shared": {"symbols": TWO, "shared": True},
    "liquidated": {"liquidate_at": 150},
    "no trades": {"bars": 11},
}
ALL = pytest.mark.parametrize("options", CASES.values(), ids=CASES)
