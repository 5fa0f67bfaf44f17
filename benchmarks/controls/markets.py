"""Made-up markets whose edge is known: none at all, or one that was planted.

The price is a martingale, not its logarithm: the log price moves by `s*z - s^2/2`, z standard normal and s (a bar's own, from
a wandering volatility) known before it. s is bounded, so the expected price is today's at any horizon.

A limit order on a price that is known at steps only fills at its own price although the price has jumped past it: a loss by
construction, about 0.58 standard deviations of a step (Broadie, Glasserman and Kou, A Continuity Correction for Discrete
Barrier Options, Mathematical Finance 7, 1997). No step is fine enough to make that vanish beside a grid's spacing, so every
finer bar gets the highest and lowest point of the Brownian bridge between its ends, from their exact law (Borodin and Salminen,
Handbook of Brownian Motion, 2002, IV.26). The path then reaches a price exactly as often as it should, whatever the length
of the finer bars, and the price after a fill is a martingale from the order's own price on. `benchmarks.controls.fills`
measures that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from backtest.data.instrument import Instrument
from backtest.data.market import Market
from backtest.data.sub_bars import SubBars
from backtest.data.timeframe import DAY, HOUR, SECOND, YEAR, Timeframe
from engine.errors import InputError

BEGIN = 18_993 * DAY  # 2022-01-01, a date like any other
PRICE = 100.0
# A tick is a hundredth of a basis point of the price and a step a ten-thousandth of the smallest order: rounding is no edge.
INSTRUMENT = Instrument(symbol="CONTROLUSDT", tick_size=1e-4, step_size=1e-4, min_qty=1e-4, min_notional=0.0)

VOLATILITY = 0.6  # a year
WANDER = 0.4  # standard deviation of log volatility
WANDER_HALF_LIFE = 2 * DAY
MOST_VOLATILE = 4.0  # times the usual volatility; bounded, or the price were a local martingale only


@dataclass(frozen=True)
class Clock:
    """Bars of a control market: how many days, how long a bar is, and of how many finer bars it is made."""

    days: int = 240
    timeframe: str = "1h"
    finer: int = 4

    @property
    def bar(self) -> int:
        """Length of a bar, ms."""
        return Timeframe.parse(self.timeframe).ms

    @property
    def hours(self) -> float:
        """Length of a bar, hours."""
        return self.bar / HOUR

    @property
    def bars(self) -> int:
        """Number of bars."""
        return self.days * DAY // self.bar


def wandering_volatility(random: np.random.Generator, clock: Clock) -> np.ndarray:
    """Standard deviation of the log price over each finer bar of a bar, float64 [bars]: log-normal, stationary, bounded."""
    keep = 0.5 ** (clock.bar / WANDER_HALF_LIFE)
    log = recursion(random.standard_normal(clock.bars) * WANDER * np.sqrt(1.0 - keep * keep), keep, random.standard_normal() * WANDER)
    usual = VOLATILITY * np.sqrt(clock.bar / clock.finer / YEAR)
    return usual * np.minimum(np.exp(log - WANDER * WANDER), MOST_VOLATILE)


def recursion(shocks: np.ndarray, keep: float, start: float) -> np.ndarray:
    """`x[t] = keep*x[t-1] + shocks[t]` from `start`, float64 like shocks."""
    from scipy.signal import lfilter

    return np.asarray(lfilter([1.0], [1.0, -keep], shocks, zi=[keep * start])[0])


def made_up(
    seed: int, clock: Clock, *, drift: float = 0.0, reverting: float = 0.0, half_life_hours: float = 3.0, bridges: bool = True
) -> Market:
    """A control market without funding, marked SIMULATED.

    drift: of the log price a year. reverting: share of the variance of every step that goes into a deviation that halves every
    `half_life_hours`; the rest moves the level it returns to, which is the martingale. 0 is no edge. bridges=False leaves the
    extremes between steps out: for measuring what that does to fills.
    """
    random = np.random.default_rng([seed, 20_220_101])
    sigma = np.repeat(wandering_volatility(random, clock), clock.finer)
    step = clock.bar // clock.finer
    level = sigma * np.sqrt(1.0 - reverting) * random.standard_normal(sigma.size) - 0.5 * sigma**2 + drift * step / YEAR
    pull = sigma * np.sqrt(reverting) * random.standard_normal(sigma.size)
    log = np.concatenate([[0.0], np.cumsum(level) + recursion(pull, 0.5 ** (step / (half_life_hours * HOUR)), 0.0)])
    # Drawn in any case, so that the same seed has the same closes with and without bridges.
    depth = 2.0 * sigma**2 * random.standard_exponential((2, sigma.size)) if bridges else np.zeros((2, sigma.size))
    return _market(log, depth, clock)


def _market(log: np.ndarray, depth: np.ndarray, clock: Clock) -> Market:
    """A market from log prices at the ends of finer bars [finer bars + 1] and the bridges' random depths [2, finer bars]."""
    start, end = log[:-1], log[1:]
    reach = np.sqrt((end - start) ** 2 + depth)
    fine = PRICE * np.exp(np.stack([start, 0.5 * (start + end + reach[0]), 0.5 * (start + end - reach[1]), end]))
    fine[1] = np.maximum(fine[1], np.maximum(fine[0], fine[3]))
    fine[2] = np.minimum(fine[2], np.minimum(fine[0], fine[3]))
    by_bar = fine.reshape(4, clock.bars, clock.finer)
    coarse = np.stack([by_bar[0, :, 0], by_bar[1].max(axis=1), by_bar[2].min(axis=1), by_bar[3, :, -1]])
    finer = None
    if clock.finer > 1:
        frame = Timeframe.finer(f"{clock.bar // clock.finer // SECOND}s")
        finer = SubBars.from_arrays(BEGIN + frame.ms * np.arange(end.size, dtype=np.int64), _with_volume(fine), frame)
    time = BEGIN + clock.bar * np.arange(clock.bars, dtype=np.int64)
    made = Market.from_arrays(INSTRUMENT, Timeframe.parse(clock.timeframe), time, _with_volume(coarse), funding=0, sub_bars=finer)
    return _named(made, "a made-up market for controls")


