"""The bars the benchmarks run on: the simulated market, the same on every machine, and real BTC bars where they are."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

import backtest as bt

WARM_UP = 1000  # bars before the first that trades: enough for every strategy here
_REAL_START = "2022-01-12"
_NAMES = ("open", "high", "low", "close", "volume")


def folder_of_real_bars(data_dir: Path | None) -> Path | None:
    """The folder given, else the one that `GRIDCORE_TEST_DATA` names, else None."""
    named = os.environ.get("GRIDCORE_TEST_DATA")
    return data_dir or (Path(named) if named else None)


@lru_cache(4)
def simulated(timeframe: str = "15m", start: str = "2023-07-15", end: str = "2025-07-15") -> bt.Market:
    """Seeded bars of the simulated market: the same everywhere, so that a baseline of one machine says something about another."""
    return bt.load("BTC", source="simulated", timeframe=timeframe, start=start, end=end)


@lru_cache(2)
def real(data_dir: Path, start: str = _REAL_START, end: str | None = None) -> bt.Market:
    """Real BTC 15-minute bars of a perpetual."""
    return bt.load("BTC", data_dir=data_dir, start=start, end=end)


def benchmark_market(data_dir: Path | None = None) -> bt.Market:
    """Real bars where they are, else simulated ones; `source` says which."""
    folder = folder_of_real_bars(data_dir)
    return simulated() if folder is None else real(folder)


def stretched(market: bt.Market, bars: int) -> bt.Market:
    """As many bars as asked, the market forward and then backward and so on: no jump where the pieces meet. Funding is synthetic."""
    columns = np.stack([getattr(market, name) for name in _NAMES])
    back = columns[[3, 1, 2, 0, 4], ::-1]
    turns = -(-bars // columns.shape[1])
    values = np.concatenate([back if turn % 2 else columns for turn in range(turns)], axis=1)[:, :bars]
    return retimed(market, values, WARM_UP)


def retimed(market: bt.Market, values: np.ndarray, trade_from: int, symbol: str | None = None) -> bt.Market:
    """Other bars (5, rows) under the market's instrument and from its first time on; `symbol` renames the instrument."""
    step = market.timeframe.ms
    time = market.time[0] + step * np.arange(values.shape[1], dtype=np.int64)
    instrument = market.instrument if symbol is None else market.instrument.replace(symbol=symbol)
    made = bt.Market.from_arrays(instrument, market.timeframe, time, values)
    return replace(made, trade_from=trade_from, source=f"{market.source} (stretched)", simulated=market.simulated)


def label(market: bt.Market) -> str:
    """The market in a few words: timeframe, years, bars, SIMULATED or real."""
    bars = len(market) - market.trade_from
    years = bars * market.timeframe.ms / (365.25 * 86_400_000)
    kind = "SIMULATED" if market.simulated else "real"
    return f"{market.symbol} {market.timeframe}, {years:.1f} years, {bars:,} bars, {kind}"
