"""Tables of the benchmarks: columns and cells once, printed through rich or written as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.console import Console
from rich.table import Table

from benchmarks.gate import Verdict
from benchmarks.growth import GROUP as GROWTH
from benchmarks.memory import GROUP as MEMORY
from benchmarks.rows import Row

# How counts are headed and written.
COUNTS: dict[str, tuple[str, str]] = {
    "million_bars_per_second": ("M bars/s", ".2f"),
    "times_the_floor": ("x floor", ".0f"),
    "times_without_log": ("x no log", ".2f"),
    "events_per_bar": ("events/bar", ".2f"),
    "fills_per_bar": ("fills/bar", ".2f"),
    "requotes_per_bar": ("re-quotes/bar", ".2f"),
    "times_gridcore": ("x gridcore", ".1f"),
    "sets": ("sets", ",.0f"),
    "sets_per_second": ("sets/s", ",.0f"),
    "bars": ("bars", ",.0f"),
    "times_pandas": ("x pandas, wall", ".2f"),
    "trials_per_second": ("trials/s", ",.0f"),
    "kernel_share": ("in kernels", ".0%"),
    "proposing_share": ("proposing", ".0%"),
    "storing_share": ("storing", ".0%"),
    "ms_first_quarter": ("CPU ms, first quarter", ".2f"),
    "ms_last_quarter": ("CPU ms, last quarter", ".2f"),
    "times_the_libraries": ("x libraries, wall", ".2f"),
    "steepest": ("steepest", ".2f"),
}
TITLES = {
    "indicators": "Indicators, the judged simulated market",
    "sweep": "Sweeps of the adaptive grid, one year (SIMULATED)",
    "stepper": "Stepper, a call",
    "loading": "Market data, a whole series at once, made-up bars",
    "optimizer": "Optimizer, half a year of 1h bars (SIMULATED), one thread",
    MEMORY: "Peak memory of a process; ratio: to one run without a log",
    GROWTH: "Growth: exponent of time, 1 is linear",
    "starts": "Starts of whole processes; ratio: to importing numpy, pandas and numba",
}


@dataclass(frozen=True)
class Sheet:
    """A table: its title, headings and rows of cells."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def sheets(rows: Sequence[Row]) -> Iterator[Sheet]:
    """A table a group."""
    for group, found in groupby(rows, key=lambda row: row.group):
        members = list(found)
        counts = [name for name in COUNTS if any(row.counts.get(name) is not None for row in members)]
        figures = _figures(group)
        headings = ("", *(heading for heading, _ in figures), *(COUNTS[name][0] for name in counts))
        body = tuple((row.name, *(write(row) for _, write in figures), *(_count(row, name) for name in counts)) for row in members)
        notes = {row.note for row in members if row.note}
        title = TITLES.get(group, "Engine") + "".join(f": {note}" for note in sorted(notes))
        yield Sheet(title, headings, body)


def _figures(group: str) -> list[tuple[str, Callable[[Row], str]]]:
    """Headings of a group's own columns, and what writes their cells."""
    if group == GROWTH:
        return [("exponent", lambda row: f"{row.value:.2f}")]
    if group == MEMORY:
        return [("MB", lambda row: f"{row.value:,.0f}"), ("ratio", lambda row: f"{row.ratio:.2f}")]
    return [
        ("CPU", _with_unit),
        ("wall", lambda row: number(row.wall)),
        ("best", lambda row: number(row.best)),
        ("ratio", lambda row: number(row.ratio)),
        ("quartiles", lambda row: "" if row.low is None or row.high is None else f"{number(row.low)} to {number(row.high)}"),
    ]


def _with_unit(row: Row) -> str:
    return f"{number(row.value)} {row.unit}"


def _count(row: Row, name: str) -> str:
    value = row.counts.get(name)
    return "" if value is None else format(value, COUNTS[name][1])


def number(value: float | None) -> str:
    """Three digits; nothing for None."""
    if value is None:
        return ""
    for least, digits in ((100.0, 0), (10.0, 1), (1.0, 2)):
        if abs(value) >= least:
            return f"{value:,.{digits}f}"
    return f"{value:.3f}"


def verdict_sheet(verdicts: Sequence[Verdict], widened: float = 1.0) -> Sheet:
    """Old, new, ratio, tolerance and verdict of every judged row."""
    rows = []
    for one in verdicts:
        limited = one.row.limit is not None
        old = one.old.value if limited and one.old else one.old.ratio if one.old else None
        new = one.row.value if limited else one.row.ratio
        allowed = f"at most {one.row.limit:.2f}" if one.row.limit is not None else f"+{widened * (one.row.tolerance or 0.0):.0%}"
        word = one.word + (f" ({one.why})" if one.why else "")
        rows.append((one.row.key, number(old), number(new), number(one.ratio), allowed, word))
    return Sheet("Against the baseline: ratios to the calibration", ("", "old", "new", "new/old", "tolerance", "verdict"), tuple(rows))


def print_sheet(sheet: Sheet) -> None:
    """Print a table under its title."""
    table = Table()
    for heading in sheet.headings:
        table.add_column(heading, justify="right" if heading else "left", overflow="fold")
    for row in sheet.rows:
        table.add_row(*row)
    console = Console()
    console = console if console.is_terminal else Console(width=170)
    console.print(f"\n{sheet.title}", style="bold", highlight=False)
    console.print(table)


def markdown(sheet: Sheet) -> str:
    """The table in Markdown."""
    lines = [f"| {' | '.join(sheet.headings)} |", "| --- |" + " ---: |" * (len(sheet.headings) - 1)]
    lines += [f"| {' | '.join(row)} |" for row in sheet.rows]
    return "\n".join(lines) + "\n"