def _with_volume(prices: np.ndarray) -> np.ndarray:
    return np.vstack([prices, np.full(prices.shape[1], 1e6)])


def _named(market: Market, source: str) -> Market:
    return replace(market, source=source, simulated=True)


def shuffled_days(real: Market, seed: int, days: int) -> Market:
    """Whole UTC days of real bars in random order, each drawn once at most, their returns chained; no funding.

    What happens from day to day is gone; what happens inside a day, an edge inside a day too, is kept. Raises InputError when
    there are fewer days.
    """
    per_day = DAY // real.timeframe.ms
    first = 1 + int(np.argmax(real.time[1:] % DAY == 0))  # the first bar is before it: the close it moves from
    whole = (len(real) - first) // per_day
    if whole < days:
        raise InputError(f"days = {days} is refused: {real.symbol} has {whole} whole days")
    drawn = np.random.default_rng([seed, 20_220_102]).permutation(whole)[:days]
    rows = (first + drawn[:, np.newaxis] * per_day + np.arange(per_day)).ravel()
    moves = np.stack([column[rows] / real.close[rows - 1] for column in (real.open, real.high, real.low, real.close)])
    prices = moves * PRICE * np.concatenate([[1.0], np.cumprod(moves[3, :-1])])
    time = BEGIN + real.timeframe.ms * np.arange(rows.size, dtype=np.int64)
    made = Market.from_arrays(INSTRUMENT, real.timeframe, time, _with_volume(prices), funding=0)
    return _named(made, f"whole days of {real.symbol} in random order")
