"""A user's own strategy: a compiled decision handed in from a notebook, in the place of a built-in one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from engine.loop import decide_bar, run_bars
from engine.orders import refresh_triggers
from engine.machine import Program
from gridcore.compile import kernel_with

# Stands for the user's function in the template below.
user_decide: Any = None


def decide_when_finite(p, x, account, state, instrument, terms, journal, k, memory):
    """Call the user's decision when every indicator of the row is finite, and take up what it did to the orders."""
    for value in x:
        if not np.isfinite(value):
            return
    user_decide(p, x, account, state, instrument, terms, memory)
    state["changed"] = 0
    refresh_triggers(state)


def build_program(name: str, decide: Any, indicators: Callable[..., Any] | None, columns: int, memory_size: int) -> Program:
    """The compiled program of a user's strategy. It is compiled when it first runs, and not cached on disk."""
    ready = kernel_with(decide_when_finite, __name__, cached=False, user_decide=decide)

    def fill_indicators(parameters: np.ndarray, bars: np.ndarray, out: np.ndarray, start: int) -> None:
        table = bars.T if indicators is None else np.asarray(indicators(*bars), np.float64)
        out[:, start:] = table[start:].T

    return Program(
        name,
        kernel_with(run_bars, __name__, cached=False, decide=ready),
        kernel_with(decide_bar, __name__, cached=False, decide=ready),
        np.dtype((np.float64, (memory_size,))),
        fill_indicators,
        columns,
        causal_pieces=False,
    )
