"""The rows of one table that keep every rule of `backtest.data.integrity`, and the sentences of those that do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backtest.data.check.findings import Problem
from backtest.data.columns import BAR_FIELDS, Origin
from backtest.data.integrity import Violations, duplicate_violations, grid_violations, rate_violations, span_problem, value_violations
from backtest.data.timeframe import Timeframe

# Sentences kept of one file; the count goes on.
MOST_SENTENCES = 20


@dataclass(frozen=True, eq=False)
class Sifted:
    """Rows that keep the rules: unique rising `time` int64 ms (rows,), `values` float64 (fields, rows).

    `duplicates` counts the equal repeats that were dropped. Of repeats that differ the first is kept, the others are in `problem`.
    """

    time: np.ndarray
    values: np.ndarray
    duplicates: int
    problem: Problem | None


def sift_bars(time: np.ndarray, values: np.ndarray, timeframe: Timeframe, origin: Origin) -> Sifted:
    """Sift bars: open, high, low, close and perhaps volume, shape (4 or 5, rows)."""
    names = BAR_FIELDS[: len(values)]
    broken = [_of_new_times(grid_violations(time, timeframe, origin), time), value_violations(time, values, origin)]
    kept = _without(broken, time.size)
    unusable = span_problem(time[kept], timeframe, origin) if kept.size else None
    if unusable is not None:
        nothing = slice(0, 0)
        return Sifted(time[nothing], values[:, nothing], 0, Problem(origin.what, 0, (unusable,)))
    return _sifted(time, values, kept, broken, origin, names)


def sift_settlements(time: np.ndarray, rates: np.ndarray, origin: Origin) -> Sifted:
    """Sift settlements: rates (rows,), fractions; the values that come back have shape (1, rows)."""
    broken = [_of_new_times(rate_violations(time, rates, origin), time)]
    return _sifted(time, rates[np.newaxis, :], _without(broken, time.size), broken, origin, ("rate",))


def _of_new_times(violations: Violations, time: np.ndarray) -> Violations:
    """The violations of rows whose time was not there before: a repeat may stand anywhere, and is compared with the first."""
    first = np.unique(time, return_index=True)[1]
    return Violations(np.intersect1d(violations.rows, first), violations.tell)


def _without(broken: list[Violations], rows: int) -> np.ndarray:
    keep = np.ones(rows, bool)
    for violations in broken:
        keep[violations.rows] = False
    return np.flatnonzero(keep)


def _sifted(
    time: np.ndarray, values: np.ndarray, kept: np.ndarray, broken: list[Violations], origin: Origin, names: tuple[str, ...]
) -> Sifted:
    """Put the kept rows in order of time and take the repeats out."""
    if kept.size < time.size or (time[1:] <= time[:-1]).any():
        kept = kept[np.argsort(time[kept], kind="stable")]
        time, values = time[kept], values[:, kept]
    repeats = duplicate_violations(time, values, origin, names, kept)
    again = np.concatenate([np.zeros(min(1, time.size), bool), time[1:] == time[:-1]])
    duplicates = int(again.sum()) - repeats.rows.size
    if again.any():
        time, values = time[~again], np.ascontiguousarray(values[:, ~again])
    return Sifted(time, values, duplicates, _problem([*broken, repeats], kept, origin))


def _problem(broken: list[Violations], kept: np.ndarray, origin: Origin) -> Problem | None:
    """The broken rows of a file as one record, sentences in the order of the rows."""
    *by_row, repeats = broken
    # A row that breaks two rules counts once, and has its first sentence.
    telling = {int(row): (violations, int(row)) for violations in reversed(by_row) for row in violations.rows}
    telling |= {int(kept[row]): (repeats, int(row)) for row in repeats.rows}
    if not telling:
        return None
    sentences = [violations.tell(row) for _, (violations, row) in sorted(telling.items(), key=lambda item: item[0])[:MOST_SENTENCES]]
    return Problem(origin.what, len(telling), tuple(sentences))
