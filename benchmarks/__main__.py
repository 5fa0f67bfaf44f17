"""`python -m benchmarks`: how fast gridcore is, as tables for people and JSON for machines.

A whole run writes benchmarks/RESULTS.md and results.json beside it. `--quick` is the part for continuous integration; `--compare FILE`
says what has become slower since and exits with 1 if something has.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import backtest as bt
from benchmarks.context import Context
from benchmarks.environment import describe
from benchmarks.gate import OTHER_PROCESSOR, compare, confirmed
from benchmarks.growth_chart import write_growth_chart
from benchmarks.record import read_json, write_json
from benchmarks.results import AS_JSON, RESULTS, results_text
from benchmarks.rows import Row
from benchmarks.suite import GROUPS, run_groups
from benchmarks.table import print_sheet, sheets, verdict_sheet


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--quick", action="store_true", help="fewer rounds and smaller sizes: under two minutes on an idle machine")
    made.add_argument("--only", nargs="+", choices=list(GROUPS), metavar="GROUP", help=f"some groups alone: {', '.join(GROUPS)}")
    made.add_argument("--data-dir", type=Path, metavar="DIR", help="folder of real bars (default: the one GRIDCORE_TEST_DATA names)")
    made.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON, such as a baseline")
    made.add_argument("--compare", type=Path, metavar="FILE", help="judge the figures against such a file; exit with 1 on a regression")
    made.add_argument("--charts", type=Path, metavar="DIR", help="draw how time grows into DIR/growth.png")
    return made


def judge(rows: Sequence[Row], file: Path, context: Context, machine: dict[str, str]) -> int:
    """Print the verdicts against a baseline. Returns how many rows have failed."""
    baseline, other = read_json(file)
    for name in ("processor", "python", "numba", "llvmlite", "numpy"):
        if machine[name] != other.get(name):
            print(f"the baseline was made with {name} {other.get(name)}, this is {machine[name]}", file=sys.stderr)

    measured, groups = {row.key for row in rows}, {row.group for row in rows}
    for key, row in baseline.items():
        if row.group in groups and row.tolerance is not None and key not in measured:
            print(f"in the baseline and not measured: {key}", file=sys.stderr)

    def again(suspects: frozenset[str]) -> list[Row]:
        named = [name for name in GROUPS if name in {group.split()[0] for group in suspects}]
        print(f"measured again: {', '.join(named)}", file=sys.stderr)
        return run_groups(named, context)

    widened = 1.0 if machine["processor"] == other.get("processor") else OTHER_PROCESSOR
    verdicts = confirmed(compare(rows, baseline, widened), again, widened)
    print_sheet(verdict_sheet(verdicts, widened))
    failed = [verdict.row.key for verdict in verdicts if verdict.failed]
    print(f"{len(verdicts)} rows judged, {len(failed)} regressions{': ' if failed else ''}{'; '.join(failed)}")
    return len(failed)


def run(options: argparse.Namespace) -> int:
    """Measure, print, write, judge."""
    if options.compare:
        read_json(options.compare)  # refused before anything is measured
    machine = describe()
    print(", ".join(f"{name} {value}" for name, value in machine.items()), file=sys.stderr)
    context = Context(options.quick, options.data_dir)
    began = perf_counter()
    rows = run_groups(options.only or list(GROUPS), context)
    for sheet in sheets(rows):
        print_sheet(sheet)
    print(f"measured in {perf_counter() - began:.0f} s", file=sys.stderr)
    if options.json:
        write_json(options.json, rows, machine, options.quick)
    if not options.quick and not options.only:
        RESULTS.write_text(results_text(rows, machine))
        write_json(AS_JSON, rows, machine, quick=False)
    if options.charts:
        write_growth_chart(rows, options.charts)
    return 1 if options.compare and judge(rows, options.compare, context, machine) else 0


def main(argv: Sequence[str] | None = None) -> int:
    """The command. Exit codes: 0, 1 a regression, 2 a mistake in the options."""
    try:
        return run(parser().parse_args(argv))
    except bt.InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
