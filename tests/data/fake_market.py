"""Bars and settlements of a made-up exchange, as a function of symbol and time alone: nothing is stored, nothing is random.

One price a minute follows from the time; a bar of any timeframe is made of its minutes, so that finer bars add up exactly.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
# Periods in minutes and amplitudes of the waves that make up the logarithm of a price.
_WAVES = ((911.0, 0.004), (7_307.0, 0.02), (61_001.0, 0.08), (501_119.0, 0.25))


@dataclass(frozen=True)
class Coin:
    """One contract: price level, decimals of price and quantity, listing and (if so) delisting in ms UTC, hours between settlements."""

    symbol: str
    base: str
    level: float
    decimals: int
    quantity_decimals: int
    min_notional: float
    listed: int
    delisted: int | None = None
    funding_hours: int = 8
    quote: str = "USDT"
    margin: str = "USDT"
    contract: str = "PERPETUAL"

    @property
    def seed(self) -> int:
        return zlib.crc32(self.symbol.encode())

    def minute_ticks(self, minute: np.ndarray, seed: int) -> np.ndarray:
        """Price at the beginning of each minute, in ticks."""
        phase = seed % 1000
        wave = sum(size * np.sin(2.0 * np.pi * (minute % period) / period + phase) for period, size in _WAVES)
        noise = (_hash(minute, seed) % 1000).astype(np.float64) * 1e-6
        return np.maximum(np.rint(self.level * np.exp(wave + noise) * 10**self.decimals), 10).astype(np.int64)

    def bars(self, opens: np.ndarray, minutes: int, now: int, mark: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Open, high, low, close in ticks, shape (4, bars), and volume in thousandths, of the bars that open at `opens` (ms UTC).

        Minutes after `now` have not happened: the bar that holds it is made of those before.
        """
        minute = opens[:, np.newaxis] // MINUTE + np.arange(minutes + 1)
        seed = self.seed + mark
        ticks = self.minute_ticks(minute, seed)
        begin, end = ticks[:, :-1], ticks[:, 1:]
        wick = (_hash(minute[:, :-1], seed + 7) % 5).astype(np.int64)
        high, low = np.maximum(begin, end) + wick, np.minimum(begin, end) - wick
        traded = (_hash(minute[:, :-1], seed + 11) % 5000).astype(np.int64) + 1
        happened = minute[:, :-1] * MINUTE <= now
        last = np.maximum(happened.sum(axis=1) - 1, 0)
        high = np.where(happened, high, high[:, :1]).max(axis=1)
        low = np.where(happened, low, low[:, :1]).min(axis=1)
        close = end[np.arange(opens.size), last]
        return np.stack([ticks[:, 0], high, low, close]), (traded * happened).sum(axis=1)

    def expected(self, timeframe: int, begin: int, stop: int, now: int, mark: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Times and float values of the finished bars of `timeframe` ms in [begin, stop), as a client must get them."""
        first = max(begin, self.listed)
        # A bar counts five seconds after its close.
        end = min(stop, (now - 5_000) // timeframe * timeframe, now if self.delisted is None else self.delisted)
        opens = np.arange(-(-first // timeframe) * timeframe, end, timeframe, dtype=np.int64)
        ticks, volume = self.bars(opens, timeframe // MINUTE, now, mark)
        prices = [[float(self.price_text(value)) for value in row] for row in ticks]
        return opens, np.array(prices if mark else [*prices, volume / 1000.0])

    def settlements(self, begin: int, stop: int) -> tuple[np.ndarray, list[str]]:
        """Times as the exchange stamps them, some milliseconds late, and rates, of the settlements due in [begin, stop)."""
        every = self.funding_hours * HOUR
        first = max(begin, self.listed + 1)
        end = stop if self.delisted is None else min(stop, self.delisted)
        due = np.arange(-(-first // every) * every, end, every, dtype=np.int64)
        wobble = _hash(due, self.seed)
        rates = [f"{(int(value % 400) - 100) / 1e6:.8f}" for value in wobble]
        return due + (wobble % 12).astype(np.int64), rates

    def price_text(self, ticks: int) -> str:
        """A price as the exchange writes it."""
        return f"{ticks / 10**self.decimals:.{self.decimals}f}"


def _hash(number: np.ndarray, seed: int) -> np.ndarray:
    """A scrambled 64-bit number for each number (Steele, Lea and Flood 2014, SplitMix64's finaliser)."""
    mixed = number.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def day(text: str) -> int:
    """`2024-01-01` or `2024-01-01T08:00` in ms UTC."""
    return int(np.datetime64(text, "ms").astype(np.int64))


def all_coins() -> dict[str, Coin]:
    """The made-up exchange's contracts by symbol: eleven perpetuals, and four that are none or no longer traded."""
    common = [
        ("BTC", 40_000.0, 1, 3, 100.0, "2019-09-08T17:30", 8),
        ("ETH", 2_500.0, 2, 3, 20.0, "2019-11-27T07:45", 8),
        ("BNB", 400.0, 2, 2, 5.0, "2020-02-10T08:00", 8),
        ("SOL", 100.0, 3, 0, 5.0, "2020-09-14T07:00", 4),
        ("XRP", 0.6, 4, 1, 5.0, "2020-01-06T08:00", 8),
        ("DOGE", 0.1, 5, 0, 5.0, "2020-07-10T09:00", 8),
        ("ADA", 0.5, 4, 0, 5.0, "2020-01-31T08:00", 8),
        ("AVAX", 30.0, 3, 0, 5.0, "2020-09-23T07:00", 8),
        ("LINK", 15.0, 3, 2, 20.0, "2020-01-17T08:00", 8),
        ("LTC", 80.0, 2, 3, 20.0, "2020-01-09T08:00", 8),
        ("1000PEPE", 0.002, 7, 0, 5.0, "2023-05-05T16:00", 4),
    ]
    coins = [Coin(f"{base}USDT", base, *rest[:4], day(rest[4]), funding_hours=rest[5]) for base, *rest in common]
    coins += [
        Coin("LUNAUSDT", "LUNA", 50.0, 3, 0, 5.0, day("2021-01-01"), delisted=day("2022-05-13")),
        Coin("BTCUSDT_240628", "BTC", 40_000.0, 1, 3, 100.0, day("2023-12-29"), contract="NEXT_QUARTER"),
        Coin("BTCUSD_PERP", "BTC", 40_000.0, 1, 0, 5.0, day("2020-08-10"), quote="USD", margin="BTC"),
        Coin("ETHUSDC", "ETH", 2_500.0, 2, 3, 20.0, day("2022-01-01"), quote="USDC", margin="USDC"),
    ]
    return {coin.symbol: coin for coin in coins}
