"""What a second start and other inputs compile: nothing. Each kernel of the engine has one specialization."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.programs import STRATEGIES
from tests.compiled.processes import run_script
from tests.conftest import COMPILED

pytestmark = pytest.mark.skipif(not COMPILED, reason="nothing is compiled")

# Runs one strategy on every kind of run; prints what numba compiled and the specializations of each kernel.
SCRIPT = """
import importlib, json, pkgutil
from numba.core import event

compiled = []

class Recorder(event.Listener):
    def on_start(self, happening):
        compiled.append(happening.data["dispatcher"].py_func.__qualname__)

    def on_end(self, happening):
        pass

event.register("numba:compile", Recorder())

import engine, gridcore
from tests.compiled.runs import run_each_kind

events = run_each_kind({strategy!r})
kernels = {{}}
for package in (gridcore, engine):
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        for value in vars(importlib.import_module(found.name)).values():
            if hasattr(value, "py_func"):
                kernels[value.py_func.__module__ + "." + value.py_func.__qualname__] = [str(one) for one in value.signatures]
print(json.dumps({{"events": events, "compiled": compiled, "kernels": kernels}}))
"""


def kinds_of_run(strategy: str, cache: Path | None = None) -> dict[str, Any]:
    report: dict[str, Any] = run_script(SCRIPT.format(strategy=strategy), cache)
    assert report["events"] > 100
    return report


def more_than_one(kernels: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: signatures for name, signatures in kernels.items() if len(signatures) > 1}


@pytest.mark.parametrize("strategy", list(STRATEGIES))
def test_a_warm_start_compiles_nothing(strategy: str) -> None:
    kinds_of_run(strategy)
    second = kinds_of_run(strategy)
    assert second["compiled"] == []
    assert more_than_one(second["kernels"]) == {}
    assert len(second["kernels"][f"engine.strategies.{strategy}.run_alone"]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("strategy", list(STRATEGIES))
def test_each_engine_kernel_has_one_specialization(strategy: str, tmp_path: Path) -> None:
    """Only an empty cache shows the helpers: a loop that comes from a warm one leaves the kernels it calls uncompiled."""
    report = kinds_of_run(strategy, tmp_path)
    assert more_than_one(report["kernels"]) == {}
    assert sum(len(signatures) for name, signatures in report["kernels"].items() if name.startswith("engine.")) > 40
