"""`main.py`: backtest one or many coins. Errors are one sentence on stderr; the exit codes are in `backtest.command_line`."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from backtest.arguments import configuration, parse
from backtest.command_line import plain_console, run_command
from backtest.configuration import Configuration
from backtest.json_schema import COMPARISON, stamp

if TYPE_CHECKING:
    from rich.console import Console

    from backtest.result import Result


def print_parameters(console: Console) -> None:
    """Every setting with default, range, unit, search range and meaning, as docs/parameters.md has them."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

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


def print_scenarios(console: Console) -> None:
    """The scenarios of the simulated market and what is in each."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from backtest.data.simulated.scenarios import scenarios

    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=Text("SIMULATED market: --scenario", style="bold"), title_justify="left")
    for name in ("name", "what it contains", "edge"):
        table.add_column(name, no_wrap=name == "name", overflow="fold")
    for one in scenarios():
        table.add_row(Text(one.name), Text(one.contains), Text(one.edge))
    console.print(table)


def print_comparison(folders: list[str], console: Console, as_json: bool = False) -> None:
    """Two saved runs side by side. Raises InputError for a folder that holds none."""
    from backtest.report.comparison import comparison, differing_settings
    from backtest.result import Result

    one, other = (Result.load(folder) for folder in folders)
    if as_json:
        table = one.compare(other)
        metrics = {name: {key: value if math.isfinite(value) else None for key, value in row.items()} for name, row in table.T.items()}
        told = {**stamp(COMPARISON), "runs": folders, "metrics": metrics, "settings": differing_settings(one, other)}
        print(json.dumps(told, indent=1, allow_nan=False))
        return
    console.print(comparison(one, other, (Path(folders[0]).name, Path(folders[1]).name)))


def run_configuration(settings: Configuration, refresh: bool = False, quiet: bool = True) -> Result:
    """Load the markets and run. Raises InputError or SourceError."""
    from backtest.loading import configured_markets
    from backtest.run import run
    from backtest.run_progress import run_progress

    markets = configured_markets(settings.data, settings.strategy.warmup_bars(), refresh, quiet)
    account, execution, rules = settings.account, settings.execution, settings.evaluation
    with run_progress(quiet) as watch:
        result: Result = run(markets, settings.strategy, account=account, execution=execution, evaluation=rules, watch=watch)
    return result


def _run(argv: list[str]) -> None:
    options = parse(argv)
    if options.version:
        print_version()
        return
    if options.list_params:
        print_parameters(plain_console())
        return
    if options.list_scenarios:
        print_scenarios(plain_console())
        return
    if options.compare:
        print_comparison(options.compare, plain_console(), options.json)
        return
    settings = configuration(options)
    if options.log_orders:
        from backtest.order_log import check_replayable

        check_replayable(settings.evaluation)
    if options.evaluation:
        from backtest.evaluation.study import check_one_account

        check_one_account(len(settings.data.coins), settings.account)
    result = run_configuration(settings, refresh=options.refresh, quiet=options.quiet)

    # Imported after the run: a refusal should not wait for the writers of files.
    from backtest.data.progress import watcher
    from backtest.output import write_run
    from backtest.storage import summary
    from backtest.studies import study

    studies = None
    if options.sensitivity != "none" or options.ablate or options.exposure_ladder or options.evaluation:
        with watcher(options.quiet or not sys.stderr.isatty()) as watching:
            told = watching.watch("other assumptions")
            studies = study(result, options.sensitivity, told, options.ablate, options.exposure_ladder, options.evaluation)
    orders = None
    if options.log_orders:
        from backtest.order_log import order_log

        with watcher(options.quiet or not sys.stderr.isatty()) as watching:
            orders = order_log(result, watching.watch("order log"))
    if options.json:
        print(json.dumps(summary(result, None if studies is None else studies.as_json()), indent=1, allow_nan=False))
    elif not options.quiet:
        from backtest.report.terminal import print_report

        print_report(result, studies=studies)
    charts = not options.no_charts
    folder = write_run(result, settings, Path(options.output), charts=charts, studies=studies, html=options.html, orders=orders)
    if not options.quiet:
        print(f"written to {folder}", file=sys.stderr if options.json else sys.stdout)


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run_command(_run, argv)
