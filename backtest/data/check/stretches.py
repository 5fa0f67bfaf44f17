"""Parts of series (files, months of a cache) joined into stretches: rows that break a rule left out and listed, overlaps compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from backtest.data.check.bars import Table, table_of
from backtest.data.check.findings import OverlapDifference, Problem
from backtest.data.check.sift import sift_bars, sift_settlements
from backtest.data.columns import Origin
from backtest.data.overlap import Overlap, groups_without_holes
from backtest.data.series import FUNDING, SeriesName
from engine.errors import InputError, SourceError


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
    if name.content == FUNDING:
        return [_join(name, sorted(tables, key=lambda table: int(table.time[0])))] if tables else []
    step = 0 if name.timeframe is None else name.timeframe.ms
    groups = groups_without_holes(tables, lambda table: (int(table.time[0]), int(table.time[-1]) + step))
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
    rows = Overlap.of([part.time for part in parts], [part.values for part in parts])
    differs = []
    for place in np.flatnonzero(rows.differ.any(axis=0)):
        row, number = int(rows.again[place]), int(np.argmax(rows.differ[:, place]))
        one, other = (parts[rows.owner[index]].files[0] for index in (row - 1, row))
        before, after = (float(rows.values[number, index]) for index in (row - 1, row))
        differs.append(OverlapDifference(int(rows.time[row]), name.fields[number], one, before, other, after))
    return Table(
        name,
        tuple(file for part in parts for file in part.files),
        *rows.once(),
        sum(part.duplicates for part in parts),
        int(rows.again.size) - len(differs),
        tuple(differs),
        tuple(problem for part in parts for problem in part.problems),
    )
