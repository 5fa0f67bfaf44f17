"""Bars of a terminal while data is downloaded: rows, rate and time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


class Bars:
    """Bars of a terminal."""

    def __init__(self, display: Progress) -> None:
        self._display = display

    def watch(self, title: str) -> Callable[[int, int], None]:
        """A bar with rows, rate and time left."""
        task = self._display.add_task(title, total=None)

        def report(rows: int, expected: int) -> None:
            self._display.update(task, completed=rows, total=max(expected, rows))

        return report

    def say(self, sentence: str) -> None:
        """Print a line above the bars."""
        self._display.console.print(Text(sentence))


class _Rows(ProgressColumn):
    """`12,000 of 140,256 rows, 4,000/s`."""

    def render(self, task: Task) -> Text:
        total = "?" if task.total is None else f"{int(task.total):,}"
        rate = f", {task.speed:,.0f}/s" if task.speed else ""
        return Text(f"{int(task.completed):,} of {total} rows{rate}")


@contextmanager
def bars_on(terminal: TextIO) -> Iterator[Bars]:
    """Bars that stand on this terminal while the context is open."""
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), _Rows(), TimeRemainingColumn(elapsed_when_finished=True))
    with Progress(*columns, console=Console(file=terminal)) as display:
        yield Bars(display)
