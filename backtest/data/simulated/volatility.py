"""Volatility of a simulated coin: how much it can move in each minute, known before it moves.

Log volatility is a sum of paths that forget at different speeds, from a quarter of an hour to two months, which
together decay about as slowly as in real markets (long memory). Part of it is common to all coins. Falls, and large
moves either way, push it up afterwards. On top come the hour of the day, the day of the week, a heavy-tailed factor
each quarter of an hour, and bursts: single minutes at many times the usual volatility, some common, some a coin's own.
Bursts stand for jumps; the path inside such a minute is still continuous (see `backtest.data.simulated.path`).

Source of the cascade of speeds: Corsi, "A Simple Approximate Long-Memory Model of Realized Volatility", Journal of
Financial Econometrics 7 (2009), 174-196.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from backtest.data.simulated.scenarios import Scenario
from backtest.data.simulated.world import BLOCK, BLOCKS, BLOCKS_PER_DAY, MINUTES, MINUTES_PER_YEAR, WORLD_START, Coin, stream, wandering
from backtest.data.timeframe import DAY, HOUR, MINUTE

# Standard deviation of log volatility, half-life (blocks), and how much falls stir it (a correlation), by speed: what all
# coins share, and what is a coin's own.
_Speed = tuple[float, float, float]
_COMMON_SPEEDS: tuple[_Speed, ...] = (
    (0.33, 60 * BLOCKS_PER_DAY, 0.0),
    (0.27, 6 * BLOCKS_PER_DAY, 0.30),
    (0.20, 40, 0.15),
    (0.33, 5, 0.05),
)
_OWN_SPEEDS: tuple[_Speed, ...] = ((0.18, 20 * BLOCKS_PER_DAY, 0.0), (0.18, 2 * BLOCKS_PER_DAY, 0.1), (0.18, 6, 0.05))
# How much the size of the move of the block before, whatever its sign, stirs the speeds that falls stir (a correlation).
_FEEDBACK = 0.35
_TAIL_FREEDOM = 5.2  # degrees of freedom of the heavy-tailed factor of a block
_MINUTE_NOISE = 0.30  # standard deviation of log volatility from minute to minute
_LARGEST_SIGMA = 0.02  # per minute; the tail is cut here
_LARGEST_BURST = 0.05

# Bursts: mean number a day, least size in usual minutes, exponent of the tail of sizes above it.
_COMMON_BURSTS = (0.40, 5.0, 3.0)
_OWN_BURSTS = (0.20, 5.0, 3.0)

# Volatility by hour of the UTC day and at weekends, as the five coins of the real bars have it on average.
_HOURS = np.array(
    [
        [1.11, 1.05, 0.95, 0.82, 0.76, 0.77, 0.80, 0.83],
        [0.86, 0.83, 0.82, 0.85, 1.00, 1.17, 1.42, 1.32],
        [1.22, 1.17, 1.11, 1.09, 1.07, 1.03, 1.04, 0.94],
    ]
).ravel()
_WEEKEND = 0.69

_HALTS_PER_YEAR = 0.7
_HALT_MINUTES = (16, 75)

# How the share of the common factor rises with common volatility (correlations rise in a crisis).
_CRISIS = 0.25


@dataclass(frozen=True, eq=False)
class Common:
    """What all coins share: moves (standard normal, (minutes,)), log volatility and tail factor (blocks,), the halts.

    bursts: volatility of the common bursts, in usual minutes, (minutes,), mostly 0. halted: bool (minutes,).
    """

    moves: np.ndarray
    log_volatility: np.ndarray
    tail: np.ndarray
    bursts: np.ndarray
    halted: np.ndarray


@dataclass(frozen=True, eq=False)
class Volatility:
    """Standard deviation of the log price a minute through the common and through the own factor, each (minutes,)."""

    common: np.ndarray
    own: np.ndarray


@lru_cache(maxsize=1)  # for runs over several coins
def common_factor(seed: int) -> Common:
    """The factors of a seed; they depend on nothing else, and are shared: their arrays cannot be written to."""
    moves = stream(seed, "common").standard_normal(MINUTES)
    shocks = stream(seed, "common", "volatility")
    log_volatility = _cascade(shocks, _COMMON_SPEEDS, moves)
    tail = np.sqrt((_TAIL_FREEDOM - 2.0) / shocks.chisquare(_TAIL_FREEDOM, BLOCKS))
    arrays = (moves, log_volatility, tail, _bursts(stream(seed, "common", "bursts"), *_COMMON_BURSTS), _halts(seed))
    for array in arrays:
        array.setflags(write=False)
    return Common(*arrays)


def coin_volatility(seed: int, name: str, coin: Coin, common: Common, own_moves: np.ndarray, scenario: Scenario) -> Volatility:
    """The volatility of a coin's minutes; each is known before the move of its minute."""
    shocks = stream(seed, name, "volatility")
    own_speeds = tuple((coin.own_volatility * deviation, half_life, leverage) for deviation, half_life, leverage in _OWN_SPEEDS)
    log_volatility = common.log_volatility + _cascade(shocks, own_speeds, own_moves)
    variance = _variance(_COMMON_SPEEDS) + _variance(own_speeds)
    usual = coin.volatility / np.sqrt(MINUTES_PER_YEAR)
    # Centred so that the mean of the square is that of the yearly volatility.
    calm = usual * np.exp(log_volatility - variance) * _season()
    blocks = np.minimum(calm * common.tail, _LARGEST_SIGMA)
    share = _common_share(coin, common)
    noise = stream(seed, name, "minutes").standard_normal(MINUTES)
    noise *= _MINUTE_NOISE
    noise -= _MINUTE_NOISE**2
    noise = np.exp(noise, out=noise).reshape(BLOCKS, BLOCK)
    both = []
    for part, bursts in (
        (share, common.bursts),
        (np.sqrt(1.0 - share**2), _bursts(stream(seed, name, "bursts"), *_OWN_BURSTS)),
    ):
        sigma = (noise * (part * blocks)[:, np.newaxis]).ravel()
        burst = np.flatnonzero(bursts) if scenario.bursts else np.zeros(0, np.int64)
        size = np.minimum(bursts[burst] * calm[burst // BLOCK] * part[burst // BLOCK], _LARGEST_BURST)
        sigma[burst] = np.hypot(sigma[burst], size)
        sigma[common.halted] = 0.0
        both.append(sigma)
    volatility = Volatility(*both)
    for sigma in (volatility.common, volatility.own):
        scenario.scale_volatility(sigma)
    return volatility


def _cascade(shocks: np.random.Generator, speeds: tuple[_Speed, ...], moves: np.ndarray) -> np.ndarray:
    """Log volatility of the blocks as a sum of paths, the faster ones stirred by the moves of the block before."""
    last = np.zeros(BLOCKS)
    last[1:] = moves.reshape(BLOCKS, BLOCK).sum(axis=1)[:-1] / np.sqrt(BLOCK)
    # Mean 0 and variance 1 each, and not correlated with each other.
    size = (np.abs(last) - np.sqrt(2.0 / np.pi)) / np.sqrt(1.0 - 2.0 / np.pi)
    total = np.zeros(BLOCKS)
    for deviation, half_life, leverage in speeds:
        fresh = shocks.standard_normal(BLOCKS)
        feedback = _FEEDBACK if leverage else 0.0
        stirred = np.sqrt(1.0 - leverage**2 - feedback**2) * fresh - leverage * last + feedback * size
        total += wandering(stirred, deviation, half_life)
    return total


def _variance(speeds: tuple[_Speed, ...]) -> float:
    return sum(deviation**2 for deviation, _, _ in speeds)


def _common_share(coin: Coin, common: Common) -> np.ndarray:
    """Share of the common factor in a coin's moves, (blocks,): further from 1 in calm times, nearer to it in wild ones."""
    spread = np.sqrt(_variance(_COMMON_SPEEDS))
    return 1.0 - (1.0 - coin.common) * np.exp(-_CRISIS * common.log_volatility / spread - 0.5 * _CRISIS**2).clip(0.4, 1.6)


def _season() -> np.ndarray:
    """Factor of the hour and of the weekend, (blocks,), with a mean square of 1."""
    time = WORLD_START + BLOCK * MINUTE * np.arange(BLOCKS, dtype=np.int64)
    weekend = (time // DAY + 3) % 7 >= 5
    factor = _HOURS[(time % DAY) // HOUR] * np.where(weekend, _WEEKEND, 1.0)
    return factor / np.sqrt(np.mean(factor**2))


def _bursts(random: np.random.Generator, per_day: float, least: float, exponent: float) -> np.ndarray:
    """Size of the burst of each minute, in usual minutes; 0 in almost all of them."""
    bursts = np.zeros(MINUTES)
    count = random.poisson(per_day * MINUTES / 1440)
    bursts[random.integers(0, MINUTES, count)] = least * (1.0 + random.pareto(exponent, count))
    return bursts


def _halts(seed: int) -> np.ndarray:
    """The minutes in which the venue stands still, for all coins alike: bool (minutes,)."""
    random = stream(seed, "halts")
    halted = np.zeros(MINUTES, bool)
    for _ in range(random.poisson(_HALTS_PER_YEAR * MINUTES / MINUTES_PER_YEAR)):
        start = int(random.integers(0, MINUTES))
        halted[start : start + int(random.integers(*_HALT_MINUTES))] = True
    return halted
