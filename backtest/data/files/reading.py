"""One data file as checked rows of one series, whatever it is written and packed in."""

from __future__ import annotations

import time as clock
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from backtest.data.columns import BAR_FIELDS, PRICES, Origin, bar_columns, rate_columns, time_form
from backtest.data.files.catalogue import AGGREGATED_TRADES, TRADES, DataFile
from backtest.data.files.rows import PickedOrigin, first_of_each_time, refuse_other_days
from backtest.data.files.tables import Table, read_table
from backtest.data.files.trades import bars_of_trades
from backtest.data.integrity import checked_bars, rate_violations
from backtest.data.series import FUNDING, MARK
from backtest.data.timeframe import MINUTE, Timeframe, utc_text
from engine.errors import InputError

# What this project writes itself: nothing needs to be said of it.
PLAIN_DIALECTS = ("Parquet, milliseconds", "table with header, milliseconds")


@dataclass(frozen=True, eq=False)
class FileRows:
    """The rows of one file.

    content: what they are: "15m", "mark-15m" or "funding"; those of trades are the bars made of them. time: int64 ms UTC, (rows,).
    values: float64, (fields, rows), in the order of `fields`. origin: names a row in a sentence. dialect: how the file is
    written, in one phrase. duplicates: equal rows that were dropped. remarks: sentences about what was left out.
    """

    file: DataFile
    content: str
    fields: tuple[str, ...]
    time: np.ndarray
    values: np.ndarray
    origin: Origin
    dialect: str
    duplicates: int = 0
    remarks: tuple[str, ...] = ()

    @property
    def timeframe(self) -> Timeframe | None:
        """Length of a bar; None for settlements."""
        return None if self.content == FUNDING else Timeframe.finer(self.content.removeprefix(MARK))


def now_ms() -> int:
    """The present time of this machine, ms UTC."""
    return clock.time_ns() // 1_000_000


def describe(file: DataFile) -> str:
    """How a file is written, in one phrase: "zip, exchange dump without header, microseconds". Reads the file."""
    return read_rows(file).dialect


