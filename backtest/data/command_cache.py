"""`python -m backtest.data list` and `export`: what the cache holds, and a series of it as a file."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from backtest.command_line import plain_console
from backtest.data.atomic import write_atomically
from backtest.data.cache.inventory import StoredSeries, list_series
from backtest.data.cache.layout import default_root
from backtest.data.cache.store import Cache
from backtest.data.series import SeriesName
from backtest.data.symbols import resolve_symbol
from backtest.data.timeframe import parse_utc, utc_text
from engine.errors import InputError, SourceError


def list_cache(options: argparse.Namespace) -> None:
    """Print what the cache holds."""
    root = options.cache_dir or default_root()
    found = list_series(root)
    if options.json:
        print(json.dumps([{**asdict(one), "series": str(one.series)} for one in found], indent=1))
        return
    if not found:
        print(f"the cache {root} is empty; python -m backtest.data fetch BTC downloads, import takes files")
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=Text(f"cache {root}", style="bold"), title_justify="left")
    for name in ("exchange", "symbol", "content", "from", "to (UTC)", "rows", "gaps", "largest", "MB", "origin"):
        table.add_column(name, justify="right" if name in ("rows", "gaps", "largest", "MB") else "left", no_wrap=name != "origin")
    for one in found:
        table.add_row(*(Text(cell) for cell in _cells(one)))
    console = plain_console()
    console.print(table)
    for one in found:
        for name in one.unreadable:
            console.print(Text(f"{one.series}: {name} is unreadable; the next fetch sets it aside and downloads its month again"))
        for name in one.set_aside:
            console.print(Text(f"{one.series}: {name} was set aside as unreadable, and is kept"))


def _cells(one: StoredSeries) -> list[str]:
    first = "" if one.first is None else utc_text(one.first)
    last = "" if one.last is None else utc_text(one.last)
    settled = one.series.timeframe is None
    return [
        one.series.exchange,
        one.series.symbol,
        one.series.content,
        first,
        last,
        f"{one.rows:,}",
        "" if settled else f"{len(one.gaps)}",
        "" if settled else f"{one.largest_gap}",
        f"{one.bytes / 1e6:.1f}",
        one.origins[0] if len(one.origins) == 1 else f"{len(one.origins)} origins, {one.origins[0]} among them" if one.origins else "",
    ]


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
