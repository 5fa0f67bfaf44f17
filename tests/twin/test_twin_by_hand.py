"""The twin against arithmetic done by hand: tables of candles and the fills they must give."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.twin.cases import ACCOUNT, EXECUTION, ROUND_TERMS, Case, long, short
from tests.twin.margin import breach_price, cross_excess
from tests.twin.records import LONG, Book, Lot, World

FLAT = (100, 100, 100, 100)


@pytest.mark.parametrize(
    ("candle", "path", "expected"),
    [
        # open 100: the high is 3 away, the low 1: low first
        ((100, 103, 99, 101), "nearest", ["BUY_OPEN_LONG", "SELL_OPEN_SHORT"]),
        # the high is 2 away, the low 3: high first
        ((100, 102, 97, 101), "nearest", ["SELL_OPEN_SHORT", "BUY_OPEN_LONG"]),
        # a tie goes to the low
        ((100, 102, 98, 101), "nearest", ["BUY_OPEN_LONG", "SELL_OPEN_SHORT"]),
        ((100, 102, 98, 101), "high_first", ["SELL_OPEN_SHORT", "BUY_OPEN_LONG"]),
        ((100, 102, 97, 101), "low_first", ["BUY_OPEN_LONG", "SELL_OPEN_SHORT"]),
    ],
)
def test_path_inside_the_bar(candle: tuple[float, ...], path: str, expected: list[str]) -> None:
    case = Case([FLAT, candle], orders={1: [long(99.5), short(101.5)]}, execution={"path": path})
    assert case.column("label") == expected


@pytest.mark.parametrize(
    ("terms", "low", "fills"),
    [
        ({}, 99.0, True),  # a touch
        ({"through": 1.0}, 99.0, False),  # one tick through is 98.9
        ({"through": 1.0}, 98.9, True),
        ({"through_bps": 10.0}, 98.91, False),  # 10 bps of 99 are 0.099: 98.901
        ({"through_bps": 10.0}, 98.901, True),
        ({"through": 1.0, "through_bps": 10.0}, 98.9, False),  # both: 98.801
        ({"through": 1.0, "through_bps": 10.0}, 98.8, True),
        # A probability next to nothing: every coin falls tails, and the order fills as one at 98.9 would.
        ({"touch_probability": 1e-9}, 99.0, False),
        ({"touch_probability": 1e-9}, 98.9, True),
        ({"touch_probability": 1e-9, "through": 1.0}, 98.9, False),
        ({"touch_probability": 1e-9, "through": 1.0}, 98.8, True),
        ({"touch_probability": 1e-9, "through_bps": 10.0}, 98.802, False),  # 98.9 less 10 bps is 98.8011
        ({"touch_probability": 1e-9, "through_bps": 10.0}, 98.801, True),
    ],
)
def test_touch_and_through(terms: dict[str, float], low: float, fills: bool) -> None:
    case = Case([FLAT, (100, 100, low, 100)], orders={1: [long(99.0)]}, execution=terms)
    assert case.fills() == ([(1, "BUY_OPEN_LONG", 99.0, 1.0)] if fills else [])


def test_binary_fractions_decide_nothing() -> None:
    # 3*0.1 is 0.30000000000000004, above the high of 0.3, and is the same price.
    case = Case([(0.2, 0.2, 0.2, 0.2), (0.2, 0.3, 0.2, 0.2)], orders={1: [short(3 * 0.1, 10.0)]})
    assert case.column("label") == ["SELL_OPEN_SHORT"]


def test_open_beyond_a_limit_fills_at_the_limit_nearest_first() -> None:
    # The open of 96 is through both buys: at their own prices, never at 96; the higher one first whatever was placed first.
    case = Case([FLAT, (96, 96, 96, 96)], orders={1: [long(97.0), long(98.0)]})
    assert case.fills() == [(1, "BUY_OPEN_LONG", 98.0, 1.0), (1, "BUY_OPEN_LONG", 97.0, 1.0)]


def test_open_beyond_a_stop_fills_at_the_open_less_slippage() -> None:
    # Bought at 99 with a stop at 95. The next bar opens at 90: 90*(1 - 0.01) = 89.1, PnL 89.1 - 99 = -9.9.
    case = Case([FLAT, (100, 100, 99, 99), (90, 92, 90, 91)], orders={1: [long(99.0, stop_loss=95.0)]})
    assert case.fills() == [(1, "BUY_OPEN_LONG", 99.0, 1.0), (2, "STOP_LONG", 89.1, 1.0)]
    assert case.equity[-1] == pytest.approx(1000.0 - 9.9, abs=1e-9)


def test_on_the_path_a_stop_fills_at_its_own_price_less_slippage() -> None:
    # 95*(1 - 0.01) = 94.05 for the long; the short's stop at 103 buys at 103*(1 + 0.01) = 104.03.
    case = Case(
        [FLAT, (100, 101, 99, 100), (100, 104, 94, 100)],
        orders={1: [long(99.0, stop_loss=95.0), short(101.0, stop_loss=103.0)]},
    )
    assert case.fills()[2:] == [(2, "STOP_SHORT", 104.03, 1.0), (2, "STOP_LONG", 94.05, 1.0)]


def test_at_one_price_entries_before_take_profits_before_stops() -> None:
    # Bar 1 sells at 101 (target 95) and buys at 99 (stop 95). Bar 2 falls through 95, where an entry rests as well.
    case = Case(
        [FLAT, (100, 101, 99, 100), (100, 100, 94, 94)],
        orders={1: [long(99.0, stop_loss=95.0), short(101.0, take_profit=95.0)], 2: [long(95.0)]},
    )
    assert case.column("label")[2:] == ["BUY_OPEN_LONG", "BUY_CLOSE_SHORT", "STOP_LONG"]


def test_own_exits_wait_for_the_next_bar_and_the_first_removes_the_other() -> None:
    # Bar 1 buys at 99 and then passes 101, the target: not live yet. Bar 2 reaches 101 first and 95 afterwards: no stop is left.
    table = [FLAT, (100, 102, 99, 100), (100, 101, 94, 95)]
    case = Case(table, orders={1: [long(99.0, take_profit=101.0, stop_loss=95.0)]})
    assert case.fills() == [(1, "BUY_OPEN_LONG", 99.0, 1.0), (2, "SELL_CLOSE_LONG", 101.0, 1.0)]


def test_own_exits_are_live_from_the_next_sub_bar() -> None:
    # The same bar 1 in two finer ones: bought in the first, sold in the second.
    fine = {1: [(100, 100, 99, 99.5), (99.5, 102, 99.5, 100)]}
    case = Case([FLAT, (100, 102, 99, 100)], orders={1: [long(99.0, take_profit=101.0)]}, sub_bars=fine)
    assert case.fills() == [(1, "BUY_OPEN_LONG", 99.0, 1.0), (1, "SELL_CLOSE_LONG", 101.0, 1.0)]


def test_fees_and_ledger() -> None:
    # Buy 1 at 99, maker 0.1 %: 0.099. Stop at 95 sold at 94.05, taker 0.2 %: 0.1881. Wallet 1000 - 0.099 - 4.95 - 0.1881.
    case = Case(
        [FLAT, (100, 100, 99, 99), (99, 99, 95, 96)],
        orders={1: [long(99.0, stop_loss=95.0)]},
        execution={"fee_maker": 0.001, "fee_taker": 0.002},
    )
    assert case.column("fee") == pytest.approx([0.099, 0.1881])
    assert case.column("wallet") == pytest.approx([999.901, 994.7629])
    assert case.equity == pytest.approx([1000.0, 999.901, 994.7629])


def test_funding_goes_by_what_is_held_at_the_close() -> None:
    # Long 2 at 99 in bar 1. Close of bar 1: 2*102*0.001 = 0.204 paid; a zero rate logs nothing.
    # In bar 2 the lot is sold, so its settlement finds nothing; in bar 3 a short of 1 receives 1*100*0.002 = 0.2 and pays 0.05.
    case = Case(
        [FLAT, (100, 100, 99, 100), (100, 101, 100, 100), (100, 102, 100, 100)],
        orders={1: [long(99.0, 2.0, take_profit=101.0)], 3: [short(102.0)]},
        settlements={1: [(0.001, 102.0), (0.0, 102.0)], 2: [(0.001, 100.0)], 3: [(0.002, 100.0), (-0.0005, 100.0)]},
    )
    funding = [(e["bar"], e["side"], e["price"], e["qty"], round(e["funding"], 9)) for e in case.events if e["label"] == "FUNDING"]
    assert funding == [(1, "LONG", 102.0, 2.0, -0.204), (3, "SHORT", 100.0, 1.0, 0.2), (3, "SHORT", 100.0, 1.0, -0.05)]


def test_liquidation_at_its_own_price_with_its_fee() -> None:
    # 1000 + 50*(p - 100) = 0.01*50*p  ->  49.5 p = 4000  ->  p = 80.8080...; fee 0.5 % of 50*p = 20.2020...
    # Wallet 1000 - 959.5959... - 20.2020... = 20.2020...; stopped: the entry of bar 3 is never placed.
    case = Case(
        [FLAT, FLAT, (100, 100, 50, 60), (60, 60, 50, 60)],
        orders={1: [long(100.0, 50.0)], 3: [long(55.0)]},
        account={"leverage": 10.0},
    )
    price = 4000.0 / 49.5
    assert case.fills() == [(1, "BUY_OPEN_LONG", 100.0, 50.0), (2, "LIQUIDATION", round(price, 9), 50.0)]
    assert case.equity[2:] == pytest.approx([2000.0 / 99.0] * 2, rel=1e-12)
    assert case.counters["liquidations_on_path_down"] == 1


def test_after_a_liquidation_trading_goes_on_if_asked() -> None:
    case = Case(
        [FLAT, FLAT, (100, 100, 50, 60), (60, 60, 50, 60)],
        orders={1: [long(100.0, 50.0)], 2: [long(70.0)], 3: [long(55.0, 0.1)]},
        account={"leverage": 10.0, "after_liquidation": "continue"},
    )
    # The entry at 70 that rested in the bar of the liquidation was cancelled with it; bar 3 trades.
    assert case.column("label") == ["BUY_OPEN_LONG", "LIQUIDATION", "BUY_OPEN_LONG"]
    assert case.events[-1]["bar"] == 3


def test_gap_past_the_liquidation_price_leaves_a_shortfall() -> None:
    # Opened at 70: 1000 + 50*(70 - 100) - 0.005*50*70 = 1000 - 1500 - 17.5 = -517.5, credited to zero.
    case = Case([FLAT, FLAT, (70, 75, 70, 75)], orders={1: [long(100.0, 50.0)]}, account={"leverage": 10.0})
    assert case.fills()[1:] == [(2, "LIQUIDATION", 70.0, 50.0), (2, "SHORTFALL", 0.0, 0.0)]
    assert case.events[1]["wallet"] == pytest.approx(-517.5)
    assert case.events[2]["realized_pnl"] == pytest.approx(517.5)
    assert (case.events[2]["wallet"], case.equity[2], case.events[2]["side"]) == (0.0, 0.0, "")


def test_liquidation_on_the_way_up() -> None:
    # 1000 - 50*(p - 100) = 0.01*50*p  ->  50.5 p = 6000
    case = Case([FLAT, FLAT, (100, 150, 100, 120)], orders={1: [short(100.0, 50.0)]}, account={"leverage": 10.0})
    assert case.fills()[1] == (2, "LIQUIDATION", round(6000.0 / 50.5, 9), 50.0)
    assert case.counters["liquidations_on_path_up"] == 1


def test_a_fill_can_breach() -> None:
    # Bar 1: long 90 at 100. At 90: 1000 - 900 - 0.01*90*90 = 19 is left. There a second entry of 200 fills:
    # maintenance grows by 0.01*200*90 = 180 > 19, so both lots go at 90, best (cheapest) first.
    case = Case(
        [FLAT, FLAT, (100, 100, 89, 95)],
        orders={1: [long(100.0, 90.0)], 2: [long(90.0, 200.0)]},
        account={"leverage": 10.0},
    )
    assert case.fills()[1:4] == [(2, "BUY_OPEN_LONG", 90.0, 200.0), (2, "LIQUIDATION", 90.0, 200.0), (2, "LIQUIDATION", 90.0, 90.0)]
    assert case.counters["liquidations_after_fill"] == 1


TWO_COINS = [
    [FLAT, FLAT, (100, 110, 78, 100)],  # low first? 22 down, 10 up: the high first
    [FLAT, FLAT, (100, 130, 78, 100)],  # 22 down, 30 up: the low first
]


def test_joint_liquidation_of_a_shared_wallet() -> None:
    # Both at 78: 1000 - 2*25*22 - 0.01*2*25*78 = -139: each is closed at its low.
    case = Case(TWO_COINS, orders={1: [long(100.0, 25.0)]}, account={"leverage": 10.0})
    assert case.fills()[2:4] == [(2, "LIQUIDATION", 78.0, 25.0)] * 2
    assert case.column("instrument")[2:4] == [0, 1]
    assert case.counters["joint_liquidations"] == 1


def test_walked_one_after_the_other_the_same_account_lives() -> None:
    # First extremes: coin 0 to 110 (+250), coin 1 to 78 (-550). Second: coin 0 to 78 (-550) while coin 1 still stands at 78!
    # 1000 - 550 + 25*(p - 100) - 0.01*25*(p + 78) = 0  ->  24.75 p = 2069.5  ->  p = 83.6161...: liquidated on the way there,
    # coin 0 at p and coin 1 at its mark of 78. With a wallet of 1200: 650 - 550 - 39 = 61 is left and the account lives.
    poor = Case(TWO_COINS, orders={1: [long(100.0, 25.0)]}, account={"leverage": 10.0, "joint": "sequential"})
    assert poor.fills()[2:4] == [(2, "LIQUIDATION", round(2069.5 / 24.75, 9), 25.0), (2, "LIQUIDATION", 78.0, 25.0)]
    rich = Case(TWO_COINS, orders={1: [long(100.0, 25.0)]}, account={"leverage": 10.0, "joint": "sequential", "capital": 1200.0})
    assert len(rich.events) == 2
    assert rich.equity[-1] == pytest.approx(1200.0)


def test_isolated_margin_closes_one_side_only() -> None:
    # Margin of each side 10*100/10 = 100. Long: 100 + 10*(p - 100) = 0.01*10*p  ->  9.9 p = 900  ->  p = 90.9090...
    # Loss 90.9090..., fee 0.005*909.09 = 4.5454...: wallet 904.5454...; the short stays and at 80 is worth +200.
    case = Case(
        [FLAT, FLAT, (100, 100, 80, 80)],
        orders={1: [long(100.0, 10.0), short(100.0, 10.0)], 2: [long(85.0)]},
        account={"leverage": 10.0, "margin": "isolated"},
    )
    price = 900.0 / 9.9
    assert case.fills()[2:] == [(2, "LIQUIDATION", round(price, 9), 10.0)]  # the entry at 85 was cancelled, the bar ended
    assert case.column("side")[2] == "LONG"
    assert case.equity[-1] == pytest.approx(1000.0 - 90.0 / 0.99 - 0.05 * price + 200.0, rel=1e-12)


def test_isolated_margin_leaves_with_the_lots_and_the_bar_ends() -> None:
    # Lots of 10 at 100 and at 98: margin (1000 + 980)/10 = 198. The second is sold at 101: half of it, 99, stays.
    # 99 + 10*(p - 100) = 0.1*p  ->  p = 901/9.9 = 91.0101...
    table = [FLAT, (100, 100, 98, 100), (100, 101, 100, 100), (100, 100, 90, 95)]
    case = Case(
        table, orders={1: [long(100.0, 10.0), long(98.0, 10.0, take_profit=101.0)]}, account={"leverage": 10.0, "margin": "isolated"}
    )
    assert case.fills()[2:] == [(2, "SELL_CLOSE_LONG", 101.0, 10.0), (3, "LIQUIDATION", round(901.0 / 9.9, 9), 10.0)]


def test_an_isolated_liquidation_ends_the_bar_of_its_instrument() -> None:
    # Bar 2 falls through 90.9090... (long liquidated) and then rises to 115, past 1100/10.1 = 108.91... of the short: the bar
    # has ended. Bar 3 opens at 115: the short goes there. Its target of 80 was cancelled with all orders.
    case = Case(
        [FLAT, FLAT, (100, 115, 90, 100), (79, 79, 79, 79), (115, 115, 115, 115)],
        orders={1: [long(100.0, 10.0), short(100.0, 10.0, take_profit=80.0)]},
        account={"leverage": 10.0, "margin": "isolated"},
    )
    assert case.fills()[3:] == [(4, "LIQUIDATION", 115.0, 10.0)]
    assert case.column("side")[2:] == ["LONG", "SHORT"]


def test_volume_share_limits_a_fill() -> None:
    # A tenth of 7 is 0.7: of the unit asked for 0.7 fills and the rest is cancelled; a tenth of 0.5 is less than a step.
    table = [FLAT, (100, 100, 99, 100), (100, 100, 99, 100)]
    case = Case(table, orders={1: [long(99.0)]}, execution={"max_volume_share": 0.1}, volume=7.0)
    assert case.fills() == [(1, "BUY_OPEN_LONG", 99.0, 0.7)]
    assert Case(table, orders={1: [long(99.0)]}, execution={"max_volume_share": 0.1}, volume=0.5).events == []


def test_a_gap_bar_fills_nothing_and_pays_funding() -> None:
    case = Case(
        [FLAT, (100, 100, 99, 100), None],
        orders={1: [long(99.0)], 2: [long(100.0)]},
        settlements={2: [(0.001, 100.0)]},
    )
    assert case.column("label") == ["BUY_OPEN_LONG", "FUNDING"]


def test_a_delisted_instrument_closes_at_its_last_close() -> None:
    # Coin 1 ends in bar 2 at 98: long 1 at 99 loses 1, taker fee 0.2 % of 98. Coin 0 lives on.
    case = Case(
        [[FLAT] * 4, [FLAT, (100, 100, 99, 99), (99, 99, 98, 98), "-"]],
        orders={(1, 1): [long(99.0)]},
        execution={"fee_taker": 0.002},
    )
    assert case.fills() == [(1, "BUY_OPEN_LONG", 99.0, 1.0), (2, "DELISTED", 98.0, 1.0)]
    assert case.equity == pytest.approx([1000.0, 1000.0, 998.804, 998.804])


@pytest.mark.parametrize("root", [1e-8, 0.25, 80.80808080808081, 31967.27, 1e12])
def test_the_root_is_found_to_the_last_bits(root: float) -> None:
    found: Any = breach_price(lambda p: p - root, 2.0 * root, 0.5 * root)
    assert math.isclose(found, root, rel_tol=1e-15)


def test_the_exchange_s_worked_example() -> None:
    # Two longs in one cross wallet; the exchange publishes 1 153.26 for ETH and 26 316.89 for BTC, each with the other at its mark.
    eth, btc = (
        held_long(k, *position) for k, position in enumerate([(3683.979, 1456.84, 0.1, 135_365.0), (109.488, 32_481.98, 0.025, 16_300.0)])
    )
    eth.mark, btc.mark = 1335.18, 31_967.27
    world = World(1_535_443.01, ACCOUNT, EXECUTION, [eth, btc])
    assert breach_price(lambda p: cross_excess(world, [p, btc.mark]), eth.mark, 1.0) == pytest.approx(1153.26, abs=0.005)
    assert breach_price(lambda p: cross_excess(world, [eth.mark, p]), btc.mark, 1.0) == pytest.approx(26_316.89, abs=0.005)


def held_long(index: int, qty: float, entry: float, rate: float, cum: float) -> Book:
    """A book with one long lot in a single tier."""
    tiers = [{**ROUND_TERMS["tiers"][0], "rate": rate, "cum": cum}]
    book = Book(index, 0.01, 0.001, 0.001, 5.0, 1.0, tiers, 0.5, 0, 0)
    book.lots.append(Lot(0, LONG, entry, qty, 0.0, 0, -1, 0))
    return book
