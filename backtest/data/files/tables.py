"""One CSV or Parquet file as a table, with the way to name its rows."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path

import pandas as pd
import pyarrow as pa

from backtest.data.columns import Origin
from engine.errors import InputError

SUFFIXES = (".parquet", ".csv")
# The columns of the exchange's own dumps of bars, which come with or without a header.
_DUMP_COLUMNS = ("open_time", "open", "high", "low", "close", "volume")


def read_table(path: Path) -> tuple[pd.DataFrame, Origin]:
    """The rows of a file and how a sentence names them: by line for CSV (the header is line 1), by row for Parquet.

    A CSV file without a header must have the columns of an exchange dump: open time, open, high, low, close, volume,
    and whatever follows. Raises InputError naming the file when it is empty or broken.
    """
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path.name} is empty")
        frame, origin = _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {_first_line(error)}") from None
    if len(frame) == 0:
        raise InputError(f"{path.name} has no rows")
    return frame, origin


def _read_parquet(path: Path) -> tuple[pd.DataFrame, Origin]:
    try:
        return pd.read_parquet(path), Origin(path.name)
    except (pa.ArrowException, ValueError, OSError) as error:
        raise InputError(f"{path.name} is not a readable Parquet file: {_first_line(error)}") from None


def _read_csv(path: Path) -> tuple[pd.DataFrame, Origin]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = next(csv.reader(file), [])
    except (UnicodeDecodeError, csv.Error):
        raise InputError(f"{path.name} is not a readable CSV file: it is not UTF-8 text") from None
    headed = not _is_number(first[0]) if first else True
    if not headed and len(first) < len(_DUMP_COLUMNS):
        raise InputError(f"{path.name} has no header and {len(first)} columns: a dump must have {', '.join(_DUMP_COLUMNS)}")
    names = None if headed else [*_DUMP_COLUMNS, *(f"extra_{number}" for number in range(len(first) - len(_DUMP_COLUMNS)))]
    try:
        with warnings.catch_warnings():
            # Rows longer than the header would otherwise lose their end without a word.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            # Blank lines are kept as empty rows, so that line numbers stay true.
            frame = pd.read_csv(
                path,
                header=0 if headed else None,
                names=names,
                index_col=False,
                encoding="utf-8-sig",
                skip_blank_lines=False,
                low_memory=False,
            )
    except pd.errors.ParserWarning:
        raise InputError(f"{path.name} is not a readable CSV file: its rows have more values than its header has names") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} is not a readable CSV file: {_first_line(error)}") from None
    empty = frame.isna().all(axis=1).to_numpy()
    rows = len(frame)
    while rows and empty[rows - 1]:
        rows -= 1
    return frame.iloc[:rows], Origin(path.name, "line", 2 if headed else 1)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0].removeprefix("Error tokenizing data. C error: ").rstrip(".") if text else type(error).__name__
