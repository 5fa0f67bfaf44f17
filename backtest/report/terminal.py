"""The table that a run prints: readable in ten seconds, on a terminal or in a file, wide or narrow."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from backtest.report import findings
from backtest.report.formats import count, money, percent, ratio, result_columns

if TYPE_CHECKING:
    from backtest.result import Result
    from backtest.studies import Studies

PLAIN_WIDTH = 100
NAME_WIDTH = 26
COLUMN_WIDTH = 14


def _pair(first: Callable[[float], str], *names: str) -> tuple[Callable[..., str], tuple[str, ...]]:
    return (lambda *values: " / ".join(first(value) for value in values)), names


# Row name, format and metrics of the headline table; None is a gap between groups.
ROWS: tuple[tuple[str, Callable[..., str], tuple[str, ...]] | None, ...] = (
    ("total return", percent, ("total_return",)),
    ("buy and hold", percent, ("buy_and_hold_return",)),
    ("CAGR", percent, ("cagr",)),
    ("final equity", money, ("final_equity",)),
    None,
    ("max drawdown in bars", percent, ("max_drawdown",)),
    ("max drawdown at closes", percent, ("max_drawdown_close",)),
    ("Sharpe, bar / day", *_pair(ratio, "sharpe", "sharpe_daily")),
    ("time under water", percent, ("time_under_water",)),
    None,
    ("longs / shorts opened", *_pair(count, "longs_opened", "shorts_opened")),
    ("win rate, marked", percent, ("win_rate",)),
    ("profit factor, marked", ratio, ("profit_factor",)),
    ("profit factor, closed", ratio, ("profit_factor_closed",)),
    ("average hold, hours", ratio, ("average_hold_hours",)),
    None,
    ("fees", money, ("fees",)),
    ("funding, net", money, ("funding_net",)),
    ("slippage", money, ("slippage_cost",)),
    ("time in position", percent, ("time_in_position",)),
    ("leverage, mean / max", *_pair(ratio, "exposure_average", "leverage_max")),
    None,
    ("stops long / short", *_pair(count, "stops_long", "stops_short")),
    ("prunes / halts / shifts", *_pair(count, "prunes", "halts", "shifts")),
    ("liquidations", count, ("liquidations",)),
)


def headline_tables(result: Result, width: int) -> list[Table]:
    """Metrics as rows, coins as columns; a new table where the width is used up."""
    columns = result_columns(result)
    fit = max(1, (width - NAME_WIDTH) // (COLUMN_WIDTH + 3))
    tables = []
    for start in range(0, len(columns), fit):
        part = columns[start : start + fit]
        table = Table(box=SIMPLE_HEAD, pad_edge=False, title_justify="left", title_style="bold")
        if start == 0:
            table.title = Text(findings.title(result))
        table.add_column("")
        for heading, _ in part:
            table.add_column(heading, justify="right", min_width=COLUMN_WIDTH)
        for row in ROWS:
            if row is None:
                table.add_row("")
                continue
            name, show, metrics = row
            table.add_row(name, *(show(*(one.metrics[metric] for metric in metrics)) for _, one in part))
        tables.append(table)
    return tables


def attribution_table(result: Result) -> Table:
    """Where the profit came from, by side; the rows sum to the last one."""
    title = "SIMULATED: where the profit came from" if result.simulated else "Where the profit came from"
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left", title_style="bold")
    table.add_column("quote currency")
    parts = result.attribution
    # A credit for a shortfall is of no side; without one the column says nothing.
    names = [name for name in parts.columns if name != "account" or parts["account"].any()]
    for name in names:
        table.add_column(name, justify="right", min_width=12)
    for part, row in parts.iterrows():
        if part != "total" and not row.any():
            continue
        if part == "total":
            table.add_section()
        table.add_row(str(part).replace("_", " "), *(money(float(row[name])) for name in names))
    return table


def study_lines(studies: Studies, simulated: bool) -> list[RenderableType]:
    """The sensitivity table, the luck in the days, and what they say in words."""
    from backtest.sensitivity.rendering import sensitivity_table
    from backtest.uncertainty.show import sentences, uncertainty_table

    lines: list[RenderableType] = []
    if studies.left_out:
        lines.append(Text(studies.left_out, style="yellow"))
    if studies.sensitivity is not None:
        table = _marked(sensitivity_table(studies.sensitivity), simulated)
        lines += [table, *(Text(line) for line in studies.sensitivity.sentences()), Text("")]
    if studies.uncertainty is not None:
        if studies.uncertainty.known:
            lines.append(uncertainty_table(studies.uncertainty))
        lines += [Text(line) for line in sentences(studies.uncertainty)]
    for made, words in studies.tables():
        lines += [Text(""), _marked(made, simulated), *(Text(line) for line in words)]
    return [*lines, Text("")]


def lot_lines(result: Result) -> list[RenderableType]:
    """Trapped inventory, fills by grid level and what the prunes cost; nothing without the event log."""
    from backtest.report.lot_tables import lot_tables

    lines: list[RenderableType] = []
    for table, words in lot_tables(result):
        lines += [] if table is None else [_marked(table, result.simulated)]
        lines += [*(Text(line) for line in words), Text("")]
    return lines


def _marked(table: Table, simulated: bool) -> Table:
    """The table with SIMULATED in its title, once, where that is so."""
    title = str(table.title)
    if simulated and "SIMULATED" not in title:
        table.title = Text(f"SIMULATED: {title}", style="bold")
    return table


def report(result: Result, width: int, studies: Studies | None = None) -> RenderableType:
    """Everything the terminal shows: what was not quoted, the source, warnings, the table, the studies, the fine print."""
    lines: list[RenderableType] = [Text(line, style="bold red") for line in findings.nothing_quoted(result)]
    lines.append(Text(findings.about(result), style="bold"))
    if studies is not None and studies.headline:
        lines.append(Text(studies.headline, style="bold red"))
    doubts = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    doubts.add_column(no_wrap=True)
    doubts.add_column(overflow="fold")
    for line in findings.warnings(result):
        style = "bold red" if line.startswith("LIQUIDATED") else "yellow"
        doubts.add_row(Text("!", style=style), Text(line, style=style))
    if doubts.row_count:
        lines.append(doubts)
    lines.append(Text(""))
    lines += headline_tables(result, width)
    lines.append(attribution_table(result))
    lines += [Text(line) for line in findings.ladder_use(result)]
    lines.append(Text(""))
    if studies is not None:
        lines += study_lines(studies, result.simulated)
        lines += lot_lines(result)
    lines.append(Text("Assumed", style="bold"))
    fine = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    fine.add_column(no_wrap=True)
    fine.add_column(overflow="fold")
    for subject, text in findings.assumptions(result).items():
        fine.add_row(Text(subject), Text(text))
    lines.append(fine)
    return Group(*lines)


def as_text(result: Result, width: int = PLAIN_WIDTH) -> str:
    """The report as plain text, no line longer than `width`."""
    sink = io.StringIO()
    Console(file=sink, width=width, color_system=None, force_terminal=False, highlight=False).print(report(result, width))
    return "\n".join(line.rstrip() for line in sink.getvalue().splitlines()) + "\n"


def print_report(result: Result, console: Console | None = None, studies: Studies | None = None) -> None:
    """Print the report; PLAIN_WIDTH columns when the output is not a terminal."""
    if console is None:
        console = Console(highlight=False)
        if not console.is_terminal:
            console = Console(highlight=False, width=PLAIN_WIDTH, color_system=None)
    console.print(report(result, console.width, studies))
