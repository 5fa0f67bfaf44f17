"""How a parameter is declared: default, range, unit, meaning and search range, once.

Validation, the command line's parameter list, the documents, the optimizer's space and the record that compiled code
reads are all made from these declarations.
"""

from __future__ import annotations

import difflib
from typing import Any, ClassVar, Literal, NamedTuple, get_args, get_origin

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import InputError, one_sentence


def parameter(
    default: Any,
    meaning: str,
    *,
    unit: str = "",
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    search: tuple[float, float] | tuple[bool, bool] | None = None,
    log: bool = False,
) -> Any:
    """Declare one parameter. `search` is the optimizer's default range (None: not searched), `log` its scale."""
    extra: dict[str, Any] = {"unit": unit, "search": list(search) if search else None, "log": log}
    return Field(default, description=meaning, ge=ge, gt=gt, le=le, lt=lt, json_schema_extra=extra)


class Rule(NamedTuple):
    """Parameter `low` must stay below parameter `high`; with `equal` it may reach it. Where one has no value nothing is asked."""

    low: str
    high: str
    equal: bool = False

    def broken(self, values: Any) -> str:
        """Why the values of an object break the rule, one sentence; an empty text when they keep it."""
        low, high = getattr(values, self.low), getattr(values, self.high)
        if low is None or high is None or low < high or (self.equal and low == high):
            return ""
        asked = "must not be above" if self.equal else "must be below"
        return f"{self.low} = {low!r} is refused: it {asked} {self.high} = {high!r}"


class Parameters(BaseModel):
    """A frozen, validated set of parameters that can be copied into one record for compiled code."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    # Strings become integer codes in the record, in the order of the field's Literal.
    _record_dtype: ClassVar[np.dtype | None] = None
    # Those words by field; an empty tuple for every other field.
    _record_words: ClassVar[dict[str, tuple[Any, ...]]] = {}

    # What is asked of several parameters together; a search never runs a set that breaks one.
    rules: ClassVar[tuple[Rule, ...]] = ()

    def __init__(self, **values: Any) -> None:
        known = type(self).model_fields
        unknown = [name for name in values if name not in known]
        if unknown:
            close = difflib.get_close_matches(unknown[0], list(known), n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise InputError(f"{unknown[0]} is not a setting of {type(self).__name__}{hint}")
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise InputError(one_sentence(error, allowed=type(self).ranges())) from None
        for rule in self.rules:
            reason = rule.broken(self)
            if reason:
                raise InputError(reason)

    @classmethod
    def ranges(cls) -> dict[str, str]:
        """The allowed range of each bounded parameter, in words."""
        words = {}
        for name, field in cls.model_fields.items():
            bounds = {key: getattr(item, key) for item in field.metadata for key in ("ge", "gt", "le", "lt") if hasattr(item, key)}
            low = f"at least {bounds['ge']:g}" if "ge" in bounds else f"above {bounds['gt']:g}" if "gt" in bounds else ""
            high = f"at most {bounds['le']:g}" if "le" in bounds else f"below {bounds['lt']:g}" if "lt" in bounds else ""
            if low or high:
                words[name] = " and ".join(part for part in (low, high) if part)
        return words

    def replace(self, **changes: Any) -> Any:
        """A validated copy with some parameters changed."""
        return type(self)(**{**self.model_dump(), **changes})

    @classmethod
    def dtype(cls) -> np.dtype:
        """The record type: float64 for floats, int64 for integers, switches and codes of words."""
        if cls.__dict__.get("_record_dtype") is None:
            fields = []
            cls._record_words = {}
            for name, field in cls.model_fields.items():
                kind = field.annotation
                cls._record_words[name] = get_args(kind) if get_origin(kind) is Literal else ()
                whole = kind in (int, bool) or get_origin(kind) is Literal
                fields.append((name, np.int64 if whole else np.float64))
            cls._record_dtype = np.dtype(fields, align=True)
        assert cls._record_dtype is not None
        return cls._record_dtype

    def record(self) -> np.ndarray:
        """A one-row record array that compiled code reads; words become their position in the field's Literal."""
        row = np.zeros(1, self.dtype())
        values = []
        for name, words in self._record_words.items():
            value = getattr(self, name)
            values.append(words.index(value) if words else np.nan if value is None else value)
        row[0] = tuple(values)
        return row
