"""Mean block length of the stationary bootstrap, chosen from the data.

Source: Politis and White, Automatic Block-Length Selection for the Dependent Bootstrap, Econometric Reviews 23 (2004), with
the correction by Patton, Politis and White, Econometric Reviews 28 (2009).
"""

from __future__ import annotations

import math

import numpy as np

RULE = "Politis and White 2004, corrected 2009"


def autocovariances(values: np.ndarray, lags: int) -> np.ndarray:
    """`sum((x[t] - mean)*(x[t+k] - mean))/n` for k from 0 to `lags` [lags + 1]."""
    centred = values - np.mean(values)
    return np.array([centred[: centred.size - k] @ centred[k:] for k in range(lags + 1)]) / values.size


def _lags_that_matter(covariance: np.ndarray, days: int, in_a_row: int) -> int:
    """Twice the first lag that begins `in_a_row` correlations within the noise; all lags when none does."""
    lags = covariance.size - 1
    noise = 2.0 * math.sqrt(math.log10(days) / days) * covariance[0]
    small = np.abs(covariance) < noise
    for lag in range(1, lags - in_a_row + 1):
        if small[lag : lag + in_a_row].all():
            return min(2 * lag, lags)
    return lags


def mean_block_length(returns: np.ndarray) -> float:
    """Mean length of the blocks, in days, at least 1 and at most `ceil(min(3*sqrt(n), n/3))`; 1 without variation.

    returns: float64 [days]. `b = (2*g**2/d)**(1/3) * n**(1/3)`, where `g` is the sum of `flat(k/m)*abs(k)*R(k)` and
    `d = 2*s**2`, `s` the sum of `flat(k/m)*R(k)`, over lags -m to m; `R` autocovariance, `flat` the flat-top window.
    As in Patton's program `m` counts from the first lag of those within the noise, the paper from the one before it.
    """
    days = returns.size
    if days < 10:
        return 1.0
    in_a_row = max(5, int(math.log10(days)))
    covariance = autocovariances(returns, math.ceil(math.sqrt(days)) + in_a_row)
    if not math.sqrt(covariance[0]) > 1e-14 * float(np.max(np.abs(returns))):  # less is the rounding of equal returns
        return 1.0
    lags = _lags_that_matter(covariance, days, in_a_row)
    k = np.arange(1, lags + 1)
    window = np.minimum(1.0, 2.0 * (1.0 - k / lags))
    curvature = 2.0 * float(np.sum(window * k * covariance[1 : lags + 1]))
    spectrum = float(covariance[0]) + 2.0 * float(np.sum(window * covariance[1 : lags + 1]))
    longest = float(math.ceil(min(3.0 * math.sqrt(days), days / 3.0)))
    if spectrum == 0.0:
        return longest
    return min(max(((curvature / spectrum) ** 2 * days) ** (1.0 / 3.0), 1.0), longest)
