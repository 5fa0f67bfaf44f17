"""Compiled functions come from `gridcore.compile` alone, so that every one is cached safely and with the same options."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compiled.processes import ROOT

DOOR = ROOT / "gridcore" / "compile.py"
# What the door is made of: it touches numba's inner parts and compiles nothing.
BEHIND_THE_DOOR = {ROOT / "gridcore" / "kernel_cache.py", ROOT / "gridcore" / "linking.py"}
COMPILERS = {"jit", "njit", "vectorize", "guvectorize", "jitclass", "cfunc", "stencil", "overload", "generated_jit"}
SOURCES = [path for package in ("gridcore", "engine", "backtest") for path in sorted((ROOT / package).rglob("*.py"))] + [ROOT / "main.py"]


def compilers_used(text: str) -> Iterator[str]:
    """Names of numba's compilers that the source imports, or reaches through a module of numba's."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "numba":
            yield from (alias.name for alias in node.names if alias.name in COMPILERS | {"*"})
        if isinstance(node, ast.Attribute) and node.attr in COMPILERS and isinstance(node.value, (ast.Name, ast.Attribute)):
            yield node.attr


@pytest.mark.parametrize(
    "text",
    [
        "from numba import njit",
        "import numba as nb\n@nb.njit\ndef f(): pass",
        "from numba.experimental import jitclass",
        "from numba import *",
    ],
)
def test_the_scan_sees_a_bare_compiler(text: str) -> None:
    assert list(compilers_used(text))


def test_only_one_module_compiles() -> None:
    assert list(compilers_used(DOOR.read_text()))
    offenders = [path.relative_to(ROOT).as_posix() for path in SOURCES if path != DOOR and list(compilers_used(path.read_text()))]
    assert offenders == []


def test_kernel_packages_do_not_import_numba_elsewhere() -> None:
    def imports_numba(path: Path) -> bool:
        tree = ast.parse(path.read_text())
        modules = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
        modules += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        return any(module.split(".")[0] == "numba" for module in modules)

    kernels = [path for path in SOURCES if path.parts[len(ROOT.parts)] in ("gridcore", "engine")]
    assert [path.relative_to(ROOT).as_posix() for path in kernels if path not in {DOOR} | BEHIND_THE_DOOR and imports_numba(path)] == []
