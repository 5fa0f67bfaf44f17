"""Parameters of the static grid: default, range, unit, meaning and search range of each, stated once."""

from __future__ import annotations

from typing import ClassVar

from engine.parameters import Parameters, parameter
from engine.strategies.adaptive_grid_parameters import MAX_LEVELS


class StaticGrid(Parameters):
    """The textbook grid: fixed rungs round the first close, re-centred when a close leaves them."""

    name: ClassVar[str] = "static_grid"

    grid_levels: int = parameter(10, "levels a side", unit="levels", ge=1, le=MAX_LEVELS, search=(4, 30))
    step: float = parameter(0.005, "distance between rungs", unit="share of the anchor", gt=0.0, lt=0.5, search=(0.002, 0.02), log=True)
    order_pct: float = parameter(0.03, "notional of one order", unit="share of equity", gt=0.0, le=1.0, search=(0.01, 0.06), log=True)
    order_qty: float = parameter(0.0, "fixed quantity of one order; 0 sizes by order_pct", unit="base", ge=0.0, le=1e12)
    allow_short: bool = parameter(True, "also sell short")

    def warmup_bars(self) -> int:
        """Only the close before the first traded bar is needed."""
        return 1
