"""The bar loop: all instruments decide, the exchange walks the bar, funding, marking, and a check of the ledger."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from tests.twin import adaptive_grid, static_grid
from tests.twin.exchange import Candle, walk_candles
from tests.twin.indicators import adaptive_grid_rows
from tests.twin.ledger import close_lot, credit_shortfall, pay_funding, stop_trading
from tests.twin.records import ABSENT, ENTRY, GAP, LONG, SHORT, SIDES, SIGN, TRADED, Book, World
from tests.twin.risk_gates import RiskGates

Strategy = str | Callable[[dict[str, Any]], list[dict[str, Any]]]


def simulate(
    strategy: Strategy,
    parameters: list[dict[str, Any]],
    account: dict[str, Any],
    execution: dict[str, Any],
    instruments: list[dict[str, Any]],
    time: list[int],
    timeframe_ms: int,
    bars: list[dict[str, list[float]]],
    kinds: list[list[int]],
    settlements: list[list[list[tuple[float, float]]]],
    sub_bars: list[dict[int, list[Candle]] | None],
    trade_from: int,
    indicators: list[list[dict[str, float]]] | None = None,
    evaluation: dict[str, Any] | None = None,
    sessions: list[tuple[int, int]] | None = None,
) -> tuple[list[dict[str, Any]], list[float], dict[str, int]]:
    """Run one wallet with one or more instruments and return the event log, the equity of every bar, and counters.

    `strategy` is "adaptive_grid", "static_grid", or a function that is given a view of one instrument and returns its
    entries for the bar (see `own_orders`). `bars` and `kinds` (0 absent, 1 gap, 2 traded) are per instrument on the common
    grid `time` (ms, open times); `settlements` holds (rate, mark price) pairs per bar; `sub_bars` complete sets of finer
    candles by bar; `indicators` takes the place of the twin's own rows; `evaluation` are the rules of a funded account (`sessions`:
    number and code of every bar's session, see `RiskGates`).
    """
    assert all(later - earlier == timeframe_ms for earlier, later in pairwise(time))
    books = [new_book(index, terms, kinds[index]) for index, terms in enumerate(instruments)]
    world = World(account["capital"], account, execution, books)
    rows: list[list[dict[str, float]]] = indicators or []
    if strategy == "adaptive_grid" and indicators is None:
        rows = [adaptive_grid_rows(bars[b.index], b.first_bar, parameters[b.index]) for b in books]
    if evaluation is not None:
        ranges = [true_ranges(bars[b.index], b.first_bar, evaluation["atr_period"]) for b in books]
        world.gates = RiskGates(world, evaluation, sessions or [], ranges)
        for book in books if trade_from else []:
            before = bars[book.index]["close"][trade_from - 1]
            book.mark = book.mark if math.isnan(before) else before
    gates = world.gates
    equity = []
    checked = [0, 0.0]  # events summed so far, and their sum
    for bar in range(len(time)):
        world.bar, world.time, world.sub_bar, world.over, world.ended = bar, time[bar], 0, False, set()
        here = [book for book in books if kinds[book.index][bar] != ABSENT]
        if gates is not None and bar >= trade_from:
            gates.before(bar)

        # In bar i first all instruments decide, on the account as at the close of i-1.
        for book in here:
            if bar < max(trade_from, book.first_bar + 1) or (world.stopped and world.flat()):
                continue
            close = bars[book.index]["close"][bar - 1]
            if strategy == "adaptive_grid":
                adaptive_grid.decide(world, book, parameters[book.index], rows[book.index])
            elif strategy == "static_grid":
                static_grid.decide(world, book, parameters[book.index], close)
            else:
                assert callable(strategy)
                own_orders(world, book, strategy, bars[book.index])
        if gates is not None:
            gates.close_out()
        for book in here:
            if kinds[book.index][bar] == GAP and book.market_orders:
                world.counters["gap_bars_with_pending_market_orders"] += 1

        walk_bar(world, bar, bars, kinds, sub_bars)

        for book in here:
            book.mark = bars[book.index]["close"][bar]
        for book in here:
            for rate, mark_price in settlements[book.index][bar]:
                pay_funding(world, book, rate, mark_price)
            if bar == book.last_bar and bar < len(time) - 1:
                delist(world, book)
            elif bar == book.last_bar and world.execution.get("close_at_end", False):
                close_at_end(world, book)

        if gates is not None and bar >= trade_from:
            gates.after()
        equity.append(world.equity())
        check_ledger(world, checked)
    return world.events, equity, dict(world.counters)


def true_ranges(bars: dict[str, list[float]], first: int, period: int) -> list[float]:
    """Wilder's average true range, known from `period` bars after the instrument's first on: a mean, then a slow average."""
    high, low, close = bars["high"], bars["low"], bars["close"]
    out = [math.nan] * len(close)
    single = [max(high[i], close[i - 1]) - min(low[i], close[i - 1]) for i in range(first + 1, len(close))]
    for count in range(period, len(single) + 1):
        last = out[first + count - 1]
        start = count == period
        out[first + count] = sum(single[:period]) / period if start else (last * (period - 1) + single[count - 1]) / period
    return out


def new_book(index: int, terms: dict[str, Any], kinds: list[int]) -> Book:
    """An instrument before its first bar."""
    present = [bar for bar, kind in enumerate(kinds) if kind != ABSENT]
    return Book(
        index=index,
        tick=terms["tick_size"],
        step=terms["step_size"],
        min_qty=terms["min_qty"],
        min_notional=terms["min_notional"],
        mult=terms["contract_multiplier"],
        tiers=terms["tiers"],
        weight=terms["weight"],
        first_bar=present[0] if present else len(kinds),
        last_bar=present[-1] if present else len(kinds),
    )


def walk_bar(
    world: World,
    bar: int,
    bars: list[dict[str, list[float]]],
    kinds: list[list[int]],
    sub_bars: list[dict[int, list[Candle]] | None],
) -> None:
    """The coarse candles, or the finer ones when every instrument that trades in this bar has them."""
    traded = [book.index for book in world.books if kinds[book.index][bar] == TRADED]
    finer = {index: (sub_bars[index] or {}).get(bar) for index in traded}
    if traded and all(finer.values()):
        counts = {len(candles or []) for candles in finer.values()}
        assert len(counts) == 1, "sub-bars of instruments that share a wallet have one timeframe"
        world.counters["bars_walked_finer"] += 1
        for k in range(counts.pop()):
            world.sub_bar = k
            candles = {index: (finer[index] or [])[k] for index in traded}
            walk_candles(world, candles, [index for index in traded if candles[index][4] > 0.0])
            if world.over:
                return
        return
    names = ("open", "high", "low", "close", "volume")
    coarse: dict[int, Candle] = {index: tuple(bars[index][name][bar] for name in names) for index in traded}  # type: ignore[misc]
    walk_candles(world, coarse, traded)


def delist(world: World, book: Book) -> None:
    """Lots open after the instrument's last bar close at its last close, taker fee, no slippage."""
    for side in SIDES:
        for lot in book.side_lots(side):
            close_lot(world, book, lot, lot.qty, book.mark, "DELISTED", world.execution["fee_taker"])
    book.cancel_everything()
    if credit_shortfall(world, book):
        stop_trading(world)


