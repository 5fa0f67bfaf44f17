"""Small tables of bars for the tests of market data."""

from __future__ import annotations

import numpy as np
import pandas as pd

from backtest.data.instrument import Instrument

START = 1_704_067_200_000  # 2024-01-01 00:00 UTC
QUARTER = 900_000

BTC = Instrument("BTCUSDT", tick_size=0.1, step_size=0.001, min_qty=0.001, min_notional=100.0)
ETH = Instrument("ETHUSDT", tick_size=0.01, step_size=0.001, min_qty=0.001, min_notional=20.0)


def bars(count: int, step: int = QUARTER, start: int = START, seed: int = 0) -> pd.DataFrame:
    """A random walk of valid bars with a column timestamp (ms)."""
    random = np.random.default_rng(seed)
    close = np.round(40_000.0 * np.exp(np.cumsum(random.normal(0.0, 0.002, count))), 1)
    opens = np.concatenate([[40_000.0], close[:-1]])
    high = np.round(np.maximum(opens, close) + random.exponential(20.0, count), 1)
    low = np.round(np.minimum(opens, close) - random.exponential(20.0, count), 1)
    return pd.DataFrame(
        {
            "timestamp": start + step * np.arange(count, dtype=np.int64),
            "open": opens,
            "high": high,
            "low": low,
            "close": close,
            "volume": np.round(random.exponential(100.0, count) + 1.0, 3),
        }
    )


def grouped(frame: pd.DataFrame, size: int) -> pd.DataFrame:
    """Coarse bars of `size` rows each, by plain loops."""
    rows = []
    for first in range(0, len(frame) - size + 1, size):
        part = frame.iloc[first : first + size]
        rows.append(
            {
                "timestamp": int(part["timestamp"].iloc[0]),
                "open": part["open"].iloc[0],
                "high": max(part["high"]),
                "low": min(part["low"]),
                "close": part["close"].iloc[-1],
                "volume": sum(part["volume"]),
            }
        )
    return pd.DataFrame(rows)
