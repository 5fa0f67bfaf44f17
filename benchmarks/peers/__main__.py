"""`python -m benchmarks.peers [--peers a,b] [--bars N] [--data-dir DIR]`: the same grid in every backtester, timed and compared."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.environment import describe
from benchmarks.peers.bars import peer_bars
from benchmarks.peers.contestants import ENTRANTS, Entrant, chosen
from benchmarks.peers.environments import PeerError, default_cache, python_of
from benchmarks.peers.processes import Answer, run_entrant
from benchmarks.peers.table import markdown, print_table, row_of
from engine.errors import InputError, SourceError


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    made.add_argument("--peers", metavar="A,B", help=f"which, out of {', '.join(entrant.name for entrant in ENTRANTS)} (default: all)")
    made.add_argument("--bars", type=int, default=150_000, metavar="N", help="bars everyone runs (default: 150000)")
    made.add_argument("--data-dir", type=Path, metavar="DIR", help="folder with real bars; without it the bars are simulated")
    made.add_argument("--cache", type=Path, default=default_cache(), metavar="DIR", help="where the peers' environments are kept")
    made.add_argument("--rounds", type=int, default=15, metavar="N", help="most runs of each (default: 15)")
    made.add_argument("--seconds", type=float, default=30.0, metavar="S", help="no run is begun after so many seconds (default: 30)")
    made.add_argument("--write", type=Path, metavar="DIR", help="folder for PEERS.md and PEERS.json (default: benchmarks, when all run)")
    return made


def attempt(entrant: Entrant, options: argparse.Namespace, bars: np.ndarray) -> tuple[Answer | None, str]:
    """An entrant's answer, or why there is none."""
    try:
        python = python_of(entrant.requirements, options.cache.resolve())
        print(f"{entrant.name}: {bars.shape[1]:,} bars ...", file=sys.stderr, flush=True)
        return run_entrant(entrant, python, bars, options.rounds, options.seconds), ""
    except PeerError as error:
        print(f"{entrant.name} did not run: {error}.", file=sys.stderr, flush=True)
        return None, str(error)


def rows_of(entrants: list[Entrant], options: argparse.Namespace, bars: np.ndarray) -> list[dict[str, Any]]:
    """All rows. Raises InputError when gridcore itself gives no answer: there would be nothing to compare with."""
    first, problem = attempt(entrants[0], options, bars)
    if first is None:
        raise InputError(f"gridcore itself did not run: {problem}")
    rows = [row_of(entrants[0], first, "", first)]
    for entrant in entrants[1:]:
        answer, problem = attempt(entrant, options, bars)
        rows.append(row_of(entrant, answer, problem, first))
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Run, print, write. Exit code 2 for what is refused, 3 when there are no bars."""
    options = parser().parse_args(arguments)
    try:
        entrants = chosen(options.peers)
        if options.bars < 100:
            raise InputError(f"--bars {options.bars} is refused: at least 100 are needed")
        if options.rounds < 1:
            raise InputError(f"--rounds {options.rounds} is refused: at least 1 is needed")
        bars, source = peer_bars(options.data_dir, options.bars)
        rows = rows_of(entrants, options, bars)
    except (InputError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except SourceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    print_table(rows, source)
    folder = options.write or (Path(__file__).resolve().parents[1] if options.peers is None else None)
    if folder is not None:
        machine = describe()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "PEERS.md").write_text(markdown(rows, source, machine))
        (folder / "PEERS.json").write_text(json.dumps({"machine": machine, "market": source, "rows": rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
