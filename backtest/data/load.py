"""`load`: one coin's market from whichever source has it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from backtest.data.built_in import built_in_instrument
from backtest.data.files.source import load_files
from backtest.data.instrument import Instrument
from backtest.data.market import Market
from backtest.data.request import Request
from backtest.data.simulated.source import load_simulated
from backtest.data.symbols import resolve_symbol
from backtest.data.timeframe import Timeframe, parse_utc, utc_text
from engine.errors import InputError

DEFAULT_WARMUP = 1000
DEFAULT_MAX_GAP_PCT = 1.0

# A source takes a request and returns the market, or raises SourceError when it has nothing for the coin.
SOURCES: Mapping[str, Callable[[Request], Market]] = {"files": load_files, "simulated": load_simulated}


def load(
    coin: str,
    start: str | dt.date | int | None = None,
    end: str | dt.date | int | None = None,
    timeframe: str | Timeframe = "15m",
    source: str = "auto",
    exchange: str = "binanceusdm",
    data_dir: str | Path | None = None,
    warmup: int | None = None,
    sub_bars: str | Timeframe | None = None,
    seed: int = 1,
    instrument: Instrument | None = None,
    max_gap_pct: float = DEFAULT_MAX_GAP_PCT,
) -> Market:
    """One coin's market.

    coin: BTC, BTCUSDT or BTC/USDT:USDT. start: first bar that may trade; end: exclusive; dates are UTC.
    source: "files" (the folder `data_dir`), "simulated", or "auto": the folder when one is given, and nothing else
    then, otherwise the simulated market; the market's `source` says which it was.
    exchange: the first part of the files' names, such as binanceusdm or binance_spot.
    warmup: bars before `start` on which indicators settle (default 1000); where they are missing, trading starts later
    and the market's `notes` say so. sub_bars: "1m" or "5m", finer bars where the source has them.
    seed: of the simulated market. instrument: filters (and tiers) of a coin the built-in table does not have, or in
    its place. max_gap_pct: most missing bars allowed, percent.

    Raises InputError (exit code 2) for an unknown coin, dates without a bar, broken files; SourceError (exit code 3)
    when the source cannot be read or has nothing for the coin.
    """
    request = _request(coin, start, end, timeframe, exchange, data_dir, warmup, sub_bars, seed, instrument, max_gap_pct)
    if source not in ("auto", *SOURCES):
        raise InputError(f"source = {source!r} is refused: it must be auto, {' or '.join(SOURCES)}")
    if source == "simulated" and data_dir is not None:
        raise InputError("source = 'simulated' reads no files: leave data_dir out, or use source = 'files'")
    if source == "files" and data_dir is None:
        raise InputError("source = 'files' needs data_dir, the folder of the files")
    if source == "auto":
        source = "simulated" if data_dir is None else "files"
    return SOURCES[source](request)


def _request(
    coin: str,
    start: str | dt.date | int | None,
    end: str | dt.date | int | None,
    timeframe: str | Timeframe,
    exchange: str,
    data_dir: str | Path | None,
    warmup: int | None,
    sub_bars: str | Timeframe | None,
    seed: int,
    instrument: Instrument | None,
    max_gap_pct: float,
) -> Request:
    """The arguments of `load`, checked before any source is touched."""
    if instrument is None:
        instrument = built_in_instrument(coin)
    elif not isinstance(instrument, Instrument):
        raise InputError(f"instrument = {instrument!r} is refused: it must be an Instrument")
    elif resolve_symbol(coin) != instrument.symbol and coin != instrument.symbol:
        raise InputError(f"coin = {coin!r} is refused: the instrument given is {instrument.symbol}")
    if not isinstance(exchange, str) or not exchange:
        raise InputError(f"exchange = {exchange!r} is refused: it must be a name such as binanceusdm or binance_spot")
    bar = Timeframe.parse(timeframe)
    finer = None if sub_bars is None else Timeframe.parse(sub_bars)
    if finer is not None and (finer.ms >= bar.ms or bar.ms % finer.ms):
        raise InputError(f"sub_bars = {finer} is refused: it must be finer than timeframe = {bar} and divide it")
    first = None if start is None else parse_utc(start, "start")
    last = None if end is None else parse_utc(end, "end")
    if first is not None and last is not None and first >= last:
        raise InputError(f"start = {utc_text(first)} is refused: it must be before end = {utc_text(last)}")
    lead = DEFAULT_WARMUP if warmup is None else warmup
    for name, value in (("warmup", lead), ("seed", seed)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
            raise InputError(f"{name} = {value!r} is refused: it must be a whole number, zero or more")
    if (
        isinstance(max_gap_pct, bool)
        or not isinstance(max_gap_pct, (int, float))
        or not 0.0 <= max_gap_pct <= 100.0
        or math.isnan(max_gap_pct)
    ):
        raise InputError(f"max_gap_pct = {max_gap_pct!r} is refused: it must be a percentage from 0 to 100")
    if data_dir is not None and (not isinstance(data_dir, (str, Path)) or not str(data_dir)):
        raise InputError(f"data_dir = {data_dir!r} is refused: it must be the path of a folder")
    folder = None if data_dir is None else Path(data_dir).expanduser()
    return Request(instrument, exchange, bar, first, last, int(lead), finer, folder, int(seed), float(max_gap_pct))
