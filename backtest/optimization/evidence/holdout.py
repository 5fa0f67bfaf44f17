"""The holdout: its return with an interval, and what was left of it beyond holding the coin."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from backtest.metrics.benchmark import alpha, beta
from backtest.metrics.distribution import excess_kurtosis, skewness
from backtest.optimization.evidence.daily import checked_returns
from backtest.optimization.evidence.deflated_sharpe import smallest_detectable_sharpe
from backtest.uncertainty import Interval
from backtest.uncertainty.block_length import mean_block_length
from backtest.uncertainty.bootstrap import drawn_days
from backtest.uncertainty.estimate import HIGH, LEAST_DAYS, LOW, uncertainty_of
from engine.errors import InputError

# Draws made at a time: a few megabytes for years of days.
_BATCH = 200


@dataclass(frozen=True)
class Holdout:
    """Intervals of the holdout, 5 to 95 % of the draws; NaN for fewer than 60 days.

    total_return: fraction over the holdout. alpha: a year, daily return beyond beta times the coin's, compounded over 365 days.
    beta: of daily returns to the coin's. detectable: smallest true Sharpe ratio a day that so many days of this skew and kurtosis
    would show in one trial. mean_block, mean_pair_block: mean block length in days of the return's draws and of the
    draws of alpha and beta.
    """

    total_return: Interval
    alpha: Interval
    beta: Interval
    detectable: float
    days: int
    draws: int
    seed: int
    mean_block: float
    mean_pair_block: float


def _regressions(returns: np.ndarray, coin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Alpha and beta of each row of daily returns [draws, days], as the metrics of a run define them."""
    pairs = [(alpha(one, other), beta(one, other)) for one, other in zip(returns, coin, strict=True)]
    return np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])


def _interval(observed: float, draws: np.ndarray) -> Interval:
    values = draws[np.isfinite(draws)]
    if values.size == 0:
        return Interval(observed, math.nan, math.nan, math.nan)
    return Interval(observed, *(float(value) for value in np.quantile(values, (LOW, 0.5, HIGH))))


def holdout(returns: Any, coin: Any, draws: int = 2000, seed: int = 1) -> Holdout:
    """The holdout's total return, alpha and beta with stationary-bootstrap intervals.

    returns, coin: float64 [days], daily returns of the strategy and of holding the coin (several: an equal share of each) on the
    same days. Days are drawn in blocks whose mean length is the published rule's; for alpha and beta both series are drawn by
    the same days, in blocks as long as the longer of the two rules asks. draws: 100 to 100,000. Raises InputError for other
    draws, and for series of different lengths.
    """
    values, held = checked_returns("holdout returns", returns), checked_returns("coin returns", coin)
    if values.size != held.size:
        raise InputError(f"coin returns are refused: they must have as many days as the holdout's, {values.size}, not {held.size}")
    luck = uncertainty_of(values, draws, seed)
    observed = (alpha(values, held), beta(values, held))
    detectable = smallest_detectable_sharpe(values.size, 0.0, skewness(values), excess_kurtosis(values) + 3.0)
    if values.size < LEAST_DAYS:
        of_alpha, of_beta = (Interval(value, math.nan, math.nan, math.nan) for value in observed)
        return Holdout(luck.total_return, of_alpha, of_beta, detectable, values.size, luck.draws, luck.seed, math.nan, math.nan)
    block = max(mean_block_length(values), mean_block_length(held))
    random = np.random.default_rng(luck.seed)
    found = []
    for first in range(0, luck.draws, _BATCH):
        days = drawn_days(random, min(_BATCH, luck.draws - first), values.size, block)
        found.append(_regressions(values[days], held[days]))
    alphas, betas = (np.concatenate(one) for one in zip(*found, strict=True))
    return Holdout(
        luck.total_return,
        _interval(observed[0], alphas),
        _interval(observed[1], betas),
        detectable,
        values.size,
        luck.draws,
        luck.seed,
        luck.mean_block,
        block,
    )
