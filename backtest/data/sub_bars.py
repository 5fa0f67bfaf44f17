"""Finer bars beneath the bars of a market: their table, and which coarse bars have a complete and consistent set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from backtest.data.columns import BAR_FIELDS, Origin, bar_columns
from backtest.data.integrity import checked_bars
from backtest.data.timeframe import MINUTE, Timeframe
from engine.errors import InputError

# Prices of finer and coarse bars are the same number when they differ by less than this, relatively.
_SAME = 1e-9


@dataclass(frozen=True, eq=False)
class SubBars:
    """Finer bars: unique rising open times `time` (int64 ms UTC), prices and volume (float64), all of shape (rows,).

    There may be holes: a coarse bar uses its finer ones only when they are all there and add up to it.
    """

    timeframe: Timeframe
    time: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, timeframe: str | Timeframe | None = None, origin: Origin | None = None) -> SubBars:
        """Finer bars from a table as `Market.from_frame` takes it; the timeframe is the least distance of rows unless given."""
        if origin is None:
            origin = Origin("the sub-bar frame")
        time, values = bar_columns(frame, origin)
        if timeframe is None:
            steps = np.diff(time)
            steps = steps[steps > 0]
            if steps.size == 0 or steps.min() % MINUTE:
                raise InputError(f"{origin.what} must hold bars of whole minutes, at least two of them")
            timeframe = Timeframe.parse(f"{steps.min() // MINUTE}m")
        timeframe = Timeframe.finer(timeframe)
        time, values, _ = checked_bars(time, values, timeframe, origin)
        return cls.from_arrays(time, values, timeframe)

    @classmethod
    def from_arrays(cls, time: np.ndarray, values: np.ndarray, timeframe: Timeframe) -> SubBars:
        """From checked times (rows,) and open, high, low, close, volume (5, rows)."""
        return cls(timeframe, time, *(np.ascontiguousarray(row) for row in values))

    def table(self) -> np.ndarray:
        """Open, high, low, close, volume: float64, shape (5, rows), C-contiguous."""
        return np.stack([self.open, self.high, self.low, self.close, self.volume])

    def between(self, start: int, end: int) -> SubBars:
        """The finer bars that open in [start, end), ms UTC."""
        rows = slice(*np.searchsorted(self.time, [start, end]))
        return replace(self, **{name: getattr(self, name)[rows] for name in ("time", *BAR_FIELDS)})

    def __len__(self) -> int:
        return self.time.size

    def __repr__(self) -> str:
        return f"SubBars({self.timeframe}, {len(self):,} rows)"


def as_sub_bars(sub_bars: Any, timeframe: Timeframe) -> SubBars | None:
    """What a user gives as sub-bars (None, a table, SubBars) as SubBars that divide bars of `timeframe`; else InputError."""
    if sub_bars is None:
        return None
    if not isinstance(sub_bars, SubBars):
        sub_bars = SubBars.from_frame(sub_bars)
    if sub_bars.timeframe.ms >= timeframe.ms or timeframe.ms % sub_bars.timeframe.ms:
        raise InputError(f"sub_bars of {sub_bars.timeframe} are refused: they must be finer than {timeframe} and divide it")
    return sub_bars


def sub_bar_rows(sub: SubBars, timeframe: Timeframe, time: np.ndarray, bars: np.ndarray) -> np.ndarray:
    """First row of each coarse bar's finer bars, or -1 where their set is not complete or does not add up to the bar.

    `time` int64 ms (bars,) and `bars` float64 open, high, low, close, volume (5, bars) are the coarse bars. Complete:
    all timeframe/sub-timeframe rows are there. Consistent: the first open, greatest high, least low and last close are
    the bar's, to 1e-9 relative. Returns int64, shape (bars,). A bar that is NaN (absent) gets -1.
    """
    count = timeframe.ms // sub.timeframe.ms
    rows = np.searchsorted(sub.time, time).astype(np.int64)
    result = np.full(time.size, -1, np.int64)
    ends = rows + count - 1
    there = np.flatnonzero(ends < sub.time.size)
    # Times are unique and on the grid, so the right first and last time leave no room for a hole.
    last_open = time[there] + timeframe.ms - sub.timeframe.ms
    there = there[(sub.time[rows[there]] == time[there]) & (sub.time[ends[there]] == last_open)]
    if there.size == 0:
        return result
    members = rows[there, np.newaxis] + np.arange(count)
    made = (sub.open[rows[there]], sub.high[members].max(axis=1), sub.low[members].min(axis=1), sub.close[ends[there]])
    agree = np.ones(there.size, bool)
    for field, value in enumerate(made):
        coarse = bars[field, there]
        agree &= np.abs(value - coarse) <= _SAME * np.abs(coarse)
    result[there[agree]] = rows[there[agree]]
    return result
