"""Whether a Sharpe ratio is more than the best of so many trials would have shown by luck.

Sources: Bailey and Lopez de Prado, The Sharpe Ratio Efficient Frontier, Journal of Risk 15 (2012), for the probabilistic Sharpe
ratio; the same, The Deflated Sharpe Ratio, Journal of Portfolio Management 40 (2014), for the expected maximum of trials.
Sharpe ratios are a day everywhere here, not a year; kurtosis is raw, 3 for a normal distribution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from backtest.metrics.distribution import excess_kurtosis, skewness
from backtest.optimization.evidence.daily import a_year, checked_returns, sharpe
from backtest.uncertainty.estimate import LEAST_DAYS
from engine.errors import InputError

CONFIDENCE = 0.95
POWER = 0.80
_NORMAL = NormalDist()


@dataclass(frozen=True)
class DeflatedSharpe:
    """The deflated Sharpe ratio of the best set, and what it is made of.

    probability: that the true Sharpe ratio is above `benchmark`; NaN when it cannot be told. sharpe: a day. benchmark: the largest
    Sharpe ratio a day that `trials` trials without any edge are expected to show. variance: of the trials' daily Sharpe ratios by
    luck (see `variance_by_luck`). design_variance: of the design's, as it is. kurtosis: raw. detectable: the smallest true Sharpe
    ratio a day that so many days and trials would show (see `smallest_detectable_sharpe`, with this skew and kurtosis).
    """

    probability: float
    sharpe: float
    benchmark: float
    trials: int
    variance: float
    design_variance: float
    days: int
    skew: float
    kurtosis: float
    detectable: float

    @property
    def sharpe_a_year(self) -> float:
        """The observed Sharpe ratio, annualized by 365 days."""
        return a_year(self.sharpe)


def expected_maximum(trials: int, variance: float) -> float:
    """Largest Sharpe ratio that `trials` independent trials of true Sharpe ratio zero are expected to show; 0 for one trial.

    variance: of the trials' Sharpe ratios; the result has their unit. With Z the normal quantile and g the Euler-Mascheroni
    constant it is `sqrt(variance)*((1 - g)*Z(1 - 1/N) + g*Z(1 - 1/(N*e)))` (2014, eq. 1). Raises InputError for fewer than one
    trial or a negative variance.
    """
    if isinstance(trials, bool) or not isinstance(trials, (int, np.integer)) or trials < 1:
        raise InputError(f"trials = {trials!r} is refused: it must be a whole number of at least 1")
    if variance < 0.0:
        raise InputError(f"variance = {variance!r} is refused: it must be at least 0")
    if trials == 1:
        return 0.0
    # The quantile of 1 - p is minus that of p, which keeps its digits when p is small.
    first, second = -_NORMAL.inv_cdf(1.0 / trials), -_NORMAL.inv_cdf(1.0 / (trials * math.e))
    return math.sqrt(variance) * ((1.0 - np.euler_gamma) * first + np.euler_gamma * second)


def variance_by_luck(design_variance: float, days: int) -> float:
    """Variance of daily Sharpe ratios that luck can have made: the design's, at most the sampling variance `1/(days - 1)` of one ratio.

    The benchmark is the best of trials without an edge. Their estimates vary by sampling alone, each by `standard_error(0, days)`,
    and less from trial to trial where they share days; a wider spread says that the sets differ in truth, mostly that some of
    them trade themselves to death in fees. Taken for luck, that would ask the most of a search where an edge is plainest: no
    edge at all could pass. Sets that lose in truth make the best of all no luckier, so the bound holds for them too.
    """
    return min(design_variance, standard_error(0.0, days) ** 2) if days >= 2 else design_variance


def _check_shape(days: int, skew: float, kurtosis: float) -> None:
    if days < 2:
        raise InputError(f"days = {days!r} is refused: it must be at least 2")
    if kurtosis < (1.0 + skew * skew) * (1.0 - 1e-9):
        raise InputError(f"kurtosis = {kurtosis!r} is refused: it must be at least 1 + skew**2 (raw kurtosis, 3 for normal returns)")


def standard_error(sharpe: float, days: int, skew: float = 0.0, kurtosis: float = 3.0) -> float:
    """Standard error of a daily Sharpe ratio: `sqrt((1 - skew*SR + (kurtosis - 1)/4*SR**2)/(days - 1))`, raw kurtosis (2012, eq. 8).

    Raises InputError for fewer than two days or moments no distribution has.
    """
    _check_shape(days, skew, kurtosis)
    # With kurtosis >= 1 + skew**2 the bracket is at least (1 - skew*SR/2)**2; less than 0 is rounding.
    return math.sqrt(max(1.0 - skew * sharpe + (kurtosis - 1.0) / 4.0 * sharpe * sharpe, 0.0) / (days - 1))


def probabilistic_sharpe(sharpe: float, benchmark: float, days: int, skew: float = 0.0, kurtosis: float = 3.0) -> float:
    """Probability that the true Sharpe ratio is above `benchmark`, both a day: `Phi((SR - benchmark)/standard error)` (2012, eq. 11).

    NaN where the standard error is zero or anything is unknown.
    """
    if math.isnan(sharpe + benchmark + skew + kurtosis):
        return math.nan
    error = standard_error(sharpe, days, skew, kurtosis)
    return _NORMAL.cdf((sharpe - benchmark) / error) if error > 0.0 else math.nan


def smallest_detectable_sharpe(
    days: int, benchmark: float = 0.0, skew: float = 0.0, kurtosis: float = 3.0, confidence: float = CONFIDENCE, power: float = POWER
) -> float:
    """Smallest true Sharpe ratio a day that the probabilistic Sharpe test would find `power` of the time at `confidence`.

    The solution of `SR = benchmark + (Z(confidence) + Z(power))*standard_error(SR)`: with a true ratio that high the estimate
    exceeds what the test asks for in that share of histories. benchmark: `expected_maximum` of the trials, 0 for one trial.
    Infinite when so few days with so heavy tails could show none; NaN for fewer than two days or unknown moments. Source of the
    standard error as above; asking for power beside confidence is the usual sample-size rule (Cohen 1988).
    """
    for name, value in (("confidence", confidence), ("power", power)):
        if not 0.5 <= value < 1.0:
            raise InputError(f"{name} = {value!r} is refused: it must be at least 0.5 and below 1")
    if days < 2 or math.isnan(benchmark + skew + kurtosis):
        return math.nan
    _check_shape(days, skew, kurtosis)
    share = (_NORMAL.inv_cdf(confidence) + _NORMAL.inv_cdf(power)) ** 2 / (days - 1)
    # (SR - b)**2 = share*(1 - skew*SR + (kurtosis - 1)/4*SR**2) is a quadratic; b lies between its roots, SR is the upper one.
    square = 1.0 - share * (kurtosis - 1.0) / 4.0
    if square <= 0.0:
        return math.inf
    half = (share * skew - 2.0 * benchmark) / 2.0
    root = math.sqrt(max(half * half - square * (benchmark * benchmark - share), 0.0))
    return (root - half) / square


def deflated_sharpe(returns: Any, design_sharpes: Any, trials: int) -> DeflatedSharpe:
    """The deflated Sharpe ratio of daily train returns.

    returns: float64 [days] of the chosen set. design_sharpes: daily Sharpe ratios [sets] of the unguided design, whose sample
    variance stands for that of the trials (guided trials crowd where the score is high, and their variance is too small), no more
    of it than luck can make (see `variance_by_luck`); NaN, a set that never traded, is left out. trials: all trials of every study
    that saw these bars, the design's among them. `probability` is NaN for fewer than 60 days, for returns without variation, and
    for several trials with fewer than two Sharpe ratios in the design. Raises InputError for other arrays or fewer than one trial.
    """
    values = checked_returns("returns", returns)
    ratios = np.asarray(design_sharpes, dtype=np.float64)
    if ratios.ndim != 1 or np.isinf(ratios).any():
        raise InputError("design_sharpes are refused: they must be one list of numbers, one a set, NaN where there is none")
    ratios = ratios[~np.isnan(ratios)]
    spread = float(np.var(ratios, ddof=1)) if ratios.size >= 2 else math.nan
    observed, days = sharpe(values), values.size
    variance = variance_by_luck(spread, days)
    benchmark = expected_maximum(trials, variance)
    skew, kurtosis = skewness(values), excess_kurtosis(values) + 3.0
    known = days >= LEAST_DAYS
    probability = probabilistic_sharpe(observed, benchmark, days, skew, kurtosis) if known else math.nan
    detectable = smallest_detectable_sharpe(days, benchmark, skew, kurtosis)
    return DeflatedSharpe(probability, observed, benchmark, int(trials), variance, spread, days, skew, kurtosis, detectable)
