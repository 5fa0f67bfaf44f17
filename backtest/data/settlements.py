"""Funding settlements of a market: the history where there is one, the synthetic rate outside it, none when asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from backtest.data.columns import Origin, rate_columns
from backtest.data.integrity import drop_duplicates, rate_violations
from backtest.data.timeframe import HOUR, MINUTE, Timeframe
from engine.errors import InputError
from gridcore.funding import synthetic_funding

# The exchange's usual clock: 00:00, 08:00 and 16:00 UTC.
INTERVAL_HOURS = 8
_INTERVAL = INTERVAL_HOURS * HOUR
PREMIUM_BETA = 0.02
FUNDING_CAP = 0.02

Settlements = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Times (int64 ms UTC), rates (float64, fraction per settlement, positive: longs pay) and whether each is synthetic (bool)."""


def funding_history(funding: Any, origin: Origin | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Checked settlement times, rounded to the minute, and rates of a table with a time and a column rate.

    Exchanges stamp settlements some milliseconds late. Raises InputError naming the row for times that do not rise, a
    rate that is missing or no fraction, and settlements of one time that differ.
    """
    if origin is None:
        origin = Origin("the funding frame")
    if isinstance(funding, pd.Series):
        funding = funding.rename("rate").to_frame()
    if not isinstance(funding, pd.DataFrame):
        raise InputError(f"funding = {funding!r} is refused: it must be None (synthetic), 0 (none) or a DataFrame with time and rate")
    stamps, rates = rate_columns(funding, origin)
    time = (stamps + MINUTE // 2) // MINUTE * MINUTE
    rate_violations(time, rates, origin).refuse()
    time, table, _ = drop_duplicates(time, rates[np.newaxis, :], origin, ("rate",))
    return time, np.ascontiguousarray(table[0])


def market_settlements(bar_time: np.ndarray, close: np.ndarray, timeframe: Timeframe, funding: Any) -> Settlements:
    """The settlements in (open of the first bar, close of the last bar] of a market on a regular grid.

    `bar_time` int64 ms and `close` float64 have shape (bars,). `funding` is None (all synthetic), the number 0 (none),
    or a table as `funding_history` takes it: its settlements count as they are, and the synthetic rate stands on the
    eight-hour clock before its first, after its last, and where it leaves out more than one interval.
    """
    first, last = int(bar_time[0]), int(bar_time[-1]) + timeframe.ms
    if isinstance(funding, (int, float, np.integer, np.floating)) and not isinstance(funding, bool) and funding == 0:
        return np.zeros(0, np.int64), np.zeros(0), np.zeros(0, bool)
    clock = np.arange(first // _INTERVAL + 1, last // _INTERVAL + 1, dtype=np.int64) * _INTERVAL
    if funding is None:
        return clock, synthetic_rates(bar_time, close, timeframe, clock), np.ones(clock.size, bool)
    time, rates = funding_history(funding)
    clock = clock[_uncovered(clock, time)]
    inside = (time > first) & (time <= last)
    time, rates = time[inside], rates[inside]
    together = np.concatenate([time, clock])
    order = np.argsort(together, kind="stable")
    values = np.concatenate([rates, synthetic_rates(bar_time, close, timeframe, clock)])
    return together[order], values[order], (np.arange(together.size) >= time.size)[order]


def _uncovered(clock: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Which clock times no known settlement stands for: at least an interval away from both neighbours, or outside all."""
    after = np.searchsorted(known, clock, side="left")
    before_time = np.where(after > 0, known[np.maximum(after, 1) - 1], np.iinfo(np.int64).min // 2)
    after_time = np.where(after < known.size, known[np.minimum(after, known.size - 1)], np.iinfo(np.int64).max // 2)
    inside = (clock - before_time >= _INTERVAL) & (after_time - clock >= _INTERVAL)
    return inside | (clock < known[0]) | (clock > known[-1])


def synthetic_rates(bar_time: np.ndarray, close: np.ndarray, timeframe: Timeframe, settlements: np.ndarray) -> np.ndarray:
    """Synthetic rate (fraction) at each of the `settlements` (int64 ms), from closes up to it; see `gridcore.funding`."""
    if settlements.size == 0:
        return np.zeros(0)
    # The last bar closed by then; a settlement inside the first bar has none, and the premium is zero until warm anyway.
    bars = np.maximum((settlements - bar_time[0]) // timeframe.ms - 1, 0)
    bars_8h = max(1, _INTERVAL // timeframe.ms)
    bars_72h = max(1, 9 * _INTERVAL // timeframe.ms)
    return synthetic_funding(close, bars_8h, bars_72h, PREMIUM_BETA, float(INTERVAL_HOURS), FUNDING_CAP, bars)
