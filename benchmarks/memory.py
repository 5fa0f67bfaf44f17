"""Peak memory, each case in processes of its own, beside that of one run."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.context import Context
from benchmarks.memory_child import CASES
from benchmarks.processes import peak_of
from benchmarks.rows import Row, valued

GROUP = "memory"
ONE_RUN = "one run of it, no log"
QUICK = (ONE_RUN, "sweep of 40 sets, 2 threads")
# Memory repeats itself to about a percent; a sweep may hold a tenth more than one run.
TOLERANCE = 0.10


def memory_rows(context: Context) -> list[Row]:
    """Megabytes of each case; the ratio is to one run without a log."""
    peaks: dict[str, float] = {}
    for name in QUICK if context.quick else CASES:
        context.say(f"memory: {name}")
        peaks[name] = peak_of(name)
    rows = []
    for name, peak in peaks.items():
        row = valued(GROUP, name, "MB", [peak / peaks[ONE_RUN]], tolerance=TOLERANCE if name.startswith("sweep") else None)
        rows.append(replace(row, value=peak))
    return rows
