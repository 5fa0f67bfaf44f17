"""The path of a simulated coin's price, sampled every minute: a martingale on a continuous path.

The log price moves by `a*u + b*v - (a^2 + b^2)/2` a minute, with u (common to all coins) and v (the coin's own) standard
normal, and a and b known before: the expected price is always today's, whatever the volatility does. Within a minute
the path is a Brownian bridge, whose highest and lowest points have a known law, so a bar's extremes are those of a path
that never jumps over a price: an order, limit or stop, that the path reaches fills at its own price and wins or loses
nothing by it on average. That holds in bursts too: a burst is a minute at many times the usual volatility, not a hole in
the path. A path with true jumps would hand stops that fill at their trigger a profit that nobody could have, and limits
a loss; real markets do jump, so what a stop costs there is for the run's stop slippage to say. Highs and lows of one
minute are drawn independently of each other, the one thing that is not exact.

Everything of a coin comes from streams of random numbers named by the seed and the coin, so that no coin's path
depends on which others are loaded, or on the dates asked for.

Source of the bridge's extremes: Borodin and Salminen, "Handbook of Brownian Motion" (2002), IV.26.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from backtest.data.instrument import Instrument
from backtest.data.simulated.scenarios import Scenario
from backtest.data.simulated.volatility import coin_volatility, common_factor
from backtest.data.simulated.world import BLOCK, BLOCKS, MINUTES, MINUTES_PER_YEAR, WORLD_START, coin_of, stream, wandering
from backtest.data.timeframe import MINUTE

# Volume beyond what volatility explains: standard deviation of its log and half-life (blocks).
_VOLUME_SPEEDS = ((0.25, 20 * 96), (0.25, 24), (0.22, 2))
_VOLUME_POWER = 1.15  # of volatility
# Brings the mean volume to the coin's turnover.
_VOLUME_LEVEL = 1.35


@dataclass(frozen=True, eq=False)
class CoinPath:
    """A coin's path through the whole world.

    log_price: log of price over the price at the start, (minutes + 1,). sigma: volatility of each minute's log price,
    (minutes,), 0 while the venue stands still. halted: bool (minutes,). reopened, jumps: minutes at whose opening the price
    jumps, and by how much in log price; none but in scenarios that say so.
    """

    instrument: Instrument
    seed: int
    log_price: np.ndarray
    sigma: np.ndarray
    halted: np.ndarray
    reopened: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    jumps: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def price(self, rows: slice) -> np.ndarray:
        """Prices, quote currency, before they are rounded to ticks, of those rows of `log_price`."""
        return coin_of(self.instrument).price * np.exp(self.log_price[rows])


def coin_path(instrument: Instrument, seed: int, scenario: Scenario) -> CoinPath:
    """The path of a coin: the same for a seed, coin and scenario, whatever the instrument's filters."""
    name, coin = instrument.coin, coin_of(instrument)
    common = common_factor(seed)
    own = stream(seed, name).standard_normal(MINUTES)
    volatility = coin_volatility(seed, name, coin, common, own, scenario)
    moves = np.multiply(volatility.own, own, out=own)
    moves += volatility.common * common.moves
    sigma = np.hypot(volatility.common, volatility.own)
    moves -= 0.5 * sigma**2
    halted = common.halted.copy()
    reopened, jumps = scenario.halt(moves, sigma, halted)
    path = np.zeros(MINUTES + 1)
    path[1:] = scenario.lay_over(moves)
    return CoinPath(instrument, seed, path, sigma, halted, reopened, jumps)


