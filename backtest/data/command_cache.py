"""`python -m backtest.data list` and `export`: what the cache holds, and a series of it as a file."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.text import Text

from backtest.command_line import plain_console
from backtest.data.atomic import write_atomically
from backtest.data.cache.inventory import StoredSeries, list_series
from backtest.data.cache.layout import default_root
from backtest.data.cache.store import EXCHANGE, Cache
from backtest.data.check.wording import listed
from backtest.data.printed_table import GroupedTable, print_fitting
from backtest.data.series import SeriesName
from backtest.data.symbols import resolve_symbol
from backtest.data.timeframe import parse_utc, utc_text
from engine.errors import InputError, SourceError

# Origins of a series that its line names.
_NAMED = 3


def named_folder(option: str, path: Path | None) -> Path | None:
    """The folder that an option names; None when it was not given. Raises InputError when there is no such folder."""
    if path is None:
        return None
    folder = path.expanduser()
    if not folder.is_dir():
        raise InputError(f"{option} {path} is refused: {'it is no folder' if folder.exists() else 'there is no such folder'}")
    return folder


def list_cache(options: argparse.Namespace) -> None:
    """Print what the cache holds. Raises InputError for a folder that was named and is not there."""
    root = named_folder("--cache-dir", options.cache_dir) or default_root()
    found = list_series(root)
    if options.json:
        print(json.dumps([{**asdict(one), "series": str(one.series)} for one in found], indent=1))
    elif not found:
        print(f"the cache {root} is empty; python -m backtest.data fetch BTC downloads, import takes files")
    else:
        print_list(root, found, plain_console())


def print_list(root: Path, found: Sequence[StoredSeries], console: Console) -> None:
    """Print the series of a cache as a table, then what is unusual about any.

    Where the console is too narrow for times to the minute the table has days; nothing is cut off.
    """
    console.print(Text(f"cache {root}, times UTC", style="bold"), soft_wrap=True)
    print_fitting([_series_table(found, days) for days in (False, True)], console)
    for one in found:
        for sentence in _remarks(one):
            console.print(Text(f"{one.series}: {sentence}"))


def _series_table(found: Sequence[StoredSeries], days: bool) -> GroupedTable:
    table = GroupedTable(("symbol", "content", "from", "to"), ("rows", "gaps (largest)", "MB"))
    for one in found:
        table.add(one.series.exchange, _cells(one, days))
    return table


def _cells(one: StoredSeries, days: bool) -> list[str]:
    times = ["-" if time is None else utc_text(time)[: len("2024-01-01") if days else None] for time in (one.first, one.last)]
    # Settlements keep to no grid: nothing tells whether one is missing.
    gaps = "" if one.series.timeframe is None else f"{len(one.gaps):,} ({one.largest_gap:,})" if one.gaps else "-"
    return [f" {one.series.symbol}", one.series.content, *times, f"{one.rows:,}", gaps, f"{one.bytes / 1e6:.1f}"]


def _remarks(one: StoredSeries) -> Iterable[str]:
    """Where rows come from when not all are the exchange's, and files that are unreadable."""
    if set(one.origins) - {EXCHANGE}:
        yield f"rows come from {listed(one.origins, _NAMED)}"
    for name in one.unreadable:
        yield f"{name} is unreadable; the next fetch sets it aside and downloads its month again"
    for name in one.set_aside:
        yield f"{name} was set aside as unreadable, and is kept"


def export(options: argparse.Namespace) -> None:
    """Write a series of the cache as CSV or Parquet; the name of a file in a folder is one that --data-dir reads."""
    series = SeriesName(options.exchange, resolve_symbol(options.coin), options.content)
    begin = None if options.start is None else parse_utc(options.start, "start")
    stop = None if options.end is None else parse_utc(options.end, "end")
    target: Path = options.output
    if target.is_dir():
        target /= f"{series.exchange}_{series.symbol}_{series.content}.parquet"
    if target.suffix not in (".csv", ".parquet"):
        raise InputError(f"--output {options.output} is refused: it must be a .csv or .parquet file, or a folder that is there")
    if target.exists() and not options.force:
        raise InputError(f"--output {target} is refused: it is there already, --force replaces it")
    time, values = Cache(options.cache_dir).read(series, begin, stop)
    if time.size == 0:
        raise SourceError(f"the cache has no {series}" + ("" if begin is None and stop is None else " for the dates asked for"))
    columns: dict[str, Any] = {"timestamp": time, **dict(zip(series.fields, values, strict=True))}
    frame = pd.DataFrame(columns)
    blob = BytesIO()
    if target.suffix == ".csv":
        frame.to_csv(blob, index=False, lineterminator="\n")
    else:
        frame.to_parquet(blob, compression="zstd", index=False)
    try:
        write_atomically(target, blob.getvalue())
    except OSError as error:
        raise InputError(f"--output {target} is refused: {error.strerror or error}") from None
    print(f"{series}: {time.size:,} rows from {utc_text(time[0])} to {utc_text(time[-1])} UTC written to {target}")
