"""A user's own strategy: lots that carry their own exits, what its functions may do, and how its mistakes are told."""

from __future__ import annotations

import numpy as np
import pytest
from numba import config, njit

import backtest as bt
from backtest.strategy import Strategy
from engine.errors import InputError
from engine.toolbox import LONG, SHORT, cancel_entries, ceil_to, floor_to, place_bracket_entry

COMPILED = not config.DISABLE_JIT
TICK = 0.1
NEAR = 1e-6 * TICK
SLIPPAGE = 0.0002
PROFIT, LOSS = 0.001, 0.0015  # own exits, share of the entry price


@njit
def quote_brackets(parameters, row, account, state, instrument, terms, memory):
    """Three entries a side beside the close; each lot leaves a fixed share of its price away."""
    cancel_entries(state)
    for side in (LONG, SHORT):
        if state["lot_count"][side] == 0:
            sign = 1.0 if side == LONG else -1.0
            for rung in range(3):
                price = floor_to(row[3] * (1.0 - sign * (0.0002 + 0.0005 * rung)), 0.1)
                profit = ceil_to(price * (1.0 + sign * parameters["profit"]), 0.1)
                loss = floor_to(price * (1.0 - sign * parameters["loss"]), 0.1)
                place_bracket_entry(account, state, instrument, terms, side, -1, price, 0.01, np.inf, profit, loss)


@njit
def allocate(parameters, row, account, state, instrument, terms, memory):
    copied = np.zeros(row.size)
    copied[:] = row
    memory[0] += copied.max()
    memory[1] += 1.0


@njit
def take_two(parameters, row):
    return


@njit
def misspell(parameters, row, account, state, instrument, terms, memory):
    memory[0] += parameters["proft"]


def market(days: int, sub_bars: str | None = None) -> bt.Market:
    end = np.datetime64("2026-01-01")
    return bt.load("BTC", start=str(end - days), end=str(end), source="simulated", warmup=2, sub_bars=sub_bars)


def brackets(**params: float) -> Strategy:
    return Strategy(quote_brackets, {"profit": PROFIT, "loss": LOSS, **params})


def first_exit(bars: bt.Market, side: str, entry: float, begin: int) -> tuple[int, set[float]]:
    """The first bar from `begin` on that reaches an exit of a lot, and the prices at which it may leave in it."""
    sign = 1.0 if side == "LONG" else -1.0
    profit = np.ceil(entry * (1.0 + sign * PROFIT) / TICK - 1e-9) * TICK
    loss = np.floor(entry * (1.0 - sign * LOSS) / TICK + 1e-9) * TICK
    gain = bars.high >= profit - NEAR if sign > 0 else bars.low <= profit + NEAR
    lose = bars.low <= loss + NEAR if sign > 0 else bars.high >= loss - NEAR
    bar = begin + int(np.argmax((gain | lose)[begin:]))
    prices = {round(profit, 6)} if gain[bar] else set()
    # Until its exits were live the price may have gone past the stop: then the market stands at the open.
    stopped = sign * min(sign * loss, sign * bars.open[bar])
    return bar, prices | ({round(stopped * (1.0 - sign * SLIPPAGE), 6)} if lose[bar] else set())


def closed_lots(result: bt.Result) -> list[tuple[str, float, int, float, int]]:
    """Side, entry price, bar of entry, exit price, bar of exit of every lot that has been closed."""
    trades = result.trades
    found = []
    for _, events in trades[trades["lot"] >= 0].groupby("lot"):
        opened, *exits = events.to_dict("records")
        if exits:
            assert len(exits) == 1
            found.append((opened["position_side"], opened["price"], opened["bar"], exits[0]["price"], exits[0]["bar"]))
    return found


@pytest.mark.skipif(not COMPILED, reason="too long without the compiler")
def test_own_exits_fill_where_the_path_first_meets_them_over_many_lots() -> None:
    bars = market(90)
    lots = closed_lots(bt.run(bars, brackets()))
    assert len(lots) > 2_500  # more than a book of orders holds
    for side, entry, opened, price, closed in lots:
        bar, prices = first_exit(bars, side, entry, opened + 1)
        assert closed == bar
        assert round(price, 6) in prices


