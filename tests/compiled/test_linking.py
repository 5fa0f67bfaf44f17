"""Inner kernels are linked into their entries; where numba lacks what that needs, everything compiles without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiled.processes import run_script
from tests.conftest import COMPILED

pytestmark = pytest.mark.skipif(not COMPILED, reason="nothing is compiled")

# `arithmetic_level` calls two other kernels. Prints what it gave, and how it and they were put together.
SCRIPT = """
import json
from numba.core import codegen
{before}
from gridcore import linking
from gridcore.ladders import arithmetic_level

value = arithmetic_level(100.0, 1.0, 0.5, 1, 1.0, 0.1)
library = next(iter(arithmetic_level.overloads.values())).library
print(json.dumps([value, linking.INNER is not None, type(library).__name__, hasattr(arithmetic_level, "inner")]))
"""


def test_entries_are_linked_whole(tmp_path: Path) -> None:
    value, linked, library, twin = run_script(SCRIPT.format(before=""), tmp_path)
    assert (linked, library, twin) == (True, "EntryLibrary", True)
    plain = run_script(SCRIPT.format(before="del codegen.JITCodeLibrary"), tmp_path / "plain")
    assert plain == [value, False, "JITCodeLibrary", False]
