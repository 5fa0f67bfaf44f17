"""A seeded simulated market without an edge: the price is a martingale on a continuous path, sampled every minute.

The log price moves by `sigma*z - sigma^2/2` a minute, with z standard normal and independent of sigma, so the expected
price is always today's. The volatility sigma is what makes it look like a coin: it wanders slowly and fast (clustering)
and is multiplied every quarter of an hour by a factor with a heavy tail (fat tails). Within a minute the path is a
Brownian bridge, whose highest and lowest points have a known law, so a bar's extremes are those of a path that never
jumps over a price: an order that the path reaches fills at its own price and wins or loses nothing by it on average.
Highs and lows of one minute are drawn independently of each other, the one thing that is not exact.

Coins share a common factor in moves and in volatility; everything else of a coin comes from streams of random numbers
named by the seed and the coin, so that no coin's path depends on which others are loaded, or on the dates asked for.

Source of the bridge's extremes: Borodin and Salminen, "Handbook of Brownian Motion" (2002), IV.26.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from backtest.data.instrument import Instrument
from backtest.data.market import Market
from backtest.data.request import Request
from backtest.data.sub_bars import SubBars
from backtest.data.timeframe import DAY, MINUTE, Timeframe, parse_utc, utc_text

# The simulated world runs between these dates; without a start, the last year of it trades.
WORLD_START = parse_utc("2023-07-01", "start")
WORLD_END = parse_utc("2026-01-01", "end")
DEFAULT_START = WORLD_END - 365 * DAY

_MINUTES = (WORLD_END - WORLD_START) // MINUTE
_BLOCK = 15  # minutes over which the volatility is constant
_BLOCKS = _MINUTES // _BLOCK
_MINUTES_PER_YEAR = 365 * 24 * 60

# Log volatility: standard deviation and half-life (in blocks) of its slow common, fast common and own parts.
_SLOW = (0.30, 5 * 96)
_FAST = (0.35, 12)
_OWN = (0.15, 96)
_TAIL_FREEDOM = 5.0  # degrees of freedom of the heavy tail
_LARGEST_SIGMA = 0.02  # per minute; the tail is cut here

_COMMON_SHARE = 0.85  # correlation of a coin's moves with the common factor


@dataclass(frozen=True)
class _Coin:
    """Price at the start of the world (quote currency), volatility a year (fraction), turnover a minute (quote currency)."""

    price: float
    volatility: float
    turnover: float


_COINS: Mapping[str, _Coin] = {
    "BTC": _Coin(40_000.0, 0.50, 8e6),
    "ETH": _Coin(2_500.0, 0.60, 4e6),
    "SOL": _Coin(100.0, 0.75, 1.5e6),
}


def simulated_bars(instrument: Instrument, seed: int, begin: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """One-minute bars that open in [begin, stop), whole minutes ms UTC inside the world, of the coin's simulated path.

    Returns times (int64 ms, (minutes,)) and open, high, low, close, volume (float64, (5, minutes)); prices are whole
    ticks, volumes whole steps above zero, an open is the close before. The same seed and coin give the same path,
    whatever the dates.
    """
    coin = _coin(instrument)
    common, own = _stream(seed, "common"), _stream(seed, instrument.coin)
    common_volatility, tail = _common_volatility(common)
    log_volatility = common_volatility + _wandering(own, *_OWN)
    spread = _SLOW[0] ** 2 + _FAST[0] ** 2 + _OWN[0] ** 2
    base = coin.volatility / np.sqrt(_MINUTES_PER_YEAR)
    # Centred so that the mean of sigma squared is that of the yearly volatility.
    blocks = np.minimum(base * np.exp(log_volatility - spread) * tail, _LARGEST_SIGMA)

    sigma = np.repeat(blocks, _BLOCK)
    moves = _COMMON_SHARE * common.standard_normal(_MINUTES)
    moves += np.sqrt(1.0 - _COMMON_SHARE**2) * own.standard_normal(_MINUTES)
    path = np.zeros(_MINUTES + 1)
    np.cumsum(sigma * moves - 0.5 * sigma**2, out=path[1:])

    first, last = (begin - WORLD_START) // MINUTE, (stop - WORLD_START) // MINUTE
    path, sigma, moves = path[first : last + 1], sigma[first:last], moves[first:last]
    start, end = path[:-1], path[1:]
    ends = _ticks(coin.price * np.exp(path), instrument)
    values = np.empty((5, last - first))
    values[0], values[3] = ends[:-1], ends[1:]
    for row, sign in ((1, 1.0), (2, -1.0)):
        extreme = 0.5 * (
            start + end + sign * np.sqrt((end - start) ** 2 + 2.0 * sigma**2 * _exponential(seed, instrument, sign, first, last))
        )
        # An order at a tick is reached when the path is: whole ticks inside the extreme.
        price = coin.price * np.exp(extreme)
        inside = np.floor(price / instrument.tick_size) if sign > 0 else np.ceil(price / instrument.tick_size)
        values[row] = _prices(inside, instrument)
    values[1] = np.maximum(values[1], np.maximum(values[0], values[3]))
    values[2] = np.minimum(values[2], np.minimum(values[0], values[3]))
    base_units = coin.turnover / (values[3] * instrument.contract_multiplier) * (sigma / base) * (0.3 + np.abs(moves))
    values[4] = np.maximum(np.rint(base_units / instrument.step_size), 1.0) * instrument.step_size
    return begin + MINUTE * np.arange(last - first, dtype=np.int64), values


def _coin(instrument: Instrument) -> _Coin:
    """The known coin, or for any other one a price of at least ten thousand ticks."""
    return _COINS.get(instrument.coin, _Coin(max(1.0, 1e4 * instrument.tick_size), 0.80, 1e6))


def _stream(seed: int, *names: str) -> np.random.Generator:
    """An independent stream of random numbers for each seed and name."""
    return np.random.default_rng([seed, *"/".join(names).encode()])


def _common_volatility(common: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """What all coins share: log volatility and the heavy-tailed factor (mean square 1) of every block."""
    log_volatility = _wandering(common, *_SLOW) + _wandering(common, *_FAST)
    tail = np.sqrt((_TAIL_FREEDOM - 2.0) / common.chisquare(_TAIL_FREEDOM, _BLOCKS))
    return log_volatility, tail


def _wandering(stream: np.random.Generator, deviation: float, half_life: float) -> np.ndarray:
    """A stationary autoregressive path over the blocks with the given standard deviation and half-life in blocks."""
    keep = 0.5 ** (1.0 / half_life)
    shocks = stream.standard_normal(_BLOCKS)
    shocks[1:] *= np.sqrt(1.0 - keep**2)
    shocks *= deviation
    # Doubling: after k rounds each value holds the last 2**k shocks; what is left out is below rounding.
    reach, weight = 1, keep
    while reach < _BLOCKS and weight > 1e-18:
        shocks[reach:] = shocks[reach:] + weight * shocks[:-reach]
        reach, weight = 2 * reach, weight * weight
    return shocks


def _exponential(seed: int, instrument: Instrument, sign: float, first: int, last: int) -> np.ndarray:
    """Standard exponential variates of the minutes [first, last); each minute's own, whichever span is asked for."""
    stream = _stream(seed, instrument.coin, "high" if sign > 0 else "low")
    # One 64-bit draw a variate, so that the span can be reached without drawing what comes before it.
    stream.bit_generator.advance(first)  # type: ignore[attr-defined]
    return -np.log1p(-stream.random(last - first))


