"""The shape of daily returns: value at risk, expected shortfall, skew, kurtosis.

Every function takes float64 [days] of simple returns and gives a float, NaN where the metric has no meaning.
"""

from __future__ import annotations

import math

import numpy as np

TAIL = 0.05  # share of days in the tail: the 95 % level


def value_at_risk(returns: np.ndarray, tail: float = TAIL) -> float:
    """Historical value at risk: the loss that a share `tail` of the days exceeds, positive for a loss.

    The empirical quantile, interpolated between the two days next to it (definition 7 of Hyndman and Fan 1996).
    """
    return float(-np.quantile(returns, tail)) if returns.size else math.nan


def expected_shortfall(returns: np.ndarray, tail: float = TAIL) -> float:
    """Mean loss of the worst `1 + floor((days - 1)*tail)` days, positive for a loss."""
    if returns.size == 0:
        return math.nan
    worst = int((returns.size - 1) * tail)
    return float(-np.mean(np.partition(returns, worst)[: worst + 1]))


def _standardized(returns: np.ndarray) -> np.ndarray | None:
    """Returns less their mean over their population standard deviation; None when there is no variation beyond rounding."""
    if returns.size < 2:
        return None
    centred = returns - np.mean(returns)
    largest = float(np.max(np.abs(centred)))
    if not largest > 1e-14 * float(np.max(np.abs(returns))):
        return None
    scaled = centred / largest  # so that neither tiny nor huge returns leave the range of floats when squared
    return np.asarray(scaled / math.sqrt(float(np.mean(scaled**2))))


def skewness(returns: np.ndarray) -> float:
    """Third standardized moment, of the population (divided by the count, no correction for bias); 0 when symmetric."""
    standard = _standardized(returns)
    return math.nan if standard is None else float(np.mean(standard**3))


def excess_kurtosis(returns: np.ndarray) -> float:
    """Fourth standardized moment less 3, of the population (no correction for bias); 0 for a normal distribution."""
    standard = _standardized(returns)
    return math.nan if standard is None else float(np.mean(standard**4)) - 3.0
