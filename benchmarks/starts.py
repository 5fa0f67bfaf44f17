"""Whole processes: importing, the first start ever (which compiles) and warm starts, beside the import of numpy, pandas and numba alone."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.context import Context
from benchmarks.processes import ROOT, cost_of
from benchmarks.rows import Row, timed
from benchmarks.timing import Samples

GROUP = "starts"
LIBRARIES = "import numpy, pandas, numba"
COLD = "first start ever of main.py --no-charts --quiet (compiles)"
QUIET = "main.py --no-charts --quiet, warm, one coin on cached bars"
WHOLE = "main.py, warm, one coin on cached bars"
IMPORT = "import backtest"
TOLERANCE = 0.25
ROUNDS = 5


def fill_cache(folder: Path) -> None:
    """A year of bars in a cache of market data, as a download leaves it."""
    from backtest.data.cache.store import Cache
    from backtest.data.series import SeriesName
    from backtest.data.timeframe import Timeframe
    from benchmarks.loading_speed import made_up_bars

    time, values = made_up_bars(Timeframe.parse("15m"), 400)
    Cache(folder).store(SeriesName("binanceusdm", "BTCUSDT", "15m"), time, values, origin="benchmark")


def start_rows(context: Context) -> list[Row]:
    """Seconds of each, in turn; the ratio is to the import of the three libraries in the same round."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill_cache(folder / "bars")
        run = ["main.py", "--coins", "BTC", "--source", "cache", "--cache-dir", str(folder / "bars"), "--output", str(folder / "output")]
        commands = {
            LIBRARIES: ["-c", LIBRARIES],
            IMPORT: ["-c", IMPORT],
            QUIET: [*run, "--no-charts", "--quiet"],
            **({} if context.quick else {WHOLE: run}),
        }
        rows = [] if context.quick else _cold(folder, commands, context)
        samples = {name: Samples() for name in commands}
        for turn in range(-1, ROUNDS):  # the first round fills the disk's cache and is not counted
            context.say(f"starts, round {turn + 2}")
            for name, arguments in commands.items():
                _sample(samples[name], arguments, turn >= 0)
    for one in samples.values():
        one.beside = samples[LIBRARIES].process
    for name, one in samples.items():
        counts = {"times_the_libraries": one.against(samples[LIBRARIES], wall=True)}
        tolerance = None if name == LIBRARIES else TOLERANCE
        rows.append(timed(GROUP, name, "s", one, 1.0, tolerance=tolerance, counts=counts))
    return rows


def _sample(samples: Samples, arguments: list[str], counted: bool, **settings: str) -> None:
    cost = cost_of(arguments, ROOT, **settings)
    if counted:
        samples.process.append(cost.process)
        samples.wall.append(cost.wall)


def _cold(folder: Path, commands: dict[str, list[str]], context: Context) -> list[Row]:
    """The row of a start with an empty folder of compiled code."""
    context.say("first start ever")
    samples, libraries = Samples(), Samples()
    _sample(libraries, commands[LIBRARIES], True)
    _sample(samples, commands[QUIET], True, GRIDCORE_CACHE_DIR=str(folder / "kernels"))
    samples.beside = libraries.process
    return [timed(GROUP, COLD, "s", samples, 1.0, counts={"times_the_libraries": samples.against(libraries, wall=True)})]
