"""The front page tells the truth: its example runs, its tasks, files and options exist."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib as mpl
import pytest

from backtest.arguments import build_parser
from backtest.optimization.arguments import build_parser as optimizer_parser
from tests.conftest import COMPILED

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text()


@pytest.mark.skipif(not COMPILED, reason="a year of bars takes too long without the compiler")
def test_the_notebook_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    mpl.use("Agg")
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})  # noqa: S102 - the example is ours
    assert "SIMULATED" in capsys.readouterr().out
    assert (tmp_path / "my_run" / "config.toml").is_file()


def test_the_tasks_exist() -> None:
    tasks = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", TEXT))
    assert named >= {"run", "test"}
    assert named <= tasks


def test_the_front_page_opens_with_run_and_test() -> None:
    assert re.match(r"# gridcore\n\n```\nmake run .*\nmake test .*\n```\n", TEXT)


def test_the_options_exist() -> None:
    helps = build_parser().format_help() + optimizer_parser().format_help()
    known = set(helps.replace(",", " ").replace("]", " ").split())
    named = set(re.findall(r"--[a-z][a-z-]+", TEXT))
    assert len(named) > 5
    assert named <= known


def test_the_files_exist() -> None:
    named = set(re.findall(r"\]\(([^)]+)\)", TEXT))
    named |= set(re.findall(r"`((?:gridcore|engine|backtest|configs|examples|tests)/[\w./]*)`", TEXT))
    assert len(named) > 6
    assert [name for name in named if not (ROOT / name).exists()] == []
