"""The ablation on a terminal, in sentences, and as plain values for machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backtest.ablation.trend_days import DEFINITION
from backtest.report.formats import known
from backtest.report.study_tables import StudyRow, plain, study_table
from backtest.sensitivity.table import signed, signed_percent

if TYPE_CHECKING:
    from rich.table import Table

    from backtest.ablation.study import Ablation, AblationRow

SCHEMA = 1
ONE_HISTORY = "This is one stretch of history: a module that cost here may be the one that saves elsewhere."


def _value(value: float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"


def _change(row: AblationRow) -> str:
    """How the module was switched off, in the words of the configuration."""
    return ", ".join(f"{name} {_value(before)} -> {_value(after)}" for name, (before, after) in row.changes.items())


def _without(row: AblationRow) -> str:
    """The module as it goes on after "without"."""
    if len(row.changes) > 1:
        return "all of these modules"
    return f"the {row.name}" if row.name in ("circuit breaker", "value-at-risk gate") else row.name


def _percent(value: float) -> str:
    return known(value * 100.0, "{:,.2f}".format)


def _deep(row: AblationRow) -> str:
    return f"{_percent(row.max_drawdown)} %"


def _sentence(row: AblationRow, run: AblationRow) -> str:
    switched = "" if len(row.changes) > 1 else f" ({_change(row)})"
    if row.times == 0 and row.change_points == 0.0 and row.drawdown_points == 0.0:
        return f"Without {_without(row)}{switched} nothing would have changed: it never acted."
    before, after = signed_percent(run.total_return), signed_percent(row.total_return)
    back = f"stayed at {after}" if before == after else f"been {after}, in place of {before}"
    before, after = _deep(run), _deep(row)
    drawdown = f"at {after}" if before == after else f"{after}, in place of {before}"
    return f"Without {_without(row)}{switched} the return would have {back}, and the maximum drawdown {drawdown}."


def sentences(found: Ablation) -> list[str]:
    """What the rows say, one sentence a row, and how they are to be read."""
    if not found.rows and not found.left_out:
        return ["Every module is off in this run already: there is nothing to switch off."]
    lines = [_sentence(row, found.run) for row in found.rows]
    ruined = [_without(row) for row in found.rows if row.liquidated and not found.run.liquidated]
    if ruined:
        lines.append(f"The run would have been LIQUIDATED without {'; without '.join(ruined)}.")
    lines += [
        f"With {_change(row)} {_without(row)} still acted {row.still:,} times: it cannot be switched off entirely."
        for row in found.rows
        if row.still and len(row.changes) == 1
    ]
    if found.off:
        lines.append(f"Off in this run and so not listed: {', '.join(found.off)}.")
    return [*lines, DEFINITION, ONE_HISTORY, *found.left_out]


def _row_of(row: AblationRow, of_run: bool) -> StudyRow:
    cells = (
        row.name,
        "-" if row.times is None else f"{row.times:,}",
        _percent(row.total_return),
        "" if of_run else known(row.change_points, signed),
        _percent(row.max_drawdown),
        "" if of_run else known(row.drawdown_points, signed),
        known(row.trend_capture * 100.0, signed),
    )
    return StudyRow(cells, "LIQUIDATED" if row.liquidated else "", of_run)


def ablation_table(found: Ablation) -> Table:
    """The rows with the run itself first, marked by >; the words are those of `Ablation.sentences`."""
    headings = ("without", "acted", "return", "points", f"drawdown\n{found.drawdown}", "points", "trends\ncaught")
    rows = [_row_of(found.run, of_run=True), *(_row_of(row, of_run=False) for row in found.rows)]
    return study_table("The same run without one module at a time, in percent", headings, rows)


def _row(row: AblationRow) -> dict[str, Any]:
    values = {name: plain(value) for name, value in vars(row).items() if name != "changes"}
    return {**values, "changes": {name: {"run": before, "here": after} for name, (before, after) in row.changes.items()}}


def as_json(found: Ablation) -> dict[str, Any]:
    """Plain values in a stable order; null where a number has no meaning. `schema` counts up when a name or meaning changes."""
    return {
        "schema": SCHEMA,
        "drawdown": found.drawdown,
        "run": _row(found.run),
        "rows": [_row(row) for row in found.rows],
        "off": list(found.off),
        "sentences": sentences(found),
    }
