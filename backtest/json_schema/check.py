"""Schema of what `python -m backtest.data check --json` prints, made from the records of its findings."""

from __future__ import annotations

import dataclasses
import inspect
import types
from typing import Any, get_args, get_origin, get_type_hints

from backtest.data.check.as_json import COUNTS, TIMES
from backtest.data.check.findings import CheckReport, FundingFindings, SeriesFindings
from backtest.json_schema.names import CHECK
from backtest.json_schema.parts import Schema, record, texts, whole

_PLAIN: dict[type, Schema] = {
    int: {"type": "integer"},
    float: {"type": ["number", "null"]},  # NaN: too few values to tell
    str: {"type": "string"},
    bool: {"type": "boolean"},
}


def _nullable(schema: Schema) -> Schema:
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return {**schema, "type": [*kinds, *(() if "null" in kinds else ("null",))]}


def _of_type(kind: Any, name: str = "") -> Schema:
    if isinstance(kind, types.UnionType):
        (own,) = [one for one in get_args(kind) if one is not type(None)]
        return _nullable(_of_type(own, name))
    if get_origin(kind) is tuple:
        return {"type": "array", "items": _of_type(get_args(kind)[0])}
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _of_record(kind)
    # `first` is a time in some records, a price or an exchange in others.
    if kind is int and name in TIMES:
        return {"type": "string", "description": "UTC, such as 2022-05-01T22:30Z"}
    return dict(_PLAIN[kind])


def _fields(kind: type) -> dict[str, Schema]:
    hints = get_type_hints(kind)
    fields = {field.name: _of_type(hints[field.name], field.name) for field in dataclasses.fields(kind)}
    if kind is SeriesFindings:
        fields |= {name: {"type": "integer", "unit": "bars"} for name in COUNTS}
    if kind in (SeriesFindings, FundingFindings):
        fields["broken_rows"] = {"type": "integer", "unit": "rows"}
    return fields


def _of_record(kind: type) -> Schema:
    return record(_fields(kind), inspect.cleandoc(str(kind.__doc__)).replace("\n", " "))


def check_schema() -> Schema:
    """Of a check."""
    fields = {"broken": texts("a sentence for everything that breaks a rule; empty: nothing does"), **_fields(CheckReport)}
    return whole(CHECK, "A check of market data: `python -m backtest.data check --json`.", fields)
