"""The grid all contestants run, its prices, and the record of a fill. NumPy and the standard library alone: peers import it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

LONG, SHORT = 0, 1
OPEN, CLOSE = 0, 1  # what a fill does to its lot

BAR_MS = 900_000  # all bars are 15-minute bars

fill_dtype = np.dtype(
    [
        ("bar", np.int64),  # index of the bar it fell in
        ("side", np.int64),  # LONG or SHORT: of the lot, not of the order
        ("action", np.int64),  # OPEN or CLOSE
        ("price", np.float64),  # quote currency
        ("qty", np.float64),  # base units
    ]
)


@dataclass(frozen=True)
class Grid:
    """The terms, fixed for all. Prices in quote currency, quantities in base units, fees as fractions of the notional."""

    levels: int = 10
    spacing: float = 0.005
    tick: float = 0.01
    qty: float = 1.0
    fee_maker: float = 0.0002
    fee_taker: float = 0.0005
    # Large enough that no margin rule of any backtester ever binds: what is compared is the grid.
    capital: float = 1e8

    @property
    def tolerance(self) -> float:
        """Prices closer than this are the same price."""
        return 1e-6 * self.tick

    def rungs(self, anchor: float) -> tuple[list[float], list[float]]:
        """Prices of rung 0, 1, ... `levels` of LONG (falling) and of SHORT (rising); rung 0 is the anchor, rounded alike."""
        shares = [j * self.spacing for j in range(self.levels + 1)]
        longs = [math.floor(anchor * (1.0 - share) / self.tick + 1e-9) * self.tick for share in shares]
        shorts = [math.ceil(anchor * (1.0 + share) / self.tick - 1e-9) * self.tick for share in shares]
        return longs, shorts


GRID = Grid()


def fills_from(rows: list[tuple[int, int, int, float, float]]) -> np.ndarray:
    """Rows of (bar, side, action, price, qty) as an array of `fill_dtype`."""
    return np.array(rows, fill_dtype)
