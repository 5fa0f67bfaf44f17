"""Bars of a longer timeframe from those of a shorter one."""

from __future__ import annotations

import numpy as np

from backtest.data.timeframe import Timeframe
from engine.errors import InputError


def resample(
    time: np.ndarray, values: np.ndarray, from_timeframe: Timeframe, to_timeframe: Timeframe
) -> tuple[np.ndarray, np.ndarray, int]:
    """Bars of `to_timeframe` from checked bars of `from_timeframe`, and how many groups were left out.

    time: int64 ms UTC, unique and rising on the grid, (rows,). values: float64 open, high, low, close and, where there is
    one, volume, (4 or 5, rows). A group is the bars that open within one longer bar of the UTC grid; it becomes the first
    open, the greatest high, the least low, the last close and the sum of volumes, and only when none of its members is
    missing. Groups with some members but not all are left out and counted. Prices are copied, never computed; a volume
    is a sum of floats, right to the last few binary digits.

    Returns times (groups,), values (4 or 5, groups) and the count. Raises InputError when the longer timeframe is no
    multiple of the shorter.
    """
    if to_timeframe.ms % from_timeframe.ms:
        raise InputError(f"{to_timeframe} bars cannot be made from {from_timeframe} bars: {from_timeframe} does not divide {to_timeframe}")
    members = to_timeframe.ms // from_timeframe.ms
    if members == 1:
        return time, values, 0
    group = time // to_timeframe.ms
    starts = np.flatnonzero(np.diff(group, prepend=group[:1] - 1))
    counts = np.diff(starts, append=time.size)
    # Times are unique and on the grid, so the right number of members is all of them.
    whole = counts == members
    rows = starts[whole]
    # Windows over the rows in place: only their results are copied.
    first, last = rows, rows + members - 1
    made = np.empty((values.shape[0], rows.size))
    made[0], made[3] = values[0, first], values[3, last]
    block = rows[:, np.newaxis] + np.arange(members)
    made[1] = values[1][block].max(axis=1) if rows.size else 0.0
    made[2] = values[2][block].min(axis=1) if rows.size else 0.0
    if values.shape[0] > 4:
        made[4] = values[4][block].sum(axis=1)
    return time[rows], made, int(np.count_nonzero(~whole))
