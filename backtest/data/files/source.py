"""Market data from a folder of files: bars, finer bars, funding and margin tiers of one exchange's symbols.

Names: `<exchange>_<SYMBOL>_<timeframe>[_<from>-<to>].parquet` or `.csv` for bars, `<exchange>_<SYMBOL>_funding` for
settlements, `<exchange>_leverage_brackets.json` for tiers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from backtest.data.columns import BAR_FIELDS, Origin, bar_columns
from backtest.data.files.tables import SUFFIXES, read_table
from backtest.data.instrument import Instrument
from backtest.data.integrity import checked_bars
from backtest.data.market import Market
from backtest.data.request import Request
from backtest.data.settlements import funding_history
from backtest.data.sub_bars import SubBars
from backtest.data.tiers import read_brackets
from backtest.data.timeframe import DAY, Timeframe, utc_text
from engine.errors import InputError, SourceError

# A hole between two files that is longer than this separates two stretches; anything shorter is a gap within one.
_LONGEST_HOLE = DAY


@dataclass(frozen=True, eq=False)
class Stretch:
    """Bars of files that follow each other: unique rising times (rows,), values (5, rows), names of the files."""

    time: np.ndarray
    values: np.ndarray
    files: tuple[str, ...]
    duplicates: int

    def end(self, timeframe: Timeframe) -> int:
        """Close of the last bar, ms UTC."""
        return int(self.time[-1]) + timeframe.ms

    def text(self, timeframe: Timeframe) -> str:
        """`2024-01-01 00:00 to 2025-01-01 00:00`."""
        return f"{utc_text(self.time[0])} to {utc_text(self.end(timeframe))}"


def matching_files(folder: Path, exchange: str, symbol: str, content: str) -> list[Path]:
    """Files of one symbol with bars of a timeframe (`content` "15m") or settlements ("funding"), sorted by name."""
    pattern = re.compile(re.escape(f"{exchange}_{symbol}_{content}") + r"(_[0-9]+-[0-9]+)?")
    return [path for path in _data_files(folder) if pattern.fullmatch(path.stem)]


def read_stretches(folder: Path, exchange: str, symbol: str, timeframe: Timeframe) -> list[Stretch]:
    """All bars of one symbol and timeframe, joined into unbroken stretches in order of time; none when no file matches.

    Every file must keep the rules of `backtest.data.integrity`, and files that overlap must agree. Raises InputError naming
    the file, its row or line and the time.
    """
    parts = []
    for path in matching_files(folder, exchange, symbol, str(timeframe)):
        frame, origin = read_table(path)
        time, values = bar_columns(frame, origin)
        parts.append((*checked_bars(time, values, timeframe, origin), path.name))
    parts.sort(key=lambda part: int(part[0][0]))
    groups: list[list[tuple[np.ndarray, np.ndarray, int, str]]] = []
    end = 0
    for part in parts:
        if not groups or int(part[0][0]) > end + _LONGEST_HOLE:
            groups.append([])
        groups[-1].append(part)
        end = max(end, int(part[0][-1]) + timeframe.ms)
    return [_join(group) for group in groups]


def _join(parts: list[tuple[np.ndarray, np.ndarray, int, str]]) -> Stretch:
    """One stretch from files that follow each other or overlap."""
    names = tuple(part[3] for part in parts)
    duplicates = sum(part[2] for part in parts)
    if len(parts) == 1:
        return Stretch(parts[0][0], parts[0][1], names, duplicates)
    time = np.concatenate([part[0] for part in parts])
    values = np.concatenate([part[1] for part in parts], axis=1)
    owner = np.repeat(np.arange(len(parts)), [part[0].size for part in parts])
    order = np.argsort(time, kind="stable")
    time, values, owner = time[order], values[:, order], owner[order]
    again = np.flatnonzero(time[1:] == time[:-1]) + 1
    differ = values[:, again] != values[:, again - 1]
    if differ.any():
        place, field = (int(found) for found in np.argwhere(differ.T)[0])
        row = int(again[place])
        raise InputError(
            f"{names[owner[row - 1]]} and {names[owner[row]]} overlap and differ at {utc_text(time[row])} UTC: "
            f"{BAR_FIELDS[field]} is {values[field, row - 1]:.12g} and {values[field, row]:.12g}"
        )
    keep = np.ones(time.size, bool)
    keep[again] = False
    return Stretch(time[keep], np.ascontiguousarray(values[:, keep]), names, duplicates)


def read_funding(folder: Path, exchange: str, symbol: str) -> pd.DataFrame | None:
    """Settlements of one symbol, columns time (ms UTC, to the minute) and rate; None when there is no file."""
    parts = []
    for path in matching_files(folder, exchange, symbol, "funding"):
        frame, origin = read_table(path)
        time, rate = funding_history(frame, origin)
        parts.append(pd.DataFrame({"time": time, "rate": rate}))
    if not parts:
        return None
    joined = pd.concat(parts, ignore_index=True).sort_values("time", kind="stable", ignore_index=True)
    time, rate = funding_history(joined, Origin(f"the joined funding files of {symbol}"))
    return pd.DataFrame({"time": time, "rate": rate})


def folder_tiers(folder: Path, exchange: str, symbol: str) -> tuple[np.ndarray, str] | None:
    """Margin tiers of a symbol from the folder's brackets file, and the file's name; None when it has none."""
    path = folder / f"{exchange}_leverage_brackets.json"
    tiers = read_brackets(path, symbol) if path.is_file() else None
    return None if tiers is None else (tiers, path.name)


def load_files(request: Request) -> Market:
    """The market of a request from the folder `request.data_dir`.

    Raises SourceError when the folder has nothing for the coin, InputError when a file is broken, when the dates hold no
    bar, or when more bars are missing than allowed.
    """
    folder, symbol, timeframe = request.data_dir, request.instrument.symbol, request.timeframe
    assert folder is not None
    if not folder.is_dir():
        raise SourceError(f"data_dir = {folder} is not a folder that can be read")
    stretches = read_stretches(folder, request.exchange, symbol, timeframe)
    if not stretches:
        raise SourceError(_nothing_for(folder, request))
    offered = [stretch for stretch in stretches if request.overlap(int(stretch.time[0]), stretch.end(timeframe)) > 0]
    if not offered:
        raise request.refuse_range("; ".join(stretch.text(timeframe) for stretch in stretches))
    chosen = max(offered, key=lambda stretch: request.overlap(int(stretch.time[0]), stretch.end(timeframe)))
    window = request.window(int(chosen.time[0]), chosen.end(timeframe))
    rows = slice(*np.searchsorted(chosen.time, [window.begin, window.stop]))
    if rows.start == rows.stop:
        raise request.refuse_range(chosen.text(timeframe))

    instrument, remarks = _with_tiers(request, folder)
    if len(offered) > 1:
        others = "; ".join(stretch.text(timeframe) for stretch in offered if stretch is not chosen)
        remarks.append(f"The longest unbroken stretch of the files is used, {chosen.text(timeframe)} UTC; left out: {others}.")
    if chosen.duplicates:
        remarks.append(f"{chosen.duplicates} repeated rows that agree with the first were dropped.")
    market = Market.from_arrays(
        instrument,
        timeframe,
        chosen.time[rows],
        np.ascontiguousarray(chosen.values[:, rows]),
        funding=read_funding(folder, request.exchange, symbol),
        sub_bars=_finer_bars(request, folder, window.begin, window.stop),
    )
    gaps = market.gaps
    if gaps.percent > request.max_gap_pct:
        raise InputError(
            f"{gaps.percent:.3g} % of the {timeframe} bars of {symbol} are missing "
            f"from {utc_text(market.time[0])} to {utc_text(market.end_time)} UTC "
            f"({gaps.holes} gaps, the largest of {gaps.largest} bars): max_gap_pct = {request.max_gap_pct:g} allows no more"
        )
    trade_from = max(0, -((int(market.time[0]) - window.trade_time) // timeframe.ms))
    if trade_from >= len(market):
        raise request.refuse_range(chosen.text(timeframe))
    return replace(
        market,
        trade_from=trade_from,
        source=f"files of {request.exchange} ({_brief(chosen.files)}): {market.span_text}",
        remarks=(*window.remarks, *remarks),
    )


def _with_tiers(request: Request, folder: Path) -> tuple[Instrument, list[str]]:
    """The instrument with the folder's tiers when it was given none, and what is assumed about filters and tiers."""
    instrument = request.instrument
    origin = "as given"
    if instrument.tiers is None:
        found = folder_tiers(folder, request.exchange, instrument.symbol)
        origin = "built-in table"
        if found is not None:
            instrument, origin = instrument.replace(tiers=found[0]), found[1]
    remarks = [f"Assumed: today's tick size, step size, least order sizes and margin tiers ({origin}) held at the time of all bars."]
    if "spot" in request.exchange:
        remarks.append(f"The bars are of {request.exchange}: funding and margin of a perpetual are assumed on spot prices.")
    return instrument, remarks


