"""The bars everyone gets: real BTC 15-minute bars from a folder, else the simulated market, which says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import backtest as bt
from benchmarks.peers.grid import GRID

# The same for all and larger than any order: volume decides nothing. A missing bar is a flat one in which orders may fill.
VOLUME = 1e6


def peer_bars(data_dir: Path | None, count: int) -> tuple[np.ndarray, str]:
    """Open, high, low, close, volume (5, at most `count`) and a sentence on where they come from. Raises InputError without bars."""
    if data_dir is None:
        market = bt.load("BTC", source="simulated", start="2022-01-01", end="2026-05-01")
    else:
        market = bt.load("BTC", data_dir=data_dir, start="2022-01-12")
    bars = np.array([market.open, market.high, market.low, market.close, np.full(market.time.size, VOLUME)])[:, :count]
    # Prices in whole ticks, as one double each: some peers compare exactly.
    bars[:4] = np.round(np.round(bars[:4] / GRID.tick) * GRID.tick, 2)
    label = "SIMULATED bars, made up" if market.simulated else "real bars"
    return np.ascontiguousarray(bars), f"{bars.shape[1]:,} {label}, {market.symbol} {market.timeframe}"
