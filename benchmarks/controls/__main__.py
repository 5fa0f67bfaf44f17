"""`python -m benchmarks.controls --market martingale --seeds 200`: how often the optimizer calls nothing robust, or finds what is there."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from backtest.optimization.settings import Optimization
from benchmarks.controls.experiment import STRATEGIES, Plan
from benchmarks.controls.findings import run
from benchmarks.controls.table import markdown
from engine.errors import InputError


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.controls", description=__doc__)
    made.add_argument(
        "--market", nargs="+", default=["martingale"], metavar="NAME", help="martingale, free, fair, drift, real_days, planted:STRENGTH"
    )
    made.add_argument("--seeds", type=int, default=200, metavar="N", help="seeds 0 to N-1 of each market (default 200)")
    made.add_argument("--days", type=int, default=Plan.days, help="days of a market (default %(default)s)")
    made.add_argument("--trials", type=int, default=Plan.trials, help="guided trials beside the design (default %(default)s)")
    made.add_argument("--windows", type=int, default=Plan.windows, help="windows of the optimizer (default %(default)s)")
    made.add_argument("--timeframe", default=Plan.timeframe, help="bars of a made-up market (default %(default)s)")
    made.add_argument("--finer", type=int, default=Plan.finer, help="finer bars of each of them (default %(default)s)")
    made.add_argument("--strategy", choices=sorted(STRATEGIES), default=Plan.strategy, help="default %(default)s")
    made.add_argument(
        "--data-dir", default=os.environ.get("GRIDCORE_TEST_DATA", ""), help="real 15-minute bars of BTC, for the market real_days"
    )
    made.add_argument("--processes", type=int, default=os.cpu_count() or 1, metavar="N", help="default: one a core")
    made.add_argument("--results", type=Path, default=Path("data/controls.jsonl"), metavar="FILE", help="a line a seed; goes on from it")
    made.add_argument("--table", type=Path, metavar="FILE", help="also write the table there")
    return made


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    """Run what is missing and print the table."""
    options = parser().parse_args()
    plan = Plan(options.days, options.timeframe, options.finer, options.trials, options.windows, options.strategy, options.data_dir)
    try:
        Optimization(trials=plan.trials, windows=plan.windows)
        found = run(options.market, options.seeds, plan, options.results, options.processes, _say)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    text = markdown(found, plan, options.market)
    print(text)
    if options.table:
        options.table.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