def _finer_bars(request: Request, folder: Path, begin: int, stop: int) -> SubBars | None:
    finer = request.sub_timeframe
    if finer is None:
        return None
    stretches = read_stretches(folder, request.exchange, request.instrument.symbol, finer)
    if not stretches:
        raise SourceError(f"{folder} has no {finer} bars of {request.instrument.symbol} on {request.exchange} for sub_bars = {finer}")
    time = np.concatenate([stretch.time for stretch in stretches])
    values = np.concatenate([stretch.values for stretch in stretches], axis=1)
    return SubBars.from_arrays(time, values, finer).between(begin, stop)


def _data_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES and path.is_file())


def _nothing_for(folder: Path, request: Request) -> str:
    """The sentence for a coin that the folder does not have, with what it does have."""
    symbol, wanted = request.instrument.symbol, f"{request.exchange}_{request.instrument.symbol}_{request.timeframe}"
    timeframes, symbols = set(), set()
    for path in _data_files(folder):
        match = re.fullmatch(re.escape(request.exchange) + r"_([^_]+)_([0-9]+[mhd])(_[0-9]+-[0-9]+)?", path.stem)
        if match and match[1] == symbol:
            timeframes.add(match[2])
        if match and match[2] == str(request.timeframe):
            symbols.add(match[1])
    hints = [_listed(f"{symbol} in", timeframes), _listed(f"{request.timeframe} bars of", symbols)]
    has = " and ".join(hint for hint in hints if hint)
    return f"{folder} has no {wanted}.parquet or .csv" + (f"; it has {has}" if has else "")


def _brief(names: tuple[str, ...]) -> str:
    """File names for the first line of results; of many only the first and the last."""
    return ", ".join(names) if len(names) <= 3 else f"{len(names)} files, {names[0]} to {names[-1]}"


def _listed(what: str, names: Iterable[str]) -> str:
    found = sorted(names)
    return f"{what} {', '.join(found)}" if found else ""
