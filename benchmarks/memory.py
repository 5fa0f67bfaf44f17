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
    """Megabytes of each case; the ratio is to one run without a log in the same round."""
    names = QUICK if context.quick else tuple(CASES)
    peaks: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(context.rounds(1, 3)):
        for name in names:
            context.say(f"memory, round {turn + 1}: {name}")
            peaks[name].append(peak_of(name))
    rows = []
    for name, values in peaks.items():
        shares = valued(GROUP, name, "MB", [one / base for one, base in zip(values, peaks[ONE_RUN], strict=True)])
        tolerance = TOLERANCE if name.startswith("sweep") else None
        rows.append(replace(shares, value=sorted(values)[len(values) // 2], tolerance=tolerance))
    return rows
