"""Stylised facts of a market, measured on its bars: what real coins have in common, and a simulated one should have too.

Every function takes plain arrays of a regular grid and works on any market. NaN means that there is too little to
measure. Returns are differences of log prices; bars without volume count as they stand, flat.

Source of the list: Cont, "Empirical properties of asset returns: stylized facts and statistical issues",
Quantitative Finance 1 (2001), 223-236.
"""

from __future__ import annotations

import numpy as np

from backtest.data.timeframe import DAY, HOUR

# 1970-01-01 was a Thursday; counted from Monday the days of a week are 0 to 6.
_THURSDAY = 3
_SATURDAY = 5


def log_returns(close: np.ndarray) -> np.ndarray:
    """`ln(close[i+1] / close[i])`, shape (bars - 1,), from closes (bars,) above zero."""
    return np.diff(np.log(close))


def tail_index(values: np.ndarray, share: float = 0.015) -> float:
    """Exponent `a` of the upper tail, `P(X > x) ~ x^-a`, from the largest `share` of the values (Hill's estimator).

    `1/a = mean(ln(X_i / X_k))` over the k largest. Pass `-values` for the lower tail. About 3 for most markets; below
    4 the kurtosis of the population does not exist. NaN when fewer than ten values are above zero in the tail.

    Source: Hill, Annals of Statistics 3 (1975), 1163-1174.
    """
    count = int(share * values.size)
    if count < 10:
        return float("nan")
    largest = np.partition(values, values.size - count - 1)[values.size - count - 1 :]
    threshold = largest.min()
    return float(count / np.log(largest / threshold).sum()) if threshold > 0 else float("nan")


def excess_kurtosis(values: np.ndarray) -> float:
    """`mean(z^4) - 3` of the standardised values: 0 for a Gaussian, positive for fat tails.

    NaN for constant values and for fewer than four.
    """
    if values.size < 4:
        return float("nan")
    deviation = values.std()
    return float((((values - values.mean()) / deviation) ** 4).mean() - 3.0) if deviation > 0 else float("nan")


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's correlation of two arrays of one shape; NaN when one of them is constant or has fewer than three values."""
    if one.size < 3 or one.std() == 0 or other.std() == 0:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])


def autocorrelation(values: np.ndarray, lag: int) -> float:
    """Correlation of the values with themselves `lag` steps later; NaN when the series is too short."""
    return correlation(values[:-lag], values[lag:]) if values.size > lag + 2 else float("nan")


def range_to_body(open_: np.ndarray, high: np.ndarray, low: np.ndarray, close: np.ndarray) -> float:
    """`mean(high - low) / mean(|close - open|)`, in logs: 2 for a Brownian path, more where prices bounce, less in trends.

    Source: the range of a Brownian path has mean `sqrt(8/pi)`, its end `sqrt(2/pi)` (Feller, Annals of Mathematical
    Statistics 22, 1951, 427-432).
    """
    body = np.abs(np.log(close / open_)).mean()
    return float(np.log(high / low).mean() / body) if body > 0 else float("nan")


def parkinson_ratio(open_: np.ndarray, high: np.ndarray, low: np.ndarray, close: np.ndarray) -> float:
    """Volatility by Parkinson's range over volatility by open and close: 1 for a Brownian path seen at every instant.

    `sqrt(mean(ln(high/low)^2) / (4 ln 2)) / sqrt(mean(ln(close/open)^2))`.

    Source: Parkinson, Journal of Business 53 (1980), 61-65.
    """
    body = np.mean(np.log(close / open_) ** 2)
    return float(np.sqrt(np.mean(np.log(high / low) ** 2) / (4.0 * np.log(2.0)) / body)) if body > 0 else float("nan")


def leverage_effect(returns: np.ndarray, ahead: int) -> float:
    """Correlation of a return with the mean size of the `ahead` returns after it; negative: falls make markets nervous.

    Source: Bouchaud, Matacz and Potters, Physical Review Letters 87 (2001), 228701.
    """
    if returns.size < ahead + 3:
        return float("nan")
    sums = np.concatenate([[0.0], np.cumsum(np.abs(returns))])
    after = (sums[1 + ahead :] - sums[1:-ahead]) / ahead
    return correlation(returns[: after.size], after)


def hourly_profile(time: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Mean of `size` by hour of the UTC day over its mean, shape (24,); `time` int64 ms. NaN for hours without a bar."""
    hour = (time % DAY) // HOUR
    counts = np.bincount(hour, minlength=24)
    sums = np.bincount(hour, weights=size, minlength=24)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(counts > 0, sums / counts, np.nan) / size.mean()


def busiest_to_quietest_hour(time: np.ndarray, size: np.ndarray) -> float:
    """Greatest over least value of `hourly_profile`; NaN unless every hour of the day has bars."""
    profile = hourly_profile(time, size)
    return float(profile.max() / profile.min()) if np.isfinite(profile).all() and profile.min() > 0 else float("nan")


def weekend_to_weekday(time: np.ndarray, size: np.ndarray) -> float:
    """Mean of `size` on Saturdays and Sundays over that of the other days, UTC; NaN when one of the two has no bar."""
    weekend = (time // DAY + _THURSDAY) % 7 >= _SATURDAY
    if weekend.all() or not weekend.any() or size[~weekend].mean() == 0:
        return float("nan")
    return float(size[weekend].mean() / size[~weekend].mean())


def flat_share(high: np.ndarray, low: np.ndarray) -> float:
    """Share of bars whose price never moved."""
    return float((high == low).mean())


def gap_share(open_: np.ndarray, close: np.ndarray, tolerance: float = 1e-4) -> float:
    """Share of bars that open more than `tolerance` (a fraction, 0.0001 is 1 bp) away from the close before."""
    return float((np.abs(open_[1:] / close[:-1] - 1.0) > tolerance).mean())


def volume_volatility_correlation(high: np.ndarray, low: np.ndarray, volume: np.ndarray) -> float:
    """Correlation of log volume with log range, over the bars that have both."""
    there = (volume > 0) & (high > low)
    return correlation(np.log(volume[there]), np.log(np.log(high[there] / low[there])))
