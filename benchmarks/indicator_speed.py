"""The adaptive grid's indicators beside TA-Lib and pandas, nanoseconds a bar.

All three make the efficiency ratio's ingredients, average true range, Z-score and volatility; TA-Lib and gridcore KAMA too. pandas has no
word for KAMA's recursion, so it goes without. TA-Lib has no efficiency ratio and no regime slope: it does less than gridcore.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

import backtest as bt
from benchmarks.context import Context
from benchmarks.loops import loop_of
from benchmarks.market import simulated
from benchmarks.rows import Row, timed
from benchmarks.timing import alternate

GROUP = "indicators"
OWN = "gridcore: KAMA, efficiency, slope, ATR, Z-score, volatility"
TA_LIB = "TA-Lib: KAMA, ATR, Z-score, volatility"
PANDAS = "pandas: efficiency, ATR, Z-score, volatility"
TOLERANCE = 0.25


def with_ta_lib(high: np.ndarray, low: np.ndarray, close: np.ndarray, p: Any) -> Callable[[], object]:
    """The same by TA-Lib, function after function."""
    import talib

    def once() -> object:
        ranges = talib.ATR(high, low, close, timeperiod=p.atr_period)
        z = (close - talib.SMA(close, timeperiod=p.z_period)) / ranges
        returns = np.diff(np.log(close))
        return talib.KAMA(close, timeperiod=p.kama_period), ranges, z, talib.STDDEV(returns, timeperiod=p.vol_period)

    return once


def with_pandas(high: np.ndarray, low: np.ndarray, close: np.ndarray, p: Any) -> Callable[[], object]:
    """The same by pandas."""
    highs, lows, closes = pd.Series(high), pd.Series(low), pd.Series(close)

    def once() -> object:
        before = closes.shift()
        true_range = pd.concat([highs - lows, (highs - before).abs(), (lows - before).abs()], axis=1).max(axis=1)
        ranges = true_range.ewm(alpha=1.0 / p.atr_period, adjust=False).mean()
        efficiency = closes.diff(p.kama_period).abs() / closes.diff().abs().rolling(p.kama_period).sum()
        z = (closes - closes.rolling(p.z_period).mean()) / ranges
        return efficiency, ranges, z, np.log(closes).diff().rolling(p.vol_period).std()

    return once


def indicator_rows(context: Context) -> list[Row]:
    """Rows of all three; TA-Lib only where it is installed, which a note says."""
    context.say("indicators beside TA-Lib and pandas")
    parameters = bt.AdaptiveGrid()
    loop = loop_of(simulated(), parameters, log=False)
    _, high, low, close, _ = np.ascontiguousarray(loop.feed.bars[0])
    candidates: dict[str, Callable[[], object]] = {OWN: loop.indicators}
    if importlib.util.find_spec("talib"):
        candidates[TA_LIB] = with_ta_lib(high, low, close, parameters)
    candidates[PANDAS] = with_pandas(high, low, close, parameters)
    samples = alternate(candidates, context.rounds(9, 31))
    note = "" if TA_LIB in candidates else "TA-Lib is not installed"
    rows = []
    for name, one in samples.items():
        counts = {"times_gridcore": one.against(samples[OWN])}
        tolerance = TOLERANCE if name == OWN else None
        rows.append(timed(GROUP, name, "ns a bar", one, 1e9 / close.size, tolerance=tolerance, counts=counts, note=note))
    return rows
