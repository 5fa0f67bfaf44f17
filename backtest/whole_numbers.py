"""Whole numbers that a caller gives to a study, checked in one place."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from engine.errors import InputError


def whole_number(name: str, value: Any, least: int, most: int) -> int:
    """`value` as an int between `least` and `most`, both allowed. Raises InputError that calls it `name`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not least <= value <= most:
        raise InputError(f"{name} = {value!r} is refused: it must be a whole number from {least:,} to {most:,}")
    return int(value)


def checked_threads(threads: int | None) -> int:
    """The number of threads; None: as many as there are processors. Raises InputError."""
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise InputError(f"threads = {threads!r} is refused: it must be a whole number of at least 1, or None")
    return threads or os.cpu_count() or 1
