"""Market data from a folder of files, or one file: bars, finer bars, mark prices, funding and margin tiers of a symbol.

`backtest.data.files.catalogue` says what files are called.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from backtest.data.assemble import Rows, assemble
from backtest.data.columns import Origin
from backtest.data.files.catalogue import SUFFIXES, TIERS, DataFile, catalogue, recognised
from backtest.data.files.reading import FileRows, Reader, brief, dialect_remarks
from backtest.data.files.stretches import Stretch, Wish, contents, serving
from backtest.data.instrument import Instrument
from backtest.data.known import GIVEN, Known
from backtest.data.market import Market
from backtest.data.request import Request, Window
from backtest.data.series import FUNDING
from backtest.data.settlements import funding_history
from backtest.data.sub_bars import SubBars
from backtest.data.tiers import read_brackets
from backtest.data.timeframe import Timeframe
from engine.errors import InputError, SourceError


@dataclass(frozen=True)
class _Shelf:
    """The files for one request: all that the folder has, those of the symbol on the exchange, and what reads them."""

    all_files: list[DataFile]
    files: list[DataFile]
    read: Reader


def load_files(request: Request, now: int | None = None) -> Market:
    """The market of a request from the folder or the file `request.data_dir`.

    One file whose name tells nothing is taken as bars of what is asked for, and a remark says so.
    now: ms UTC, the present time of this machine unless given; bars that have not closed by then are not used. Raises SourceError when
    the folder has nothing for the coin, InputError when a file is broken, when the dates hold no bar, or when more bars are
    missing than allowed.
    """
    folder, symbol, timeframe = request.data_dir, request.instrument.symbol, request.timeframe
    assert folder is not None
    _check_base(request)
    every = [_as_asked(file, request) if folder.is_file() else file for file in catalogue(folder)]
    shelf = _Shelf(every, [file for file in every if file.serves(request.exchange, symbol)], Reader(now))
    stretches = _bars(shelf, request)
    if not stretches:
        raise SourceError(_nothing_for(folder, shelf, request))
    offered = [stretch for stretch in stretches if request.overlap(int(stretch.time[0]), stretch.end(timeframe)) > 0]
    if not offered:
        raise request.refuse_range("; ".join(stretch.text(timeframe) for stretch in stretches))
    chosen = max(offered, key=lambda stretch: request.overlap(int(stretch.time[0]), stretch.end(timeframe)))
    window = request.window(int(chosen.time[0]), chosen.end(timeframe))
    instrument, remarks = _instrument(request, shelf)
    remarks += _stretch_remarks(chosen, offered, request)
    marks, mark_remarks = _marks(request, shelf, window)
    funding, funding_parts = read_funding(shelf.files, shelf.read)
    finer, finer_parts = _finer_bars(request, shelf, folder, window)
    parts = (*chosen.parts, *funding_parts, *finer_parts)
    remarks += mark_remarks + list(dict.fromkeys(remark for part in parts for remark in part.remarks))
    remarks += _repeats_of(part for part in (*funding_parts, *finer_parts) if part not in chosen.parts)
    remarks += dialect_remarks([(part.file.name, part.dialect) for part in parts])
    rows = Rows(chosen.time, chosen.values, funding, marks, finer)
    return assemble(request, rows, instrument, _source(chosen, request), tuple(remarks))


def tells_no_coin(path: Path) -> bool:
    """Whether a path is one file whose name does not tell whose bars it holds."""
    return path.is_file() and recognised(path, path.name).untold


def read_funding(files: Sequence[DataFile], read: Reader) -> tuple[pd.DataFrame | None, tuple[FileRows, ...]]:
    """Settlements of the funding files of one symbol, columns time (ms UTC, to the minute) and rate, and what was read.

    None when there is no file. Raises InputError where files differ at one time.
    """
    parts = [read(file) for file in files if file.content == FUNDING]
    if not parts:
        return None, ()
    frames = [pd.DataFrame({"time": part.time, "rate": part.values[0]}) for part in parts]
    joined = pd.concat(frames, ignore_index=True).sort_values("time", kind="stable", ignore_index=True)
    time, rate = funding_history(joined, Origin(f"the joined funding files of {parts[0].file.symbol}"))
    return pd.DataFrame({"time": time, "rate": rate}), tuple(parts)


def folder_tiers(files: Iterable[DataFile], exchange: str, symbol: str) -> tuple[np.ndarray, str] | None:
    """Margin tiers of a symbol from the brackets file among files, and the file's name; None when there are none."""
    for file in files:
        if file.content == TIERS and file.exchange == exchange:
            tiers = read_brackets(file.path, symbol)
            if tiers is not None:
                return tiers, file.name
    return None


