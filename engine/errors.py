"""The one error a person sees for bad input: a single sentence that names the field, the value and what is allowed."""

from __future__ import annotations

from pydantic import ValidationError


class InputError(ValueError):
    """Bad input, told in one sentence. Command lines print it and exit with code 2."""


class SourceError(RuntimeError):
    """A data source could not be read or has nothing for the coin. Command lines print it and exit with code 3."""


def one_sentence(error: ValidationError, where: str = "") -> str:
    """The first problem of a pydantic error as one sentence: field, value, what is allowed."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "value"
    prefix = f"{where}: " if where else ""
    if first["type"] == "extra_forbidden":
        import difflib

        names: list[str] = []
        for item in error.errors(include_url=False):
            names += item.get("ctx", {}).get("names", [])
        close = difflib.get_close_matches(field, names, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        return f"{prefix}{field} is not a known setting{hint}"
    message = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ").rstrip(".")
    shown = repr(first["input"])
    if len(shown) > 80:
        shown = shown[:77] + "..."
    if first["type"] == "value_error":
        return f"{prefix}{message}" if field == "value" else f"{prefix}{field} = {shown} is refused: {message}"
    return f"{prefix}{field} = {shown} is refused: it must be {message}"
