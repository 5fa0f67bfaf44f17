"""The plain loop on a DataFrame, a row at a time with `.iloc`: how many first backtests are written."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.peers.grid import Grid, fills_from
from benchmarks.peers.grids.plain_python import GridLoop
from benchmarks.peers.worker import Contestant, serve


# --- user code ---------------------------------------------------------------------------------------------------------
def run(prepared: tuple[Grid, pd.DataFrame]) -> GridLoop:
    """The whole run."""
    grid, frame = prepared
    loop = GridLoop(grid)
    loop.before = frame.iloc[0]["close"]
    loop.equity.append(loop.wallet)
    for i in range(1, len(frame)):
        row = frame.iloc[i]
        loop.step(i, row["open"], row["high"], row["low"], row["close"])
    return loop


# --- end of user code --------------------------------------------------------------------------------------------------


def prepare(bars: np.ndarray, grid: Grid) -> tuple[Grid, pd.DataFrame]:
    """A DataFrame with a column a price."""
    return grid, pd.DataFrame(bars[:4].T, columns=["open", "high", "low", "close"])


contestant = Contestant(prepare, run, lambda loop: fills_from(loop.fills), package="pandas", equity=lambda loop: float(loop.equity[-1]))

if __name__ == "__main__":
    serve(contestant)