def _as_asked(file: DataFile, request: Request) -> DataFile:
    """A file whose name tells nothing, as bars of the coin and the timeframe asked for."""
    if not file.untold:
        return file
    return replace(file, symbol=request.instrument.symbol, content=str(request.base_timeframe or request.timeframe))


def _taken(file: DataFile, request: Request) -> str:
    return f"{file.name} is taken as {file.content} bars of {file.symbol} on {request.exchange}: its name does not tell"


def _bars(shelf: _Shelf, request: Request) -> list[Stretch]:
    try:
        return serving(shelf.files, _wish(request), request.overlap, shelf.read)
    except InputError as error:
        # What looks broken may only be taken for what it is not.
        taken = [_taken(file, request) for file in shelf.files if file.untold]
        raise InputError("; ".join([str(error), *taken])) from None


def _check_base(request: Request) -> None:
    base = request.base_timeframe
    if base is not None and request.timeframe.ms % base.ms:
        raise InputError(f"bars_from = {base} is refused: it must be {request.timeframe} or finer and divide it")


def _wish(request: Request) -> Wish:
    """The bars of a request, with room for the warm-up and for a first group that is not whole."""
    lead = (request.warmup + 1) * request.timeframe.ms
    wish = Wish(request.timeframe, request.base_timeframe)
    begin = wish.begin if request.start is None else request.start - lead
    stop = wish.stop if request.end is None else request.end + request.timeframe.ms
    return replace(wish, begin=begin, stop=stop)


def _marks(request: Request, shelf: _Shelf, window: Window) -> tuple[tuple[np.ndarray, np.ndarray] | None, list[str]]:
    """Times and closes of the mark price where the files have any in the window, and what to say of them."""
    frame = request.timeframe
    wish = Wish(frame, mark=True, begin=window.begin, stop=window.stop)
    stretches = serving(shelf.files, wish, lambda first, end: min(end, window.stop) - max(first, window.begin), shelf.read)
    if not stretches:
        return None, []
    time, values, parts = _together(stretches)
    rows = slice(*np.searchsorted(time, [window.begin, window.stop]))
    if rows.start == rows.stop:
        return None, ["The files of mark prices hold none of these dates: the close stands in for the mark price."]
    names = [part.file.name for part in parts]
    made = "" if stretches[0].base == frame else f", resampled from {stretches[0].base}"
    remarks = [f"Mark prices are those of {brief(names)}{made}; where one is missing the close stands in."]
    remarks += [remark for part in parts for remark in part.remarks] + _repeats_of(parts)
    return (time[rows], values[3, rows]), remarks + dialect_remarks([(part.file.name, part.dialect) for part in parts])


def _finer_bars(request: Request, shelf: _Shelf, folder: Path, window: Window) -> tuple[SubBars | None, tuple[FileRows, ...]]:
    finer = request.sub_timeframe
    if finer is None:
        return None, ()
    wish = Wish(finer, begin=window.begin, stop=window.stop)
    stretches = serving(shelf.files, wish, lambda first, end: min(end, window.stop) - max(first, window.begin), shelf.read)
    if not stretches:
        raise SourceError(f"{folder} has no {finer} bars of {request.instrument.symbol} on {request.exchange} for sub_bars = {finer}")
    time, values, parts = _together(stretches)
    return SubBars.from_arrays(time, values, finer), parts


def _together(stretches: Sequence[Stretch]) -> tuple[np.ndarray, np.ndarray, tuple[FileRows, ...]]:
    time = np.concatenate([stretch.time for stretch in stretches])
    values = np.concatenate([stretch.values for stretch in stretches], axis=1)
    return time, values, tuple(part for stretch in stretches for part in stretch.parts)


