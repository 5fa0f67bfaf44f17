"""One month of a series as a Parquet file, and the manifest beside it.

The Parquet file is the truth. Its columns are `timestamp` (int64, ms UTC) and the series' fields (float64); its metadata,
under the key `gridcore`, say which series and month it is, which stretches of time are known and from whom, and carry the
SHA-256 of all that and the rows. So it can be checked alone. Its bytes follow from its content, with one version of pyarrow.

The manifest, `<YYYY-MM>.json`, tells the same to people and other programs, and has the SHA-256 of the Parquet file. It is
written second. Where it does not fit the file (a process was killed between the two, or somebody lost it), the file is checked
by its own sum and by the rules of the data; when it holds, the manifest is made anew, otherwise the file is unreadable.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from backtest.data.cache import rows
from backtest.data.cache.layout import month_bounds
from backtest.data.cache.ranges import Piece, Span, covered, holes, joined
from backtest.data.columns import Origin
from backtest.data.series import SeriesName
from engine.errors import InputError

SCHEMA = 1
_KEY = b"gridcore"
# More rows than any month has: 31 days of seconds are 2.7 million. A month is one group of rows.
_MOST_ROWS = 1 << 22


class UnreadableError(ValueError):
    """A file is not what this cache has written; the text says why."""


@dataclass(frozen=True, eq=False)
class Month:
    """The rows of a series in one month, and which of its times are known.

    time: int64 ms UTC, (rows,). values: float64, (fields, rows). known: without overlap, in order, on the grid.
    """

    series: SeriesName
    month: str
    time: np.ndarray
    values: np.ndarray
    known: tuple[Piece, ...]

    @classmethod
    def nothing(cls, series: SeriesName, month: str) -> Month:
        """A month of which nothing is known."""
        return cls(series, month, *rows.empty(series), ())

    @property
    def holes(self) -> tuple[Span, ...]:
        """The bars that are known not to exist; always none for settlements, which keep to no grid."""
        return () if self.series.timeframe is None else holes(self.known, self.time, self.series.timeframe.ms)


def encode(month: Month) -> bytes:
    """The Parquet file of a month."""
    names = ("timestamp", *month.series.fields)
    schema = pa.schema([(name, pa.int64() if name == "timestamp" else pa.float64(), False) for name in names])
    table = pa.Table.from_arrays([pa.array(month.time), *(pa.array(column) for column in month.values)], schema=schema)
    file = BytesIO()
    with pq.ParquetWriter(
        file,
        schema,
        compression="zstd",
        version="2.6",
        use_dictionary=False,
        column_encoding={name: "DELTA_BINARY_PACKED" if name == "timestamp" else "PLAIN" for name in names},
        store_schema=False,
    ) as writer:
        writer.write_table(table, row_group_size=_MOST_ROWS)
        writer.add_key_value_metadata({_KEY: _json(_description(month) | {"rows_sha256": _content_sum(month)})})
    return file.getvalue()


def decode(blob: bytes, series: SeriesName, month: str, trusted: bool) -> Month:
    """The month that a Parquet file holds.

    trusted: its SHA-256 is the one in its manifest, so the bytes are as they were written. Otherwise the sum in the file,
    the times and the rules of the data are checked as well. Raises UnreadableError when it is not such a file.
    """
    if not blob:
        raise UnreadableError("it is empty")
    try:
        file = pq.ParquetFile(pa.BufferReader(blob))
        description = json.loads((file.metadata.metadata or {})[_KEY])
        found = _from_table(file.read(use_threads=False), description, series, month)
    except KeyError:
        raise UnreadableError("it was not written by this cache") from None
    # Broken bytes can make the reader fail in any of these ways.
    except (pa.ArrowException, OSError, ValueError, TypeError, AttributeError, RecursionError, MemoryError) as error:
        if isinstance(error, UnreadableError):
            raise
        raise UnreadableError(f"it is not a whole Parquet file ({_brief(error)})") from None
    if not trusted:
        _check(found, description)
    return found


def manifest(month: Month, blob: bytes) -> bytes:
    """The manifest of a month whose Parquet file is `blob`; all times ms UTC."""
    absent = month.holes
    step = None if month.series.timeframe is None else month.series.timeframe.ms
    bars = [] if step is None else [(span.stop - span.begin) // step for span in absent]
    gaps = {"count": len(bars), "bars": sum(bars), "largest": max(bars, default=0), "list": [list(span) for span in absent]}
    content = _description(month) | {
        "first": int(month.time[0]) if month.time.size else None,
        "last": int(month.time[-1]) if month.time.size else None,
        "rows": int(month.time.size),
        "gaps": None if step is None else gaps,
        "bytes": len(blob),
        "sha256": file_sum(blob),
    }
    return (json.dumps(content, indent=1) + "\n").encode()


def file_sum(blob: bytes) -> str:
    """The SHA-256 of a file's bytes."""
    return hashlib.sha256(blob).hexdigest()


