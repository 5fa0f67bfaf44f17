"""The groups of the benchmarks, run one after the other with progress and time left."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.context import Context
from benchmarks.engine_speed import engine_rows
from benchmarks.growth import growth_rows
from benchmarks.indicator_speed import indicator_rows
from benchmarks.loading_speed import loading_rows
from benchmarks.memory import memory_rows
from benchmarks.optimizer_speed import optimizer_rows
from benchmarks.rows import Row
from benchmarks.starts import start_rows
from benchmarks.stepper_speed import stepper_rows
from benchmarks.sweep_speed import sweep_rows

# name -> (what measures it, rough seconds of a quick and of a whole run, for the time left)
Measure = Callable[[Context], list[Row]]
GROUPS: dict[str, tuple[Measure, float, float]] = {
    "engine": (engine_rows, 12.0, 120.0),
    "indicators": (indicator_rows, 4.0, 10.0),
    "sweep": (sweep_rows, 12.0, 240.0),
    "stepper": (stepper_rows, 3.0, 5.0),
    "loading": (loading_rows, 10.0, 15.0),
    "optimizer": (optimizer_rows, 8.0, 60.0),
    "memory": (memory_rows, 20.0, 120.0),
    "growth": (growth_rows, 15.0, 60.0),
    "starts": (start_rows, 30.0, 240.0),
}


def run_groups(names: Sequence[str], context: Context) -> list[Row]:
    """All rows of the named groups, in the suite's order."""
    rows: list[Row] = []
    chosen = [name for name in GROUPS if name in names]
    seconds = {name: quick if context.quick else whole for name, (_, quick, whole) in GROUPS.items()}
    with _progress(sum(seconds[name] for name in chosen)) as (say, advance):
        for name in chosen:
            measure, _, _ = GROUPS[name]
            rows += measure(replace(context, say=partial(_say_of, say, name)))
            advance(seconds[name])
    return rows


def _say_of(say: Callable[[str], None], group: str, text: str) -> None:
    say(f"{group}: {text}")


@contextmanager
def _progress(total: float) -> Iterator[tuple[Callable[[str], None], Callable[[float], None]]]:
    """What to tell the reader: a bar with the time left on a terminal, else a line for each piece of work."""
    if not sys.stderr.isatty():
        yield lambda text: print(text, file=sys.stderr, flush=True), lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda text: progress.update(task, description=text[:60]), lambda seconds: progress.advance(task, seconds)
