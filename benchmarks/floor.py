"""The floor: the least a bar loop can do. One pass that reads high, low, close, compares two levels and stores equity."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gridcore.compile import kernel

FLOOR = "floor: one pass, two compares, one store"


@kernel
def floor_pass(high, low, close, upper, lower, equity):
    """Count the bars that leave [lower, upper] and store a value a bar. All arrays have shape (bars,)."""
    touched = 0
    for i in range(close.size):
        if high[i] >= upper or low[i] <= lower:
            touched += 1
        equity[i] = close[i] + touched
    return touched


def floor_of(bars: np.ndarray) -> Callable[[], object]:
    """The floor pass on `bars` (5, n), as a function without arguments."""
    equity = np.empty(bars.shape[1])
    high, low, close = (np.ascontiguousarray(bars[row]) for row in (1, 2, 3))
    upper, lower = float(high.max()), float(low.min())
    return lambda: floor_pass(high, low, close, upper, lower, equity)
