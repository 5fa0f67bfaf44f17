"""Liquidations worked out by hand: on the way, at the open, upwards, of one isolated side, of two coins together, on real bars."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backtest as bt
from engine.records import LABELS
from tests.agreement.compiled import events_of, feed_of, machine_of
from tests.twin.cases import ACCOUNT, EXECUTION, MINUTES_15, STATIC, columns

# Maintenance: 0.4 % of notional up to 5,000; above it 1 % less 30 = 5,000*(1 % - 0.4 %).
TIERS = [
    {"floor": 0.0, "cap": 5e3, "rate": 0.004, "cum": 0.0, "max_leverage": 125.0},
    {"floor": 5e3, "cap": 1e9, "rate": 0.01, "cum": 30.0, "max_leverage": 100.0},
]
Candle = tuple[float, float, float, float]


def run_static(*candles: list[Candle], qty: float = 100.0, short: bool = False, **account: Any) -> tuple[list[dict[str, Any]], list[float]]:
    """Events and equity of a static grid with one rung a side, 1 % from the first close; fees 0.02 % (maker), 0.5 % (liquidation)."""
    tables = [columns(list(own), 1e6) for own in candles]
    length, count = len(candles[0]), len(candles)
    run = {
        "strategy": "static_grid",
        "parameters": [{**STATIC, "grid_levels": 1, "step": 0.01, "order_qty": qty, "allow_short": short}] * count,
        "account": {**ACCOUNT, "capital": 200.0, "leverage": 50.0, "joint": "sequential", **account},
        "execution": {**EXECUTION, "fee_maker": 0.0002, "liquidation_fee": 0.005, "path": "low_first"},
        "instruments": [
            {
                "symbol": "HAND",
                "tick_size": 0.01,
                "step_size": 0.1,
                "min_qty": 0.1,
                "min_notional": 1.0,
                "contract_multiplier": 1.0,
                "tiers": TIERS,
                "weight": 1.0 / count,
            }
        ]
        * count,
        "time": [i * MINUTES_15 for i in range(length)],
        "timeframe_ms": MINUTES_15,
        "bars": [table for table, _ in tables],
        "kinds": [kinds for _, kinds in tables],
        "settlements": [[[] for _ in range(length)]] * count,
        "sub_bars": [{}] * count,
        "trade_from": 1,
    }
    machine, feed = machine_of(run), feed_of(run)
    log, equity = machine.run(feed, machine.indicators(feed), 1)
    return events_of(log), equity.tolist()


def rows(events: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(event[name] for name in ("label", "instrument", *names)) for event in events]


FLAT: Candle = (100.0, 100.0, 100.0, 100.0)
DIP: Candle = (100.0, 100.0, 98.5, 99.5)  # fills the long rung at 99
RISE: Candle = (100.0, 101.5, 100.0, 100.5)  # fills the short rung at 101


def test_a_long_is_liquidated_at_its_price() -> None:
    # Entry: 100 at 99, notional 9,900, initial margin 9,900/50 = 198 <= 200. Maker fee 1.98: wallet 198.02.
    # Second tier: 198.02 + 100*(p - 99) = 0.01*100*p - 30  ->  99 p = 9,900 - 198.02 - 30 = 9,671.98  ->  p = 97.69676768
    # (notional there 9,769.68, so it is the second tier). Loss 130.323232; fee 0.005*9,769.676768 = 48.848384.
    events, equity = run_static([FLAT, DIP, (99.5, 99.6, 95.0, 96.0), (96.0, 96.0, 96.0, 96.0)])
    assert [row[0] for row in rows(events)] == ["BUY_OPEN_LONG", "LIQUIDATION"]
    liquidation = events[1]
    price = 9671.98 / 99.0
    assert liquidation["bar"] == 2
    assert liquidation["price"] == pytest.approx(price, rel=1e-12)
    assert liquidation["fee"] == pytest.approx(0.005 * 100.0 * price, rel=1e-12)
    assert liquidation["realized_pnl"] == pytest.approx(100.0 * (price - 99.0), rel=1e-12)
    assert liquidation["wallet"] == pytest.approx(198.02 - 130.32323232 - 48.84838384, abs=1e-6)
    assert equity[-2:] == [liquidation["wallet"]] * 2  # it has stopped


def test_a_smaller_long_is_liquidated_in_the_first_tier() -> None:
    # 50 at 99: notional 4,950, fee 0.99. With a wallet of 100: 99.01 + 50*(p - 99) = 0.004*50*p  ->  49.8 p = 4,950 - 99.01 = 4,850.99.
    events, _ = run_static([FLAT, DIP, (99.5, 99.6, 95.0, 96.0)], qty=50.0, capital=100.0)
    assert events[1]["label"] == "LIQUIDATION"
    assert events[1]["price"] == pytest.approx(4850.99 / 49.8, rel=1e-12)


def test_a_gap_through_the_price_liquidates_at_the_open_and_leaves_a_shortfall() -> None:
    # Open at 90: 198.02 + 100*(90 - 99) < 0. Loss 900, fee 0.005*9,000 = 45: wallet -746.98, which is credited.
    events, equity = run_static([FLAT, DIP, (90.0, 92.0, 89.0, 91.0), (91.0, 91.0, 91.0, 91.0)])
    assert [row[0] for row in rows(events)] == ["BUY_OPEN_LONG", "LIQUIDATION", "SHORTFALL"]
    assert events[1]["price"] == 90.0
    assert events[1]["wallet"] == pytest.approx(-746.98, abs=1e-9)
    assert events[2]["realized_pnl"] == pytest.approx(746.98, abs=1e-9)
    assert events[2]["wallet"] == 0.0
    assert equity[-2:] == [0.0, 0.0]


def test_a_short_is_liquidated_upwards() -> None:
    # 90 at 101 (the margin of both rungs would be 90*(99 + 101)/50 = 360 <= 400): notional 9,090, fee 1.818: wallet 398.182.
    # 398.182 + 90*(101 - p) = 0.01*90*p - 30  ->  90.9 p = 398.182 + 9,090 + 30 = 9,518.182  ->  p = 104.71
    events, _ = run_static([FLAT, RISE, (100.5, 108.0, 100.3, 107.0)], qty=90.0, short=True, capital=400.0)
    assert [row[0] for row in rows(events)] == ["SELL_OPEN_SHORT", "LIQUIDATION"]
    assert events[1]["side"] == "SHORT"
    assert events[1]["price"] == pytest.approx(9518.182 / 90.9, rel=1e-12)
    assert events[1]["realized_pnl"] == pytest.approx(90.0 * (101.0 - 9518.182 / 90.9), rel=1e-9)


# Two coins on one wallet of 400: 100 each at 99, fees 3.96, wallet 396.04.
TWO = {"capital": 400.0}
FALLS: Candle = (99.5, 99.6, 94.0, 95.0)
DRIFTS: Candle = (99.5, 99.5, 99.2, 99.4)  # low first: it stands at 99.2 when the second coin walks


def test_two_coins_back_each_other() -> None:
    # The first coin walks to its low first: unrealized 20 at 99.2, maintenance 0.01*9,920 - 30 = 69.2.
    # The second: 396.04 + 20 - 69.2 + 100*(p - 99) = 0.01*100*p - 30  ->  99 p = 9,900 - 346.84 - 30 = 9,523.16  ->  p = 96.1935
    events, _ = run_static([FLAT, DIP, DRIFTS], [FLAT, DIP, FALLS], **TWO)
    price = 9523.16 / 99.0
    assert rows(events[2:]) == [("LIQUIDATION", 0), ("LIQUIDATION", 1)]
    assert events[2]["price"] == pytest.approx(99.2, abs=1e-12)
    assert events[3]["price"] == pytest.approx(price, rel=1e-12)
    # Both close: +20 and 100*(p - 99), fees 0.005*9,920 and 0.5 p.
    assert events[3]["wallet"] == pytest.approx(396.04 + 20.0 + 100.0 * (price - 99.0) - 49.6 - 0.5 * price, rel=1e-9)


def test_two_coins_are_tested_at_their_lows_together() -> None:
    # Lows 97 and 97.3: 396.04 - 200 - 170 = 26.04 against maintenance 67 + 67.3. Each alone, the other at 99.5, would hold:
    # 396.04 - 200 + 50 - 67 - 69.5 > 0. Jointly they are closed at their lows, before anything moves; fees of 0.005*(9,700 + 9,730)
    # = 97.15 leave 26.04 - 97.15 = -71.11.
    candles = [FLAT, DIP, (99.5, 99.6, 97.0, 99.0)], [FLAT, DIP, (99.5, 99.6, 97.3, 99.0)]
    events, _ = run_static(*candles, **TWO, joint="worst")
    assert rows(events[2:], "price") == [("LIQUIDATION", 0, 97.0), ("LIQUIDATION", 1, 97.3), ("SHORTFALL", 1, 0.0)]
    assert events[4]["realized_pnl"] == pytest.approx(71.11, abs=1e-9)
    # One after the other the first holds at its low, and the second, the first at 97, meets
    # 396.04 - 200 - 67 + 100*(p - 99) = p - 30  ->  99 p = 9,900 - 129.04 - 30 = 9,740.96  ->  p = 98.39353535
    events, _ = run_static(*candles, **TWO)
    assert rows(events[2:]) == [("LIQUIDATION", 0), ("LIQUIDATION", 1)]
    assert events[2]["price"] == 97.0
    assert events[3]["price"] == pytest.approx(9740.96 / 99.0, rel=1e-12)


def test_an_isolated_side_is_liquidated_alone() -> None:
    # The margin of the second coin's side is 9,900/50 = 198, fees are not taken from it:
    # 198 + 100*(p - 99) = p - 30  ->  99 p = 9,672  ->  p = 97.6969697, whatever the wallet of 400 could bear.
    events, equity = run_static([FLAT, DIP, DRIFTS, (99.4,) * 4], [FLAT, DIP, FALLS, (95.0,) * 4], **TWO, margin="isolated")
    assert rows(events[2:]) == [("LIQUIDATION", 1)]
    price = 9672.0 / 99.0
    assert events[2]["price"] == pytest.approx(price, rel=1e-12)
    wallet = 396.04 + 100.0 * (price - 99.0) - 0.5 * price
    assert events[2]["wallet"] == pytest.approx(wallet, rel=1e-12)
    assert equity[-1] == pytest.approx(wallet + 40.0, rel=1e-9)  # the first coin's lots are still held, at 99.4


def liquidation_price(wallet: float, lots: dict[int, tuple[float, float]], tiers: np.ndarray) -> float:
    """The exchange's formula for longs alone, `(W - q*e + cum)/(q*(m - 1))`, with each tier until its notional is the tier's own."""
    qty = sum(own for own, _ in lots.values())
    cost = sum(own * entry for own, entry in lots.values())
    fitting = []
    for tier in tiers:
        price = (wallet - cost + tier["cum"]) / (qty * (tier["rate"] - 1.0))
        if tier["floor"] <= qty * price < tier["cap"]:
            fitting.append(price)
    assert len(fitting) == 1
    return float(fitting[0])


@pytest.mark.real_data
@pytest.mark.parametrize(
    "strategy",
    [
        bt.StaticGrid(grid_levels=8, step=0.004, order_pct=0.12, allow_short=False),
        bt.AdaptiveGrid(
            allow_short=False,
            atr_sl_mult=0.0,
            prune_deviance=False,
            prune_oldest=False,
            prune_gap=False,
            prune_funding=False,
            prune_offset=False,
            halt_z_threshold=-100.0,
            max_drawdown_pct=10.0,
            max_position_pct=10.0,
            order_pct=0.1,
            regime_threshold=10.0,  # noise throughout: longs are always allowed
        ),
    ],
    ids=["static grid", "adaptive grid"],
)
def test_a_leverage_of_50_does_not_survive_the_tenth_of_october_2025(real_data: Path, strategy: Any) -> None:
    market = bt.load("BTC", "2025-10-09 18:00", "2025-10-12", source="files", data_dir=real_data)
    tiers = market.instrument.tier_table
    result = bt.run(market, strategy, bt.Account(capital=10_000.0, leverage=50.0))
    [ledger] = result.ledgers
    wallet, lots = 10_000.0, {}
    expected = None
    liquidated = 0
    for event in ledger.events:
        label, lot = LABELS[event["label"]], int(event["lot"])
        if label == "LIQUIDATION":
            if expected is None:
                expected = liquidation_price(wallet, lots, tiers)
            assert event["price"] == pytest.approx(expected, rel=1e-9)
            assert market.low[event["bar"]] <= event["price"] <= market.high[event["bar"]]
            assert "2025-10-10" <= str(np.datetime64(int(event["time"]), "ms"))[:10] <= "2025-10-11"
            liquidated += 1
        assert expected is None or label in ("LIQUIDATION", "SHORTFALL")  # the account has stopped
        if label == "BUY_OPEN_LONG":
            lots[lot] = (float(event["qty"]), float(event["price"]))
        elif lot >= 0:
            left = lots[lot][0] - float(event["qty"])
            lots[lot] = (left, lots[lot][1])
            if left < 1e-9:
                del lots[lot]
        wallet = float(event["wallet"])
    assert liquidated > 0
    assert not lots