def _ticks(price: np.ndarray, instrument: Instrument) -> np.ndarray:
    return _prices(np.rint(price / instrument.tick_size), instrument)


def _prices(ticks: np.ndarray, instrument: Instrument) -> np.ndarray:
    """Whole ticks, at least one, as prices: the nearest doubles of their decimal notation where the tick is 1/n."""
    whole = np.maximum(ticks, 1.0)
    per_unit = round(1.0 / instrument.tick_size)
    return whole / per_unit if abs(per_unit * instrument.tick_size - 1.0) < 1e-9 else whole * instrument.tick_size


def grouped(time: np.ndarray, values: np.ndarray, timeframe: Timeframe) -> tuple[np.ndarray, np.ndarray]:
    """One-minute bars as bars of `timeframe`: first open, greatest high, least low, last close, sum of volume.

    The minutes must be whole groups that begin on the timeframe's grid.
    """
    size = timeframe.ms // MINUTE
    groups = values.reshape(5, -1, size)
    made = np.stack([groups[0, :, 0], groups[1].max(axis=1), groups[2].min(axis=1), groups[3, :, -1], groups[4].sum(axis=1)])
    return np.ascontiguousarray(time[::size]), made


def load_simulated(request: Request) -> Market:
    """The simulated market of a request; without a start, the last year of the simulated world trades.

    Raises InputError for dates outside the world.
    """
    timeframe = request.timeframe
    if request.overlap(WORLD_START, WORLD_END) <= 0:
        raise request.refuse_range(f"{utc_text(WORLD_START)} to {utc_text(WORLD_END)} (SIMULATED)")
    wish = request
    if request.start is None and (request.end is None or request.end > DEFAULT_START):
        wish = replace(request, start=DEFAULT_START)
    window = wish.window(WORLD_START, WORLD_END)
    stop = -(-window.stop // timeframe.ms) * timeframe.ms
    time, minutes = simulated_bars(request.instrument, request.seed, window.begin, stop)
    finer = request.sub_timeframe
    sub_bars = None if finer is None else SubBars.from_arrays(*grouped(time, minutes, finer), finer)
    market = Market.from_arrays(request.instrument, timeframe, *grouped(time, minutes, timeframe), sub_bars=sub_bars)
    return replace(
        market,
        trade_from=(window.trade_time - window.begin) // timeframe.ms,
        source=f"SIMULATED market, seed {request.seed}, no edge by construction (a martingale): {market.span_text}",
        simulated=True,
        remarks=("SIMULATED: none of these prices ever happened.", *window.remarks),
    )