def minute_bars(path: CoinPath, begin: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """One-minute bars that open in [begin, stop), whole minutes ms UTC inside the world.

    Returns times (int64 ms, (minutes,)) and open, high, low, close, volume (float64, (5, minutes)); prices are whole
    ticks, an open is the close before unless the scenario has the price jump there, volumes are whole steps, and 0 only while
    the venue stands still.
    """
    first, last = (begin - WORLD_START) // MINUTE, (stop - WORLD_START) // MINUTE
    instrument = path.instrument
    start, end, sigma = path.log_price[first:last], path.log_price[first + 1 : last + 1], path.sigma[first:last]
    ends = _ticks(path.price(slice(first, last + 1)), instrument)
    values = np.empty((5, last - first))
    values[0], values[3] = ends[:-1], ends[1:]
    scale = coin_of(instrument).price
    inside = (path.reopened >= first) & (path.reopened < last)
    if inside.any():
        rows = path.reopened[inside] - first
        start = start.copy()
        start[rows] += path.jumps[inside]
        values[0, rows] = _ticks(scale * np.exp(start[rows]), instrument)
    for row, sign, name in ((1, 1.0, "high"), (2, -1.0, "low")):
        spread = 2.0 * sigma**2 * _exponential(path, name, first, last)
        extreme = 0.5 * (start + end + sign * np.sqrt((end - start) ** 2 + spread))
        # An order at a tick is reached when the path is: whole ticks inside the extreme.
        price = scale * np.exp(extreme) / instrument.tick_size
        values[row] = _prices(np.floor(price) if sign > 0 else np.ceil(price), instrument)
    values[1] = np.maximum(values[1], np.maximum(values[0], values[3]))
    values[2] = np.minimum(values[2], np.minimum(values[0], values[3]))
    values[4] = _volume(path, values[3], first, last)
    return begin + MINUTE * np.arange(last - first, dtype=np.int64), values


def _volume(path: CoinPath, close: np.ndarray, first: int, last: int) -> np.ndarray:
    """Volume of the minutes, whole steps: it follows volatility and the size of the move, with a wandering level of its own."""
    instrument, coin = path.instrument, coin_of(path.instrument)
    random = stream(path.seed, instrument.coin, "volume")
    level = np.full(BLOCKS, -0.5 * sum(deviation**2 for deviation, _ in _VOLUME_SPEEDS))
    for deviation, half_life in _VOLUME_SPEEDS:
        level += wandering(random.standard_normal(BLOCKS), deviation, half_life)
    sigma = path.sigma[first:last]
    usual = coin.volatility / np.sqrt(MINUTES_PER_YEAR)
    moved = np.abs(np.diff(path.log_price[first : last + 1]))
    activity = (sigma / usual) ** (_VOLUME_POWER - 1.0) * (0.35 * sigma + 0.8 * moved) / usual
    wild = 0.6 + 0.4 * _exponential(path, "trades", first, last)
    units = _VOLUME_LEVEL * coin.turnover / (close * instrument.contract_multiplier) * activity * wild
    units *= np.exp(level)[np.arange(first, last) // BLOCK]
    steps = np.where(path.halted[first:last], 0.0, np.maximum(np.rint(units / instrument.step_size), 1.0))
    return steps * instrument.step_size


def _exponential(path: CoinPath, name: str, first: int, last: int) -> np.ndarray:
    """Standard exponential variates of the minutes [first, last); each minute's own, whichever span is asked for."""
    return -np.log1p(-minute_uniforms(path, name, first, last))


def minute_uniforms(path: CoinPath, name: str, first: int, last: int) -> np.ndarray:
    """Uniform variates in [0, 1) of the minutes [first, last); each minute's own, whichever span is asked for."""
    random = stream(path.seed, path.instrument.coin, name)
    # One 64-bit draw a variate, so that the span can be reached without drawing what comes before it.
    random.bit_generator.advance(first)  # type: ignore[attr-defined]
    return random.random(last - first)


def _ticks(price: np.ndarray, instrument: Instrument) -> np.ndarray:
    return _prices(np.rint(price / instrument.tick_size), instrument)


def _prices(ticks: np.ndarray, instrument: Instrument) -> np.ndarray:
    """Whole ticks, at least one, as prices: the nearest doubles of their decimal notation where the tick is 1/n."""
    whole = np.maximum(ticks, 1.0)
    per_unit = round(1.0 / instrument.tick_size)
    return whole / per_unit if abs(per_unit * instrument.tick_size - 1.0) < 1e-9 else whole * instrument.tick_size