def read_rows(file: DataFile, trade_bars: Timeframe | None = None) -> FileRows:
    """The rows of a file as they stand in it, their form read and their values not judged.

    trade_bars: the length of the bars that trades become, 1m unless given. Raises InputError naming file, line and time for what cannot
    be read, for a file that is no series, and for broken trades.
    """
    if file.content in (TRADES, AGGREGATED_TRADES):
        timeframe = trade_bars or Timeframe(MINUTE)
        made = bars_of_trades(file, timeframe)
        remarks = (f"{made.silent} {timeframe} bars of {file.name} saw no trade: they are flat, with volume 0.",) if made.silent else ()
        origin = Origin(f"the {timeframe} bars made of {file.name}", "bar")
        return FileRows(file, str(timeframe), BAR_FIELDS, made.time, made.values, origin, made.dialect, 0, remarks)
    if file.content is None or (file.content != FUNDING and file.timeframe is None):
        raise InputError(f"{file.name} holds no bars, settlements or trades{': ' + file.reason if file.reason else ''}")
    table = read_table(file.path, file.name, file.content)
    dialect = f"{table.form}, {time_form(table.frame, table.origin)}"
    if file.content == FUNDING:
        time, rate = rate_columns(table.frame, table.origin)
        # Exchanges stamp settlements some milliseconds late.
        time = (time + MINUTE // 2) // MINUTE * MINUTE
        return FileRows(file, FUNDING, ("rate",), time, rate[np.newaxis, :], table.origin, dialect)
    return _turned(_bar_rows(file, table, dialect))


def read_series(file: DataFile, now: int | None = None, trade_bars: Timeframe | None = None) -> FileRows:
    """The rows of a file, held to the days in its name and to every rule of `backtest.data.integrity`.

    Rows whose time was there before, anywhere in the file, are dropped when they agree and refused when they differ; what
    remains must rise, or fall from the first bar to the last.
    now: ms UTC, the present time of this machine unless given; a last bar that has not closed by then is left out, with a remark.
    trade_bars: as in `read_rows`. Raises InputError naming file, line and time.
    """
    rows = read_rows(file, trade_bars)
    refuse_other_days(file, rows.time, rows.origin)
    rows = _without_repeats(rows)
    timeframe = rows.timeframe
    if timeframe is None:
        rate_violations(rows.time, rows.values[0], rows.origin).refuse()
        return rows
    time, values = rows.time, rows.values
    if len(rows.fields) == len(PRICES):
        # The rules are for bars with a volume.
        values = np.concatenate([values, np.zeros((1, time.size))])
    time, values, _ = checked_bars(time, values, timeframe, rows.origin)
    rows = replace(rows, time=time, values=values[: len(rows.fields)])
    return _finished(rows, timeframe, now_ms() if now is None else now)


class Reader:
    """Reads the files of one request, each once: bars and the finer bars beneath them may come from the same file.

    now: as in `read_series`, for all of them.
    """

    def __init__(self, now: int | None = None) -> None:
        self._now = now_ms() if now is None else now
        self._read: dict[tuple[DataFile, Timeframe | None], FileRows] = {}

    def __call__(self, file: DataFile, trade_bars: Timeframe | None = None) -> FileRows:
        """The rows of a file as `read_series` gives them."""
        key = (file, trade_bars if file.content in (TRADES, AGGREGATED_TRADES) else None)
        if key not in self._read:
            self._read[key] = read_series(file, self._now, trade_bars)
        return self._read[key]


def _bar_rows(file: DataFile, table: Table, dialect: str) -> FileRows:
    assert file.content is not None
    fields = PRICES if file.content.startswith(MARK) else BAR_FIELDS
    time, values = bar_columns(table.frame, table.origin, fields)
    return FileRows(file, file.content, fields, time, values, table.origin, dialect)


def _turned(rows: FileRows) -> FileRows:
    """A file with the newest row first, turned round."""
    time, origin = rows.time, rows.origin
    if time.size < 2 or time[0] <= time[-1] or (np.diff(time) > 0).any():
        return rows
    turned = replace(origin, first=origin.first + time.size - 1, step=-1)
    values = np.ascontiguousarray(rows.values[:, ::-1])
    return replace(rows, time=np.ascontiguousarray(time[::-1]), values=values, origin=turned, dialect=f"{rows.dialect}, newest first")


def _without_repeats(rows: FileRows) -> FileRows:
    """The rows that are the first of their time; bars that have the newest row first then are turned round."""
    if (np.diff(rows.time) > 0).all():
        return rows
    kept = first_of_each_time(rows.time, rows.values, rows.origin, rows.fields)
    duplicates = rows.time.size - kept.size
    if duplicates == 0:
        return rows
    dialect = rows.dialect
    if rows.timeframe is not None and kept.size > 1 and (np.diff(rows.time[kept]) < 0).all():
        kept, dialect = kept[::-1], f"{dialect}, newest first"
    origin = PickedOrigin(rows.origin.what, rows.origin.word, rows.origin.first, rows.origin.step, kept)
    values = np.ascontiguousarray(rows.values[:, kept])
    return replace(rows, time=rows.time[kept], values=values, origin=origin, dialect=dialect, duplicates=duplicates)


def _finished(rows: FileRows, timeframe: Timeframe, now: int) -> FileRows:
    """The bars that have closed. Only the last may still be forming: more of them are a wrong time stamp or a wrong clock."""
    open_bars = int(np.count_nonzero(rows.time + timeframe.ms > now))
    if open_bars == 0:
        return rows
    last = rows.time.size - open_bars
    if open_bars > 1:
        raise InputError(
            f"{rows.origin.row(last + 1, rows.time[last + 1])} lies in the future: by the clock of this machine it is {utc_text(now)} UTC"
        )
    remark = f"The last bar of {rows.file.name}, {utc_text(rows.time[last])} UTC, is unfinished and left out."
    if last == 0:
        raise InputError(f"{rows.file.name} has no finished bar: {remark}".rstrip("."))
    return replace(rows, time=rows.time[:last], values=np.ascontiguousarray(rows.values[:, :last]), remarks=(*rows.remarks, remark))


def dialect_remarks(parts: Sequence[tuple[str, str]]) -> list[str]:
    """A sentence for each dialect among (file name, dialect) that is not this project's own, with the files it was met in."""
    met: dict[str, list[str]] = {}
    for name, dialect in dict.fromkeys(parts):
        # The number of trades is a file's own; the rest of the phrase is the dialect.
        met.setdefault(dialect.split(";")[0], []).append(name)
    return [f"Read as {dialect}: {brief(names)}." for dialect, names in met.items() if dialect not in PLAIN_DIALECTS]


def brief(names: Sequence[str]) -> str:
    """File names for a sentence; of many only the first and the last."""
    return ", ".join(names) if len(names) <= 3 else f"{len(names)} files, {names[0]} to {names[-1]}"