def recorded_sum(manifest_blob: bytes) -> str | None:
    """The SHA-256 of the Parquet file that a manifest gives, or None when the manifest is broken."""
    try:
        content = json.loads(manifest_blob)
    except ValueError:
        return None
    found = content.get("sha256") if isinstance(content, dict) else None
    return found if isinstance(found, str) else None


def known_of(manifest_blob: bytes, series: SeriesName, month: str) -> tuple[Piece, ...] | None:
    """What is known of a month according to its manifest, or None when the manifest is not that month's."""
    try:
        content = json.loads(manifest_blob)
        return _pieces(content) if _fault(content, series, month) is None else None
    except (ValueError, TypeError, KeyError):
        return None


def _pieces(description: Any) -> tuple[Piece, ...]:
    return joined(Piece(int(piece["from"]), int(piece["until"]), str(piece["origin"])) for piece in description["known"])


def _fault(description: Any, series: SeriesName, month: str) -> str | None:
    """Why a description is not that of a month of a series, or None when it is."""
    if description["schema"] != SCHEMA:
        return f"its schema is {description['schema']!r}, and {SCHEMA} is the one known here"
    if (description["series"], description["month"]) != (str(series), month):
        return f"it says that it is {description['series']} {description['month']}"
    return None


def _description(month: Month) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "series": str(month.series),
        "month": month.month,
        "known": [{"from": piece.begin, "until": piece.stop, "origin": piece.origin} for piece in month.known],
    }


def _content_sum(month: Month) -> str:
    content = hashlib.sha256(_json(_description(month)))
    content.update(np.ascontiguousarray(month.time, "<i8").data)
    content.update(np.ascontiguousarray(month.values, "<f8").data)
    return content.hexdigest()


def _from_table(table: pa.Table, description: Any, series: SeriesName, month: str) -> Month:
    fault = _fault(description, series, month)
    if fault is not None:
        raise UnreadableError(fault)
    types = ["int64", *["double"] * len(series.fields)]
    if table.column_names != ["timestamp", *series.fields] or [str(field.type) for field in table.schema] != types:
        raise UnreadableError(f"its columns are {', '.join(table.column_names)}")
    values = np.empty((len(series.fields), table.num_rows))
    for number in range(len(series.fields)):
        values[number] = table.column(number + 1).to_numpy()
    return Month(series, month, table.column(0).to_numpy(), values, _pieces(description))


def _check(month: Month, description: Any) -> None:
    if description.get("rows_sha256") != _content_sum(month):
        raise UnreadableError("its rows are not those that were written")
    begin, stop = month_bounds(month.month)
    try:
        rows.check_rows(month.series, month.time, month.values, Origin("it"))
    except InputError as error:
        raise UnreadableError(str(error)) from None
    if any(piece.begin < begin or piece.stop > stop for piece in month.known) or not covered(month.known, month.time).all():
        raise UnreadableError("it has rows outside the times that it knows")


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


def _brief(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0].rstrip(".")[:120] if text else type(error).__name__
