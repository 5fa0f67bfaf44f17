"""What reading the cache costs, beside pandas on the same bytes: four years of 15m bars and one year of 1m bars, made up."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import backtest as bt
from backtest.data.cache.layout import folder_of
from backtest.data.cache.store import Cache
from backtest.data.series import SeriesName
from backtest.data.timeframe import DAY, Timeframe, parse_utc
from benchmarks.context import Context
from benchmarks.rows import Row, timed
from benchmarks.timing import alternate

_SPANS = (("15m", 4 * 365), ("1m", 365))
_START = parse_utc("2021-01-01", "start")


def made_up_bars(timeframe: Timeframe, days: int) -> tuple[np.ndarray, np.ndarray]:
    """A random walk in whole ticks: it compresses about as real bars do."""
    bars = days * DAY // timeframe.ms
    stream = np.random.default_rng(1)
    close = 40_000.0 * np.exp(np.cumsum(1e-3 * stream.standard_normal(bars)))
    begin = np.concatenate([[40_000.0], close[:-1]])
    wick = 20.0 * stream.random((2, bars))
    high, low = np.maximum(begin, close) + wick[0], np.minimum(begin, close) - wick[1]
    prices = [np.rint(10.0 * row) / 10.0 for row in (begin, high, low, close)]
    values = np.stack([*prices, np.rint(1e3 * stream.random(bars)) / 1e3 + 0.001])
    return _START + timeframe.ms * np.arange(bars, dtype=np.int64), values


def loading_rows(context: Context) -> list[Row]:
    """Rows of the table: milliseconds, and the ratio to pandas.read_parquet of the same files."""
    context.say("loading bars from the cache")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        cache = Cache(Path(folder))
        for name, days in _SPANS:
            series = SeriesName("made_up", "BTCUSDT", name)
            time, values = made_up_bars(Timeframe.parse(name), days)
            cache.store(series, time, values, origin="benchmark")
            files = sorted(folder_of(cache.root, series).glob("*.parquet"))
            load = functools.partial(
                bt.load, "BTC", source="cache", exchange="made_up", timeframe=name, cache_dir=folder, warmup=0, max_gap_pct=0.0
            )
            by_pandas = f"pandas.read_parquet of the same files, {name}"
            samples = alternate(
                {
                    f"read {name} from the cache, hashes verified": functools.partial(cache.read, series),
                    f"bt.load {name} from the cache": load,
                    by_pandas: functools.partial(pd.read_parquet, files),
                },
                context.rounds(5, 15),
            )
            for candidate, one in samples.items():
                counts = {"bars": time.size, "times_pandas": one.against(samples[by_pandas], wall=True)}
                rows.append(timed("loading", candidate, "ms", one, 1e3, counts=counts))
    return rows
