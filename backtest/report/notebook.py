"""How a result shows itself in a notebook: headline figures of the whole and of each coin, as one HTML table."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from backtest.report import findings
from backtest.report.formats import result_columns
from backtest.report.terminal import ROWS

if TYPE_CHECKING:
    from backtest.result import Result


def as_html(result: Result) -> str:
    """Title, source, warnings and the headline table; needs no style sheet."""
    columns = result_columns(result)
    head = "".join(f"<th style='text-align:right'>{escape(name)}</th>" for name, _ in columns)
    rows = []
    for row in ROWS:
        if row is None:
            continue
        name, show, metrics = row
        shown = (show(*(one.metrics[metric] for metric in metrics)) for _, one in columns)
        cells = "".join(f"<td style='text-align:right'>{escape(cell)}</td>" for cell in shown)
        rows.append(f"<tr><td>{escape(name)}</td>{cells}</tr>")
    doubts = "".join(f"<li>{escape(line)}</li>" for line in findings.nothing_quoted(result) + findings.warnings(result))
    return (
        f"<div><b>{escape(findings.title(result))}</b><br>{escape(findings.about(result))}"
        + (f"<ul>{doubts}</ul>" if doubts else "")
        + f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
