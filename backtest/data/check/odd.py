"""Bars that keep every rule and still deserve a look: extreme ranges, jumps, spikes, repeats, breaks of volume, odd prices.

The thresholds are chosen so that four years of 15-minute bars of the large perpetuals raise a handful of lines; every one is a
constant below. Arrays: `time` int64 ms, `values` float64 open, high, low, close and perhaps volume, shape (4 or 5, rows).
"""

from __future__ import annotations

import numpy as np

from backtest.data.check.findings import ExtremeBar, Jump, PriceStep, Range, Spike, VolumeBreak
from backtest.data.check.ticks import Tick
from backtest.data.columns import PRICES

# A bar is extreme when its range is 10 % (and 5 times the median range: 10 % is an ordinary day), or 30 times the median.
EXTREME_PCT, LEAST_TIMES, EXTREME_TIMES = 10.0, 5.0, 30.0
# An open is a jump when it is this many median ranges away from the close before it.
JUMP_TIMES = 20.0
# A price is a spike when it is four times, or a quarter, of closes around it that agree to a factor of two.
SPIKE_FACTOR, AGREEING = 4.0, 2.0
# Volume breaks where the median of 96 bars is 50 times, or a fiftieth, of that of the 96 before.
VOLUME_BLOCK, VOLUME_FACTOR = 96, 50.0
# Prices with more decimals than this are numbers of a computation, not of an exchange.
MOST_DECIMALS = 10
# With more steps than this in a price, rounding can no longer be told from a fraction of a step.
MOST_STEPS = 1e13


def runs(mask: np.ndarray, time: np.ndarray, step: int) -> tuple[Range, ...]:
    """Consecutive bars of the grid for which `mask` (rows,) holds, as ranges; `step` is the length of a bar in ms."""
    rows = np.flatnonzero(mask)
    if rows.size == 0:
        return ()
    cuts = np.flatnonzero(np.diff(time[rows]) != step) + 1
    firsts, lasts = np.concatenate([[0], cuts]), np.concatenate([cuts, [rows.size]]) - 1
    return tuple(
        Range(int(time[rows[first]]), int(time[rows[last]]) + step, int(last - first) + 1)
        for first, last in zip(firsts, lasts, strict=True)
    )


def median_range(values: np.ndarray) -> float:
    """Median of high / low - 1 of the bars that are not flat, percent; 0 when all are."""
    moving = values[1] > values[2]
    return float(np.median(values[1, moving] / values[2, moving] - 1.0)) * 100.0 if moving.any() else 0.0


def extreme_bars(time: np.ndarray, values: np.ndarray, median_pct: float) -> tuple[ExtremeBar, ...]:
    """Bars of extreme range, the widest first."""
    wide = (values[1] / values[2] - 1.0) * 100.0
    extreme = (wide > EXTREME_TIMES * median_pct) | ((wide >= EXTREME_PCT) & (wide >= LEAST_TIMES * median_pct))
    rows = np.flatnonzero(extreme & (wide > 0.0))
    rows = rows[np.argsort(-wide[rows], kind="stable")]
    change = (values[3] / values[0] - 1.0) * 100.0
    return tuple(ExtremeBar(int(time[row]), float(wide[row]), float(change[row])) for row in rows)


def jumps(time: np.ndarray, values: np.ndarray, median_pct: float, step: int) -> tuple[Jump, ...]:
    """Opens far from the close before, with the bars that are missing in between."""
    if median_pct == 0.0:
        return ()
    change = (values[0, 1:] / values[3, :-1] - 1.0) * 100.0
    return tuple(
        Jump(
            int(time[row + 1]),
            float(values[3, row]),
            float(values[0, row + 1]),
            float(change[row]),
            int(time[row + 1] - time[row]) // step - 1,
        )
        for row in np.flatnonzero(np.abs(change) > JUMP_TIMES * median_pct)
    )


