"""Tables of the terminal in groups, of which nothing is ever cut: the first form that fits is printed, no blanks at ends of lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

_ROOMY, _TIGHT = (0, 1, 0, 0), (0, 0, 0, 0)
# Wider than any table is.
_ENDLESS = 10_000


@dataclass
class GroupedTable:
    """Rows under headings. `texts` and `numbers` name the columns, those of text to the left of those of numbers."""

    texts: Sequence[str]
    numbers: Sequence[str]
    headings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Set up the columns: a cell that has to be narrower is folded and keeps every character."""
        self.table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for name in self.texts:
            self.table.add_column(name, overflow="fold")
        for name in self.numbers:
            self.table.add_column(name, justify="right", overflow="fold")

    def add(self, heading: str, cells: Sequence[str | Text]) -> None:
        """Add a row; a heading that is not that of the row before begins a group."""
        if not self.headings or self.headings[-1] != heading:
            if self.headings:
                self.table.add_section()
            self.headings.append(heading)
        self.table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells))


def print_fitting(forms: Sequence[GroupedTable], console: Console) -> None:
    """Print the first of several forms of a table that is no wider than the console, else the last with its cells folded."""
    for form in forms:
        for padding in (_ROOMY, _TIGHT):
            form.table.padding = padding
            if Measurement.get(console, console.options.update(max_width=_ENDLESS), form.table).maximum <= console.width:
                _print(form, console)
                return
    _print(forms[-1], console)


def _print(form: GroupedTable, console: Console) -> None:
    """Print the lines of a table, headings in full between them: as cells they would set the width of a column."""
    headings = list(reversed(form.headings))
    for segments in console.render_lines(form.table, pad=False):
        line = Text.assemble(*((segment.text, segment.style or "") for segment in segments))
        line.rstrip()
        if line.plain:
            console.print(line, soft_wrap=True)
        # The first group begins under the names of the columns, each other one where the table has an empty line.
        is_rule = len(headings) == len(form.headings) and not line.plain.strip("─-")
        if headings and (is_rule or not line.plain):
            console.print(Text(headings.pop(), style="bold"), soft_wrap=True)
