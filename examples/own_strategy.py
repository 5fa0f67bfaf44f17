"""A strategy of your own: its decision, its indicators, and entries that bring their own take-profit and stop-loss.

It buys dips below a moving average and sells rallies above it, one lot a side. Each lot leaves at its own take-profit, at its
own stop-loss, or at the market when it has been held too long. It runs on the simulated market, which has no edge to find:
what it earns before costs is luck, and the fees are real.

Run it with `python examples/own_strategy.py`.
"""

from __future__ import annotations

import sys

import numpy as np
from numba import njit

import backtest as bt
from engine.toolbox import (
    LONG,
    MARKET_CLOSE_LABEL,
    SHORT,
    cancel_entries,
    ceil_to,
    close_at_market,
    floor_to,
    place_bracket_entry,
)
from gridcore.indicators import average_true_range, simple_moving_average

MILLISECONDS_PER_HOUR = 3_600_000.0

# What the columns of `indicators` mean.
CLOSE, MEAN, ATR = 0, 1, 2


def indicators(open_: np.ndarray, high: np.ndarray, low: np.ndarray, close: np.ndarray, volume: np.ndarray) -> np.ndarray:  # noqa: ARG001
    """Columns close, mean and ATR; shape (bars, 3). Row i uses bars up to i only; NaN until there are enough of them."""
    return np.column_stack([close, simple_moving_average(close, 96), average_true_range(high, low, close, 14)])


@njit
def decide(parameters, row, account, state, instrument, terms, memory):  # noqa: ANN001, ANN201
    """Quote one entry a side for the coming bar; `row` are the indicators of the last closed bar.

    `memory` counts the entries placed (0) and the lots given up (1).
    """
    cancel_entries(state)
    close, mean, atr = row[CLOSE], row[MEAN], row[ATR]
    tick = instrument["tick_size"]
    oldest = parameters["max_hours"] * MILLISECONDS_PER_HOUR
    notional = parameters["order_pct"] * account["equity"] * instrument["weight"] * terms["exposure"]
    cap = 1.5 * notional
    for side in (LONG, SHORT):
        for j in range(state["lot_count"][side]):
            if state["time"] - state["lots"][side, j]["open_time"] > oldest:
                close_at_market(account, state, side, j, MARKET_CLOSE_LABEL)
                memory[1] += 1
        if state["lot_count"][side] > 0:
            continue
        # A buy lies below the close and below the mean, a sell above both; every price is a whole tick.
        sign = 1.0 if side == LONG else -1.0
        distance = parameters["entry_atr"] * atr
        if side == LONG:
            price = floor_to(min(close, mean) - distance, tick)
        else:
            price = ceil_to(max(close, mean) + distance, tick)
        take_profit = ceil_to(price + sign * parameters["take_profit_atr"] * atr, tick)
        stop_loss = floor_to(price - sign * parameters["stop_loss_atr"] * atr, tick)
        qty = floor_to(notional / (price * instrument["multiplier"]), instrument["step_size"])
        place_bracket_entry(account, state, instrument, terms, side, -1, price, qty, cap, take_profit, stop_loss)
        memory[0] += 1


def strategy(**changes: float) -> bt.Strategy:
    """The strategy with its defaults, some of them changed."""
    settings = {"order_pct": 0.3, "entry_atr": 1.0, "take_profit_atr": 2.0, "stop_loss_atr": 4.0, "max_hours": 24.0}
    return bt.Strategy(decide, {**settings, **changes}, indicators, warmup=500, memory=2, name="dips_and_rallies")


def main() -> int:
    """Run it on the simulated market and print the table, how lots ended, and what a wider stop-loss changes."""
    market = bt.load("BTC", start="2025-10-01", end="2026-01-01", source="simulated")
    result = bt.run(market, strategy())
    print(result)
    print("how lots ended:")
    print(result.lots["how"].value_counts().to_string())
    placed, given_up = (int(result.memory[0][f"memory_{j}"]) for j in range(2))
    print(f"\n{placed:,} entries placed, {given_up:,} lots given up after their time.")
    wider = bt.run(market, strategy(stop_loss_atr=8.0))
    print("\nwith twice the distance of the stop-loss:")
    print(result.compare(wider).loc[["total_return", "max_drawdown", "win_rate_closed", "fees"]].to_string(float_format="{:.4f}".format))
    return 0


if __name__ == "__main__":
    sys.exit(main())
