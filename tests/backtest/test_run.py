"""`bt.run` over several markets: wallets apart and together, coins that end before the run does, liquidations counted."""

from __future__ import annotations

import numpy as np
import pytest

import backtest as bt

START, MIDDLE, END = "2024-03-01", "2024-03-10", "2024-03-20"


def market(coin: str, end: str, seed: int = 1) -> bt.Market:
    """Simulated bars of a coin, with warm-up before the first that may trade."""
    return bt.load(coin, source="simulated", start=START, end=end, seed=seed)


@pytest.mark.parametrize("wallet", ["separate", "shared"])
def test_a_coin_that_ends_early_is_delisted(wallet: str) -> None:
    strategy = bt.AdaptiveGrid(prune_offset=False, prune_oldest=False, prune_gap=False, prune_deviance=False, atr_sl_mult=0.0)
    markets = [market("BTC", END), market("ETH", MIDDLE)]
    result = bt.run(markets, strategy, bt.Account(wallet=wallet, capital=100_000.0))
    delisted = result.trades[result.trades["label"] == "DELISTED"]
    assert set(delisted["symbol"]) == {"ETHUSDT"}
    assert (delisted["bar"] == len(markets[1]) - 1).all()
    assert np.allclose(delisted["price"], markets[1].close[-1])
    assert np.allclose(delisted["fee"], delisted["price"] * delisted["qty"] * bt.Execution().fee_taker)
    # Nothing of the coin is held after its end, and its wallet's curve ends with its bars.
    assert int(result.states[1]["lot_count"].sum()) == 0
    if wallet == "separate":
        assert result["ETHUSDT"].equity.index[-1].value // 10**6 == markets[1].time[-1]


def test_the_last_coin_standing_is_not_delisted() -> None:
    result = bt.run(market("BTC", MIDDLE), bt.AdaptiveGrid(), bt.Account(capital=100_000.0))
    assert "DELISTED" not in set(result.trades["label"])


def test_a_cross_liquidation_of_several_coins_counts_once() -> None:
    reckless = bt.AdaptiveGrid(
        order_pct=0.3,
        max_position_pct=10.0,
        max_drawdown_pct=10.0,
        atr_sl_mult=0.0,
        prune_deviance=False,
        prune_oldest=False,
        prune_gap=False,
        prune_offset=False,
    )
    account = bt.Account(wallet="shared", leverage=20.0, capital=100_000.0)
    several = 0
    for seed in range(1, 9):
        result = bt.run([market("BTC", END, seed), market("ETH", END, seed)], reckless, account)
        closed = result.trades[result.trades["label"] == "LIQUIDATION"]
        assert result.metrics["liquidations"] == closed["bar"].nunique()
        several += len(closed.groupby(["symbol", "position_side"])) > 1
    assert several > 0
