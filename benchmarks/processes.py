"""Whole processes of Python: what they cost, and the highest memory they held."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parent.parent
MEGABYTE = 1e6


@dataclass(frozen=True)
class Cost:
    """Processor and wall seconds of a process."""

    process: float
    wall: float


def environment(**settings: str) -> dict[str, str]:
    """The environment of this process, offline and with the repository importable, and `settings` over it."""
    return {**os.environ, "GRIDCORE_OFFLINE": "1", "PYTHONPATH": str(ROOT), **settings}


def cost_of(arguments: list[str], folder: Path, **settings: str) -> Cost:
    """Run Python with `arguments` in `folder`. Raises CalledProcessError when it fails."""
    began = perf_counter()
    with subprocess.Popen(
        [sys.executable, *arguments], cwd=folder, env=environment(**settings), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    wall = perf_counter() - began
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, arguments)
    return Cost(usage.ru_utime + usage.ru_stime, wall)


def peak_memory() -> float:
    """The highest resident memory of this process so far, megabytes.

    From the kernel's own record where there is one: what `getrusage` says of a child begins with its parent's memory.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / MEGABYTE
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MEGABYTE


def peak_of(case: str, *arguments: str) -> float:
    """Peak memory of a case of `benchmarks.memory_child` in a process of its own, megabytes."""
    command = [sys.executable, "-m", "benchmarks.memory_child", case, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])
