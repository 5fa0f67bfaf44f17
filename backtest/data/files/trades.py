"""Bars from files of single trades, read in chunks so that a month of them need not fit into memory.

Trades count in the order of the file, which is the order of their numbers. Bars in which nobody traded are flat at the close
before, with volume 0, as the exchange's own bars are; only between the first and the last trade of one file. The first and
the last bar are whole only when the file's name promises whole days, as an archive's does; of any other file they are left out.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from backtest.data.columns import Origin, milliseconds, units_of
from backtest.data.files.archives import MOST_TRADE_BYTES, check_sum, unpacked
from backtest.data.files.catalogue import DataFile
from backtest.data.files.dialects import HEAD_BYTES, csv_form
from backtest.data.files.rows import refuse_other_days
from backtest.data.integrity import fill_gaps
from backtest.data.timeframe import Timeframe, utc_text
from engine.errors import InputError

_CHUNK_BYTES = 1 << 24
_CHUNK_ROWS = 1 << 19
_TIMES = ("time", "transact_time", "timestamp", "trade_time", "date", "datetime")
_PRICES = ("price", "p")
_QUANTITIES = ("qty", "quantity", "amount", "size", "q")
# More bars than this in one file are a stray time stamp: a year of seconds has 32 million.
_MOST_BARS = 40_000_000

Chunk = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Time stamps as they stand in the file, prices, quantities: (rows,) each, NaN where missing."""


@dataclass(frozen=True, eq=False)
class TradeBars:
    """Bars made of trades: time (rows,), values (5, rows), how the file is written, how many trades, how many bars saw none."""

    time: np.ndarray
    values: np.ndarray
    dialect: str
    trades: int
    silent: int


@dataclass(eq=False)
class _Builder:
    """Collects bars from trades that come in chunks; the bar a chunk ends in is kept open for the next."""

    timeframe: Timeframe
    times: list[np.ndarray] = field(default_factory=list)
    values: list[np.ndarray] = field(default_factory=list)

    def add(self, time: np.ndarray, price: np.ndarray, quantity: np.ndarray, origin: Origin) -> None:
        """Adds trades of one chunk: time int64 ms, price and quantity float64, (rows,)."""
        opens = time // self.timeframe.ms * self.timeframe.ms
        before = self.times[-1][-1] if self.times else opens[0]
        steps = np.diff(opens, prepend=before)
        early = np.flatnonzero(steps < 0)
        if early.size:
            row = int(early[0])
            later = utc_text(opens[row - 1] if row else before)
            raise InputError(f"{origin.row(row, time[row])} comes after trades of the {self.timeframe} bar of {later}: the times must rise")
        starts = np.flatnonzero(np.concatenate([[True], steps[1:] > 0]))
        ends = np.append(starts[1:], time.size) - 1
        bars = np.stack(
            [
                price[starts],
                np.maximum.reduceat(price, starts),
                np.minimum.reduceat(price, starts),
                price[ends],
                np.add.reduceat(quantity, starts),
            ]
        )
        times = opens[starts]
        if self.times and times[0] == before:
            last = self.values[-1][:, -1]
            last[:] = last[0], max(last[1], bars[1, 0]), min(last[2], bars[2, 0]), bars[3, 0], last[4] + bars[4, 0]
            times, bars = times[1:], bars[:, 1:]
        if times.size:
            self.times.append(times)
            self.values.append(bars)


def bars_of_trades(file: DataFile, timeframe: Timeframe) -> TradeBars:
    """The bars that a file of trades makes: CSV (also zipped or gzipped) or Parquet with time, price and quantity.

    Raises InputError naming the file, the line and the time for a trade that is broken or out of order, or outside the days
    in the file's name, and for a file without one whole bar.
    """
    check_sum(file.path, file.name)
    builder = _Builder(timeframe)
    rows, units, form = 0, [], ""
    for origin, chunk, words in _parquet_chunks(file) if file.path.suffix == ".parquet" else _csv_chunks(file):
        form = words
        stamps, price, quantity = chunk
        _refuse_broken(stamps, price, quantity, origin)
        time = milliseconds(stamps, "time", origin)
        refuse_other_days(file, time, origin)
        builder.add(time, price, quantity, origin)
        units += [unit for unit in units_of(stamps) if unit not in units]
        rows += stamps.size
    if rows == 0:
        raise InputError(f"{file.name} has no rows")
    time, values = np.concatenate(builder.times), np.concatenate(builder.values, axis=1)
    if file.begin is None:
        time, values = time[1:-1], values[:, 1:-1]
    if time.size == 0:
        raise InputError(f"{file.name} has no whole {timeframe} bar: its first and its last may lack trades, and there is none between")
    if (time[-1] - time[0]) // timeframe.ms >= _MOST_BARS:
        span = f"{utc_text(time[0])} to {utc_text(time[-1])}"
        raise InputError(f"{file.name} runs from {span}, which is too long for {timeframe} bars of trades")
    time, values, silent = fill_gaps(time, values, timeframe)
    dialect = f"{form}, {' and '.join(units)}; {rows:,} trades made into {timeframe} bars"
    return TradeBars(time, values, dialect, rows, int(np.count_nonzero(silent)))


