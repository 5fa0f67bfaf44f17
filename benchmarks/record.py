"""A run of the benchmarks as JSON, written and read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import backtest as bt
from benchmarks.rows import Row

SCHEMA = 1


def write_json(file: Path, rows: Sequence[Row], machine: Mapping[str, str], quick: bool) -> None:
    """Write the rows and what they were measured on."""
    document = {"schema": SCHEMA, "quick": quick, "machine": machine, "rows": [row.to_json() for row in rows]}
    file.write_text(json.dumps(document, indent=1) + "\n")


def read_json(file: Path) -> tuple[dict[str, Row], dict[str, str]]:
    """Rows by their key, and the machine. Raises InputError for a file that holds none."""
    try:
        document = json.loads(file.read_text())
        rows = [Row.from_json(values) for values in document["rows"]]
        machine = dict(document["machine"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise bt.InputError(f"{file} is refused: it is no file that `python -m benchmarks --json` wrote ({error})") from None
    if document.get("schema") != SCHEMA:
        raise bt.InputError(f"{file} is refused: its schema is {document.get('schema')}, this version reads {SCHEMA}")
    return {row.key: row for row in rows}, machine
