"""One file as a table, with the way to name its rows and the words for how it is written."""

from __future__ import annotations

import io
import json
import warnings
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import pandas as pd
import pyarrow as pa

from backtest.data.columns import Origin
from backtest.data.files.archives import MOST_TABLE_BYTES, check_sum, unpacked
from backtest.data.files.dialects import BAR_DUMP, HEAD_BYTES, CsvForm, csv_form
from engine.errors import InputError

# Numbers are read to the last digit, because files that overlap must agree exactly; from pandas 3.1 on they always are.
_EXACT: dict[str, Any] = {} if tuple(int(part) for part in pd.__version__.split(".")[:2]) >= (3, 1) else {"float_precision": "round_trip"}


class Table(NamedTuple):
    """The rows of a file, how a sentence names them, and how the file is written, times apart: `zip, exchange dump with header`."""

    frame: pd.DataFrame
    origin: Origin
    form: str


def read_table(path: Path, name: str | None = None, content: str = "bars") -> Table:
    """The rows of a Parquet, CSV (also gzipped or zipped) or JSON file; `name` is what sentences call it.

    Sentences count lines for CSV (the header is line 1) and rows from 0 otherwise. A CSV file without a header must have the
    columns of an exchange dump of its `content`. JSON is a list of rows [time, open, high, low, close, volume] or of
    objects. Raises InputError naming the file when it is empty, broken, or differs from its checksum file.
    """
    name = path.name if name is None else name
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{name} is empty")
    except OSError as error:
        raise InputError(f"{name} cannot be read: {_first_line(error)}") from None
    check_sum(path, name)
    if path.suffix == ".parquet":
        table = _read_parquet(path, name)
    elif path.suffix == ".json":
        table = _read_json(path, name)
    else:
        table = _read_csv(path, name, content)
    if len(table.frame) == 0:
        raise InputError(f"{name} has no rows")
    return table


def _read_parquet(path: Path, name: str) -> Table:
    try:
        return Table(pd.read_parquet(path), Origin(name), "Parquet")
    except (pa.ArrowException, ValueError, OSError) as error:
        raise InputError(f"{name} is not a readable Parquet file: {_first_line(error)}") from None


def _read_json(path: Path, name: str) -> Table:
    try:
        rows = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{name} is not a readable JSON file: {_first_line(error)}") from None
    if not isinstance(rows, list):
        raise InputError(f"{name} is refused: a JSON file of bars must be a list of rows [time, open, high, low, close, volume]")
    if rows and all(isinstance(row, dict) for row in rows):
        return Table(pd.DataFrame(rows), Origin(name), "JSON list of objects")
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) < 6:
            raise InputError(f"row {number} of {name} is refused: it must be [time, open, high, low, close, volume]; it is {str(row)[:60]}")
    return Table(pd.DataFrame([row[:6] for row in rows], columns=list(BAR_DUMP[:6])), Origin(name), "JSON list of rows")


def _read_csv(path: Path, name: str, content: str) -> Table:
    packed = {".zip": "zip, ", ".gz": "gzip, "}.get(path.suffix, "")
    with unpacked(path, name, MOST_TABLE_BYTES) as stream:
        if packed:
            # Read whole, so that damage shows here and not as a broken row.
            stream = io.BytesIO(stream.read())
        head = stream.read(HEAD_BYTES)
        form = csv_form(head, name, content)
        stream.seek(0)
        frame = _parsed(stream, name, form)
    empty = frame.isna().all(axis=1).to_numpy()
    rows = len(frame)
    while rows and empty[rows - 1]:
        rows -= 1
    return Table(frame.iloc[:rows], Origin(name, "line", 2 if form.header else 1), packed + form.text)


def _parsed(stream: BinaryIO, name: str, form: CsvForm) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            # Rows longer than the header would otherwise lose their end without a word.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            # Blank lines are kept as empty rows, so that line numbers stay true.
            return pd.read_csv(
                stream,
                sep=form.separator,
                header=0 if form.header else None,
                names=None if form.header else list(form.names),
                index_col=False,
                encoding="utf-8-sig",
                skip_blank_lines=False,
                low_memory=False,
                **_EXACT,
            )
    except pd.errors.ParserWarning:
        raise InputError(f"{name} is not a readable CSV file: its rows have more values than its header has names") from None
    except pd.errors.EmptyDataError:
        raise InputError(f"{name} has no rows") from None
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise InputError(f"{name} is not a readable CSV file: {_first_line(error)}") from None


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0].removeprefix("Error tokenizing data. C error: ").rstrip(".") if text else type(error).__name__
