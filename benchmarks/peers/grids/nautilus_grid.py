"""The grid in NautilusTrader: a hedging venue, resting limit orders, a position a lot.

As it comes, NautilusTrader fills at most one limit order a side at each extreme of a bar: while it goes through the orders at one price
it moves its market to the first one that fills. A fill model that hands every resting order a book at the order's own price, as below,
goes round that. Market orders, and exits the market has passed already, fill at the close at which they are sent, not at the next open.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Any

import numpy as np
from nautilus_trader.backtest.config import BacktestEngineConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.backtest.models import FillModel
from nautilus_trader.common.config import LoggingConfig
from nautilus_trader.core.rust.model import BookType, LiquiditySide, OrderSide
from nautilus_trader.model.book import OrderBook
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import Bar, BarType, BookOrder
from nautilus_trader.model.enums import AccountType, OmsType
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.portfolio.config import PortfolioConfig
from nautilus_trader.risk.config import RiskEngineConfig
from nautilus_trader.trading.strategy import Strategy

from benchmarks.peers.grid import BAR_MS, CLOSE, LONG, OPEN, SHORT, Grid, fills_from
from benchmarks.peers.worker import Contestant, serve

# --- user code ---------------------------------------------------------------------------------------------------------
BAR_NS = BAR_MS * 1_000_000
PRECISION = 2  # decimals of a price
VENUE = Venue("SIM")
INSTRUMENT_ID = InstrumentId(Symbol("BTCUSDT-PERP"), VENUE)
PORTFOLIO = PortfolioConfig(bar_updates=False)
BAR_TYPE = BarType.from_str(f"{INSTRUMENT_ID}-15-MINUTE-LAST-EXTERNAL")


def instrument_of(grid: Grid) -> CryptoPerpetual:
    """A perpetual without margin, so that margin never binds."""
    return CryptoPerpetual(
        instrument_id=INSTRUMENT_ID,
        raw_symbol=Symbol("BTCUSDT"),
        base_currency=BTC,
        quote_currency=USDT,
        settlement_currency=USDT,
        is_inverse=False,
        price_precision=PRECISION,
        size_precision=3,
        price_increment=Price(grid.tick, PRECISION),
        size_increment=Quantity(0.001, 3),
        ts_event=0,
        ts_init=0,
        margin_init=Decimal(0),
        margin_maint=Decimal(0),
        maker_fee=Decimal(str(grid.fee_maker)),
        taker_fee=Decimal(str(grid.fee_taker)),
    )


class OwnPriceFillModel(FillModel):
    """A resting limit order that the market reaches fills at its own price, however many others it reaches with it."""

    def get_orderbook_for_fill_simulation(self, instrument: Any, order: Any, best_bid: Price, best_ask: Price) -> OrderBook | None:
        if order.liquidity_side != LiquiditySide.MAKER:
            return None
        book = OrderBook(instrument.id, BookType.L2_MBP)
        against = OrderSide.SELL if order.side == OrderSide.BUY else OrderSide.BUY
        book.add(BookOrder(against, order.price, order.quantity, 1), 0, 0)
        return book


class StaticGrid(Strategy):
    """Orders are looked up by their id: side, rung, opening or closing. `free` are rungs without an entry order or a lot."""

    def __init__(self, grid: Grid) -> None:
        super().__init__()
        self.grid = grid
        self.qty = Quantity(grid.qty, 3)
        self.rungs: tuple[list[float], list[float]] | None = None
        self.free: set[tuple[int, int]] = set()
        self.orders: dict[Any, tuple[int, int, int]] = {}
        self.entries: dict[tuple[int, int], Any] = {}
        self.lots: dict[tuple[int, int], Any] = {}
        self.exits: dict[tuple[int, int], Any] = {}
        self.filled: list[tuple[int, int]] = []  # since the last decision: entries
        self.closed: list[tuple[int, int]] = []  # and exits
        self.events: list[tuple[int, int, int, float, float]] = []

    def on_start(self) -> None:
        self.subscribe_bars(BAR_TYPE)

    def on_order_filled(self, event: Any) -> None:
        side, rung, action = self.orders.pop(event.client_order_id)
        self.events.append((event.ts_event // BAR_NS - 1, side, action, event.last_px.as_double(), event.last_qty.as_double()))
        if rung < 0:
            return
        key = (side, rung)
        if action == OPEN:
            del self.entries[key]
            self.lots[key] = event.position_id
            self.filled.append(key)
        else:
            self.exits.pop(key, None)
            del self.lots[key]
            self.closed.append(key)

    def on_bar(self, bar: Bar) -> None:
        close = bar.close.as_double()
        near = self.grid.tolerance
        if self.rungs is None or close < self.rungs[LONG][-1] - near or close > self.rungs[SHORT][-1] + near:
            self.recentre(close)
        # An exit that fills as soon as it is sent frees its rung for the decision after this one.
        self.free.update(self.closed)
        filled, self.filled, self.closed = self.filled, [], []
        for side, rung in filled:
            self.rest(side, rung, CLOSE, self.rungs[side][rung], self.lots[side, rung])
        if self.free:
            for side, rung in sorted(self.free):
                price = self.rungs[side][rung + 1]
                if price < close - near if side == LONG else price > close + near:
                    self.free.discard((side, rung))
                    self.rest(side, rung, OPEN, price, None)

    def recentre(self, close: float) -> None:
        for order in (*self.entries.values(), *self.exits.values()):
            del self.orders[order.client_order_id]
        self.cancel_all_orders(INSTRUMENT_ID)
        for (side, _), position in sorted(self.lots.items(), key=lambda item: (item[0][0], -item[0][1])):
            selling = OrderSide.SELL if side == LONG else OrderSide.BUY
            order = self.order_factory.market(INSTRUMENT_ID, selling, self.qty, reduce_only=True)
            self.orders[order.client_order_id] = (side, -1, CLOSE)
            self.submit_order(order, position)
        self.entries, self.lots, self.exits, self.filled, self.closed = {}, {}, {}, [], []
        self.rungs = self.grid.rungs(close)
        self.free = {(side, rung) for side in (LONG, SHORT) for rung in range(self.grid.levels)}

    def rest(self, side: int, rung: int, action: int, price: float, position: Any) -> None:
        order_side = OrderSide.BUY if (side == LONG) == (action == OPEN) else OrderSide.SELL
        order = self.order_factory.limit(INSTRUMENT_ID, order_side, self.qty, Price(price, PRECISION), reduce_only=action == CLOSE)
        (self.entries if action == OPEN else self.exits)[side, rung] = order
        self.orders[order.client_order_id] = (side, rung, action)
        self.submit_order(order, position)


def prepare(bars: np.ndarray, grid: Grid) -> tuple[Grid, list[Bar]]:
    """Its own bar objects, each known at its close."""
    volume = Quantity(1e6, 3)
    made = []
    for i, prices in enumerate(zip(*(row.tolist() for row in bars[:4]), strict=True)):
        at = (i + 1) * BAR_NS
        made.append(Bar(BAR_TYPE, *(Price(price, PRECISION) for price in prices), volume, at, at))
    return grid, made


def run(prepared: tuple[Grid, list[Bar]], fill_model: type[FillModel] = OwnPriceFillModel) -> tuple[StaticGrid, float]:
    """The engine built, run and read: no logging, no risk checks, no analysis at the end."""
    grid, bars = prepared
    config = BacktestEngineConfig(
        logging=LoggingConfig(bypass_logging=True), risk_engine=RiskEngineConfig(bypass=True), run_analysis=False, portfolio=PORTFOLIO
    )
    engine = BacktestEngine(config)
    engine.add_venue(
        VENUE,
        OmsType.HEDGING,
        AccountType.MARGIN,
        [Money(grid.capital, USDT)],
        base_currency=USDT,
        default_leverage=Decimal(1),
        fill_model=fill_model(),
        bar_adaptive_high_low_ordering=True,
        support_gtd_orders=False,
        support_contingent_orders=False,
    )
    engine.add_instrument(instrument_of(grid))
    engine.add_data(bars)
    strategy = StaticGrid(grid)
    engine.add_strategy(strategy)
    engine.run()
    account = engine.cache.account_for_venue(VENUE)
    last = bars[-1].close
    open_pnl = sum(position.unrealized_pnl(last).as_double() for position in engine.cache.positions_open())
    equity = account.balance_total(USDT).as_double() + open_pnl
    engine.dispose()
    return strategy, equity


# --- end of user code --------------------------------------------------------------------------------------------------


def as_it_comes(prepared: Any) -> tuple[StaticGrid, float]:
    """The same with its default fill model."""
    return run(prepared, FillModel)


def contestant(runner: Any = run) -> Contestant:
    """With the fill model above, or as it comes."""
    package = "nautilus_trader"
    return Contestant(prepare, runner, lambda result: fills_from(result[0].events), package, equity=lambda result: result[1])


if __name__ == "__main__":
    default = "--default-fills" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--default-fills"]
    serve(contestant(as_it_comes if default else run))
