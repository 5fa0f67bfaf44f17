"""Metrics of an equity curve: return, risk, drawdown.

Every function takes plain arrays and returns a float, NaN where the metric has no meaning (no bars, no variation).
Equity is float64 [bars] in quote currency, one value a bar at its close; `capital` is what stood before the first bar.
Returns are per bar, `returns[0] = equity[0]/capital - 1`. Drawdowns are positive fractions of the peak (packages such as
empyrical give them as negative numbers); the peak starts at the capital. Ratios assume a risk-free rate of zero.
"""

from __future__ import annotations

import math

import numpy as np

DAY_MS = 86_400_000
DAYS_PER_YEAR = 365.0
YEAR_MS = DAYS_PER_YEAR * DAY_MS


def bars_per_year(timeframe_ms: int) -> float:
    """Bars in a year of 365 days that never closes: 35 040 for 15 minutes. Annualization goes by this number."""
    return YEAR_MS / timeframe_ms


def returns_per_bar(equity: np.ndarray, capital: float) -> np.ndarray:
    """Simple returns from close to close [bars]; 0 where nothing was left to earn a return on (equity <= 0 before)."""
    before = np.concatenate((np.array([capital], dtype=np.float64), equity[:-1])) if equity.size else equity
    earning = before > 0.0
    if earning.all():
        return np.asarray(equity / before - 1.0)
    returns = np.zeros(equity.size, dtype=np.float64)
    returns[earning] = equity[earning] / before[earning] - 1.0
    return returns


def daily_equity(time: np.ndarray, equity: np.ndarray) -> np.ndarray:
    """Equity at the last close of each UTC day that has bars [days]. `time`: bars' open times, int64 ms, ascending."""
    if equity.size == 0:
        return equity
    day = time // DAY_MS
    last_of_day = np.append(day[1:] != day[:-1], True)
    return np.asarray(equity[last_of_day])


def daily_returns(time: np.ndarray, equity: np.ndarray, capital: float) -> np.ndarray:
    """Returns from the end of one UTC day to the end of the next; the first and last day may be in part."""
    return returns_per_bar(daily_equity(time, equity), capital)


def total_return(equity: np.ndarray, capital: float) -> float:
    """`equity[-1]/capital - 1`."""
    return float(equity[-1] / capital - 1.0) if equity.size else math.nan


def cagr(equity: np.ndarray, capital: float, per_year: float) -> float:
    """Annualized return `(equity[-1]/capital)**(per_year/bars) - 1`; -1 when nothing is left."""
    if equity.size == 0:
        return math.nan
    growth = equity[-1] / capital
    if growth <= 0.0:
        return -1.0
    with np.errstate(over="ignore"):
        return float(np.power(growth, per_year / equity.size) - 1.0)


def volatility(returns: np.ndarray, per_year: float) -> float:
    """Sample standard deviation of returns (ddof 1) times sqrt(per_year)."""
    if returns.size < 2:
        return math.nan
    return float(np.std(returns, ddof=1) * math.sqrt(per_year))


def sharpe(returns: np.ndarray, per_year: float) -> float:
    """Mean over sample standard deviation of returns, times sqrt(per_year); NaN for returns without variation."""
    if returns.size < 2:
        return math.nan
    deviation = np.std(returns, ddof=1)
    return float(np.mean(returns) / deviation * math.sqrt(per_year)) if deviation > 0.0 else math.nan


def sortino(returns: np.ndarray, per_year: float) -> float:
    """Mean over downside deviation `sqrt(mean(min(returns, 0)**2))` (over all bars), times sqrt(per_year)."""
    if returns.size < 2:
        return math.nan
    downside = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2)))
    return float(np.mean(returns) / downside * math.sqrt(per_year)) if downside > 0.0 else math.nan


def drawdowns(equity: np.ndarray, capital: float) -> np.ndarray:
    """Drawdown at each close [bars]: `1 - equity/peak`, the peak so far starting at the capital."""
    if equity.size == 0:
        return np.zeros(0)
    peak = np.maximum(np.maximum.accumulate(equity), capital)
    return 1.0 - equity / peak


def max_drawdown(drawdown: np.ndarray) -> float:
    """The deepest drawdown, a positive fraction of the peak."""
    return float(np.max(drawdown)) if drawdown.size else math.nan


def under_water_stays(drawdown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First bar and the bar after the last one of each stay under water; two int64 arrays [stays]."""
    under = np.concatenate(([False], drawdown > 0.0, [False]))
    edges = np.flatnonzero(under[1:] != under[:-1])
    return edges[0::2], edges[1::2]


def average_drawdown(drawdown: np.ndarray) -> float:
    """Mean depth of the drawdowns, each counted once with its deepest point; 0 when there was none."""
    if drawdown.size == 0:
        return math.nan
    starts, _ = under_water_stays(drawdown)
    if starts.size == 0:
        return 0.0
    # Between two starts lie one stay under water and bars of zero drawdown, so the maximum is that stay's.
    return float(np.mean(np.maximum.reduceat(drawdown, starts)))


def longest_drawdown_bars(drawdown: np.ndarray) -> float:
    """Bars of the longest stay below the peak, whether or not it was over at the end."""
    if drawdown.size == 0:
        return math.nan
    starts, ends = under_water_stays(drawdown)
    return float(np.max(ends - starts)) if starts.size else 0.0


def ulcer_index(drawdown: np.ndarray) -> float:
    """Root mean square of the drawdowns at closes, a fraction (Martin and McCann 1989, who give it in percent)."""
    return math.sqrt(float(np.mean(drawdown**2))) if drawdown.size else math.nan


def time_under_water(drawdown: np.ndarray) -> float:
    """Share of bars that close below the peak."""
    return float(np.mean(drawdown > 0.0)) if drawdown.size else math.nan


def calmar(annual_return: float, deepest: float) -> float:
    """CAGR over the maximum drawdown at closes; NaN without a drawdown."""
    return annual_return / deepest if deepest > 0.0 else math.nan


def best(returns: np.ndarray) -> float:
    """The largest return."""
    return float(np.max(returns)) if returns.size else math.nan


def worst(returns: np.ndarray) -> float:
    """The smallest return."""
    return float(np.min(returns)) if returns.size else math.nan
