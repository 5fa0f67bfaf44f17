"""`python -m tests.compiled.warm_up`: compile what most tests use, once, before several test processes start."""

from __future__ import annotations

import sys
import time

from numba import config

from engine.programs import STRATEGIES
from tests.compiled.runs import run_each_kind


def main() -> int:
    if config.DISABLE_JIT:
        return 0
    began = time.perf_counter()
    for name in STRATEGIES:
        run_each_kind(name)
    print(f"kernels ready in {time.perf_counter() - began:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
