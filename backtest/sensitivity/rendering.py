"""The sensitivity table on a terminal, and as plain values for summary.json."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from backtest.report.formats import known
from backtest.report.study_tables import StudyRow, plain, study_table
from backtest.sensitivity.scan import Scan
from backtest.sensitivity.table import Row, Sensitivity, signed

if TYPE_CHECKING:
    from rich.table import Table


def _row_of(row: Row, of_run: bool) -> StudyRow:
    cells = (
        row.name,
        known(row.total_return * 100.0, signed),
        "" if of_run else known(row.change_points, signed),
        known(row.max_drawdown * 100.0, "{:,.2f}".format),
        known(row.sharpe, "{:,.2f}".format),
    )
    words = (["sign changes"] if row.sign_changed else []) + (["LIQUIDATED"] if row.liquidated else [])
    return StudyRow(cells, ", ".join(words), of_run)


def _range_rows(row: Row) -> list[StudyRow]:
    """The 5 and 95 % of a row with several draws, as rows of their own below it."""
    ends = ((row.total_return_low, "5 %"), (row.total_return_high, "95 %"))
    points = row.change_points - row.total_return * 100.0  # less the run's return
    return [
        StudyRow((f"  {share} of {row.draws} seeds", known(end * 100.0, signed), known(end * 100.0 + points, signed)), quiet=True)
        for end, share in ends
        if end is not None
    ]


def sensitivity_table(sensitivity: Sensitivity) -> Table:
    """The rows with the run itself first, marked by >; the words are those of `Sensitivity.sentences`."""
    headings = ("when", "return", "points", f"drawdown\n{sensitivity.drawdown}", "Sharpe")
    rows = [_row_of(sensitivity.run, of_run=True)]
    for row in sensitivity.rows:
        rows += [_row_of(row, of_run=False), *_range_rows(row)]
    return study_table("The same run under other assumptions, in percent: scenarios, not bounds", headings, rows)


def _scan(scan: Scan | None) -> dict[str, Any] | None:
    if scan is None:
        return None
    return {
        "crossings": list(scan.crossings),
        "values": list(scan.values),
        "total_returns": [plain(gain) for gain in scan.total_returns],
    }


def _row(row: Row) -> dict[str, Any]:
    return {name: plain(value) for name, value in asdict(row).items()}


def as_json(sensitivity: Sensitivity) -> dict[str, Any]:
    """The table as plain values in a stable order; null where a number has no meaning or was not found."""
    counted = sensitivity.path_bars
    return {
        "fragile": sensitivity.fragile,
        "sentences": sensitivity.sentences(),
        "drawdown": sensitivity.drawdown,
        "run": _row(sensitivity.run),
        "rows": [_row(row) for row in sensitivity.rows],
        "break_even_maker_fee": _scan(sensitivity.break_even_maker_fee),
        "break_even_funding_multiple": _scan(sensitivity.break_even_funding_multiple),
        "path_bars": None if counted is None else {"ambiguous": counted.ambiguous, "bars_with_fills": counted.traded},
    }
