"""A check report on the terminal: one line a series first, then what needs a person's eye."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from backtest.data.check.findings import CheckReport, FundingFindings, SeriesFindings
from backtest.data.check.lines import Section, sections, usual_interval
from backtest.data.check.wording import counted, series_counted
from backtest.data.printed_table import GroupedTable, print_fitting
from backtest.data.symbols import base_coin
from backtest.data.timeframe import utc_text

_NOTES = (
    "Times UTC: opens of the first and the last bar. gaps: how many (missing bars of the largest).",
    "silent: bars without volume. odd: jumps, spikes, repeats, breaks of volume.",
)


def print_check(report: CheckReport, console: Console, details: bool = False) -> None:
    """Print a report: the tables, the findings by subject, and one sentence on what is broken.

    `details` gives every finding in place of the first of each kind. Where the console is too narrow for times to the minute the
    tables have days, unless `details` asks for all; nothing is cut off.
    """
    console.print(Text(f"Market data in {report.place}", style="bold"), soft_wrap=True)
    forms = (False,) if details else (False, True)
    if report.series:
        console.print()
        print_fitting([_bar_table(report.series, days) for days in forms], console)
        for note in _NOTES:
            _print_folded(note, console, style="dim")
    if report.funding:
        console.print()
        print_fitting([_funding_table(report.funding, days) for days in forms], console)
    found = sections(report, details)
    for section in found:
        _print_section(section, console)
    console.print()
    if found and not details:
        _print_folded("--details lists every finding, one by one.", console, style="dim")
    _print_folded(verdict(report), console, style="bold red" if report.broken else "bold green")


def verdict(report: CheckReport) -> str:
    """The last sentence: whether anything would be refused."""
    checked = len(report.series) + len(report.funding)
    if report.broken:
        return f"BROKEN: {counted(len(report.broken), 'finding')} above that a run would refuse; {series_counted(checked)}."
    if checked:
        return f"Nothing is broken: every row of the {'' if checked == 1 else f'{checked:,} '}series keeps the rules."
    if report.tiers:
        return "Nothing is broken: every table of margin tiers keeps the rules; there are no bars and no settlements."
    return "Nothing was checked: there are no bars and no settlements."


def _bar_table(series: Sequence[SeriesFindings], days: bool) -> GroupedTable:
    broken = any(found.is_broken for found in series)
    table = GroupedTable(("bars of", "", "from", "to"), ("rows", "gaps", "silent", "extreme", "odd", *(["broken"] if broken else [])))
    for found in series:
        cells = [
            f" {base_coin(found.symbol)}",
            found.content,
            _time(found.first, days),
            _time(found.last, days),
            f"{found.rows:,}",
            f"{len(found.gaps):,} ({found.largest_gap:,})" if found.gaps else "-",
            _or_dash(found.silent_bars),
            _or_dash(len(found.extremes)),
            _or_dash(_odd(found)),
        ]
        table.add(found.exchange, [*cells, *([_broken_cell(found)] if broken else [])])
    return table


def _time(time: int, days: bool) -> str:
    text = utc_text(time)
    return text.split()[0] if days else text


def _broken_cell(found: SeriesFindings | FundingFindings) -> Text:
    """How many rows are broken; `file` where a file is as a whole."""
    return Text("file" if found.is_broken and not found.broken_rows else _or_dash(found.broken_rows), "red" if found.is_broken else "")


def _odd(found: SeriesFindings) -> int:
    return len(found.jumps) + len(found.spikes) + len(found.repeated) + len(found.volume_breaks)


def _funding_table(funding: Sequence[FundingFindings], days: bool) -> GroupedTable:
    broken = any(found.is_broken for found in funding)
    numbers = ("rows", "every", "others", "gaps", "lowest %", "highest %", *(["broken"] if broken else []))
    table = GroupedTable(("funding of", "from", "to"), numbers)
    for found in funding:
        usual, others = usual_interval(found)
        cells = [
            f" {base_coin(found.symbol)}",
            _time(found.first, days),
            _time(found.last, days),
            f"{found.rows:,}",
            usual,
            _or_dash(others),
            _or_dash(len(found.gaps)),
            *(f"{100.0 * rate:.4f}" for rate in (found.lowest, found.highest)),
        ]
        table.add(found.exchange, [*cells, *([_broken_cell(found)] if broken else [])])
    return table


def _print_section(section: Section, console: Console) -> None:
    console.print()
    _print_folded(section.title, console, style="bold red" if section.broken else "bold")
    for line in section.lines:
        # What belongs to the line above is set in further than that.
        _print_folded(line.lstrip(), console, indent=2 + len(line) - len(line.lstrip()))


def _print_folded(line: str, console: Console, indent: int = 0, style: str = "") -> None:
    """Print a line in rows no wider than the console, every one as far in as the first."""
    for row in Text(line, style=style).wrap(console, max(20, console.width - indent)):
        row.rstrip()
        console.print(Text(" " * indent) + row)


def _or_dash(count: int) -> str:
    return f"{count:,}" if count else "-"
