"""Parts of series (files, months of a cache) joined into stretches: rows that break a rule left out and listed, overlaps compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from backtest.data.check.bars import Table, table_of
from backtest.data.check.findings import OverlapDifference, Problem
from backtest.data.check.sift import sift_bars, sift_settlements
from backtest.data.columns import Origin
from backtest.data.series import FUNDING, SeriesName
from backtest.data.timeframe import DAY
from engine.errors import InputError, SourceError

# A hole between two parts that is longer than this separates two stretches, as when a market is loaded from files.
LONGEST_HOLE = DAY


@dataclass(frozen=True, eq=False)
class PartRows:
    """Rows of a part as they stand there, not judged.

    time: int64 ms UTC, (rows,). values: float64, (fields, rows), in the order of `SeriesName.fields`. origin: names a row in a
    sentence. dialect: how the part is written, in one phrase. remarks: sentences about rows that were left out already.
    """

    time: np.ndarray
    values: np.ndarray
    origin: Origin
    dialect: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """Some rows of a series. `file` is what sentences call it; `read` raises InputError or SourceError when it cannot be read."""

    name: SeriesName
    file: str
    read: Callable[[], PartRows]


@dataclass
class Notes:
    """What reading parts leaves to say: parts that cannot be used, how the others are written, rows that were left out."""

    unreadable: list[Problem] = field(default_factory=list)
    dialects: list[tuple[str, str]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def read_stretches(name: SeriesName, parts: Iterable[Part], notes: Notes) -> list[Table]:
    """The stretches of one series in order of time; what else there is to say goes to `notes`.

    Settlements keep to no grid and are all one stretch.
    """
    tables = [table for part in parts if (table := _read(part, notes)) is not None]
    tables.sort(key=lambda table: int(table.time[0]))
    groups: list[list[Table]] = []
    end = 0
    for table in tables:
        step = 0 if name.timeframe is None else name.timeframe.ms
        if not groups or (name.content != FUNDING and int(table.time[0]) > end + LONGEST_HOLE):
            groups.append([])
        groups[-1].append(table)
        end = max(end, int(table.time[-1]) + step)
    return [_join(name, group) for group in groups]


def _read(part: Part, notes: Notes) -> Table | None:
    """The rows of a part that keep the rules; None when there are none."""
    frame = part.name.timeframe
    try:
        rows = part.read()
    except (InputError, SourceError) as error:
        notes.unreadable.append(Problem(part.file, 0, (str(error),)))
        return None
    if rows.dialect:
        notes.dialects.append((part.file, rows.dialect))
    notes.remarks += rows.remarks
    if frame is None:
        sifted = sift_settlements(rows.time, rows.values[0], rows.origin)
    else:
        sifted = sift_bars(rows.time, rows.values, frame, rows.origin)
    if sifted.problem is not None:
        sifted = replace(sifted, problem=replace(sifted.problem, file=part.file))
    if sifted.time.size:
        return table_of(part.name, sifted, part.file)
    notes.unreadable += [] if sifted.problem is None else [sifted.problem]
    return None


def _join(name: SeriesName, parts: list[Table]) -> Table:
    """One table from parts that follow each other or overlap; of bars that are there twice the first is kept."""
    if len(parts) == 1:
        return parts[0]
    time = np.concatenate([part.time for part in parts])
    values = np.concatenate([part.values for part in parts], axis=1)
    owner = np.repeat(np.arange(len(parts)), [part.time.size for part in parts])
    order = np.argsort(time, kind="stable")
    time, values, owner = time[order], values[:, order], owner[order]
    again = np.flatnonzero(time[1:] == time[:-1]) + 1
    wrong = values[:, again] != values[:, again - 1]
    differs = []
    for place in np.flatnonzero(wrong.any(axis=0)):
        row, number = int(again[place]), int(np.argmax(wrong[:, place]))
        one, other = (parts[owner[index]].files[0] for index in (row - 1, row))
        differs.append(
            OverlapDifference(int(time[row]), name.fields[number], one, float(values[number, row - 1]), other, float(values[number, row]))
        )
    keep = np.ones(time.size, bool)
    keep[again] = False
    return Table(
        name,
        tuple(file for part in parts for file in part.files),
        time[keep],
        np.ascontiguousarray(values[:, keep]),
        sum(part.duplicates for part in parts),
        int(again.size) - len(differs),
        tuple(differs),
        tuple(problem for part in parts for problem in part.problems),
    )
