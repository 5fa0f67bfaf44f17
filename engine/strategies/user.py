"""A user's own strategy: a compiled decision handed in from a notebook, in the place of a built-in one."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from engine.errors import InputError
from engine.loop import decide_bar, run_alone, run_together
from engine.machine import Program
from engine.orders import copy_order, refresh_triggers
from engine.positions import find_lot
from engine.records import MARKET_BOOK
from gridcore.compile import kernel_with, machine_kernel

# Stands for the user's function in the template below.
user_decide: Any = None

# How many of a user's decisions stay compiled; a notebook cell that is run again makes a new one.
KEPT_DECISIONS = 32


@machine_kernel
def drop_spent_orders(state):
    """Take out of the books what has filled, and every exit whose lot is gone.

    The built-in strategies place their orders anew after a fill; a user's own may leave them, and the exits that lots carry
    themselves are nobody's to cancel. Without this the books would fill up over a long run.
    """
    orders = state["orders"]
    attached = 0
    for book in range(MARKET_BOOK):
        kept = 0
        for place in range(state["order_count"][book]):
            order = orders[book, place]
            if order["alive"] == 0 or (order["lot"] >= 0 and find_lot(state, book % 2, order["lot"]) < 0):
                continue
            attached += order["attached"]
            if kept != place:
                copy_order(order, orders[book, kept])
            kept += 1
        state["order_count"][book] = kept
        state["head"][book] = 0
    state["attached_count"] = attached
    refresh_triggers(state)


def decide_when_finite(p, x, account, state, instrument, terms, journal, memory):
    """Call the user's decision when every indicator of the row is finite, and take up what it did to the orders."""
    if state["changed"] == 1:
        drop_spent_orders(state)
    for value in x:
        if not np.isfinite(value):
            return
    user_decide(p, x, account, state, instrument, terms, memory)
    state["changed"] = 0
    refresh_triggers(state)


@lru_cache(maxsize=KEPT_DECISIONS)
def _loops(decide: Any) -> tuple[Any, Any, Any]:
    """The bar loops and the single decision with the user's function in them: compiled when they first run, not kept on disk."""
    ready = kernel_with(decide_when_finite, __name__, cached=False, user_decide=decide)
    return (
        kernel_with(run_alone, __name__, cached=False, decide=ready),
        kernel_with(run_together, __name__, cached=False, decide=ready),
        kernel_with(decide_bar, __name__, cached=False, decide=ready),
    )


def indicator_table(indicators: Callable[..., Any] | None, bars: np.ndarray) -> np.ndarray:
    """What the user's function makes of `bars` (5, bars): (bars, columns) float64; the bars themselves without one.

    The function gets a copy, so that it cannot change the market. Raises InputError for an array of another shape.
    """
    if indicators is None:
        return bars.T
    table = np.asarray(indicators(*bars.copy()), np.float64)
    if table.ndim != 2 or table.shape[0] != bars.shape[1]:
        raise InputError(f"indicators gave an array of shape {table.shape} for {bars.shape[1]} bars: it must be (bars, columns)")
    return table


def build_program(name: str, decide: Any, indicators: Callable[..., Any] | None, columns: int, memory_size: int) -> Program:
    """The program of a user's strategy; strategies that share a `decide` share its compiled loops."""
    alone, together, decide_once = _loops(decide)

    def fill_indicators(parameters: np.ndarray, bars: np.ndarray, out: np.ndarray, start: int) -> None:
        table = indicator_table(indicators, bars)
        if table.shape[1] != columns:
            raise InputError(
                f"indicators gave {table.shape[1]} columns for {bars.shape[1]} bars and {columns} before: it must be the same number"
            )
        out[:, start:] = table[start:].T

    return Program(
        name,
        alone,
        together,
        decide_once,
        np.dtype((np.float64, (memory_size,))),
        fill_indicators,
        columns,
        causal_pieces=False,
    )
