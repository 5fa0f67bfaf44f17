"""What the first screen says: banners, the headline table as the terminal has it, and what puts the result in doubt."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from backtest.report import findings
from backtest.report.formats import result_columns
from backtest.report.html.elements import Cell, Table, bullets, paragraph
from backtest.report.terminal import ROWS

if TYPE_CHECKING:
    from backtest.result import Result
    from backtest.studies import Studies

LIQUIDATED = "LIQUIDATED"


def banners(result: Result, studies: Studies | None) -> list[str]:
    """The sentences that come before everything else: a made-up market, nothing quoted, liquidation, fragility."""
    lines = ["SIMULATED: the market was made up, so these figures say nothing about a real one."] if result.simulated else []
    lines += findings.nothing_quoted(result)
    lines += [line for line in findings.warnings(result) if line.startswith(LIQUIDATED)]
    if studies is not None and studies.headline:
        lines.append(studies.headline)
    return lines


def banner_html(result: Result, studies: Studies | None) -> str:
    """The banners; an empty text when there is nothing grave to say."""
    return "\n".join(paragraph(line, "banner") for line in banners(result, studies))


def headline(result: Result) -> Table:
    """The rows of the terminal's table, written the same way; the whole and each coin as columns."""
    columns = result_columns(result)
    groups: list[list[list[Cell]]] = [[]]
    for row in ROWS:
        if row is None:
            groups.append([])
            continue
        name, show, metrics = row
        cells = [Cell(show(*(one.metrics[metric] for metric in metrics)), math.nan) for _, one in columns]
        groups[-1].append([Cell(name), *cells])
    return Table("headline figures", ["", *(name for name, _ in columns)], groups)


def doubts(result: Result) -> str:
    """Warnings and notes as a list, then how far the strategy's own settings came into play."""
    lines = [line for line in findings.warnings(result) if not line.startswith(LIQUIDATED)]
    said = bullets(lines, "warnings") or paragraph("No warnings.")
    return said + bullets(findings.ladder_use(result))
