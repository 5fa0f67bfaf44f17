"""Probability of ruin, from daily returns drawn anew in blocks."""

from __future__ import annotations

import math

import numpy as np

from backtest.uncertainty.block_length import mean_block_length
from backtest.uncertainty.bootstrap import drawn_days
from backtest.uncertainty.estimate import LEAST_DAYS

RUIN_SHARE = 0.5
# Draws made at a time: a few megabytes for years of days.
_BATCH = 200

DEFINITION = (
    "Ruin is equity below half of the capital at the close of any UTC day, within as many days as the run has; "
    "a run that was liquidated itself counts as 100 %."
)


def lowest_growth(returns: np.ndarray) -> np.ndarray:
    """Lowest equity over capital at any daily close of each row of daily returns [draws, days]; a loss of everything stays."""
    with np.errstate(over="ignore", invalid="ignore"):
        growth = np.cumprod(1.0 + np.maximum(returns, -1.0), axis=1)
    return np.asarray(np.min(np.where(np.isnan(growth), 0.0, growth), axis=1))  # NaN: all of an infinite gain was lost


def ruin_probability(returns: np.ndarray, draws: int = 2000, seed: int = 1) -> float:
    """Share of stationary-bootstrap draws whose equity falls below half of the capital at any daily close.

    returns: float64 [days], daily returns as fractions. A draw has as many days as `returns`; the mean block length is chosen
    as for `backtest.uncertainty`, and the same seed gives the same number. NaN with fewer than 60 days.
    Source: Politis and Romano, The Stationary Bootstrap, Journal of the American Statistical Association 89 (1994).
    """
    if returns.size < LEAST_DAYS:
        return math.nan
    random = np.random.default_rng(seed)
    block, ruined = mean_block_length(returns), 0
    for first in range(0, draws, _BATCH):
        days = drawn_days(random, min(_BATCH, draws - first), returns.size, block)
        ruined += int(np.count_nonzero(lowest_growth(returns[days]) < RUIN_SHARE))
    return ruined / draws
