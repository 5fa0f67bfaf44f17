"""Metrics of lots. A lot's net result is its price PnL less the fees of entry and exits plus the funding it received.

`net` is float64 [lots] in quote currency. Credits for a shortfall belong to no lot and so to none of these figures.
"""

from __future__ import annotations

import math

import numpy as np


def win_rate(net: np.ndarray) -> float:
    """Share of lots with a net result above zero."""
    return float(np.mean(net > 0.0)) if net.size else math.nan


def gross_profit(net: np.ndarray) -> float:
    """Sum of the net results above zero."""
    return float(np.sum(net[net > 0.0]))


def gross_loss(net: np.ndarray) -> float:
    """Sum of the net results below zero, as a positive number."""
    return float(-np.sum(net[net < 0.0]))


def profit_factor(net: np.ndarray) -> float:
    """Gross profit over gross loss; infinite without losses, NaN without either."""
    profit, loss = gross_profit(net), gross_loss(net)
    if loss > 0.0:
        return profit / loss
    return math.inf if profit > 0.0 else math.nan


def expectancy(net: np.ndarray) -> float:
    """Mean net result of a lot."""
    return float(np.mean(net)) if net.size else math.nan


def payoff(net: np.ndarray) -> float:
    """Mean win over mean loss; NaN unless there are both."""
    wins, losses = net[net > 0.0], net[net < 0.0]
    return float(np.mean(wins) / -np.mean(losses)) if wins.size and losses.size else math.nan


def largest_win(net: np.ndarray) -> float:
    """The largest net result above zero, NaN when no lot won."""
    wins = net[net > 0.0]
    return float(np.max(wins)) if wins.size else math.nan


def largest_loss(net: np.ndarray) -> float:
    """The largest net loss as a positive number, NaN when no lot lost."""
    losses = net[net < 0.0]
    return float(-np.min(losses)) if losses.size else math.nan


def average_hold_hours(opened: np.ndarray, closed: np.ndarray) -> float:
    """Mean hours from the bar that opened a lot to the bar that closed it (open times, int64 ms)."""
    return float(np.mean(closed - opened)) / 3_600_000.0 if opened.size else math.nan
