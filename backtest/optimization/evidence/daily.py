"""What all evidence is made of: daily returns, checked, and their Sharpe ratio a day."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from backtest.metrics.equity import DAYS_PER_YEAR
from engine.errors import InputError

# Deviation or variance below this share of what it is the deviation of is the rounding of equal returns.
_ROUNDING = 1e-12


def checked_returns(name: str, returns: Any) -> np.ndarray:
    """Daily returns of one set as float64 [days]. Raises InputError unless they are one list of finite numbers."""
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise InputError(f"{name} are refused: they must be one list of finite numbers, one a day")
    return values


def checked_matrix(name: str, returns: Any) -> np.ndarray:
    """Daily returns of many sets, float32 or float64 [days, sets], as they come. Raises InputError for other shapes or not finite."""
    values = np.asarray(returns)
    if values.ndim != 2 or values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        raise InputError(f"{name} are refused: they must be a table of finite numbers, a row a day and a column a set")
    return values


def sharpes(returns: np.ndarray) -> np.ndarray:
    """Sharpe ratio a day of each column [sets] of daily returns [days, sets]; NaN for a column without variation.

    Mean over sample standard deviation (ddof 1), risk-free rate zero, not annualized.
    """
    if returns.shape[0] < 2:
        return np.full(returns.shape[1], math.nan)
    mean = returns.mean(axis=0, dtype=np.float64)
    deviation = returns.std(axis=0, ddof=1, dtype=np.float64)
    varied = deviation > _ROUNDING * np.abs(mean)
    return np.divide(mean, deviation, out=np.full(mean.size, math.nan), where=varied)


def sharpe(returns: np.ndarray) -> float:
    """Sharpe ratio a day of daily returns [days]; NaN for fewer than two days or without variation. See `sharpes`."""
    return float(sharpes(returns[:, np.newaxis])[0])


def a_year(daily_sharpe: float) -> float:
    """A daily Sharpe ratio as it is quoted: times the square root of 365 days."""
    return daily_sharpe * math.sqrt(DAYS_PER_YEAR)
