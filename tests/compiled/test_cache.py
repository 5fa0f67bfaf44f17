"""The kernel cache never serves stale code, and serves what has not changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.compiled.processes import ROOT, run_script

# Three files added to a copy of the kernel packages: a caller, what it calls, and a constant of a third file.
FILES = {
    "caller.py": """
from gridcore.callee import callee
from gridcore.compile import kernel

@kernel
def caller(x):
    return 10.0 * callee(x)
""",
    "callee.py": """
from gridcore.compile import kernel
from gridcore.offset import OFFSET

@kernel
def callee(x):
    return x + OFFSET
""",
    "offset.py": "OFFSET = 1.0\n",
}

SCRIPT = """
import json
from gridcore.compile import CACHE_FOLDER
from gridcore.caller import caller
value = caller(2.0)
hits, misses = sum(caller.stats.cache_hits.values()), sum(caller.stats.cache_misses.values())
print(json.dumps([value, hits, misses, str(CACHE_FOLDER)]))
"""

FOLDER = "import json; from gridcore.compile import CACHE_FOLDER; print(json.dumps(str(CACHE_FOLDER)))"


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A copy of the kernel packages with the three files added."""
    root = tmp_path / "sources"
    for package in ("gridcore", "engine"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in FILES.items():
        (root / "gridcore" / name).write_text(text)
    return root


def edit(packages: Path, name: str, old: str, new: str) -> None:
    path = packages / "gridcore" / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_unchanged_sources_are_compiled_once(packages: Path, tmp_path: Path) -> None:
    first = run_script(SCRIPT, tmp_path / "cache", packages)
    assert first[:3] == [30.0, 0, 1]
    assert run_script(SCRIPT, tmp_path / "cache", packages) == [30.0, 1, 0, first[3]]


@pytest.mark.parametrize(
    ("name", "old", "new", "value"),
    [
        ("callee.py", "x + OFFSET", "x - OFFSET", 10.0),
        ("offset.py", "1.0", "5.0", 70.0),
    ],
    ids=["a callee in another file", "a constant in a third file"],
)
def test_a_change_in_another_file_is_seen(packages: Path, tmp_path: Path, name: str, old: str, new: str, value: float) -> None:
    assert run_script(SCRIPT, tmp_path / "cache", packages)[0] == 30.0
    edit(packages, name, old, new)
    assert run_script(SCRIPT, tmp_path / "cache", packages)[:3] == [value, 0, 1]


def test_a_change_undone_finds_its_kernels_again(packages: Path, tmp_path: Path) -> None:
    first = run_script(SCRIPT, tmp_path / "cache", packages)
    edit(packages, "callee.py", "x + OFFSET", "x - OFFSET")
    second = run_script(SCRIPT, tmp_path / "cache", packages)
    edit(packages, "callee.py", "x - OFFSET", "x + OFFSET")
    assert run_script(SCRIPT, tmp_path / "cache", packages) == [30.0, 1, 0, first[3]]
    assert second[3] != first[3]


def test_each_mode_has_a_folder_of_its_own(tmp_path: Path) -> None:
    modes: list[dict[str, str]] = [{}, {"NUMBA_BOUNDSCHECK": "1"}, {"NUMBA_OPT": "0"}, {"NUMBA_DISABLE_JIT": "1"}]
    folders = [run_script(FOLDER, tmp_path, **mode) for mode in modes]
    assert len(set(folders)) == len(modes)
    assert run_script(FOLDER, tmp_path) == folders[0]


def test_folders_nobody_has_used_for_a_month_are_removed(tmp_path: Path) -> None:
    import os
    import time

    month = 31 * 86_400
    old, recent, foreign = tmp_path / "kernels-old", tmp_path / "kernels-recent", tmp_path / "other"
    for folder in (old, recent, foreign):
        folder.mkdir()
        (folder / "file").touch()
    for folder in (old, foreign):
        os.utime(folder, (time.time() - month, time.time() - month))
    run_script(FOLDER, tmp_path)
    assert not old.exists()
    assert recent.exists()
    assert foreign.exists()
