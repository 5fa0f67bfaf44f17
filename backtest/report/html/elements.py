"""Pieces of the page: text that cannot break out of its place, tables, sections. Whatever is shown passes through `text`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple


def text(words: object) -> str:
    """Words as HTML text; symbols and notes come from files and may hold anything."""
    return escape(str(words), quote=True)


def paragraph(words: object, kind: str = "") -> str:
    """One paragraph; `kind` is a class of the style sheet."""
    return f"<p{_class(kind)}>{text(words)}</p>"


def paragraphs(lines: Iterable[object]) -> str:
    """Each line as a paragraph."""
    return "\n".join(paragraph(line) for line in lines)


def bullets(lines: Sequence[object], kind: str = "") -> str:
    """Lines as a list; an empty text without lines."""
    items = "".join(f"<li>{text(line)}</li>" for line in lines)
    return f"<ul{_class(kind)}>{items}</ul>" if lines else ""


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


class Cell(NamedTuple):
    """What a table cell shows. value: the number it sorts by (NaN sorts last), None for words. strong: bold."""

    shown: str
    value: float | None = None
    strong: bool = False


def figure(value: float, show: Callable[[float], str]) -> Cell:
    """A number as a cell, written by `show`."""
    return Cell(show(float(value)), float(value))


Row = Sequence[Cell]


@dataclass(frozen=True)
class Table:
    """A table that scrolls inside its own box when the screen is narrow.

    label: what it is, for those who hear the page. headings: one a column. groups: rows, set apart by a rule; a table of one
    group can be sorted. total: a last row that stays last. ends_in_words: the last column holds sentences, which may wrap.
    """

    label: str
    headings: Sequence[str]
    groups: Sequence[Sequence[Row]]
    total: Row | None = None
    ends_in_words: bool = False

    @property
    def sortable(self) -> bool:
        """Whether a click on a heading makes sense: one group, more than one row."""
        return len(self.groups) == 1 and len(self.groups[0]) > 1

    def html(self) -> str:
        """The table in its box."""
        kinds = ["n" if self._holds_figures(place) else "" for place in range(len(self.headings))]
        heads = "".join(f'<th scope="col"{_class(kind)}>{text(name)}</th>' for name, kind in zip(self.headings, kinds, strict=True))
        bodies = "".join(f"<tbody>\n{''.join(map(_row, rows))}</tbody>" for rows in self.groups)
        foot = f"<tfoot>{_row(self.total)}</tfoot>" if self.total is not None else ""
        table = f"<table{_class('sortable' if self.sortable else '')}><thead><tr>{heads}</tr></thead>{bodies}{foot}</table>"
        box = "box words" if self.ends_in_words else "box"
        return f'<div class="{box}" tabindex="0" role="region" aria-label="{text(self.label)}">{table}</div>'

    def _holds_figures(self, place: int) -> bool:
        return any(row[place].value is not None for rows in self.groups for row in rows)


def _row(cells: Row) -> str:
    return f"<tr>{_cell(cells[0], 'th')}{''.join(_cell(cell, 'td') for cell in cells[1:])}</tr>\n"


def _cell(cell: Cell, tag: str) -> str:
    value = cell.value
    negative = cell.shown.startswith("-") and cell.shown[1:2].isdigit()  # a dash alone is no number
    kinds = [name for name, holds in (("n", value is not None), ("loss", negative)) if holds]
    scope = ' scope="row"' if tag == "th" else ""
    key = f' data-v="{value!r}"' if value is not None and not math.isnan(value) else ""
    shown = f"<b>{text(cell.shown)}</b>" if cell.strong else text(cell.shown)
    return f"<{tag}{scope}{_class(' '.join(kinds))}{key}>{shown}</{tag}>"


class Section(NamedTuple):
    """A part of the page: its link name, heading and HTML. prefix: what the heading says first, but the contents do not."""

    anchor: str
    heading: str
    body: str
    prefix: str = ""

    def html(self) -> str:
        """The section under its heading."""
        return f'<section id="{self.anchor}">\n<h2>{text(self.prefix + self.heading)}</h2>\n{self.body}\n</section>'


def contents(sections: Sequence[Section]) -> str:
    """Links to the sections."""
    links = "".join(f'<li><a href="#{section.anchor}">{text(section.heading)}</a></li>' for section in sections)
    return f'<nav aria-label="contents"><h2>Contents</h2><ul>{links}</ul></nav>'
