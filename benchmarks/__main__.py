"""`python -m benchmarks [--quick] [--json FILE]`: the table of speeds, for people and as JSON for machines."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.engine_speed import engine_rows
from benchmarks.environment import describe
from benchmarks.loading_speed import loading_rows
from benchmarks.market import benchmark_market
from benchmarks.starts import start_rows
from benchmarks.stepper_speed import stepper_rows
from benchmarks.table import print_rows


def main() -> int:
    """Run the benchmarks and print what they found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds: under two minutes, for CI")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures as JSON")
    options = parser.parse_args()
    rounds = 7 if options.quick else 31
    market = benchmark_market()
    machine = describe()
    print(f"{market.source}, {len(market):,} bars", file=sys.stderr)
    print(", ".join(f"{name} {value}" for name, value in machine.items()), file=sys.stderr)
    rows = engine_rows(market, rounds)
    rows += stepper_rows(market, 400 if options.quick else 3000)
    rows += loading_rows(rounds)
    rows += start_rows()
    print_rows(rows, market)
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "market": market.source, "rows": rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
