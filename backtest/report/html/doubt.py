"""How far the result can be trusted: the sensitivity table and the luck in the days, as `backtest.studies` has them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from backtest.report.formats import percent, ratio
from backtest.report.html.elements import Cell, Table, figure, paragraph, paragraphs
from backtest.sensitivity.table import Row, Sensitivity, signed
from backtest.uncertainty.show import sentences

if TYPE_CHECKING:
    from backtest.studies import Studies
    from backtest.uncertainty.estimate import Uncertainty

NOT_MADE = "{} was not made for this page."


def _signed(value: float) -> str:
    return "-" if math.isnan(value) else signed(value)


def _row(row: Row, of_run: bool) -> list[Cell]:
    remarks = (["sign changes"] if row.sign_changed else []) + (["LIQUIDATED"] if row.liquidated else [])
    return [
        Cell(row.name, strong=of_run),
        figure(row.total_return * 100.0, _signed),
        Cell("", math.nan) if of_run else figure(row.change_points, _signed),
        figure(row.max_drawdown * 100.0, ratio),
        figure(row.sharpe, ratio),
        Cell(", ".join(remarks), strong=True),
        Cell("as reported" if of_run else f"when {row.when}" + (f"; {row.spread}" if row.spread else "")),
    ]


def _sensitivity_table(found: Sensitivity) -> str:
    headings = ["when", "return, %", "change, points", f"drawdown {found.drawdown}, %", "Sharpe", "remark", "assumed"]
    rows = [_row(found.run, of_run=True), *(_row(row, of_run=False) for row in found.rows)]
    return Table("sensitivity table", headings, [rows], ends_in_words=True).html()


def sensitivity(studies: Studies | None) -> str:
    """The same run under other assumptions, and what that says in words; or why it is missing."""
    if studies is None or studies.sensitivity is None:
        return paragraph((studies.left_out if studies is not None else "") or NOT_MADE.format("The sensitivity table"))
    found = studies.sensitivity
    lines = [*([studies.left_out] if studies.left_out else []), *found.sentences()]
    return _sensitivity_table(found) + paragraphs(lines)


def _luck_table(found: Uncertainty) -> str:
    rows: list[tuple[str, Callable[[float], str], tuple[float, ...]]] = [
        ("total return", percent, found.total_return),
        ("Sharpe, daily", ratio, found.sharpe),
        ("max drawdown, daily", percent, found.max_drawdown),
    ]
    cells = [[[Cell(name), *(figure(value, show) for value in values)]] for name, show, values in rows]
    return Table("intervals", ["", "this run", "5 %", "median", "95 %"], cells).html()


def luck(studies: Studies | None) -> str:
    """The block-bootstrap interval, its method, and what it says in words; or why it is missing."""
    if studies is None or studies.uncertainty is None:
        return paragraph((studies.left_out if studies is not None else "") or NOT_MADE.format("The interval"))
    found = studies.uncertainty
    if not found.known:
        return paragraphs(sentences(found))
    return _luck_table(found) + paragraphs([*sentences(found), f"Method: {found.method}; {found.block_rule}."])
