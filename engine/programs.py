"""The built-in strategies as compiled programs, by the class of their parameters."""

from __future__ import annotations

from typing import Any

from engine.bar import CLOSE
from engine.machine import Program
from engine.parameters import Parameters
from engine.strategies import adaptive_grid, static_grid
from engine.strategies.adaptive_grid_indicators import fill_indicators
from engine.strategies.adaptive_grid_parameters import AdaptiveGrid
from engine.strategies.static_grid_parameters import StaticGrid


def _closes(_parameters: Any, bars: Any, out: Any, start: int) -> None:
    """The static grid looks at the close alone."""
    out[static_grid.CLOSE, start:] = bars[CLOSE, start:]


PROGRAMS: dict[type[Parameters], Program] = {
    AdaptiveGrid: Program(
        AdaptiveGrid.name,
        adaptive_grid.alone,
        adaptive_grid.together,
        adaptive_grid.decide_once,
        adaptive_grid.memory_dtype,
        fill_indicators,
        adaptive_grid.COLUMNS,
    ),
    StaticGrid: Program(
        StaticGrid.name,
        static_grid.alone,
        static_grid.together,
        static_grid.decide_once,
        static_grid.memory_dtype,
        _closes,
        static_grid.COLUMNS,
    ),
}

STRATEGIES: dict[str, type[Parameters]] = {program.name: kind for kind, program in PROGRAMS.items()}
