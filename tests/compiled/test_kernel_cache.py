"""A kernel found in the cache is run without numba's compiler; one that is not found is compiled as ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiled.processes import run_script
from tests.conftest import COMPILED

pytestmark = pytest.mark.skipif(not COMPILED, reason="nothing is compiled")

# Loads a kernel that allocates, compiles a new function that calls it, and says what the compiler's tables were before and after.
SCRIPT = """
import json, sys
import numpy as np
{before}
from gridcore.indicators import average_true_range
TABLES = "numba.np.linalg"
close = np.full(20, 4.0)
first = TABLES in sys.modules
value = average_true_range(close + 1.0, close - 1.0, close, 3)[-1]
called = TABLES in sys.modules

from numba import njit

@njit
def twice(close):
    return 2.0 * average_true_range(close + 1.0, close - 1.0, close, 3)[-1] + np.sqrt(np.zeros(3)).sum()

stats = average_true_range.stats
values = [round(value, 9), round(twice(close), 9)]
print(json.dumps([first, called, *values, sum(stats.cache_hits.values()), sum(stats.cache_misses.values())]))
"""

# A numba without the inner parts that reading alone needs.
OTHER_NUMBA = "import gridcore.kernel_cache as cache\ncache.can_read_alone = lambda: False"


def script(before: str = "") -> str:
    return SCRIPT.format(before=before)


def test_a_cached_kernel_runs_without_the_compiler(tmp_path: Path) -> None:
    first = run_script(script(), tmp_path)
    assert first == [False, True, 2.0, 4.0, 0, 1]
    assert run_script(script(), tmp_path) == [False, False, 2.0, 4.0, 1, 0]


def test_another_numba_is_used_in_its_own_way(tmp_path: Path) -> None:
    assert run_script(script(OTHER_NUMBA), tmp_path)[2:] == [2.0, 4.0, 0, 1]
    found = run_script(script(OTHER_NUMBA), tmp_path)
    assert found == [False, True, 2.0, 4.0, 1, 0]
    # The files are the same: what one way kept the other finds.
    assert run_script(script(), tmp_path) == [False, False, 2.0, 4.0, 1, 0]
