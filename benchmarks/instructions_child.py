"""What `benchmarks.instructions` runs under valgrind: each case on n bars, then on 2n, with a mark after each for callgrind to dump at.

`python -m benchmarks.instructions_child BARS MARKET_FILE`. Prints the names of the sections as JSON, in the order of the dumps.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

import backtest as bt
from benchmarks.cases import ADAPTIVE, CASES, INDICATORS
from benchmarks.floor import FLOOR, floor_of
from benchmarks.loops import Loop, loop_of

# A function of the C library that nothing else calls, and `os.ctermid` does: callgrind is told to dump its counters whenever it is entered.
MARK = "ctermid"


def works(market: bt.Market, bars: int) -> dict[str, Callable[[int], object]]:
    """The cases, each a function of the number of bars to run."""
    made: dict[str, Callable[[int], object]] = {}
    loops: dict[str, Loop] = {}
    for name, (strategy, log) in CASES.items():
        loops[name] = loop_of(market, strategy, log)
        made[name] = loops[name].run
    adaptive = loops[ADAPTIVE]
    record, fill = adaptive.machine.parameters[:1], adaptive.machine.program.fill_indicators
    columns = {n: np.zeros((adaptive.columns.shape[1], n)) for n in (bars, 2 * bars)}
    pieces = {n: np.ascontiguousarray(adaptive.feed.bars[0, :, :n]) for n in (bars, 2 * bars)}
    made[INDICATORS] = lambda n: fill(record, pieces[n], columns[n], 0)
    floors = {n: floor_of(pieces[n]) for n in (bars, 2 * bars)}
    made[FLOOR] = lambda n: floors[n]()
    return made


def main() -> None:
    """Run everything once unmarked, which loads the compiled code, then section by section."""
    bars, file = int(sys.argv[1]), Path(sys.argv[2])
    market = pickle.loads(file.read_bytes())  # noqa: S301 - written by the parent a moment ago
    made = works(market, bars)
    sections: list[tuple[str, int] | None] = []
    for name, work in made.items():
        work(bars)
        work(2 * bars)
        for n in (bars, 2 * bars):
            os.ctermid()
            sections.append(None)
            work(n)
            os.ctermid()
            sections.append((name, n))
    print(json.dumps(sections))


if __name__ == "__main__":
    main()
