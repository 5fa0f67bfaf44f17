"""Runs a script in a process of its own and reads the JSON it prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MODES = ("NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK", "NUMBA_OPT", "NUMBA_DEBUGINFO", "NUMBA_CACHE_DIR", "NUMBA_DEBUG_CACHE")


def run_script(script: str, cache: Path | None = None, sources: Path = ROOT, **settings: str) -> Any:
    """What `script` prints. cache: its kernel folder (None: the user's); sources: where the packages are; settings: its environment.

    The mode flags of this process are not handed on when a cache is given: each of those runs says which it wants.
    """
    environment = {name: value for name, value in os.environ.items() if cache is None or name not in MODES}
    environment |= {"PYTHONPATH": str(sources), **settings}
    if cache is not None:
        environment["GRIDCORE_CACHE_DIR"] = str(cache)
    done = subprocess.run([sys.executable, "-c", script], cwd=sources, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
