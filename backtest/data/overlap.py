"""Parts of one series (files, months of a cache) put one behind the other: groups without a long hole, and rows that overlap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from backtest.data.timeframe import DAY

# A hole between two parts that is longer than this separates two stretches; anything shorter is a gap within one.
LONGEST_HOLE = DAY

Part = TypeVar("Part")


def groups_without_holes(parts: Sequence[Part], span: Callable[[Part], tuple[int, int]]) -> list[list[Part]]:
    """Parts in order of time, those together between which no hole is longer than `LONGEST_HOLE`.

    span: open of a part's first bar and close of its last, ms UTC.
    """
    groups: list[list[Part]] = []
    end = 0
    for part in sorted(parts, key=lambda part: span(part)[0]):
        first, last = span(part)
        if not groups or first > end + LONGEST_HOLE:
            groups.append([])
        groups[-1].append(part)
        end = max(end, last)
    return groups


@dataclass(frozen=True, eq=False)
class Overlap:
    """Rows of several parts in order of time; of equal times the earlier part's row comes first.

    time: int64 ms UTC, (rows,). values: float64, (fields, rows). owner: index of the part of each row. again: rows whose time is
    that of the row before. differ: bool, (fields, rows of `again`), where they are not the same.
    """

    time: np.ndarray
    values: np.ndarray
    owner: np.ndarray
    again: np.ndarray
    differ: np.ndarray

    @classmethod
    def of(cls, times: Sequence[np.ndarray], values: Sequence[np.ndarray]) -> Overlap:
        """The rows of parts, given by their times (rows,) and values (fields, rows)."""
        time, table = np.concatenate(times), np.concatenate(values, axis=1)
        owner = np.repeat(np.arange(len(times)), [one.size for one in times])
        order = np.argsort(time, kind="stable")
        time, table, owner = time[order], table[:, order], owner[order]
        again = np.flatnonzero(time[1:] == time[:-1]) + 1
        return cls(time, table, owner, again, table[:, again] != table[:, again - 1])

    def once(self) -> tuple[np.ndarray, np.ndarray]:
        """Times and values with each time once: the first of its rows."""
        keep = np.ones(self.time.size, bool)
        keep[self.again] = False
        return self.time[keep], np.ascontiguousarray(self.values[:, keep])
