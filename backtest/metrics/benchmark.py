"""A run against holding the coins: beta and alpha, and holding only as much as the strategy did on average."""

from __future__ import annotations

import math

import numpy as np

from backtest.metrics.equity import DAYS_PER_YEAR

# A benchmark whose daily returns vary less than this (variance) stands still: beta against it has no meaning.
_LEAST_VARIANCE = 1e-30


def beta(returns: np.ndarray, benchmark: np.ndarray) -> float:
    """Covariance with the benchmark over its variance, of daily returns [days]; NaN for a benchmark without variation."""
    if returns.size < 2:
        return math.nan
    centred = benchmark - np.mean(benchmark)
    variance = float(np.mean(centred**2))
    return float(np.mean(centred * returns)) / variance if variance >= _LEAST_VARIANCE else math.nan


def alpha(returns: np.ndarray, benchmark: np.ndarray, per_year: float = DAYS_PER_YEAR) -> float:
    """Mean daily return beyond `beta*benchmark`, compounded over a year: `(1 + mean)**per_year - 1`. Risk-free rate zero.

    Jensen's alpha (1968) with beta from the same days. -1 when the mean is a loss of everything.
    """
    slope = beta(returns, benchmark)
    if math.isnan(slope):
        return math.nan
    growth = 1.0 + float(np.mean(returns - slope * benchmark))
    with np.errstate(over="ignore"):
        return float(np.power(growth, per_year) - 1.0) if growth > 0.0 else -1.0


def held_at_exposure(buy_and_hold: np.ndarray, capital: float, exposure: float) -> np.ndarray:
    """Equity of a share `exposure` of the capital held in the coins from the first bar on, the rest idle [bars].

    buy_and_hold: float64 [bars], the value of the whole capital held in them, quote currency. The share is of the capital at
    the start and is not rebalanced; a negative one sells short.
    """
    return np.asarray(capital + exposure * (buy_and_hold - capital))
