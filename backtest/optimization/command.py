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
from backtest.optimization.arguments import Request, request
from backtest.optimization.opening import OpenedStudy, open_study
from backtest.optimization.optimize import Optimizer, Outcome, Row
from backtest.optimization.progress import Follower, follower
from backtest.optimization.reach import longest_lot_age, longest_warmup
from backtest.optimization.stress import stress_rows
from backtest.optimization.study_commands import COMMANDS, run_study_command


def described(asked: Request) -> dict[str, object]:
    """The settings of a study that may not change while it goes on, as plain values."""
    tables = asked.configuration.tables()
    space = [[one.name, one.low, one.high, one.log, list(one.values or ())] for one in asked.space]
    settings = asked.settings.model_dump(exclude={"trials", "batch"})
    return {**tables, "optimizer": settings, "search": space}


def optimize(asked: Request, markets: Sequence[Market], opened: OpenedStudy, warmup: int, purge_hours: float, told: Follower) -> Outcome:
    """Run the optimizer on loaded markets."""
    run = asked.configuration
    return Optimizer(
        markets,
        run.strategy,
        run.account,
        run.execution,
        asked.settings,
        asked.space,
        opened.store,
        warmup,
        purge_hours,
        asked.threads,
        opened.seen,
        opened.looks,
        told.watch,
        told.say,
        opened.touch_holdout,
    ).run()


@contextmanager
def _stoppable(opened: OpenedStudy) -> Iterator[None]:
    """Say on Ctrl-C how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        kept = (
            "nothing is kept"
            if opened.where == "memory"
            else f"finished trials are kept in {opened.where}; the same command goes on from there"
        )
        raise KeyboardInterrupt(f"interrupted: {kept}") from None


def _search(argv: list[str]) -> None:
    asked = request(argv)
    run = asked.configuration
    purge = longest_lot_age(run.strategy, asked.space)
    hours = purge.hours if asked.settings.purge_hours is None else asked.settings.purge_hours
    warmup = longest_warmup(run.strategy, asked.space)
    markets = configured_markets(run.data, warmup, asked.refresh, asked.quiet)
    opened = open_study(asked, markets, described(asked))
    with _stoppable(opened), follower(asked.quiet, asked.settings.batch) as told:
        began = perf_counter()
        outcome = optimize(asked, markets, opened, warmup, hours, told)
        wall = perf_counter() - began
        told.say("simulated scenarios")
        stress, missing = stress_rows(outcome, run.data, warmup)
    notes = [note for note in (purge.note if asked.settings.purge_hours is None else "", missing) if note]
    _finish(asked, outcome, markets, stress, notes, wall)


def _finish(asked: Request, outcome: Outcome, markets: Sequence[Market], stress: Sequence[Row], notes: list[str], wall: float) -> None:
    """Write the files and print."""
    from backtest.optimization.files import FILES, summary, write_files
    from backtest.optimization.terminal import report

    write_files(outcome, asked.configuration.data, markets, stress, notes, asked.study, asked.folder)
    if asked.as_json:
        print(json.dumps(summary(outcome, stress, asked.study), indent=1, allow_nan=False))
    elif not asked.quiet:
        plain_console().print(report(outcome, stress, notes, wall, asked.threads))
    if not asked.quiet or asked.as_json:
        target = sys.stderr if asked.as_json else sys.stdout
        print(f"written to {asked.folder}: {', '.join(FILES)}", file=target)


def _run(argv: list[str]) -> None:
    if argv and argv[0] in COMMANDS:
        run_study_command(argv)
    else:
        _search(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run_command(_run, argv)
