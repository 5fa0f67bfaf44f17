"""The one error a person sees for bad input: a single sentence that names the field, the value and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError


class InputError(ValueError):
    """Bad input, told in one sentence. Command lines print it and exit with code 2."""


class SourceError(RuntimeError):
    """A data source could not be read or has nothing for the coin. Command lines print it and exit with code 3."""


def one_sentence(error: ValidationError, where: str = "", allowed: Mapping[str, str] | None = None) -> str:
    """The first problem of a pydantic error as one sentence: field, value, what is allowed.

    `allowed` gives the whole range of a field in words, for the sentence to name in place of the one bound that was passed.
    """
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "value"
    prefix = f"{where}: " if where else ""
    message = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ").rstrip(".")
    shown = repr(first["input"])
    if len(shown) > 80:
        shown = shown[:77] + "..."
    if first["type"] in ("greater_than", "greater_than_equal", "less_than", "less_than_equal") and allowed and field in allowed:
        message = allowed[field]
    if first["type"] == "value_error":
        return f"{prefix}{message}" if field == "value" else f"{prefix}{field} = {shown} is refused: {message}"
    return f"{prefix}{field} = {shown} is refused: it must be {message}"
