"""What the twin remembers: lots, orders, one book per instrument, one world per wallet."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

LONG, SHORT = 0, 1
SIDES = (LONG, SHORT)
SIGN = (1.0, -1.0)
SIDE_NAME = ("LONG", "SHORT")
NO_SIDE = -1

ENTRY, TAKE_PROFIT, STOP = "ENTRY", "TAKE_PROFIT", "STOP"
ABSENT, GAP, TRADED = 0, 1, 2

OPEN_LABEL = ("BUY_OPEN_LONG", "SELL_OPEN_SHORT")
CLOSE_LABEL = ("SELL_CLOSE_LONG", "BUY_CLOSE_SHORT")
STOP_LABEL = ("STOP_LONG", "STOP_SHORT")


@dataclass
class Lot:
    """One fill that opened inventory. `funding` is signed: received is positive."""

    id: int
    side: int
    entry: float
    qty: float
    entry_fee: float
    open_time: int
    level: int
    generation: int
    funding: float = 0.0
    pending: bool = False  # a market order that closes it is queued


@dataclass(eq=False)
class Order:
    """A resting order. `number` counts placements; `own` marks a lot's own exit, attached when the lot was filled."""

    kind: str
    side: int
    price: float
    qty: float
    number: int
    lot: int = -1
    level: int = -1
    stage: int = 0
    covers_below: int = 0  # a stop closes lots with smaller ids only
    own: bool = False
    live: bool = True
    take_profit: float | None = None  # exits that an entry attaches to its lot
    stop_loss: float | None = None


@dataclass(eq=False)
class MarketOrder:
    """A queued order that closes one lot at the next real open."""

    lot: Lot
    label: str


@dataclass(eq=False)
class Book:
    """One instrument: its terms, its lots and orders, and the state that fills change."""

    index: int
    tick: float
    step: float
    min_qty: float
    min_notional: float
    mult: float
    tiers: list[dict[str, float]]
    weight: float
    first_bar: int
    last_bar: int
    lots: list[Lot] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    market_orders: list[MarketOrder] = field(default_factory=list)
    mark: float = 0.0
    volume: float = 0.0  # of the (sub-)bar being walked
    next_lot: int = 0
    next_order: int = 0
    generation: int = 0
    armed: list[list[bool]] = field(default_factory=lambda: [[], []])
    stage_one_fired: list[bool] = field(default_factory=lambda: [False, False])
    grid_profit: list[float] = field(default_factory=lambda: [0.0, 0.0])
    buffer: list[float] = field(default_factory=lambda: [0.0, 0.0])
    margin: list[float] = field(default_factory=lambda: [0.0, 0.0])  # isolated margin of each side
    filled: bool = False  # anything filled since the last decision
    memory: Any = None  # the strategy's own

    def side_lots(self, side: int) -> list[Lot]:
        """All lots of a side, best first: longs by ascending entry, shorts by descending; equal entries older first."""
        return sorted((lot for lot in self.lots if lot.side == side), key=lambda lot: (SIGN[side] * lot.entry, lot.id))

    def ranked(self, side: int) -> list[Lot]:
        """Lots of a side that have a rank: those without a queued market order."""
        return [lot for lot in self.side_lots(side) if not lot.pending]

    def qty(self, side: int) -> float:
        """Quantity held on a side, without the contract multiplier."""
        return sum(lot.qty for lot in self.lots if lot.side == side)

    def notional(self, side: int, price: float) -> float:
        """Notional of a side at a price."""
        return self.qty(side) * self.mult * price

    def unrealized(self, side: int, price: float) -> float:
        """`mult*(price*sum(qty) - sum(entry*qty))`, mirrored for shorts."""
        cost = sum(lot.entry * lot.qty for lot in self.lots if lot.side == side)
        return SIGN[side] * self.mult * (price * self.qty(side) - cost)

    def find(self, lot_id: int) -> Lot | None:
        """The open lot with this id."""
        for lot in self.lots:
            if lot.id == lot_id:
                return lot
        return None

    def place(self, kind: str, side: int, price: float, qty: float, **more: Any) -> Order:
        """Rest an order."""
        order = Order(kind, side, price, qty, self.next_order, **more)
        self.next_order += 1
        self.orders.append(order)
        return order

    def cancel_quotes(self) -> None:
        """Cancel entries and the strategy's take-profits."""
        self.orders = [order for order in self.orders if order.kind == STOP or order.own]

    def cancel_stops(self) -> None:
        """Cancel the strategy's stops."""
        self.orders = [order for order in self.orders if order.kind != STOP or order.own]

    def cancel_everything(self) -> None:
        """Cancel all orders, queued market orders too, and arm every level."""
        self.orders = []
        self.market_orders = []
        for lot in self.lots:
            lot.pending = False
        self.arm_all()

    def arm_all(self) -> None:
        """Every level may quote again."""
        self.armed = [[True] * len(levels) for levels in self.armed]

    def queue_market_close(self, lot: Lot, label: str) -> None:
        """Close a lot at the next real open; from now on it has no exit of its own and no rank."""
        lot.pending = True
        self.market_orders.append(MarketOrder(lot, label))
        self.orders = [order for order in self.orders if order.lot != lot.id]


@dataclass(eq=False)
class World:
    """One wallet with its instruments, the terms of trade, and the log."""

    wallet: float
    account: dict[str, Any]
    execution: dict[str, Any]
    books: list[Book]
    stopped: bool = False
    bar: int = 0
    time: int = 0
    sub_bar: int = 0  # which finer bar is walked
    over: bool = False  # the bar has ended for every instrument
    gates: Any = None  # rules of a funded account, see tests.twin.risk_gates
    ended: set[int] = field(default_factory=set)  # instruments for which the bar has ended
    events: list[dict[str, Any]] = field(default_factory=list)
    counters: Counter[str] = field(default_factory=Counter)

    @property
    def isolated(self) -> bool:
        """Isolated margin."""
        return bool(self.account["margin"] == "isolated")

    @property
    def exposure(self) -> float:
        """`exposure`, by default equal to `leverage`."""
        given = self.account.get("exposure")
        return float(self.account["leverage"] if given is None else given)

    def equity(self) -> float:
        """Wallet and unrealized PnL of everything at its last mark."""
        return self.wallet + sum(book.unrealized(side, book.mark) for book in self.books for side in SIDES)

    @property
    def closed_to_entries(self) -> bool:
        """No entry may be quoted: trading has stopped, or a rule of a funded account pauses it."""
        return self.stopped or (self.gates is not None and self.gates.entries_stopped)

    def look(self) -> None:
        """Show the equity where the path stands to the rules of a funded account."""
        if self.gates is not None:
            self.gates.look()

    def flat(self) -> bool:
        """Nothing is held."""
        return not any(book.lots for book in self.books)

    def log(
        self,
        book: Book,
        label: str,
        side: int = NO_SIDE,
        price: float = 0.0,
        qty: float = 0.0,
        fee: float = 0.0,
        realized_pnl: float = 0.0,
        funding: float = 0.0,
        lot: int = -1,
        level: int = -1,
    ) -> None:
        """Append an event; `wallet` is the balance after it, `level` the grid level that opened the lot."""
        self.events.append(
            {
                "time": self.time,
                "bar": self.bar,
                "instrument": book.index,
                "label": label,
                "side": "" if side == NO_SIDE else SIDE_NAME[side],
                "price": price,
                "qty": qty,
                "fee": fee,
                "realized_pnl": realized_pnl,
                "funding": funding,
                "wallet": self.wallet,
                "lot": lot,
                "level": level,
            }
        )
