"""`load`: the markets of one or several coins, all from one source."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backtest.data.instrument import Instrument
from backtest.data.market import Market
from backtest.data.progress import Silent, Watcher
from backtest.data.request import Terms
from backtest.data.sources import SOURCES, auto
from backtest.data.symbols import resolve_symbol
from backtest.data.timeframe import Timeframe, parse_utc, utc_text
from engine.errors import InputError

DEFAULT_WARMUP = 1000
DEFAULT_MAX_GAP_PCT = 1.0

Moment = str | dt.date | int | None


def load(coin: str, start: Moment = None, end: Moment = None, *, instrument: Instrument | None = None, **options: Any) -> Market:
    """One coin's market.

    coin: BTC, BTCUSDT or BTC/USDT:USDT. start: first bar that may trade; end: exclusive; dates are UTC.
    instrument: filters (and tiers) of a coin that cannot be looked up, or in place of those found.
    options: as for `load_markets`.

    Raises InputError (exit code 2) for an unknown coin, dates without a bar, broken files; SourceError (exit code 3)
    when the source cannot be read or has nothing for the coin.
    """
    return load_markets([coin], start, end, instruments=() if instrument is None else (_an_instrument(instrument, coin),), **options)[0]


def load_markets(
    coins: Sequence[str],
    start: Moment = None,
    end: Moment = None,
    timeframe: str | Timeframe = "15m",
    source: str = "auto",
    exchange: str = "binanceusdm",
    data_dir: str | Path | None = None,
    warmup: int | None = None,
    sub_bars: str | Timeframe | None = None,
    seed: int = 1,
    max_gap_pct: float = DEFAULT_MAX_GAP_PCT,
    *,
    instruments: Sequence[Instrument] = (),
    scenario: str = "default",
    bars_from: str | Timeframe | None = None,
    cache_dir: str | Path | None = None,
    refresh: bool = False,
    watcher: Watcher | None = None,
) -> list[Market]:
    """The markets of several coins, in their order: all real or all simulated.

    source: "cache" (what was downloaded), "exchange" (through ccxt; what is missing is downloaded into the cache),
    "files" (`data_dir`: a folder, an archive or a table), "simulated", or "auto": the files when `data_dir` is given, and
    nothing else then; otherwise the first of cache, exchange (one attempt of two seconds; none with GRIDCORE_OFFLINE=1)
    and simulated that can serve every coin. A market's `source` says which it was.
    exchange: its name in ccxt, such as binanceusdm; the first part of the files' names. start: without one, exchange and
    simulated market trade the last year, files and cache all they have.
    warmup: bars before `start` on which indicators settle (default 1000); where they are missing, trading starts later
    and the market's `notes` say so. sub_bars: "1m" or "5m", finer bars where the source has them.
    bars_from: make the bars of files or cache from finer ones of this timeframe. seed, scenario: of the simulated market.
    max_gap_pct: most missing bars allowed, percent. instruments: filters of coins that cannot be looked up.
    cache_dir: default data/cache. refresh: download the dates again, in place of what is cached.
    watcher: is told how a download goes on (`backtest.data.progress`).

    Raises InputError (exit code 2) for an unknown coin, dates without a bar, broken files; SourceError (exit code 3)
    when the source cannot be read or has nothing for a coin.
    """
    given = {instrument.symbol: instrument for instrument in instruments}
    # A future of another market, such as ES, keeps the symbol of the instrument given for it.
    symbols = [coin if coin in given else resolve_symbol(coin) for coin in coins]
    if source not in ("auto", *SOURCES):
        raise InputError(f"source = {source!r} is refused: it must be auto, {', '.join(list(SOURCES)[:-1])} or {list(SOURCES)[-1]}")
    if source not in ("auto", "files") and data_dir is not None:
        raise InputError(f"source = {source!r} reads no files: leave data_dir out, or use source = 'files'")
    if source == "files" and data_dir is None:
        raise InputError("source = 'files' needs data_dir, the folder of the files")
    if refresh and (source not in ("auto", "exchange") or data_dir is not None):
        raise InputError("refresh downloads again: use it with source = 'exchange'")
    terms = _terms(start, end, timeframe, exchange, data_dir, warmup, sub_bars, seed, max_gap_pct, scenario, bars_from, cache_dir)
    if source == "auto":
        source = "files" if data_dir is not None else "simulated" if scenario != "default" else "auto"
    if scenario != "default" and source != "simulated":
        raise InputError(f"scenario = {scenario!r} is refused: only the simulated market has scenarios, the source is {source}")
    serve = auto if source == "auto" else SOURCES[source]
    return serve(symbols, terms, given, refresh, Silent() if watcher is None else watcher)


def _an_instrument(instrument: Any, coin: str) -> Instrument:
    if not isinstance(instrument, Instrument):
        raise InputError(f"instrument = {instrument!r} is refused: it must be an Instrument")
    if resolve_symbol(coin) != instrument.symbol and coin != instrument.symbol:
        raise InputError(f"coin = {coin!r} is refused: the instrument given is {instrument.symbol}")
    return instrument


def _terms(
    start: Moment,
    end: Moment,
    timeframe: str | Timeframe,
    exchange: str,
    data_dir: str | Path | None,
    warmup: int | None,
    sub_bars: str | Timeframe | None,
    seed: int,
    max_gap_pct: float,
    scenario: str,
    bars_from: str | Timeframe | None,
    cache_dir: str | Path | None,
) -> Terms:
    """The arguments of `load_markets`, checked before any source is touched."""
    if not isinstance(exchange, str) or not exchange:
        raise InputError(f"exchange = {exchange!r} is refused: it must be a name such as binanceusdm or binance_spot")
    bar = Timeframe.parse(timeframe)
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
    return Terms(
        exchange=exchange,
        timeframe=bar,
        start=first,
        end=last,
        warmup=int(lead),
        sub_timeframe=_finer(sub_bars, bar, "sub_bars"),
        base_timeframe=bar if bars_from is not None and Timeframe.finer(bars_from) == bar else _finer(bars_from, bar, "bars_from"),
        data_dir=_folder(data_dir, "data_dir"),
        cache_dir=_folder(cache_dir, "cache_dir"),
        seed=int(seed),
        scenario=scenario,
        max_gap_pct=float(max_gap_pct),
    )


def _finer(value: str | Timeframe | None, bar: Timeframe, field: str) -> Timeframe | None:
    if value is None:
        return None
    finer = Timeframe.finer(value)
    if finer.ms >= bar.ms or bar.ms % finer.ms:
        raise InputError(f"{field} = {finer} is refused: it must be finer than timeframe = {bar} and divide it")
    return finer


def _folder(value: Any, field: str) -> Path | None:
    if value is None:
        return None
    if not isinstance(value, (str, Path)) or not str(value):
        raise InputError(f"{field} = {value!r} is refused: it must be the path of a folder")
    return Path(value).expanduser()
