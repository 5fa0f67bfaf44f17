"""Whole processes: importing, the first start ever (which compiles) and a warm start."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def seconds_of(arguments: list[str], cache: str) -> float:
    """Wall seconds of a Python process on the simulated market, with its own folder of compiled kernels."""
    environment = {**os.environ, "GRIDCORE_CACHE_DIR": cache, "GRIDCORE_OFFLINE": "1"}
    began = perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, check=True, capture_output=True)
    return perf_counter() - began


def start_rows() -> list[dict[str, Any]]:
    """Rows of the table: seconds of a cold start, a warm start and an import."""
    with tempfile.TemporaryDirectory() as folder:
        output = str(Path(folder) / "output")
        main = ["main.py", "--coins", "BTC", "--no-charts", "--quiet", "--output", output]
        cache = str(Path(folder) / "cache")
        cold = seconds_of(main, cache)
        warm = sorted(seconds_of(main, cache) for _ in range(3))[1]
        imported = sorted(seconds_of(["-c", "import backtest"], cache) for _ in range(3))[1]
        nothing = sorted(seconds_of(["-c", "import numpy"], cache) for _ in range(3))[1]
    named = {
        "first start ever of main.py (compiles)": cold,
        "warm start of main.py, one coin": warm,
        "import backtest": imported,
        "import numpy, for comparison": nothing,
    }
    return [{"name": name, "group": "starts", "seconds": seconds} for name, seconds in named.items()]