def _refuse_broken(stamps: np.ndarray, price: np.ndarray, quantity: np.ndarray, origin: Origin) -> None:
    for name, column, wrong in (
        ("time", stamps, ~np.isfinite(stamps) if stamps.dtype.kind == "f" else np.zeros(stamps.size, bool)),
        ("price", price, ~(np.isfinite(price) & (price > 0))),
        ("quantity", quantity, ~(np.isfinite(quantity) & (quantity >= 0))),
    ):
        if wrong.any():
            row = int(np.argmax(wrong))
            allowed = {"time": "a time", "price": "a finite number above zero", "quantity": "a finite number, zero or more"}[name]
            problem = "is missing" if np.isnan(column[row]) else f"= {column[row]:g} is refused: it must be {allowed}"
            raise InputError(f"{origin.row(row)}: {name} {problem}")


def _csv_chunks(file: DataFile) -> Iterator[tuple[Origin, Chunk, str]]:
    """Chunks of a CSV file, each with the way to name its lines and the words for how the file is written."""
    packed = {".zip": "zip, ", ".gz": "gzip, "}.get(file.path.suffix, "")
    assert file.content is not None
    with unpacked(file.path, file.name, MOST_TRADE_BYTES) as stream:
        buffered = io.BufferedReader(stream, 1 << 20)  # type: ignore[type-var]
        form = csv_form(buffered.peek(HEAD_BYTES)[:HEAD_BYTES], file.name, file.content)
        names = [name.strip().lower().replace(" ", "_") for name in form.names]
        wanted = [_named(names, options, file.name) for options in (_TIMES, _PRICES, _QUANTITIES)]
        line = 2 if form.header else 1
        try:
            reader = pa.csv.open_csv(
                buffered,
                pa.csv.ReadOptions(use_threads=False, block_size=_CHUNK_BYTES, skip_rows=line - 1, column_names=names),
                pa.csv.ParseOptions(delimiter=form.separator),
                pa.csv.ConvertOptions(column_types={name: pa.float64() for name in wanted[1:]}, include_columns=wanted),
            )
            for batch in reader:
                if batch.num_rows:
                    yield Origin(file.name, "line", line), _chunk(batch, file.name), packed + form.text
                line += batch.num_rows
        except pa.ArrowException as error:
            raise InputError(f"{file.name} is not a readable file of trades after line {line - 1}: {_first_line(error)}") from None


def _parquet_chunks(file: DataFile) -> Iterator[tuple[Origin, Chunk, str]]:
    first = 0
    try:
        with pq.ParquetFile(file.path) as table:
            names = {name.strip().lower().replace(" ", "_"): name for name in table.schema_arrow.names}
            wanted = [names[_named(list(names), options, file.name)] for options in (_TIMES, _PRICES, _QUANTITIES)]
            for batch in table.iter_batches(_CHUNK_ROWS, columns=wanted):
                yield Origin(file.name, "row", first), _chunk(batch.select(wanted), file.name), "Parquet"
                first += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{file.name} is not a readable Parquet file: {_first_line(error)}") from None


def _named(names: list[str], options: tuple[str, ...], name: str) -> str:
    found = next((option for option in options if option in names), None)
    if found is None:
        raise InputError(f"{name} has no column {options[0]}: its columns are {', '.join(names) or 'none'}")
    return found


def _chunk(batch: Any, name: str) -> Chunk:
    """Stamps, prices and quantities of a batch of Arrow columns in this order."""
    stamps, price, quantity = batch.columns
    if pa.types.is_timestamp(stamps.type):
        stamps = pc.cast(stamps, pa.timestamp("ms"), safe=False).cast(pa.int64())
    if not (pa.types.is_integer(stamps.type) or pa.types.is_floating(stamps.type)):
        raise InputError(f"{name} is refused: the times of trades must be numbers or dates")
    return tuple(column.to_numpy(zero_copy_only=False) for column in (stamps, price.cast(pa.float64()), quantity.cast(pa.float64())))


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0].rstrip(".") if text else type(error).__name__
