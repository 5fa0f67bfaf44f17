"""The simulated world: its dates, its random numbers and the coins in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from backtest.data.instrument import Instrument
from backtest.data.timeframe import DAY, MINUTE, parse_utc

# The simulated world runs between these dates; without a start, the last year of it trades.
WORLD_START = parse_utc("2023-07-01", "start")
WORLD_END = parse_utc("2026-01-01", "end")
DEFAULT_START = WORLD_END - 365 * DAY

BLOCK = 15  # minutes over which the slow part of the volatility is constant
MINUTES = (WORLD_END - WORLD_START) // MINUTE
BLOCKS = MINUTES // BLOCK
BLOCKS_PER_DAY = 96
MINUTES_PER_YEAR = 365 * 24 * 60


@dataclass(frozen=True)
class Coin:
    """What tells one coin from another.

    price: at the start of the world, quote currency. volatility: a year, fraction. turnover: mean of a minute, quote
    currency. common: correlation of its moves with the factor all coins share, in usual times.
    own_volatility: width of its own wandering of log volatility. funding_cap: largest funding
    rate of a settlement, fraction. premium: width of its premium to the index, BTC 1.
    """

    price: float
    volatility: float
    turnover: float
    common: float = 0.85
    own_volatility: float = 1.0
    funding_cap: float = 0.02
    premium: float = 1.25


# Volatility, turnover and common share of BTC, ETH, SOL, BNB and ADA are near those of their bars of 2022 to 2026.
_COINS: Mapping[str, Coin] = {
    "BTC": Coin(40_000.0, 0.46, 10e6, 0.95, 0.5, 0.003, 1.0),
    "ETH": Coin(2_500.0, 0.60, 6.5e6, 0.955, 0.5, 0.003, 1.1),
    "SOL": Coin(180.0, 0.80, 1.6e6),
    "BNB": Coin(300.0, 0.58, 0.35e6),
    "XRP": Coin(0.60, 0.80, 1.2e6),
    "DOGE": Coin(0.10, 0.85, 1.0e6),
    "ADA": Coin(0.40, 0.85, 0.27e6),
    "TRX": Coin(0.10, 0.50, 0.15e6, 0.70),
    "AVAX": Coin(20.0, 0.90, 0.3e6),
    "LINK": Coin(10.0, 0.80, 0.3e6),
    "LTC": Coin(80.0, 0.75, 0.3e6),
    "DOT": Coin(6.0, 0.80, 0.2e6),
    "BCH": Coin(250.0, 0.80, 0.3e6, 0.78),
    "SUI": Coin(1.0, 0.95, 0.5e6),
    "1000PEPE": Coin(0.01, 1.0, 0.6e6, 0.78),
}


def coin_of(instrument: Instrument) -> Coin:
    """The known coin, or for any other one a price of at least ten thousand ticks."""
    return _COINS.get(instrument.coin, Coin(max(1.0, 1e4 * instrument.tick_size), 0.85, 0.3e6))


def stream(seed: int, *names: str) -> np.random.Generator:
    """An independent stream of random numbers for each seed and name."""
    return np.random.default_rng([seed, *"/".join(names).encode()])


def decaying(shocks: np.ndarray, half_life: float) -> np.ndarray:
    """Sum of the shocks up to each step, each halved every `half_life` steps; in place of `shocks`, which it overwrites.

    `y[t] = y[t-1] * 0.5^(1/half_life) + shocks[t]`, from `y[0] = shocks[0]`.
    """
    # Doubling: after k rounds each value holds the last 2**k shocks; what is left out is below rounding.
    reach, weight = 1, 0.5 ** (1.0 / half_life)
    while reach < shocks.size and weight > 1e-18:
        shocks[reach:] = shocks[reach:] + weight * shocks[:-reach]
        reach, weight = 2 * reach, weight * weight
    return shocks


def wandering(shocks: np.ndarray, deviation: float, half_life: float) -> np.ndarray:
    """A stationary autoregressive path with the given standard deviation and half-life, from standard normal shocks."""
    keep = 0.5 ** (1.0 / half_life)
    scaled = deviation * shocks
    scaled[1:] *= np.sqrt(1.0 - keep**2)
    return decaying(scaled, half_life)
