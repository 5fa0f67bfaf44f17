"""A contestant run in a process of its own: bars in, figures and fills out."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.contestants import Entrant
from benchmarks.peers.environments import PeerError, last_line

ROOT = Path(__file__).resolve().parents[2]
LONGEST_SECONDS = 1800
# One thread each: what is measured is a core.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


@dataclass(frozen=True, eq=False)
class Answer:
    """What a contestant's process gave back: figures as in `benchmarks.peers.worker.measure`, fills as `fill_dtype`."""

    figures: dict[str, Any]
    fills: np.ndarray


def run_entrant(entrant: Entrant, python: Path, bars: np.ndarray, rounds: int, seconds: float) -> Answer:
    """Run an entrant on `bars` (5, n). Raises PeerError with the reason when its process fails or does not end."""
    with tempfile.TemporaryDirectory() as folder:
        given, answer = Path(folder) / "bars.npy", Path(folder) / "answer.json"
        np.save(given, bars)
        limits = ["--rounds", str(rounds), "--seconds", str(seconds)]
        command = [str(python), "-m", entrant.module, str(given), str(answer), *limits, *entrant.arguments]
        environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise PeerError(f"it did not end within {LONGEST_SECONDS // 60} minutes") from None
        if done.returncode != 0 or not answer.exists():
            raise PeerError(f"its process ended with code {done.returncode}: {last_line(done.stderr)}")
        return Answer(json.loads(answer.read_text()), np.load(answer.with_suffix(".npy")))
