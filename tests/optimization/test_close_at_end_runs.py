"""A run that closes at its end leaves nothing open, and its order log is still its own."""

from __future__ import annotations

import backtest as bt
from backtest.data.load import load


def test_nothing_is_left_open_and_the_orders_are_the_same() -> None:
    market = load("BTC", "2024-01-01", "2024-01-21", source="simulated")
    plain = bt.run(market, bt.AdaptiveGrid())
    closed = bt.run(market, bt.AdaptiveGrid(), execution=bt.Execution(close_at_end=True))
    assert plain.metrics["open_lots"] > 0
    assert closed.metrics["open_lots"] == 0
    ends = closed.trades[closed.trades["label"] == "END_OF_RUN"]
    assert len(ends) == plain.metrics["open_lots"]
    assert (closed.equity.to_numpy()[:-1] == plain.equity.to_numpy()[:-1]).all()
    assert closed.equity.iloc[-1] < plain.equity.iloc[-1]
    assert len(bt.order_log(closed)) == len(bt.order_log(plain))
