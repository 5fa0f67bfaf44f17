"""`Result`: curves, tables, parts, attribution and what it shows."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from backtest.metrics import METRICS
from backtest.metrics.attribution import PARTS, PARTS_BY_LABEL
from backtest.result import Result
from engine.errors import InputError
from engine.records import FUNDING_LABEL, LABELS, SHORTFALL_LABEL, event_dtype
from engine.strategies.static_grid_parameters import StaticGrid
from tests.results.ledgers import BAR, START, make_market, make_result, random_ledger

TWO = ("BTCUSDT", "ETHUSDT")


def without_log(result: Result) -> Result:
    ledgers = [dataclasses.replace(ledger, events=np.zeros(0, dtype=event_dtype)) for ledger in result.ledgers]
    return dataclasses.replace(result, ledgers=ledgers)


def test_curves_of_one_coin() -> None:
    result = make_result()
    assert result.equity.index[0] == pd.Timestamp("2024-01-01 02:30", tz="UTC")
    assert len(result.equity) == 390
    assert result.returns.iloc[0] == pytest.approx(result.equity.iloc[0] / 10_000.0 - 1.0)
    assert (1.0 + result.returns).prod() == pytest.approx(1.0 + result.metrics["total_return"])
    assert result.drawdown.max() == result.metrics["max_drawdown_close"]
    market = result.markets[0]
    assert result.metrics["buy_and_hold_return"] == pytest.approx(market.close[-1] / market.open[10] - 1.0)
    assert result.metrics["excess_return"] == pytest.approx(result.metrics["total_return"] - result.metrics["buy_and_hold_return"])


def test_every_metric_is_listed_once_and_in_order() -> None:
    assert list(make_result(bars=60).metrics) == list(METRICS)
    assert all(metric.unit and metric.definition for metric in METRICS.values())


def test_metrics_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        make_result(bars=60).metrics["total_return"] = 1.0  # type: ignore[index]


def test_the_log_as_a_table() -> None:
    result = make_result()
    names = ["time", "bar", "symbol", "label", "position_side", "price", "qty", "fee", "realized_pnl", "funding", "wallet", "lot", "level"]
    assert list(result.trades.columns) == names
    assert result.trades["fee"].sum() == pytest.approx(result.metrics["fees"])
    opened = pd.Timestamp(START, unit="ms", tz="UTC") + result.trades["bar"] * pd.Timedelta(BAR, unit="ms")
    assert (result.trades["time"] == opened).all()


def test_separate_wallets_sum_up() -> None:
    result = make_result(TWO)
    coins = [result[symbol] for symbol in TWO]
    assert result.capital == 20_000.0
    np.testing.assert_allclose(result.equity, coins[0].equity + coins[1].equity)
    assert result.metrics["total_return"] == pytest.approx(sum(coin.metrics["total_return"] for coin in coins) / 2)
    for name in ("fees", "funding_net", "turnover", "longs_opened", "stops_short", "pnl_fees"):
        assert result.metrics[name] == pytest.approx(sum(coin.metrics[name] for coin in coins))
    assert math.isnan(result.metrics["max_drawdown"])
    assert len(result.trades) == sum(len(coin.trades) for coin in coins)
    assert result.trades["time"].is_monotonic_increasing
    assert result["BTCUSDT"]["BTCUSDT"] is result["BTCUSDT"]


def test_wallets_that_begin_and_end_apart() -> None:
    early, late = make_market("BTCUSDT", bars=100, seed=1), make_market("ETHUSDT", bars=100, seed=2, first=50)
    ledgers = [random_ledger([early], 1), random_ledger([late], 2)]
    plain = make_result()
    result = Result(plain.strategy, plain.account, plain.execution, [early, late], ledgers, [0.5, 0.5])
    assert len(result.equity) == 140
    assert result.equity.iloc[0] == pytest.approx(ledgers[0].equity[0] + 10_000.0)
    assert result.equity.iloc[-1] == pytest.approx(ledgers[0].equity[-1] + ledgers[1].equity[-1])
    held = (early.close[-1] / early.open[10] + late.close[-1] / late.open[0]) / 2 - 1.0
    # The second coin is bought at its first bar, for it has a price from there on.
    assert result.buy_and_hold.iloc[0] == pytest.approx(10_000.0 * (early.close[10] / early.open[10] + 1.0))
    assert result.metrics["buy_and_hold_return"] == pytest.approx(held)


@pytest.mark.parametrize("liquidate_at", [-1, 150])
def test_coins_of_a_shared_wallet_sum_to_the_whole(liquidate_at: int) -> None:
    result = make_result(TWO, shared=True, bars=300, liquidate_at=liquidate_at)
    coins = [result[symbol] for symbol in TWO]
    np.testing.assert_allclose(coins[0].equity + coins[1].equity, result.equity, atol=1e-7)
    for name in ("fees", "funding_net", "funding_paid", "turnover", "shortfall", "gross_loss", "longs_closed"):
        assert result.metrics[name] == pytest.approx(sum(coin.metrics[name] for coin in coins)), name
    for coin in coins:
        change = coin.equity.iloc[-1] - coin.capital
        assert coin.attribution.loc["total", "total"] == pytest.approx(change, abs=1e-7)
        assert math.isnan(coin.metrics["max_drawdown"])
    assert result.liquidated == (liquidate_at >= 0)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_attribution_sums_to_the_change_of_equity(shared: bool, seed: int) -> None:
    result = make_result(TWO, shared=shared, seed=seed, multiplier=0.01, liquidate_at=250 if seed == 2 else -1)
    table = result.attribution
    change = result.equity.iloc[-1] - result.capital
    assert table.loc["total", "total"] == pytest.approx(change, abs=1e-9 * max(result.capital, result.metrics["turnover"]))
    assert table.loc["total", "total"] == pytest.approx(table.loc[list(PARTS), ["LONG", "SHORT", "account"]].to_numpy().sum())
    assert table.loc["fees", "total"] == pytest.approx(-result.metrics["fees"])
    assert table.loc["funding", "total"] == pytest.approx(result.metrics["funding_net"])
    assert table.loc["shortfall", "total"] == pytest.approx(result.metrics["shortfall"])
    log = result.trades
    for part, labels in PARTS_BY_LABEL.items():
        names = [LABELS[label] for label in labels]
        for side in ("LONG", "SHORT"):
            told = log[log["label"].isin(names) & (log["position_side"] == side)]["realized_pnl"].sum()
            assert table.loc[part, side] == pytest.approx(told, abs=1e-9), part


NO_PROFIT = ("TRAILING_SHIFT", "DAILY_TARGET", "EVALUATION_PASSED")


def test_every_label_that_can_realize_profit_stands_in_one_part() -> None:
    listed = [label for labels in PARTS_BY_LABEL.values() for label in labels]
    assert len(listed) == len(set(listed))
    without = {label for label, name in enumerate(LABELS) if "OPEN" in name or name.startswith("CIRCUIT") or name in NO_PROFIT}
    assert set(listed) | without | {FUNDING_LABEL, SHORTFALL_LABEL} == set(range(len(LABELS)))


def test_exposure_of_the_whole_agrees_with_the_loop() -> None:
    result = make_result()
    gross = result.gross_notional_values / result.equity_values
    assert result.metrics["exposure_average"] == pytest.approx(gross.mean())
    assert result.metrics["leverage_max"] == pytest.approx(gross.max())
    assert result.metrics["time_in_position"] == pytest.approx((gross > 0.0).mean())
    shared = make_result(TWO, shared=True)
    assert shared.metrics["leverage_max"] == pytest.approx((shared.gross_notional_values / shared.equity_values).max())


def test_without_a_log_the_totals_still_count() -> None:
    full = make_result()
    bare = without_log(full)
    lacking = {name for name in METRICS if math.isnan(bare.metrics[name]) and not math.isnan(full.metrics[name])}
    assert lacking == {
        *("win_rate", "win_rate_closed", "profit_factor", "profit_factor_closed", "expectancy", "average_hold_hours", "payoff"),
        *("largest_win", "largest_loss", "gross_profit", "gross_loss"),
        *("net_exposure_average", "return_at_net_exposure", "excess_at_net_exposure", "beta_at_net_exposure"),
        *("alpha_at_net_exposure", "lots_held_average", "level_use_average", "time_at_cap", "nearest_liquidation_distance"),
        *("open_lots", "open_notional", "open_lots_average_age_hours", "open_lots_oldest_age_hours"),
        *("lots_older_than_day", "lots_older_than_week"),
    }
    assert all(bare.metrics[name] == pytest.approx(full.metrics[name], nan_ok=True) for name in METRICS if name not in lacking)
    assert "total return" in repr(bare)
    with pytest.raises(InputError, match="event log"):
        without_log(make_result(TWO, shared=True))["BTCUSDT"]
    assert "PORTFOLIO" in repr(without_log(make_result(TWO, shared=True)))


def test_no_bars_one_bar_and_no_trades() -> None:
    for bars in (0, 1):
        market = make_market(bars=bars + 10)
        plain = make_result()
        result = Result(plain.strategy, plain.account, plain.execution, [market], [random_ledger([market])], [1.0])
        assert len(result.equity) == bars
        assert math.isnan(result.metrics["sharpe"])
        assert result.metrics["fees"] >= 0.0
        assert "total return" in repr(result)
        result.plot()
    flat = make_market(bars=50)
    ledger = random_ledger([flat], skip=50)
    idle = dataclasses.replace(ledger, time=flat.time, equity=np.full(50, 10_000.0), first_bar=0)
    quiet = dataclasses.replace(make_result(), markets=[flat], ledgers=[idle], weights=[1.0])
    assert quiet.metrics["total_return"] == 0.0
    assert quiet.metrics["max_drawdown_close"] == 0.0
    assert len(quiet.lots) == len(quiet.trades) == 0
    assert "final equity" in repr(quiet)


def test_comparison() -> None:
    one, other = make_result(seed=1), make_result(seed=2)
    table = one.compare(other)
    assert list(table.index) == list(METRICS)
    row = table.loc["total_return"]
    assert row["difference"] == pytest.approx(other.metrics["total_return"] - one.metrics["total_return"])


def test_an_unknown_coin_is_named() -> None:
    with pytest.raises(InputError, match="'DOGEUSDT' is not a coin of this result; it has BTCUSDT"):
        make_result()["DOGEUSDT"]


def test_a_strategy_without_these_gates() -> None:
    result = make_result(strategy=StaticGrid())
    for memory in result.memory:
        memory.clear()
    assert math.isnan(result.metrics["var_blocked_bars"])
    assert math.isnan(result.metrics["spacing_floor_share"])
    assert "Never fired" not in repr(result)


def test_html_escapes_what_others_wrote() -> None:
    result = make_result(notes=("<script>alert(1)</script>",))
    assert "<script>" not in result._repr_html_()
    assert "&lt;script&gt;" in result._repr_html_()
    assert "SIMULATED" in result._repr_html_()
