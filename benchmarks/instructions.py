"""`python -m benchmarks.instructions`: instructions a bar, counted by valgrind's callgrind.

Times differ from run to run, counts do not. Each case runs on n and on 2n bars within one process under valgrind; the difference is what
n bars cost. The code is compiled for one fixed processor, so that counts of different machines can be compared.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

import backtest as bt
from benchmarks.environment import describe
from benchmarks.instructions_child import MARK
from benchmarks.market import WARM_UP, benchmark_market

ROOT = Path(__file__).resolve().parent.parent
# What valgrind and all processors since about 2014 know; on others the host's own is taken.
PROCESSOR = {"NUMBA_CPU_NAME": "x86-64-v3", "NUMBA_CPU_FEATURES": "+avx2,+fma,+bmi,+bmi2,+popcnt,+lzcnt"}


def counted(bars: int, market: bt.Market) -> dict[str, float]:
    """Instructions a bar of each case."""
    first = market.trade_from
    short = market.slice(start=int(market.time[first]), end=int(market.time[first + 2 * bars]), warmup=WARM_UP)
    environment = {**os.environ, **(PROCESSOR if os.uname().machine == "x86_64" else {}), "GRIDCORE_OFFLINE": "1"}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "market.pickle"
        file.write_bytes(pickle.dumps(short))
        child = [sys.executable, "-m", "benchmarks.instructions_child", str(bars), str(file)]
        # Compiles for that processor where it has not been done yet, at full speed.
        answer_of(child, environment)
        tool = ["valgrind", "--tool=callgrind", "--smc-check=all-non-file", f"--dump-before={MARK}", f"--callgrind-out-file={folder}/out"]
        sections = json.loads(answer_of([*tool, *child], environment))
        totals = [total_of(Path(f"{folder}/out.{place + 1}")) for place in range(len(sections))]
    found: dict[str, dict[int, int]] = {}
    for section, total in zip(sections, totals, strict=True):
        if section is not None:
            name, n = section
            found.setdefault(name, {})[n] = total
    return {name: (counts[2 * bars] - counts[bars]) / bars for name, counts in found.items()}


def answer_of(command: list[str], environment: dict[str, str]) -> str:
    """What a command prints. Raises RuntimeError with the end of what it complained when it fails."""
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def total_of(dump: Path) -> int:
    """Instructions that one dump of callgrind holds."""
    match = re.search(r"^(?:summary|totals): (\d+)", dump.read_text(), re.MULTILINE)
    if match is None:
        raise ValueError(f"{dump.name}: callgrind wrote no total")
    return int(match.group(1))


def show(counts: dict[str, float], before: dict[str, float] | None) -> None:
    """Print the table; with the counts of another run beside it."""
    table = Table(title="Instructions a bar (callgrind)", title_justify="left")
    table.add_column("")
    for heading in ("instructions", *(("before", "ratio") if before else ())):
        table.add_column(heading, justify="right")
    for name, count in counts.items():
        old = (before or {}).get(name)
        table.add_row(name, f"{count:,.1f}", *((f"{old:,.1f}", f"{count / old:.3f}") if old else ()))
    Console(width=110).print(table)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__)
    made.add_argument("--bars", type=int, default=10_000, metavar="N", help="bars of the shorter run (default 10000)")
    made.add_argument("--data-dir", type=Path, metavar="FOLDER", help="folder with real bars of BTC")
    made.add_argument("--json", type=Path, metavar="FILE", help="also write the counts as JSON")
    made.add_argument("--compare", type=Path, metavar="FILE", help="counts of another run, to print beside")
    return made


def main() -> int:
    """Count and print."""
    options = parser().parse_args()
    if shutil.which("valgrind") is None:
        print("valgrind is not installed: instructions cannot be counted here", file=sys.stderr)
        return 2
    market = benchmark_market(options.data_dir)
    print(f"{market.source}; 2 x {options.bars:,} bars", file=sys.stderr)
    counts = counted(options.bars, market)
    before = json.loads(options.compare.read_text())["instructions_per_bar"] if options.compare else None
    show(counts, before)
    if options.json:
        document = {"market": market.source, "bars": options.bars, "commit": describe()["commit"], "instructions_per_bar": counts}
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
