"""Premium of a simulated perpetual to its index, the funding that follows from it, and the mark price.

The premium is a state of mind: it follows the moves of the last days, a slow tide and a fast one, and noise. Most of the
time it lies a little below the index, in rallies well above, after steep falls (of more than 6 % in eight hours for BTC) far
below. The rate comes from it by the exchange's own formula, so that it sits at 0.01 % while the premium stays in the dead band.

Funding is on top of a price that is a martingale: whoever holds the side that is paid earns it, as in a real market.
"""

from __future__ import annotations

import numpy as np

from backtest.data.simulated.path import CoinPath, minute_uniforms
from backtest.data.simulated.world import BLOCK, BLOCKS, BLOCKS_PER_DAY, MINUTES_PER_YEAR, WORLD_START, coin_of, stream, wandering
from backtest.data.timeframe import HOUR, MINUTE

SETTLEMENT_BLOCKS = 32  # eight hours
_INTERVAL = 8 * HOUR
_INTEREST = 0.0001
_DEAD_BAND = 0.0005

# State of mind (mean 0, variance 1) to premium in basis points, fitted so that BTC's rates have the quantiles of 2022 to 2026.
_STATES = np.array([-5.0, -2.5, -1.64, -0.67, 0.0, 0.5, 1.5, 2.3, 5.0])
_PREMIUMS = np.array([-9.0, -6.0, -5.4, -4.7, -4.2, -4.0, 5.5, 9.2, 16.0])
_MIDDLE = -4.4
# Variance of the state by part, and half-life in blocks.
_MOMENTUM, _TIDE, _FAST, _NOISE = (0.14, 2 * BLOCKS_PER_DAY), (0.54, 40 * BLOCKS_PER_DAY), (0.24, 1.5 * BLOCKS_PER_DAY), 0.08
_FALL = 0.13  # a fall of eight hours beyond this share of the coin's yearly volatility, in log price, widens the discount
_FALL_DISCOUNT = 0.012

# The mark price lags the last price by this share of a minute's move, and differs by a noise of this scale.
_MARK_LAG = 0.15
_MARK_NOISE = 0.00006


def premium(path: CoinPath) -> np.ndarray:
    """Premium of the price to its index over each quarter of an hour, a fraction, (blocks,), known at its close."""
    coin = coin_of(path.instrument)
    closes = path.log_price[BLOCK::BLOCK]
    moves = np.diff(closes, prepend=0.0)
    usual = coin.volatility * np.sqrt(BLOCK / MINUTES_PER_YEAR)
    random = stream(path.seed, path.instrument.coin, "premium")
    state = wandering(np.clip(moves / usual, -6.0, 6.0), np.sqrt(_MOMENTUM[0]), _MOMENTUM[1])
    for variance, half_life in (_TIDE, _FAST):
        state += wandering(random.standard_normal(BLOCKS), np.sqrt(variance), half_life)
    state += np.sqrt(_NOISE) * random.standard_normal(BLOCKS)
    points = _MIDDLE + coin.premium * (np.interp(state, _STATES, _PREMIUMS) - _MIDDLE)
    eight_hours = closes - np.concatenate([np.zeros(SETTLEMENT_BLOCKS), closes[:-SETTLEMENT_BLOCKS]])
    return 1e-4 * points + coin.premium * _FALL_DISCOUNT * np.minimum(eight_hours + _FALL * coin.volatility, 0.0)


def funding_rates(premiums: np.ndarray, cap: float) -> np.ndarray:
    """Rates of the settlements, fractions rounded to 1e-8, (blocks // 32,), from premiums (blocks,).

    `P` is the mean of the eight hours before, weighted 1, 2, ... n, so that the last counts most;
    `rate = clip(P + clip(0.0001 - P, -0.0005, 0.0005), -cap, cap)`.

    Source: Binance, "Introduction to Binance Futures Funding Rates".
    """
    weights = np.arange(1.0, SETTLEMENT_BLOCKS + 1.0)
    mean = premiums.reshape(-1, SETTLEMENT_BLOCKS) @ (weights / weights.sum())
    rates = mean + np.clip(_INTEREST - mean, -_DEAD_BAND, _DEAD_BAND)
    return np.round(np.clip(rates, -cap, cap), 8)


def funding_settlements(path: CoinPath) -> tuple[np.ndarray, np.ndarray]:
    """Times (int64 ms UTC: 00:00, 08:00 and 16:00) and rates of all settlements after the start of the world, to its end."""
    rates = funding_rates(premium(path), coin_of(path.instrument).funding_cap)
    return WORLD_START + _INTERVAL * np.arange(1, rates.size + 1, dtype=np.int64), rates


def mark_closes(path: CoinPath, begin: int, stop: int) -> np.ndarray:
    """Mark price at the close of each minute that opens in [begin, stop): the price, some basis points off, and late in bursts."""
    first, last = (begin - WORLD_START) // MINUTE, (stop - WORLD_START) // MINUTE
    uniform = np.clip(minute_uniforms(path, "mark", first, last), 1e-12, 1.0 - 1e-12)
    noise = _MARK_NOISE * np.log(uniform / (1.0 - uniform))
    late = _MARK_LAG * np.diff(path.log_price[first : last + 1])
    return path.price(slice(first + 1, last + 1)) * np.exp(noise - late)
