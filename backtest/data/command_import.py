"""`python -m backtest.data import`: files, archives and trades into the cache."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from backtest.data.cache.store import Cache
from backtest.data.files.catalogue import AGGREGATED_TRADES, TIERS, TRADES, DataFile, catalogue
from backtest.data.files.reading import FileRows, read_series
from backtest.data.progress import watcher
from backtest.data.series import SeriesName
from backtest.data.symbols import resolve_symbol
from backtest.data.timeframe import Timeframe, utc_text
from engine.errors import InputError, SourceError


def import_files(options: argparse.Namespace) -> None:
    """Store the rows of every recognised file; rows that are stored already must agree. Files not recognised are named."""
    files = [file for path in options.paths for file in _named(path, options)]
    cache = Cache(options.cache_dir, lambda sentence: print(sentence, file=sys.stderr))
    usable = [file for file in files if file.content is not None and file.content != TIERS]
    skipped = [file for file in files if file not in usable]
    for file in skipped:
        reason = file.reason or "margin tiers are read from the folder itself, with --data-dir"
        print(f"{file.name}: not imported, {reason}", file=sys.stderr)
    if not usable:
        raise InputError(f"nothing to import in {', '.join(str(path) for path in options.paths)}: no file was recognised")
    with watcher(options.quiet or len(usable) < 2) as watching:
        tell = watching.watch("files")
        for number, file in enumerate(usable):
            tell(number, len(usable))
            try:
                line = _store(cache, file, options)
            except (InputError, SourceError) as error:
                raise type(error)(f"{error}{_stored_before(number)}") from None
            if not options.quiet:
                print(line, flush=True)
        tell(len(usable), len(usable))


def _named(path: Path, options: argparse.Namespace) -> Iterator[DataFile]:
    """The files of a path, called by the path as given; where a name does not tell what a single file is, the options do."""
    if not path.exists():
        raise InputError(f"{path} is refused: there is no such file or folder")
    for file in catalogue(path):
        file = replace(file, name=str(path if path.is_file() else path / file.name))
        symbol = resolve_symbol(options.symbol) if options.symbol else None
        if file.content is None and path.is_file() and symbol and options.timeframe:
            yield replace(file, symbol=symbol, content=str(Timeframe.finer(options.timeframe)), exchange=options.exchange, reason="")
        else:
            if file.content is None and path.is_file():
                file = replace(file, reason=f"{file.reason}; --symbol and --timeframe tell what it is")
            yield file


def _store(cache: Cache, file: DataFile, options: argparse.Namespace) -> str:
    """Store one file and return the line that says so."""
    of_trades = file.content in (TRADES, AGGREGATED_TRADES)
    rows = read_series(file, trade_bars=Timeframe.finer(options.timeframe) if of_trades and options.timeframe else None)
    assert file.symbol is not None
    series = SeriesName(file.exchange or options.exchange, file.symbol, rows.content)
    # The cache keeps the bare name; a sentence says the path as given.
    origin = f"import: {file.path.name}"
    try:
        new = sum(
            cache.store(series, rows.time[part], np.ascontiguousarray(rows.values[:, part]), origin=origin) for part in _stretches(rows)
        )
    except InputError as error:
        raise InputError(str(error).replace(origin, file.name)) from None
    span = f"{utc_text(rows.time[0])} to {utc_text(rows.time[-1])} UTC"
    line = f"{file.name}: {series}, {rows.time.size:,} rows from {span}, {new:,} of them new; read as {rows.dialect}"
    repeats = [f"{rows.duplicates:,} repeated rows that agree were dropped."] if rows.duplicates else []
    return " ".join([line + ".", *repeats, *rows.remarks])


def _stored_before(files: int) -> str:
    if files == 0:
        return ""
    return f"; {files} files before it are stored" if files > 1 else "; 1 file before it is stored"


def _stretches(rows: FileRows) -> Iterator[slice]:
    """Unbroken parts of a file's rows, each stored by itself: a hole in a file is not the exchange's word that nothing is there."""
    cuts = [] if rows.timeframe is None else (np.flatnonzero(np.diff(rows.time) > rows.timeframe.ms) + 1).tolist()
    for first, stop in itertools.pairwise([0, *cuts, rows.time.size]):
        yield slice(first, stop)
