"""`python -m benchmarks.memory_child CASE`: does one thing and prints the highest memory it held, megabytes. See `benchmarks.memory`."""

from __future__ import annotations

import contextlib
import io
import runpy
import sys
import tempfile
from collections.abc import Callable

from benchmarks.processes import peak_memory


def libraries() -> None:
    """numpy, pandas and numba imported, no more."""
    import numba  # noqa: F401
    import pandas as pd  # noqa: F401


def loaded() -> None:
    """Gridcore with a year of bars, nothing run."""
    from benchmarks.sweep_speed import year

    year("15m")


def one_run(log: bool) -> Callable[[], None]:
    """A run of a year of bars."""

    def work() -> None:
        import backtest as bt
        from benchmarks.sweep_speed import year

        bt.run(year("15m"), bt.AdaptiveGrid(), log=log)

    return work


def sweep(sets: int, threads: int, unlike: bool = False) -> Callable[[], None]:
    """A sweep over a year of bars."""

    def work() -> None:
        import backtest as bt
        from benchmarks.sweep_speed import grid_of, year

        bt.sweep(year("15m"), bt.AdaptiveGrid(), grid_of(sets, unlike), threads=threads)

    return work


def command_line(*options: str) -> Callable[[], None]:
    """A whole run of main.py on simulated bars."""

    def work() -> None:
        with tempfile.TemporaryDirectory() as folder:
            sys.argv = ["main.py", "--coins", "BTC", "--source", "simulated", "--output", folder, *options]
            with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
                runpy.run_path("main.py", run_name="__main__")

    return work


CASES: dict[str, Callable[[], None]] = {
    "numpy, pandas and numba imported": libraries,
    "gridcore with a year of 15m bars loaded": loaded,
    "one run of it, no log": one_run(False),
    "one run of it, events logged": one_run(True),
    "sweep of 40 sets, 1 thread": sweep(40, 1),
    "sweep of 40 sets, 2 threads": sweep(40, 2),
    "sweep of 1,000 sets, 2 threads": sweep(1000, 2),
    "sweep of 200 sets with indicators of their own, 2 threads": sweep(200, 2, True),
    "main.py --no-charts --quiet, one coin": command_line("--no-charts", "--quiet"),
    "main.py, one coin": command_line(),
}


def main() -> None:
    """Do the case and print."""
    CASES[sys.argv[1]]()
    print(peak_memory())


if __name__ == "__main__":
    main()