def test_own_exits_are_live_from_the_next_sub_bar() -> None:
    bars = market(6, sub_bars="1m")
    fine = bt.load("BTC", start="2025-12-26", end="2026-01-01", timeframe="1m", source="simulated", warmup=30)
    lots = closed_lots(bt.run(bars, brackets()))
    assert len(lots) > 100
    within = 0
    for side, entry, opened, price, closed in lots:
        # The price is continuous: the entry filled in the first minute of its bar that reaches it.
        minutes = np.flatnonzero((fine.time - bars.time[0]) // bars.timeframe.ms == opened)
        held = minutes[(fine.low[minutes] <= entry + NEAR) & (fine.high[minutes] >= entry - NEAR)]
        minute, prices = first_exit(fine, side, entry, int(held[0]) + 1)
        assert closed == (fine.time[minute] - bars.time[0]) // bars.timeframe.ms
        assert round(price, 6) in prices
        within += closed == opened
    assert within > 20  # opened and closed in the same coarse bar


def test_what_has_filled_leaves_the_books() -> None:
    result = bt.run(market(10), brackets())
    assert len(result.lots) > 100
    open_lots = int((result.lots["how"] == "open").sum())
    # What stands is what the last bars left: the exits of the lots still open, and what filled since the last decision.
    assert int(result.states[0]["order_count"].sum()) <= 4 * open_lots + 20


def test_strategies_of_one_decide_share_its_loops() -> None:
    first, second = brackets(), brackets(profit=0.002)
    assert first.program.run_alone is second.program.run_alone
    assert first.program is first.program


def test_a_decision_may_allocate() -> None:
    bars = market(1)
    result = bt.run(bars, Strategy(allocate))
    assert result.memory[0]["memory_0"] == pytest.approx(float(np.sum(np.max([bars.high, bars.volume], axis=0)[1:-1])), rel=1e-12)


def test_a_row_that_is_not_finite_decides_nothing() -> None:
    def late(open_, high, low, close, volume):
        column = close.copy()
        column[:50] = np.nan
        return column[:, np.newaxis]

    bars = market(1)
    result = bt.run(bars, Strategy(allocate, indicators=late, warmup=2))
    assert result.memory[0]["memory_1"] == len(bars) - 1 - 50


def test_indicators_cannot_change_the_market() -> None:
    def greedy(open_, high, low, close, volume):
        table = np.column_stack([open_, high, low, close])
        low[:] = 0.0
        close[:] = 0.0
        return table

    bars = market(2)
    honest = Strategy(quote_brackets, {"profit": PROFIT, "loss": LOSS})
    same = Strategy(quote_brackets, {"profit": PROFIT, "loss": LOSS}, greedy)
    assert bt.run(bars, same).trades.equals(bt.run(bars, honest).trades)


@pytest.mark.parametrize(
    ("indicators", "told"),
    [
        (lambda *bars: bars[3], r"an array of shape \(500,\) for 500 bars: it must be \(bars, columns\)"),
        (lambda *bars: np.ones((7, 2)), r"shape \(7, 2\) for 500 bars"),
        (lambda *bars: np.ones((bars[0].size, 1 + (bars[0].size != 500))), r"2 columns for \d+ bars and 1 before"),
    ],
    ids=["one dimension", "other rows", "other columns later"],
)
def test_indicators_of_another_shape_are_refused(indicators, told) -> None:
    with pytest.raises(InputError, match=told):
        bt.run(market(1), Strategy(allocate, indicators=indicators))


@pytest.mark.skipif(not COMPILED, reason="these are the compiler's refusals")
def test_what_does_not_compile_is_told_in_one_sentence() -> None:
    with pytest.raises(InputError, match=r"must be a function compiled with numba.njit"):
        Strategy(lambda *arguments: None)
    with pytest.raises(InputError, match="it does not take these seven arguments"):
        bt.run(market(1), Strategy(take_two))
    with pytest.raises(InputError, match=r"decide of strategy mine .*Field 'proft' was not found .*test_user_strategy.py") as refusal:
        bt.run(market(1), Strategy(misspell, {"profit": 1.0}, name="mine"))
    assert "\n" not in str(refusal.value)
