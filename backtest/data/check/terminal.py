"""A check report on the terminal: one line a series first, then what needs a person's eye."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from backtest.data.check.findings import CheckReport, FundingFindings, SeriesFindings
from backtest.data.check.lines import Section, counted, sections, usual_interval
from backtest.data.symbols import base_coin
from backtest.data.timeframe import utc_text

# Narrower than this the tables give up the space between their columns.
ROOMY = 110
_NOTES = (
    "Times UTC: opens of the first and the last bar. gaps: how many (missing bars of the largest).",
    "silent: bars without volume. odd: jumps, spikes, repeats, breaks of volume. broken: see below.",
)


def print_check(report: CheckReport, console: Console, details: bool = False) -> None:
    """Print a report: the tables, the findings by subject, and one sentence on what is broken.

    `details` gives the lists up to 20 items in place of 3.
    """
    console.print(Text(f"Market data in {report.place}", style="bold"))
    if report.series:
        console.print()
        console.print(_bar_table(report.series, console.width))
        for note in _NOTES:
            console.print(Text(note, style="dim"))
    if report.funding:
        console.print()
        console.print(_funding_table(report.funding, console.width))
    for section in sections(report, details):
        _print_section(section, console)
    console.print()
    console.print(Text(verdict(report), style="bold red" if report.broken else "bold green"))


def verdict(report: CheckReport) -> str:
    """The last sentence: whether anything would be refused."""
    checked = len(report.series) + len(report.funding)
    if report.broken:
        return f"BROKEN: {counted(len(report.broken), 'finding')} above would be refused, in {checked} series that were checked."
    if not checked:
        return "Nothing was checked: there are no bars and no settlements."
    return f"Nothing is broken: every row of the {checked} series keeps the rules."


def _table(texts: Sequence[str], numbers: Sequence[str], width: int) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0) if width >= ROOMY else 0, show_edge=False)
    for name in texts:
        table.add_column(name, no_wrap=True)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _bar_table(series: Sequence[SeriesFindings], width: int) -> Table:
    table = _table(("bars of", "", "from", "to"), ("rows", "gaps", "silent", "extreme", "odd", "broken"), width)
    exchange = ""
    for found in series:
        if found.exchange != exchange:
            exchange = found.exchange
            table.add_row(Text(exchange, style="bold"))
        table.add_row(
            Text(f" {base_coin(found.symbol)}"),
            found.content,
            utc_text(found.first),
            utc_text(found.last),
            f"{found.rows:,}",
            f"{len(found.gaps)} ({found.largest_gap})" if found.gaps else "-",
            _or_dash(found.silent_bars),
            _or_dash(len(found.extremes)),
            _or_dash(_odd(found)),
            Text(_or_dash(found.broken_rows) if not found.is_broken or found.broken_rows else "file", "red" if found.is_broken else ""),
        )
    return table


def _odd(found: SeriesFindings) -> int:
    return len(found.jumps) + len(found.spikes) + len(found.repeated) + len(found.volume_breaks)


def _funding_table(funding: Sequence[FundingFindings], width: int) -> Table:
    table = _table(("funding of", "from", "to"), ("rows", "every", "others", "gaps", "lowest", "highest", "broken"), width)
    exchange = ""
    for found in funding:
        if found.exchange != exchange:
            exchange = found.exchange
            table.add_row(Text(exchange, style="bold"))
        usual, others = usual_interval(found)
        table.add_row(
            Text(f" {base_coin(found.symbol)}"),
            utc_text(found.first),
            utc_text(found.last),
            f"{found.rows:,}",
            usual,
            _or_dash(others),
            _or_dash(len(found.gaps)),
            *(f"{100.0 * rate:.4f} %" for rate in (found.lowest, found.highest)),
            Text(_or_dash(found.broken_rows), "red" if found.is_broken else ""),
        )
    return table


def _print_section(section: Section, console: Console) -> None:
    console.print()
    console.print(Text(section.title, style="bold red" if section.broken else "bold"))
    for line in section.lines:
        # What belongs to the line above is set in further than that.
        indent = " " * (2 + len(line) - len(line.lstrip()))
        for row in Text(line.lstrip()).wrap(console, max(20, console.width - len(indent))):
            row.rstrip()
            console.print(Text(indent) + row)


def _or_dash(count: int) -> str:
    return f"{count:,}" if count else "-"