def close_at_end(world: World, book: Book) -> None:
    """Lots open after the last bar of the run close at its close, taker fee, slippage of stops against them."""
    given = world.execution.get("slippage_stop")
    slip = world.execution["slippage"] if given is None else given
    for side in SIDES:
        for lot in book.side_lots(side):
            price = book.mark * (1.0 - SIGN[side] * slip)
            close_lot(world, book, lot, lot.qty, price, "END_OF_RUN", world.execution["fee_taker"])
    book.cancel_everything()
    if credit_shortfall(world, book):
        stop_trading(world)


def own_orders(world: World, book: Book, strategy: Callable[[dict[str, Any]], list[dict[str, Any]]], bars: dict[str, list[float]]) -> None:
    """Ask a function for its entries; they replace all resting entries.

    It is given a dict: instrument (index), bar, time, bars (lists up to the bar before), lots, wallet, equity, memory (a dict
    of its own). It returns dicts with side ("LONG"/"SHORT"), price, qty and optionally take_profit, stop_loss, level.
    """
    if book.memory is None:
        book.memory = {}
    view = {
        "instrument": book.index,
        "bar": world.bar,
        "time": world.time,
        "bars": {name: values[: world.bar] for name, values in bars.items()},
        "lots": [dict(vars(lot)) for side in SIDES for lot in book.side_lots(side)],
        "wallet": world.wallet,
        "equity": world.equity(),
        "memory": book.memory,
    }
    book.cancel_quotes()
    book.filled = False
    for wish in strategy(view):
        if not world.closed_to_entries:
            side = LONG if wish["side"] == "LONG" else SHORT
            exits = {name: wish.get(name) for name in ("take_profit", "stop_loss")}
            book.place(ENTRY, side, wish["price"], wish["qty"], level=wish.get("level", -1), **exits)


def check_ledger(world: World, checked: list[Any]) -> None:
    """`wallet = capital + sum(realized) - sum(fees) + sum(funding) + sum(shortfall)`, equity by lot, nothing negative."""
    for event in world.events[checked[0] :]:
        checked[1] += event["realized_pnl"] - event["fee"] + event["funding"]
    checked[0] = len(world.events)
    capital = world.account["capital"]
    gross = sum(book.notional(side, book.mark) for book in world.books for side in SIDES)
    allowed = 1e-9 * max(capital, gross)
    assert abs(world.wallet - (capital + checked[1])) <= allowed, "wallet is not the sum of its events"
    if world.events:
        assert world.events[-1]["wallet"] == world.wallet, "the log's last wallet is not the wallet"
    by_lot = 0.0
    for book in world.books:
        for lot in book.lots:
            assert math.isfinite(lot.qty), "a lot without a quantity"
            assert lot.qty >= 0.5 * book.step, "a lot smaller than a step"
            by_lot += SIGN[lot.side] * (book.mark - lot.entry) * lot.qty * book.mult
        for side in SIDES:
            assert (book.margin[side] > 0.0) == (book.qty(side) > 0.0), "margin without a position, or the reverse"
        assert all(order.lot == -1 or book.find(order.lot) for order in book.orders), "an exit without its lot"
    assert abs(world.equity() - (world.wallet + by_lot)) <= allowed, "equity is not wallet plus unrealized"
