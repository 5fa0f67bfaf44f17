"""`optimizer.py`: search for parameters and say how far they can be trusted. Errors are one sentence on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter

from backtest.command_line import plain_console, run_command
from backtest.data.market import Market
from backtest.loading import configured_markets
from backtest.optimization.arguments import DEFAULT_OUTPUT, Request, request
from backtest.optimization.opening import OpenedStudy, open_study
from backtest.optimization.optimize import Optimizer, Outcome, Row
from backtest.optimization.progress import follower
from backtest.optimization.reach import longest_lot_age, longest_warmup
from backtest.optimization.records import MemoryStore
from backtest.optimization.stress import stress_rows
from backtest.optimization.study_commands import COMMANDS, run_study_command


def optimizer_of(asked: Request, markets: Sequence[Market], warmup: int, purge_hours: float) -> Optimizer:
    """The optimizer of loaded markets, its trials in memory as yet."""
    run = asked.configuration
    store = MemoryStore()
    return Optimizer(
        markets, run.strategy, run.account, run.execution, asked.settings, asked.space, store, warmup, purge_hours, asked.threads
    )


@contextmanager
def _stoppable(opened: OpenedStudy) -> Iterator[None]:
    """Say on Ctrl-C how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        kept = f"finished trials are kept in {opened.where}; the same command goes on from there" if opened.where else "nothing is kept"
        raise KeyboardInterrupt(f"interrupted: {kept}") from None


def _search(argv: list[str]) -> None:
    asked = request(argv)
    run = asked.configuration
    purge = longest_lot_age(run.strategy, asked.space)
    hours = purge.hours if asked.settings.purge_hours is None else asked.settings.purge_hours
    warmup = longest_warmup(run.strategy, asked.space)
    markets = configured_markets(run.data, warmup, asked.refresh, asked.quiet)
    optimizer = optimizer_of(asked, markets, warmup, hours)
    opened = open_study(optimizer, asked)
    with _stoppable(opened), follower(asked.quiet, asked.settings.batch) as told:
        optimizer.watch, optimizer.say = told.watch, told.say
        began = perf_counter()
        outcome = optimizer.run()
        wall = perf_counter() - began
        told.say("simulated scenarios")
        stress, missing = stress_rows(outcome, run.data, warmup)
    notes = [note for note in (purge.note if asked.settings.purge_hours is None else "", missing) if note]
    _finish(asked, opened.name, outcome, markets, stress, notes, wall)


def _finish(
    asked: Request, study: str, outcome: Outcome, markets: Sequence[Market], stress: Sequence[Row], notes: list[str], wall: float
) -> None:
    """Write the files and print."""
    from backtest.optimization.files import FILES, summary, write_files
    from backtest.optimization.terminal import report

    folder = asked.output or DEFAULT_OUTPUT / study
    write_files(outcome, asked.configuration.data, markets, stress, notes, study, folder)
    if asked.as_json:
        print(json.dumps(summary(outcome, stress, study), indent=1, allow_nan=False))
    elif not asked.quiet:
        plain_console().print(report(outcome, stress, notes, wall, asked.threads))
    if not asked.quiet or asked.as_json:
        print(f"written to {folder}: {', '.join(FILES)}", file=sys.stderr if asked.as_json else sys.stdout)


def _run(argv: list[str]) -> None:
    if argv and argv[0] in COMMANDS:
        run_study_command(argv)
    else:
        _search(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run_command(_run, argv)
