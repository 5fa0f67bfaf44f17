"""Slow, obvious twins of the kernels: lists in, lists out, written from the formulas. They share nothing with gridcore."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

NAN = math.nan
Series = Sequence[float]


def windows(count: int, window: int, first: int, value: Callable[[int], float]) -> list[float]:
    """`value(i)` for i >= first, NaN before; `window` is only here to make the call sites read like the formulas."""
    assert first >= window - 1
    return [value(i) if i >= first else NAN for i in range(count)]


def rolling_sum(x: Series, n: int) -> list[float]:
    return windows(len(x), n, n - 1, lambda i: math.fsum(x[i - n + 1 : i + 1]))


def mean(x: Series) -> float:
    return math.fsum(x) / len(x)


def comoment(x: Series, y: Series) -> float:
    mx, my = mean(x), mean(y)
    return math.fsum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))


def sample_deviation(x: Series) -> float:
    return math.sqrt(comoment(x, x) / (len(x) - 1)) if len(x) > 1 else NAN


def rolling_deviation(x: Series, n: int) -> list[float]:
    return windows(len(x), n, n - 1, lambda i: sample_deviation(x[i - n + 1 : i + 1]))


def simple_moving_average(x: Series, n: int) -> list[float]:
    return windows(len(x), n, n - 1, lambda i: mean(x[i - n + 1 : i + 1]))


def exponential_moving_average(x: Series, n: int) -> list[float]:
    out = [NAN] * len(x)
    for i in range(n - 1, len(x)):
        out[i] = mean(x[:n]) if i == n - 1 else out[i - 1] + 2 / (n + 1) * (x[i] - out[i - 1])
    return out


def efficiency_ratio(c: Series, n: int) -> list[float]:
    def value(i: int) -> float:
        path = math.fsum(abs(c[k] - c[k - 1]) for k in range(i - n + 1, i + 1))
        return abs(c[i] - c[i - n]) / path if path else 0.0

    return windows(len(c), n, n, value)


def kama(c: Series, n: int, fast: int, slow: int) -> list[float]:
    er = efficiency_ratio(c, n)
    out = [NAN] * len(c)
    last = c[n - 1] if len(c) >= n else NAN
    for i in range(n, len(c)):
        sc = (er[i] * (2 / (fast + 1) - 2 / (slow + 1)) + 2 / (slow + 1)) ** 2
        last = last + sc * (c[i] - last)
        out[i] = last
    return out


def true_range(h: Series, low: Series, c: Series) -> list[float]:
    return [NAN] + [max(h[i] - low[i], abs(h[i] - c[i - 1]), abs(low[i] - c[i - 1])) for i in range(1, len(c))]


def average_true_range(h: Series, low: Series, c: Series, p: int) -> list[float]:
    tr = true_range(h, low, c)
    out = [NAN] * len(c)
    for i in range(p, len(c)):
        out[i] = mean(tr[1 : p + 1]) if i == p else (out[i - 1] * (p - 1) + tr[i]) / p
    return out


def z_score(c: Series, n: int, atr: Series) -> list[float]:
    sma = simple_moving_average(c, n)
    return [(c[i] - sma[i]) / atr[i] if atr[i] > 0 else NAN for i in range(len(c))]


def log_returns(c: Series) -> list[float]:
    # log1p of the exact-ish difference: the logarithm of a rounded ratio is off by 1e-16, which is much for a small move.
    return [NAN] + [math.log1p((c[i] - c[i - 1]) / c[i - 1]) for i in range(1, len(c))]


def volatility(c: Series, n: int) -> list[float]:
    returns = log_returns(c)
    return windows(len(c), n, n, lambda i: sample_deviation(returns[i - n + 1 : i + 1]))


def rolling_correlation(x: Series, y: Series, n: int) -> list[float]:
    def value(i: int) -> float:
        a, b = x[i - n + 1 : i + 1], y[i - n + 1 : i + 1]
        scale = math.sqrt(comoment(a, a)) * math.sqrt(comoment(b, b))
        return comoment(a, b) / scale if scale else NAN

    return windows(len(x), n, n - 1, value)


def rolling_beta(x: Series, y: Series, n: int) -> list[float]:
    def value(i: int) -> float:
        a, b = x[i - n + 1 : i + 1], y[i - n + 1 : i + 1]
        return comoment(a, b) / comoment(b, b) if comoment(b, b) else NAN

    return windows(len(x), n, n - 1, value)


def wilder_means(x: Series, n: int) -> list[float]:
    """Wilder averages of x[1:], the first, at n, a plain mean."""
    out = [NAN] * len(x)
    for i in range(n, len(x)):
        out[i] = mean(x[1 : n + 1]) if i == n else (out[i - 1] * (n - 1) + x[i]) / n
    return out


def relative_strength_index(c: Series, n: int) -> list[float]:
    change = [NAN] + [c[i] - c[i - 1] for i in range(1, len(c))]
    gains = wilder_means([max(d, 0.0) for d in change], n)
    losses = wilder_means([max(-d, 0.0) for d in change], n)
    out = []
    for gain, loss in zip(gains, losses, strict=True):
        out.append(NAN if math.isnan(gain) else 100 * gain / (gain + loss) if gain + loss else 0.0)
    return out


def wilder_sums(x: Series, n: int) -> list[float]:
    """Wilder sums of x[1:]: plain over the first n - 1, from then on S - S/n + x."""
    out = [NAN] * len(x)
    total = math.fsum(x[1:n])
    for i in range(n, len(x)):
        total = total - total / n + x[i]
        out[i] = total
    return out


def directional_movement(h: Series, low: Series, c: Series, n: int) -> tuple[list[float], list[float], list[float]]:
    size = len(c)
    up = [0.0] + [h[i] - h[i - 1] for i in range(1, size)]
    down = [0.0] + [low[i - 1] - low[i] for i in range(1, size)]
    ranges = wilder_sums(true_range(h, low, c), n)
    plus_sums = wilder_sums([u if u > d and u > 0 else 0.0 for u, d in zip(up, down, strict=True)], n)
    minus_sums = wilder_sums([d if d > u and d > 0 else 0.0 for u, d in zip(up, down, strict=True)], n)

    def indicator(sums: Series, i: int) -> float:
        return NAN if i < n else 100 * sums[i] / ranges[i] if ranges[i] else 0.0

    plus = [indicator(plus_sums, i) for i in range(size)]
    minus = [indicator(minus_sums, i) for i in range(size)]
    dx = [100 * abs(p - m) / (p + m) if p + m else NAN for p, m in zip(plus, minus, strict=True)]
    adx = [NAN] * size
    for i in range(2 * n - 1, size):
        if i == 2 * n - 1:
            adx[i] = math.fsum(0.0 if math.isnan(d) else d for d in dx[n : 2 * n]) / n
        else:
            adx[i] = adx[i - 1] if math.isnan(dx[i]) else (adx[i - 1] * (n - 1) + dx[i]) / n
    return plus, minus, adx


def kama_slope(average: Series, atr: Series) -> list[float]:
    return [NAN] + [(average[i] - average[i - 1]) / atr[i] if atr[i] > 0 else NAN for i in range(1, len(atr))]


def synthetic_premium(c: Series, n8: int, n72: int, beta: float) -> list[float]:
    ratio = [NAN if i < n72 - 1 else c[i] / mean(c[i - n72 + 1 : i + 1]) - 1 for i in range(len(c))]
    return [beta * mean(ratio[i - n8 + 1 : i + 1]) if i >= n72 + n8 - 2 else 0.0 for i in range(len(c))]


# Margin. A tier is (floor, cap, rate); the maintenance margin is the area under the rates, no maintenance amounts.

Tiers = Sequence[tuple[float, float, float]]
Position = tuple[float, float, float, float]  # long quantity, long cost, short quantity, short cost


def maintenance_margin(notional: float, tiers: Tiers) -> float:
    return math.fsum(rate * (min(notional, cap) - floor) for floor, cap, rate in tiers if notional > floor)


def excess(price: float, wallet: float, position: Position, tiers: Tiers) -> float:
    long_qty, long_cost, short_qty, short_cost = position
    equity = wallet + price * long_qty - long_cost + short_cost - price * short_qty
    return equity - maintenance_margin(price * long_qty, tiers) - maintenance_margin(price * short_qty, tiers)


def bisect(safe: float, breached: float, wallet: float, position: Position, tiers: Tiers) -> float:
    for _ in range(200):
        middle = 0.5 * (safe + breached)
        if excess(middle, wallet, position, tiers) > 0:
            safe = middle
        else:
            breached = middle
    return 0.5 * (safe + breached)


def kink_prices(position: Position, tiers: Tiers) -> list[float]:
    quantities = [q for q in (position[0], position[2]) if q > 0]
    return sorted({0.0} | {floor / q for floor, _, _ in tiers for q in quantities})


def liquidation_prices(wallet: float, position: Position, tiers: Tiers) -> tuple[float, float]:
    """Scan the prices where a tier changes (the excess is straight between them), then bisect. NaN where there is no end."""
    if position[0] == 0 and position[2] == 0:
        return NAN, NAN
    prices = kink_prices(position, tiers)
    far = 2 * prices[-1] + 1
    while far < 1e15:
        prices.append(far)
        far *= 4
    safe = [excess(p, wallet, position, tiers) > 0 for p in prices]
    if True not in safe:
        return NAN, NAN
    first = safe.index(True)
    last = len(safe) - 1 - safe[::-1].index(True)
    lower = NAN if first == 0 else bisect(prices[first], prices[first - 1], wallet, position, tiers)
    upper = NAN if last == len(prices) - 1 else bisect(prices[last], prices[last + 1], wallet, position, tiers)
    return lower, upper
