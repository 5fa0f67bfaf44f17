"""What every contestant's process does alike: load the bars, warm up, time itself beside a NumPy calibration, answer in files.

Runs in the contestant's own environment, so it imports nothing but NumPy and the standard library.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np

from benchmarks.peers.grid import GRID, Grid

CALIBRATION_ELEMENTS = 1_000_000
WARM_UP_BARS = 3_000

Bars = np.ndarray  # (5, bars): open, high, low, close, volume


@dataclass(frozen=True)
class Contestant:
    """A backtester at work: `prepare` makes its own kind of bars, `run` (timed) runs the grid, `fills` reads its fills.

    package: whose version is stated; version: the version itself, where it is no installed package. equity: reads the equity after
    the last bar, None where it has none.
    """

    prepare: Callable[[Bars, Grid], Any]
    run: Callable[[Any], Any]
    fills: Callable[[Any], np.ndarray]
    package: str = ""
    version: str = ""
    equity: Callable[[Any], float] | None = None


def calibration(numbers: np.ndarray, out: np.ndarray) -> float:
    """Plain NumPy work on a million floats: a running sum, a running maximum, a product and a root."""
    np.cumsum(numbers, out=out)
    np.maximum.accumulate(out, out=out)
    np.multiply(out, numbers, out=out)
    np.sqrt(out, out=out)
    return float(out[-1])


def seconds_of(call: Callable[[], Any]) -> tuple[Any, float, float]:
    """Result, process and wall seconds of a call. Garbage of earlier calls is not its own."""
    gc.collect()
    wall, process = perf_counter(), process_time()
    result = call()
    return result, process_time() - process, perf_counter() - wall


def peak_megabytes() -> float:
    """Highest resident memory of this process so far.

    On Linux from /proc: what `getrusage` says there includes the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) / 1024
    bytes_a_unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * bytes_a_unit / 2**20


def calibration_nanoseconds(numbers: np.ndarray, out: np.ndarray) -> float:
    """Nanoseconds an element of the calibration, process time: the best of three, since it stands for the machine as it is now."""
    best = np.inf
    for _ in range(3):
        began = process_time()
        calibration(numbers, out)
        best = min(best, process_time() - began)
    return best / CALIBRATION_ELEMENTS * 1e9


def measure(contestant: Contestant, bars: Bars, rounds: int, seconds: float) -> tuple[dict[str, Any], np.ndarray]:
    """Figures and fills of a contestant: up to `rounds` runs over all bars, after the first none begun later than `seconds`."""
    numbers = np.random.default_rng(7).uniform(0.5, 1.5, CALIBRATION_ELEMENTS)
    out = np.empty_like(numbers)
    calibration_nanoseconds(numbers, out)
    few = contestant.prepare(bars[:, :WARM_UP_BARS], GRID)
    _, _, first_call = seconds_of(lambda: contestant.run(few))
    prepared, _, preparing = seconds_of(lambda: contestant.prepare(bars, GRID))
    process, wall, unit = [], [], []
    result = None
    began = perf_counter()
    while len(process) < rounds and (not process or perf_counter() - began < seconds):
        result = None  # two results at once would count as memory it does not need
        before = calibration_nanoseconds(numbers, out)
        result, process_seconds, wall_seconds = seconds_of(lambda: contestant.run(prepared))
        process.append(process_seconds)
        wall.append(wall_seconds)
        unit.append(min(before, calibration_nanoseconds(numbers, out)))
    memory = peak_megabytes()
    count = bars.shape[1]
    nanoseconds = [value / count * 1e9 for value in process]
    return {
        "version": contestant.version or (f"{contestant.package} {version(contestant.package)}" if contestant.package else "Python"),
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "bars": count,
        "rounds": len(process),
        "process_seconds": process,
        "wall_seconds": wall,
        "calibration_ns": unit,
        "ns_per_bar": median(nanoseconds),
        "ns_per_bar_best": min(nanoseconds),
        "wall_ns_per_bar": median(wall) / count * 1e9,
        "ratio_to_calibration": median(mine / base for mine, base in zip(nanoseconds, unit, strict=True)),
        "first_call_seconds": first_call,
        "preparing_seconds": preparing,
        "peak_megabytes": memory,
        "final_equity": contestant.equity(result) if contestant.equity else None,
    }, contestant.fills(result)


def serve(contestant: Contestant) -> None:
    """The whole of a contestant's process: arguments in, figures (JSON) and fills (.npy) out."""
    parser = argparse.ArgumentParser()
    parser.add_argument("bars", type=Path, help=".npy, float64 (5, bars)")
    parser.add_argument("answer", type=Path, help="JSON to write; the fills are written beside it as .npy")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    figures, fills = measure(contestant, np.load(options.bars), options.rounds, options.seconds)
    np.save(options.answer.with_suffix(".npy"), fills)
    options.answer.write_text(json.dumps(figures) + "\n")