def spikes(time: np.ndarray, values: np.ndarray) -> tuple[Spike, ...]:
    """Single bars with a price of another order of magnitude than the closes on both sides; of a bar the worst price only."""
    closes = values[3]
    if closes.size < 3:
        return ()
    before, after = np.concatenate([closes[1:2], closes[:-1]]), np.concatenate([closes[1:], closes[-2:-1]])
    level = np.sqrt(before * after)
    steady = np.maximum(before, after) < AGREEING * np.minimum(before, after)
    factors = values[:4] / level
    distance = np.maximum(factors, 1.0 / factors)
    found = []
    for row in np.flatnonzero(steady & (distance.max(axis=0) >= SPIKE_FACTOR)):
        field = int(np.argmax(distance[:, row]))
        found.append(Spike(int(time[row]), PRICES[field], float(values[field, row]), float(level[row]), float(factors[field, row])))
    return tuple(found)


def repeated_bars(time: np.ndarray, values: np.ndarray, step: int) -> tuple[Range, ...]:
    """Bars that equal the bar before in every value although they have volume: a feed that filled in, not a market."""
    same = np.zeros(time.size, bool)
    if len(values) > len(PRICES):
        same[1:] = (values[:, 1:] == values[:, :-1]).all(axis=0) & (values[4, 1:] > 0)
    return runs(same, time, step)


def longest_still(time: np.ndarray, values: np.ndarray, step: int) -> Range:
    """The longest run of bars with one and the same close, halts (no volume) left out; rows are taken as they follow."""
    traded = np.flatnonzero(values[4] > 0) if len(values) > len(PRICES) else np.arange(time.size)
    if traded.size == 0:
        return Range(int(time[0]), int(time[0]), 0)
    closes = values[3, traded]
    starts = np.concatenate([[0], np.flatnonzero(closes[1:] != closes[:-1]) + 1, [traded.size]])
    longest = int(np.argmax(np.diff(starts)))
    first, last = traded[starts[longest]], traded[starts[longest + 1] - 1]
    return Range(int(time[first]), int(time[last]) + step, int(starts[longest + 1] - starts[longest]))


def volume_breaks(time: np.ndarray, volume: np.ndarray) -> tuple[VolumeBreak, ...]:
    """Blocks of bars whose median volume is of another order of magnitude than that of the block before; halts are left out."""
    traded = np.flatnonzero(volume > 0)
    blocks = traded.size // VOLUME_BLOCK
    medians = np.median(volume[traded[: blocks * VOLUME_BLOCK]].reshape(blocks, VOLUME_BLOCK), axis=1) if blocks else np.zeros(0)
    factor = medians[1:] / medians[:-1]
    return tuple(
        VolumeBreak(int(time[traded[(row + 1) * VOLUME_BLOCK]]), float(medians[row]), float(medians[row + 1]), float(factor[row]))
        for row in np.flatnonzero((factor >= VOLUME_FACTOR) | (factor <= 1.0 / VOLUME_FACTOR))
    )


def price_step(tick: Tick | None, time: np.ndarray, values: np.ndarray) -> PriceStep:
    """The step of a series' prices, and their fit to the tick that its orders are rounded to, if that is known."""
    prices = values[:4]
    if tick is None:
        return PriceStep(_step(prices), None, None, None, None)
    ticks = prices / tick.size
    # Prices are decimal numbers: far from a whole number of ticks is off the grid, the last bits are rounding.
    off = np.abs(ticks - np.rint(ticks)) > 1e-6 * np.maximum(1.0, ticks * 1e-3)
    rows = np.flatnonzero(off.any(axis=0))
    last = int(time[rows[-1]]) if rows.size else None
    return PriceStep(_step(prices), tick.size, tick.origin, 100.0 * (1.0 - float(off.mean())), last)


def _step(prices: np.ndarray) -> float | None:
    """The greatest step all prices are multiples of; None when they have too many decimals to be an exchange's."""
    for decimals in range(MOST_DECIMALS + 1):
        scaled = prices * 10.0**decimals
        whole = np.rint(scaled)
        if whole.max() >= MOST_STEPS:
            return None
        if (np.abs(scaled - whole) <= 4.0 * np.finfo(np.float64).eps * whole).all():
            return int(np.gcd.reduce(whole.astype(np.int64), axis=None)) / 10**decimals
    return None
