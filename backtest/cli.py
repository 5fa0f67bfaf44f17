"""`main.py`: backtest one or many coins. Errors are one sentence on stderr; the exit codes are in `backtest.command_line`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from backtest.arguments import configuration, parse
from backtest.command_line import run_command
from backtest.configuration import Configuration

if TYPE_CHECKING:
    from backtest.result import Result


def print_parameters(console: Console) -> None:
    """Every setting with default, range, unit, search range and meaning, as docs/parameters.md has them."""
    from backtest.parameter_reference import HEADINGS, rows, sections

    for heading, where, kind in sections():
        table = Table(box=SIMPLE_HEAD, pad_edge=False, title=Text(f"{heading}  {where}", style="bold"), title_justify="left")
        for name in HEADINGS:
            table.add_column(name, no_wrap=name == "name", overflow="fold")
        for row in rows(kind):
            table.add_row(*(Text(cell) for cell in row))
        console.print(table)


def print_version() -> None:
    """The installed version, or the one of the source tree."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        print(f"gridcore {version('gridcore')}")
    except PackageNotFoundError:
        print("gridcore (not installed, running from source)")


def run_configuration(settings: Configuration) -> Result:
    """Load the markets and run. Raises InputError or SourceError."""
    from backtest.data.instrument import instrument_from_filters
    from backtest.data.load import load
    from backtest.data.symbols import resolve_symbol
    from backtest.run import run

    data = settings.data
    given = {instrument.symbol: instrument for instrument in map(instrument_from_filters, data.filters)}
    markets = [
        load(
            coin,
            start=data.start,
            end=data.end,
            timeframe=data.timeframe,
            source=data.source,
            exchange=data.exchange,
            data_dir=data.data_dir,
            warmup=settings.strategy.warmup_bars(),
            sub_bars=data.sub_bars,
            seed=data.seed,
            instrument=given.get(resolve_symbol(coin)),
        )
        for coin in data.coins
    ]
    result: Result = run(markets, settings.strategy, account=settings.account, execution=settings.execution)
    return result


def _run(argv: list[str]) -> None:
    options = parse(argv)
    if options.version:
        print_version()
        return
    if options.list_params:
        print_parameters(Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=180, color_system=None))
        return
    settings = configuration(options)
    result = run_configuration(settings)

    # Imported after the run: a refusal should not wait for the writers of files.
    from backtest.output import write_run
    from backtest.report.terminal import print_report
    from backtest.storage import summary

    if options.json:
        print(json.dumps(summary(result), indent=1, allow_nan=False))
    elif not options.quiet:
        print_report(result)
    folder = write_run(result, settings, Path(options.output), charts=not options.no_charts)
    if not options.quiet:
        print(f"written to {folder}", file=sys.stderr if options.json else sys.stdout)


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run_command(_run, argv)