def _instrument(request: Request, shelf: _Shelf) -> tuple[Instrument, list[str]]:
    """The instrument with the folder's tiers, else the built-in ones, when it was given none; and what is assumed of them."""
    given = request.tiers_origin == GIVEN
    found = None if given else folder_tiers(shelf.all_files, request.exchange, request.instrument.symbol)
    known = Known.of(request)
    if found is not None:
        known = replace(known, instrument=known.instrument.replace(tiers=found[0]), tiers_origin=found[1])
    known = known.with_tiers()
    remarks = [known.remark]
    if "spot" in request.exchange:
        remarks.append(f"The bars are of {request.exchange}: funding and margin of a perpetual are assumed on spot prices.")
    return known.instrument, remarks


def _stretch_remarks(chosen: Stretch, offered: Sequence[Stretch], request: Request) -> list[str]:
    """What was left out of the files' bars, and what was taken for granted about them."""
    timeframe, remarks = request.timeframe, []
    if len(offered) > 1:
        others = "; ".join(stretch.text(timeframe) for stretch in offered if stretch is not chosen)
        remarks.append(f"The longest unbroken stretch of the files is used, {chosen.text(timeframe)} UTC; left out: {others}.")
    if chosen.duplicates:
        remarks.append(f"{chosen.duplicates} repeated rows that agree with the first were dropped.")
    if chosen.left_out:
        remarks.append(
            f"The {timeframe} bars are made from {chosen.base} bars; {chosen.left_out} groups of them are not whole and are left out."
        )
    remarks += [f"{_taken(part.file, request)}." for part in chosen.parts if part.file.untold]
    nameless = [part.file.name for part in chosen.parts if part.file.exchange is None and not part.file.untold]
    if nameless:
        remarks.append(f"Archive names hold no exchange: {brief(nameless)} taken as {request.exchange}, the exchange asked for.")
    return remarks


def _repeats_of(parts: Iterable[FileRows]) -> list[str]:
    return [f"{part.duplicates} repeated rows of {part.file.name} that agree were dropped." for part in parts if part.duplicates]


def _source(chosen: Stretch, request: Request) -> str:
    """`files of binanceusdm (a.parquet; resampled from 1m)`."""
    verb = "taken as" if any(part.file.exchange is None for part in chosen.parts) else "of"
    trades = any(part.file.timeframe is None for part in chosen.parts)
    what = "made from trades" if trades else f"resampled from {chosen.base}" if chosen.base != request.timeframe else ""
    return f"files {verb} {request.exchange} ({brief(chosen.files)}{'; ' if what else ''}{what})"


def _nothing_for(folder: Path, shelf: _Shelf, request: Request) -> str:
    """The sentence for a coin that the folder does not have, with what it does have."""
    if folder.is_file() and shelf.all_files[0].content is None:
        return f"{folder.name} is not recognised: {shelf.all_files[0].reason}"
    symbol, base = request.instrument.symbol, request.base_timeframe
    wanted = f"{request.exchange}_{symbol}_{request.timeframe if base is None else base}"
    same = [file for file in shelf.all_files if file.symbol is not None and file.content == str(request.timeframe)]
    others = {file.symbol or "" for file in same if file.serves(request.exchange, file.symbol or "")}
    hints = [_listed(f"{symbol} in", filter(_is_bars, contents(shelf.files))), _listed(f"{request.timeframe} bars of", others)]
    has = " and ".join(hint for hint in hints if hint)
    sentence = f"{folder} has no {wanted}.parquet or .csv" + (f"; it has {has}" if has else "")
    return sentence + _passed_over(shelf, wanted, f"{symbol}-{request.timeframe if base is None else base}-2024-01.zip")


def _passed_over(shelf: _Shelf, own: str, archive: str) -> str:
    """Up to three files of the folder that were not recognised, those that may be data first, and what to call them."""
    unknown = [file.name for file in shelf.all_files if file.content is None]
    if not unknown:
        return ""
    unknown.sort(key=lambda name: not name.endswith(SUFFIXES))
    more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
    return f"; not recognised: {', '.join(unknown[:3])}{more}; a file is known by a name such as {own}.csv or {archive}"


def _is_bars(content: str) -> bool:
    try:
        Timeframe.finer(content)
    except InputError:
        return False
    return True


def _listed(what: str, names: Iterable[str]) -> str:
    found = sorted(names)
    return f"{what} {', '.join(found)}" if found else ""
