"""Exposure, depth and time at the cap, against a walk over the table of trades; churn and the share of funding by hand."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from backtest.metrics.catalogue import NEED_THE_LOG, OF_HOLDINGS
from backtest.metrics.holdings import net_exposure, time_at_cap
from backtest.result import Result
from engine.account import Account
from engine.records import event_dtype
from engine.strategies.adaptive_grid_parameters import AdaptiveGrid
from engine.strategies.static_grid_parameters import StaticGrid
from tests.results.ledgers import ALL, TWO, make_result


def walk(result: Result) -> tuple[list[float], list[list[int]], list[list[float]]]:
    """Net notional of all coins at each close, and for each coin lots and notional of the sides, one event at a time."""
    rows = list(result.trades.itertuples())
    held: dict[tuple[str, str], dict[int, float]] = {}
    net, lots, sides, place = [], [], [], 0
    for i, moment in enumerate(result.equity.index):
        while place < len(rows) and rows[place].time <= moment:
            row = rows[place]
            place += 1
            if row.lot < 0:
                continue
            mine = held.setdefault((row.symbol, row.position_side), {})
            step = row.qty if "OPEN" in row.label else -row.qty
            mine[row.lot] = round(mine.get(row.lot, 0.0) + step, 6)
            if mine[row.lot] == 0.0:
                del mine[row.lot]
        total = 0.0
        for symbol, market in zip(result.symbols, result.markets, strict=True):
            close = market.close[market.time.searchsorted(result.time[i])] * market.instrument.contract_multiplier
            quantities = [sum(held.get((symbol, side), {}).values()) for side in ("LONG", "SHORT")]
            total += (quantities[0] - quantities[1]) * close
            lots.append([len(held.get((symbol, side), {})) for side in ("LONG", "SHORT")])
            sides.append([quantity * close for quantity in quantities])
        net.append(total)
    return net, lots, sides


@ALL
def test_net_exposure_against_a_walk(options: dict[str, Any]) -> None:
    result = make_result(**options)
    net, _, _ = walk(result)
    plain = [value / equity if equity > 0.0 else 0.0 for value, equity in zip(net, result.equity_values, strict=True)]
    np.testing.assert_allclose(net_exposure(result), plain, rtol=1e-9, atol=1e-12)
    average = sum(plain) / len(plain)
    assert result.metrics["net_exposure_average"] == pytest.approx(average, rel=1e-9, abs=1e-12)
    assert result.metrics["return_at_net_exposure"] == pytest.approx(average * result.metrics["buy_and_hold_return"], rel=1e-9, abs=1e-12)
    gain = result.metrics["total_return"] - result.metrics["return_at_net_exposure"]
    assert result.metrics["excess_at_net_exposure"] == pytest.approx(gain, rel=1e-9)


@ALL
def test_depth_against_a_walk(options: dict[str, Any]) -> None:
    result = make_result(**options)
    counts = [count for sides in walk(result)[1] for count in sides if count > 0]
    average = sum(counts) / len(counts) if counts else math.nan
    assert result.metrics["lots_held_average"] == pytest.approx(average, rel=1e-12, nan_ok=True)
    levels = AdaptiveGrid().grid_levels
    assert result.metrics["level_use_average"] == pytest.approx(average / levels, rel=1e-12, nan_ok=True)
    assert result.metrics["level_use_max"] == result.metrics["max_lots_held"] / levels


@ALL
def test_time_at_the_cap_against_a_walk(options: dict[str, Any]) -> None:
    scale = options.get("multiplier", 1.0)
    strategy = AdaptiveGrid(max_position_pct=0.05 * scale, order_pct=0.01 * scale)
    result = make_result(strategy=strategy, **options)
    account = Account(wallet=result.account.wallet, leverage=4.0, exposure=2.0)
    result = dataclasses.replace(result, account=account)
    sides, coins, at = walk(result)[2], len(result.symbols), 0
    for i in range(result.time.size):
        for k in range(coins):
            wallet = result.equity_values[i] / 2.0 if result.is_shared else result.ledgers[k].equity[i]
            notional = max(sides[i * coins + k])
            at += notional > 0.0 and notional > 2.0 * 0.04 * scale * wallet
    assert result.metrics["time_at_cap"] == pytest.approx(at / len(sides), rel=1e-12)
    assert (at > 0) == (len(result.trades) > 0)


def test_exposure_defaults_to_the_leverage() -> None:
    result = make_result(strategy=AdaptiveGrid(max_position_pct=0.05, order_pct=0.01))
    geared = dataclasses.replace(result, account=Account(leverage=20.0))
    same = dataclasses.replace(result, account=Account(leverage=1.0, exposure=20.0))
    assert time_at_cap(geared) == time_at_cap(same) < time_at_cap(dataclasses.replace(result, account=Account(leverage=1.0)))


def test_without_a_cap_there_is_no_time_at_it() -> None:
    assert math.isnan(make_result(strategy=StaticGrid()).metrics["time_at_cap"])
    coin = make_result(TWO, shared=True)["BTCUSDT"]
    assert math.isnan(coin.metrics["time_at_cap"])
    assert not math.isnan(coin.metrics["lots_held_average"])


def test_without_a_log_nothing_is_known_of_holdings() -> None:
    full = make_result()
    bare = dataclasses.replace(full, ledgers=[dataclasses.replace(full.ledgers[0], events=np.zeros(0, dtype=event_dtype))])
    assert set(OF_HOLDINGS) < set(NEED_THE_LOG)
    assert [name for name in OF_HOLDINGS if not math.isnan(bare.metrics[name])] == []
    assert [name for name in OF_HOLDINGS if math.isnan(full.metrics[name])] == []


def test_a_strategy_without_levels() -> None:
    result = make_result()
    own = dataclasses.replace(result, strategy=type("Own", (), {"name": "own", "parameters": {"width": 2}})())
    assert math.isnan(own.metrics["level_use_max"])
    assert math.isnan(own.metrics["level_use_average"])
    none = dataclasses.replace(result, strategy=type("Own", (), {"name": "own", "parameters": {"grid_levels": 0}})())
    assert math.isnan(none.metrics["level_use_average"])


def test_churn_and_the_share_of_funding() -> None:
    result = make_result()
    state = result.states[0]
    state["orders_placed"], state["gross_profit"] = 5000, 250.0
    log = result.trades
    fills = int((log["lot"] >= 0).sum())
    assert result.metrics["orders_placed"] == 5000.0
    assert result.metrics["order_churn"] == pytest.approx(5000.0 / fills)
    assert result.metrics["funding_share"] == pytest.approx(result.metrics["funding_net"] / 250.0)
    quiet = make_result(bars=10)
    assert math.isnan(quiet.metrics["order_churn"])
    assert math.isnan(quiet.metrics["funding_share"])


def test_a_liquidation_is_no_fill_of_an_order() -> None:
    result = make_result(liquidate_at=150)
    result.states[0]["orders_placed"] = 1000
    log = result.trades
    fills = int(((log["lot"] >= 0) & (log["label"] != "LIQUIDATION")).sum())
    assert fills < int((log["lot"] >= 0).sum())
    assert result.metrics["order_churn"] == pytest.approx(1000.0 / fills)


def test_ladders_cut_short_are_counted_by_the_strategy() -> None:
    result = make_result(TWO)
    assert math.isnan(result.metrics["cap_hits"])
    again = make_result(TWO)
    for memory in again.memory:
        memory["cap_hits"] = 7
    assert again.metrics["cap_hits"] == 14.0
