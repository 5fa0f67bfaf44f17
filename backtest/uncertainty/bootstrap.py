"""The stationary bootstrap: other orders the same days could have come in, in blocks so that neighbours stay together.

Source: Politis and Romano, The Stationary Bootstrap, Journal of the American Statistical Association 89 (1994).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from backtest.metrics.equity import DAYS_PER_YEAR

# Draws made at a time: a few megabytes for years of days, whatever the number of draws.
_BATCH = 200


class Draws(NamedTuple):
    """What each draw came to, float64 [draws]: fractions, and the Sharpe of daily returns a year."""

    total_return: np.ndarray
    sharpe: np.ndarray
    max_drawdown: np.ndarray


def drawn_days(random: np.random.Generator, draws: int, days: int, mean_block: float) -> np.ndarray:
    """Which day stands at each place, int64 [draws, days].

    Blocks begin at any day alike and have geometric lengths of mean `mean_block`; the last day is followed by the first.
    """
    begins = random.random((draws, days)) < 1.0 / mean_block
    begins[:, 0] = True
    starts = (random.random((draws, days)) * days).astype(np.int64)
    place = np.arange(days)
    block = np.maximum.accumulate(np.where(begins, place, 0), axis=1)
    return (np.take_along_axis(starts, block, axis=1) + place - block) % days


def outcomes(returns: np.ndarray) -> Draws:
    """Total return, Sharpe and maximum drawdown of each row of daily returns [draws, days].

    A day that loses everything ends a row: nothing is earned after it. The Sharpe is NaN for a row without variation.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        growth = np.cumprod(1.0 + np.maximum(returns, -1.0), axis=1)
        if np.any(returns <= -1.0):
            before = np.concatenate((np.ones((growth.shape[0], 1)), growth[:, :-1]), axis=1)
            returns = np.where(before > 0.0, returns, 0.0)
        mean, deviation = returns.mean(axis=1), returns.std(axis=1, ddof=1)
        varied = deviation > 1e-12 * np.abs(mean)  # less is the rounding of equal returns
        sharpe = np.divide(mean, deviation, out=np.full(mean.size, math.nan), where=varied) * math.sqrt(DAYS_PER_YEAR)
        peak = np.maximum(np.maximum.accumulate(growth, axis=1), 1.0)
        drawdown = np.max(1.0 - growth / peak, axis=1)
    return Draws(growth[:, -1] - 1.0, sharpe, drawdown)


def bootstrap(returns: np.ndarray, draws: int, seed: int, mean_block: float) -> Draws:
    """Outcomes of `draws` resamples of daily returns [days], each as long as the original; the same seed gives the same ones."""
    random = np.random.default_rng(seed)
    batches = []
    for first in range(0, draws, _BATCH):
        days = drawn_days(random, min(_BATCH, draws - first), returns.size, mean_block)
        batches.append(outcomes(returns[days]))
    return Draws(*(np.concatenate(values) for values in zip(*batches, strict=True)))
