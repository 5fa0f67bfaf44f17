"""The adaptive grid's indicators, each value by its formula and a fresh sum."""

from __future__ import annotations

import math
from typing import Any

NAN = math.nan


def efficiency_ratio(close: list[float], i: int, n: int) -> float:
    """`abs(C[i]-C[i-n]) / sum(abs(C[k]-C[k-1]), k=i-n+1..i)`; 0 when the denominator is 0."""
    if i < n:
        return NAN
    moved = sum(abs(close[k] - close[k - 1]) for k in range(i - n + 1, i + 1))
    return 0.0 if moved == 0.0 else abs(close[i] - close[i - n]) / moved


def kama(close: list[float], n: int, fast: int, slow: int) -> list[float]:
    """`K[i] = K[i-1] + sc*(C[i]-K[i-1])`, seeded with `K[n-1] = C[n-1]`, which is not shown."""
    out = [NAN] * len(close)
    if len(close) < n:
        return out
    value = close[n - 1]
    for i in range(n, len(close)):
        ratio = efficiency_ratio(close, i, n)
        smoothing = (ratio * (2.0 / (fast + 1) - 2.0 / (slow + 1)) + 2.0 / (slow + 1)) ** 2
        value = value + smoothing * (close[i] - value)
        out[i] = value
    return out


def true_range(high: list[float], low: list[float], close: list[float], i: int) -> float:
    """`max(H-L, abs(H-C[i-1]), abs(L-C[i-1]))`."""
    return max(high[i] - low[i], abs(high[i] - close[i - 1]), abs(low[i] - close[i - 1]))


def average_true_range(high: list[float], low: list[float], close: list[float], p: int) -> list[float]:
    """At p the mean of `TR[1..p]`, then `(ATR*(p-1) + TR)/p`."""
    out = [NAN] * len(close)
    if len(close) <= p:
        return out
    out[p] = sum(true_range(high, low, close, k) for k in range(1, p + 1)) / p
    for i in range(p + 1, len(close)):
        out[i] = (out[i - 1] * (p - 1) + true_range(high, low, close, i)) / p
    return out


def mean(values: list[float], i: int, n: int) -> float:
    """Mean of the last n values up to i."""
    return NAN if i < n - 1 else sum(values[i - n + 1 : i + 1]) / n


def volatility(close: list[float], i: int, n: int) -> float:
    """Sample standard deviation (ddof 1) of the last n log returns up to i."""
    if i < n:
        return NAN
    returns = [math.log(close[k] / close[k - 1]) for k in range(i - n + 1, i + 1)]
    centre = math.fsum(returns) / n
    return math.sqrt(math.fsum((r - centre) ** 2 for r in returns) / (n - 1))


def regime(slope: float, ratio: float, threshold: float, er_threshold: float) -> int:
    """Five states: 2 and -2 breakouts, 1 and -1 trends, 0 noise."""
    if slope > 2.0 * threshold:
        return 2
    if slope < -2.0 * threshold:
        return -2
    if slope > threshold and ratio > er_threshold:
        return 1
    if slope < -threshold and ratio > er_threshold:
        return -1
    return 0


def adaptive_grid_rows(bars: dict[str, list[float]], first_bar: int, parameters: dict[str, Any]) -> list[dict[str, float]]:
    """A row per bar of the common grid: close, kama, atr, er, z, sigma, regime (NaN: not known). All begin at `first_bar`."""
    last = len(bars["close"])
    while last > first_bar and not math.isfinite(bars["close"][last - 1]):
        last -= 1
    high, low, close = (bars[name][first_bar:last] for name in ("high", "low", "close"))
    n = parameters["kama_period"]
    kamas = kama(close, n, parameters["kama_fast"], parameters["kama_slow"])
    atrs = average_true_range(high, low, close, parameters["atr_period"])
    rows = []
    for bar in range(len(bars["close"])):
        i = bar - first_bar
        if i < 0 or i >= len(close):
            rows.append(dict.fromkeys(("close", "kama", "atr", "er", "z", "sigma", "regime"), NAN))
            continue
        moving = math.isfinite(atrs[i]) and atrs[i] != 0.0
        slope = (kamas[i] - kamas[i - 1]) / atrs[i] if moving and i >= 1 else NAN
        ratio = efficiency_ratio(close, i, n)
        rows.append(
            {
                "close": close[i],
                "kama": kamas[i],
                "atr": atrs[i],
                "er": ratio,
                "z": (close[i] - mean(close, i, parameters["z_period"])) / atrs[i] if moving else NAN,
                "sigma": volatility(close, i, parameters["vol_period"]),
                "regime": regime(slope, ratio, parameters["regime_threshold"], parameters["er_trend_threshold"])
                if math.isfinite(slope)
                else NAN,
            }
        )
    return rows
