"""`python -m benchmarks.gate_check [--comparisons N] [--factor X]`: the gate tried: it must trip when it should, and only then.

Measures the engine's judged rows as a baseline, then compares N identical runs with it, of which none may trip; then plants a slowdown
in one row after the other (the same work, then idle turns of the processor until X times its time has passed), each of which must
trip, and no other row.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping

from benchmarks.cases import ADAPTIVE, ADAPTIVE_LOG, INDICATORS, QUIET, STATIC, WHOLE
from benchmarks.context import Context
from benchmarks.engine_speed import engine_rows
from benchmarks.gate import compare, confirmed
from benchmarks.indicator_speed import OWN, indicator_rows
from benchmarks.rows import Row
from benchmarks.timing import planted

TARGETS = (ADAPTIVE_LOG, ADAPTIVE, QUIET, STATIC, INDICATORS, next(iter(WHOLE)), OWN)


def measured(slowdowns: Mapping[str, float]) -> list[Row]:
    """The judged rows, with slowdowns planted."""
    with planted(slowdowns):
        return engine_rows(Context(quick=True)) + indicator_rows(Context(quick=True))


def tripped(baseline: Mapping[str, Row], slowdowns: Mapping[str, float]) -> set[str]:
    """Names of the rows that fail against the baseline, as the gate of a run would find them."""
    verdicts = confirmed(compare(measured(slowdowns), baseline), lambda _: measured(slowdowns))
    for verdict in verdicts:
        if verdict.row.name in slowdowns and not verdict.failed:
            print(f"  {verdict.row.name}: {verdict.word}, {verdict.ratio:.2f} times the baseline; {verdict.why}")
    return {verdict.row.name for verdict in verdicts if verdict.failed}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.gate_check", description=__doc__)
    made.add_argument("--comparisons", type=int, default=10, metavar="N", help="identical runs to compare (default 10)")
    made.add_argument("--factor", type=float, default=2.0, metavar="X", help="how many times as long a planted row takes (default 2)")
    return made


def main() -> int:
    """Check, and say what was found. Exit code 1 when the gate failed its own test."""
    options = parser().parse_args()
    baseline = {row.key: row for row in measured({})}
    quiet = 0
    for number in range(options.comparisons):
        found = tripped(baseline, {})
        quiet += not found
        print(f"identical run {number + 1}: {', '.join(sorted(found)) or 'nothing trips'}", flush=True)
    caught = 0
    for name in TARGETS:
        found = tripped(baseline, {name: options.factor})
        caught += found == {name}
        print(f"{name}, {options.factor:g} times as long: {'; '.join(sorted(found)) or 'NOTHING'} trips", flush=True)
    print(f"{quiet} of {options.comparisons} identical runs quiet; {caught} of {len(TARGETS)} planted slowdowns caught, alone")
    return 0 if quiet == options.comparisons and caught == len(TARGETS) else 1


if __name__ == "__main__":
    sys.exit(main())
