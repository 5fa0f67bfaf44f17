"""The sensitivity table on a terminal, and as plain values for summary.json."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from backtest.sensitivity.scan import Scan
from backtest.sensitivity.table import Row, Sensitivity, signed


def _remark(row: Row) -> Text:
    """What the eye must not miss in a row."""
    words = (["sign changes"] if row.sign_changed else []) + (["LIQUIDATED"] if row.liquidated else [])
    return Text(", ".join(words), style="bold red")


def _figure(value: float, show: Callable[[float], str]) -> str:
    return "-" if math.isnan(value) else show(value)


def _cells(row: Row, of_run: bool) -> list[Text]:
    figures = (
        _figure(row.total_return * 100.0, signed),
        "" if of_run else _figure(row.change_points, signed),
        _figure(row.max_drawdown * 100.0, "{:,.2f}".format),
        _figure(row.sharpe, "{:,.2f}".format),
    )
    return [Text(f"> {row.name}" if of_run else row.name), *map(Text, figures), _remark(row)]


def _range_cells(row: Row) -> list[list[Text]]:
    """The 5 and 95 % of a row with several draws, as rows of their own below it."""
    ends = ((row.total_return_low, "5 %"), (row.total_return_high, "95 %"))
    points = row.change_points - row.total_return * 100.0  # less the run's return
    return [
        [Text(f"  {share} of {row.draws} seeds"), Text(_figure(end * 100.0, signed)), Text(_figure(end * 100.0 + points, signed))]
        for end, share in ends
        if end is not None
    ]


def sensitivity_table(sensitivity: Sensitivity) -> Table:
    """The rows with the run itself first, marked by >; the words are those of `Sensitivity.sentences`."""
    title = Text("The same run under other assumptions, in percent: scenarios, not bounds")
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left", title_style="bold")
    table.add_column("when", no_wrap=True)
    for heading in ("return", "points", f"drawdown\n{sensitivity.drawdown}", "Sharpe"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    table.add_row(*_cells(sensitivity.run, of_run=True), style="bold")
    for row in sensitivity.rows:
        table.add_row(*_cells(row, of_run=False))
        for cells in _range_cells(row):
            table.add_row(*cells, style="dim")
    return table


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _scan(scan: Scan | None) -> dict[str, Any] | None:
    if scan is None:
        return None
    return {
        "crossings": list(scan.crossings),
        "values": list(scan.values),
        "total_returns": [_plain(gain) for gain in scan.total_returns],
    }


def _row(row: Row) -> dict[str, Any]:
    return {name: _plain(value) if isinstance(value, float) else value for name, value in asdict(row).items()}


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
