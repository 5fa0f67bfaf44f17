"""Tables made for other places as tables of the page: one of the terminal, or a frame."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from rich.table import Table as TerminalTable
from rich.text import Text

from backtest.report.formats import known
from backtest.report.html.elements import Cell, Row, Section, Table, paragraphs

OWN_MARK = "> "
# A number as tables of the terminal have it: a sign, thousands, decimals, perhaps a unit after it.
_NUMBER = re.compile(r"(?:[<>] )?([+-]?(?:\d[\d,]*(?:\.\d+)?|inf))(?: ?[%x])?$")


def _words(value: object) -> str:
    return value.plain if isinstance(value, Text) else str(value)


def _one_line(value: object) -> str:
    return " ".join(_words(value).split())


def number(shown: str) -> float:
    """The number that a cell shows: `+1,234.50 %` is 1234.5; NaN for words and dashes."""
    found = _NUMBER.fullmatch(shown.strip())
    return float(found.group(1).replace(",", "")) if found else math.nan


def _cells(table: TerminalTable) -> list[Row]:
    figures = [column.justify == "right" for column in table.columns]
    rows: list[Row] = []
    for row, shown in zip(table.rows, zip(*(column.cells for column in table.columns), strict=True), strict=True):
        own = "bold" in str(row.style)
        words = [_words(cell) for cell in shown]
        words[0] = words[0].removeprefix(OWN_MARK)
        loud = [own or (isinstance(cell, Text) and "bold" in str(cell.style)) for cell in shown]
        values = [number(one) if is_figure else None for one, is_figure in zip(words, figures, strict=True)]
        rows.append(list(map(Cell, words, values, loud)))
    return rows


def from_terminal(table: TerminalTable) -> Table:
    """A table of the terminal: its title as label, columns justified to the right as figures, bold and > as bold."""
    headings = [_one_line(column.header) for column in table.columns]
    rows = _cells(table)
    # A column without a heading holds remarks; without any it is left out.
    kept = [place for place, heading in enumerate(headings) if heading or place == 0 or any(row[place].shown for row in rows)]
    named = [headings[place] or ("remark" if place else "") for place in kept]
    return Table(_one_line(table.title or "table"), named, [[[row[place] for place in kept] for row in rows]])


def _default(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4g}" if abs(value) < 1000.0 else f"{value:,.2f}"


def from_frame(frame: pd.DataFrame, label: str, shown: Mapping[str, Callable[[float], str]] | None = None) -> Table:
    """A frame with its index as the first column. shown: how the figures of a column are written; a dash for NaN, NaT and None."""
    formats = dict(shown or {})
    columns: list[Sequence[Cell]] = [[Cell(str(name).replace("_", " ")) for name in frame.index]]
    for name, values in frame.items():
        if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
            show = formats.get(str(name), _default)
            columns.append([Cell(known(value, show), value) for value in values.to_numpy(dtype=np.float64).tolist()])
        else:
            columns.append([Cell("-" if pd.isna(value) else str(value)) for value in values])
    headings = [str(frame.index.name or "").replace("_", " "), *(str(name).replace("_", " ") for name in frame.columns)]
    return Table(label, headings, [list(zip(*columns, strict=True))])


def table_section(anchor: str, table: TerminalTable, lines: Sequence[str], prefix: str = "") -> Section:
    """A section of a terminal's table with the sentences that go with it; the heading is the table's title."""
    heading = _one_line(table.title or "").removeprefix("SIMULATED: ")
    made = from_terminal(table)
    return Section(anchor, heading[:1].upper() + heading[1:], made.html() + paragraphs(lines), prefix)
