"""The words that schemas are written in: a value with its meaning, unit, and what null stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backtest.json_schema.names import VERSIONS

Schema = dict[str, Any]
DRAFT = "https://json-schema.org/draft/2020-12/schema"
INFINITE = ["inf", "-inf"]


def value(kind: str, meaning: str, unit: str = "", null: str = "") -> Schema:
    """A value of one JSON type. null: what it stands for; without it the value is never null."""
    told: Schema = {"type": [kind, "null"] if null else kind, "description": meaning}
    if unit:
        told["unit"] = unit
    if null:
        told["null"] = null
    return told


def text(meaning: str, null: str = "") -> Schema:
    """A text."""
    return value("string", meaning, "", null)


def flag(meaning: str, null: str = "") -> Schema:
    """True or false."""
    return value("boolean", meaning, "", null)


def count(meaning: str, unit: str = "", null: str = "") -> Schema:
    """A whole number."""
    return value("integer", meaning, unit, null)


def number(meaning: str, unit: str, null: str = "", infinite: bool = False) -> Schema:
    """A number; infinite: it may also be the text inf or -inf, which JSON has no number for."""
    told = value("number", meaning, unit, null)
    if infinite:
        told["anyOf"] = [{"type": told.pop("type")}, {"enum": INFINITE}]
    return told


def listed(items: Schema, meaning: str, null: str = "") -> Schema:
    """A list of equal items."""
    return {**value("array", meaning, "", null), "items": items}


def texts(meaning: str) -> Schema:
    """A list of sentences or names."""
    return listed({"type": "string"}, meaning)


def record(fields: Mapping[str, Schema], meaning: str = "", null: str = "") -> Schema:
    """An object with exactly these keys."""
    told = value("object", meaning, "", null)
    return {**told, "properties": dict(fields), "required": list(fields), "additionalProperties": False}


def keyed(items: Schema, meaning: str, null: str = "") -> Schema:
    """An object whose keys are names, such as symbols."""
    return {**value("object", meaning, "", null), "additionalProperties": items}


def stamped() -> Schema:
    """The `schema` of a study, a plain number."""
    return count("counts up when a name or a meaning in this part changes")


def whole(name: str, meaning: str, fields: Mapping[str, Schema]) -> Schema:
    """A document: its fields behind the stamp."""
    stamp = record(
        {"name": {"const": name, "description": "which document this is"}, "version": {"const": VERSIONS[name], "description": "of it"}},
        "name and version of this document",
    )
    return {"$schema": DRAFT, "title": name, **record({"schema": stamp, **fields}, meaning)}
