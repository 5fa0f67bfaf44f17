"""`optimizer.py analyze`, `export` and `prune`: look at the trials of a study, write them to a file, drop the worst."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from backtest.command_line import Parser, plain_console
from backtest.data.atomic import make_folder, write_atomically
from backtest.optimization.arguments import DEFAULT_OUTPUT, add_storage_option
from backtest.optimization.frames import csv_bytes, parquet_bytes, trials_table
from backtest.optimization.opening import WINDOWS, KeptTrials, open_kept
from backtest.optimization.records import DESIGN, Trial
from backtest.optimization.tables import percent, ratio, window_name
from engine.errors import InputError

COMMANDS = ("analyze", "export", "prune")
MOST = 1_000_000


def build_parser() -> Parser:
    """The parser of the commands on a study."""
    parser = Parser(prog="optimizer.py", description="Look at a study, write its trials, drop the worst.", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    analyze, export, prune = (
        commands.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.", allow_abbrev=False)
        for name, what in (
            ("analyze", "show the best trials of a study"),
            ("export", "write the trials of a study as trials.parquet and trials.csv"),
            ("prune", "keep the best trials and the design, whose trials the evidence needs"),
        )
    )
    for one in (analyze, export, prune):
        one.add_argument("study", metavar="STUDY", help="name of the study")
        add_storage_option(one)
    analyze.add_argument("--top", metavar="N", default="10", help="how many (default: 10)")
    export.add_argument("--to", metavar="FILE", type=Path, help=f"a .parquet or .csv file (default: both, in {DEFAULT_OUTPUT}/STUDY)")
    prune.add_argument("--keep", metavar="N", required=True, help="how many of the search's trials to keep in each window")
    return parser


def run_study_command(argv: list[str]) -> None:
    """Run one of COMMANDS. Raises InputError."""
    options = build_parser().parse(argv)
    store = open_kept(options.study, options.storage)
    {"analyze": _analyze, "export": _export, "prune": _prune}[options.command](options, store)


def _count(option: str, text: str, least: int) -> int:
    if not text.isdigit() or not least <= int(text) <= MOST:
        raise InputError(f"{option} {text} is refused: it must be a whole number from {least} to {MOST:,}")
    return int(text)


def by_window(store: KeptTrials) -> dict[int, list[Trial]]:
    """All trials of a study by window; windows without any are left out."""
    found = {window: store.trials(window) for window in WINDOWS}
    return {window: trials for window, trials in found.items() if trials}


def best_first(trials: Sequence[Trial]) -> list[Trial]:
    """Feasible ones before others, then by score, then the earlier one."""
    return sorted(trials, key=lambda trial: (-trial.guided, trial.number))


def _analyze(options: argparse.Namespace, store: KeptTrials) -> None:
    top = _count("--top", options.top, 1)
    console = plain_console()
    found = by_window(store)
    if not found:
        print(f"study {options.study} has no trials yet")
    for window, trials in found.items():
        console.print(top_table(window, trials, top))
        feasible = sum(trial.feasible for trial in trials)
        design = sum(trial.kind == DESIGN for trial in trials)
        dropped = f"; {store.dropped(window):,} more were run and dropped" if store.dropped(window) else ""
        print(f"{len(trials):,} trials, {design:,} of the design; {feasible:,} keep every constraint{dropped}.")
    print("Scores are of the train parts: how far they can be trusted is in report.html and summary.json.")


def top_table(window: int, trials: Sequence[Trial], top: int) -> Table:
    """The best trials of a window as columns, so that their parameters can be compared line by line."""
    best = best_first(trials)[:top]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=Text(f"Best trials of {window_name(window)}", style="bold"), title_justify="left")
    table.add_column("")
    for trial in best:
        table.add_column(f"{trial.number}", justify="right")
    table.add_row("score", *(f"{trial.value:.4f}" for trial in best))
    table.add_row("feasible", *("yes" if trial.feasible else "no" for trial in best))
    table.add_row("kind", *(trial.kind for trial in best))
    table.add_row("worst return", *(percent(min(one.total_return for one in trial.figures)) for trial in best))
    table.add_row("worst drawdown", *(percent(max(one.drawdown for one in trial.figures)) for trial in best))
    table.add_row("lowest Sharpe", *(ratio(min(one.sharpe for one in trial.figures)) for trial in best))
    table.add_row("round trips", *(f"{sum(one.round_trips for one in trial.figures):,}" for trial in best))
    table.add_section()
    for name in best[0].parameters:
        table.add_row(name, *(_shown(trial.parameters.get(name)) for trial in best))
    return table


def _shown(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _export(options: argparse.Namespace, store: KeptTrials) -> None:
    trials = [trial for own in by_window(store).values() for trial in own]
    folder = DEFAULT_OUTPUT / options.study
    targets = [options.to] if options.to else [folder / "trials.parquet", folder / "trials.csv"]
    makers = {".parquet": parquet_bytes, ".csv": csv_bytes}
    for target in targets:
        if target.suffix not in makers:
            raise InputError(f"--to {target} is refused: it must end in .parquet or .csv")
    table = trials_table(trials)
    try:
        for target in targets:
            make_folder(target.parent)
            write_atomically(target, makers[target.suffix](table))
    except OSError as error:
        raise InputError(f"--to {target} is refused: {error.strerror or error}") from None
    print(f"{len(trials):,} trials written to {', '.join(map(str, targets))}")


def _prune(options: argparse.Namespace, store: KeptTrials) -> None:
    keep = _count("--keep", options.keep, 1)
    for window, trials in by_window(store).items():
        search = best_first([trial for trial in trials if trial.kind != DESIGN])
        gone = search[keep:]
        store.drop(window, [trial.number for trial in gone])
        kept = len(trials) - len(gone)
        print(
            f"{window_name(window)}: {len(gone):,} trials dropped, {kept:,} kept, {len(trials) - len(search):,} of them the design. "
            f"All {kept + store.dropped(window):,} stay counted."
        )
