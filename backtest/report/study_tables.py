"""The shape that the tables of studies share: the run beside the same run under other terms, figures right, a remark last."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from rich.table import Table


class StudyRow(NamedTuple):
    """One row. cells: one a heading, or fewer. remark: what the eye must not miss. own: the run itself, bold and marked by >.

    quiet: a detail of the row above.
    """

    cells: Sequence[str]
    remark: str = ""
    own: bool = False
    quiet: bool = False


def study_table(title: str, headings: Sequence[str], rows: Iterable[StudyRow], words: int = 1, remarks: bool = True) -> Table:
    """A table for the terminal.

    words: so many columns from the left hold words, the others figures. remarks: whether a last column without a heading has them.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=Text(title), title_justify="left", title_style="bold")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="left" if place < words else "right", no_wrap=True)
    if remarks:
        table.add_column("", overflow="fold")
    for row in rows:
        cells = [f"> {row.cells[0]}" if row.own else row.cells[0], *row.cells[1:]]
        cells += [""] * (len(headings) - len(cells))
        remark = [Text(row.remark, style="bold red")] if remarks else []
        table.add_row(*map(Text, cells), *remark, style="bold" if row.own else "dim" if row.quiet else "")
    return table


def plain(value: Any, infinite: bool = False) -> Any:
    """A value for JSON: null where a number has no meaning. infinite: an infinite number is told, as the text inf or -inf."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value) if infinite and not math.isnan(value) else None
    return value
