"""The documents tell the truth: links resolve, marked code runs, options and settings exist, the examples run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from backtest.arguments import build_parser
from backtest.configuration import Configuration
from backtest.data.commands import build_parser as data_parser
from backtest.optimization.arguments import build_parser as optimizer_parser
from backtest.optimization.study_commands import COMMANDS
from backtest.optimization.study_commands import build_parser as study_parser
from backtest.parameter_reference import sections
from benchmarks.__main__ import parser as benchmarks_parser
from benchmarks.controls.__main__ import parser as controls_parser
from benchmarks.gate_check import parser as gate_check_parser
from benchmarks.instructions import parser as instructions_parser
from engine.records import LABELS
from tests.conftest import COMPILED

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
MARK = "```python runnable\n"

TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in DOCUMENTS}
RUNNABLE = [(name, block) for name, text in TEXTS.items() for block in re.findall(re.escape(MARK) + r"(.*?)```", text, re.DOTALL)]


def without_code(text: str) -> str:
    """The text without fenced blocks and code spans, in which brackets are no links."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


def anchor(heading: str) -> str:
    """The anchor of a heading, as code hosts make it: lower case, no punctuation, hyphens for blanks."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def broken_links(text: str, folder: Path) -> list[str]:
    """Links to files that do not exist, or to headings that the file does not have."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(text)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, heading = target.partition("#")
        page = text
        if name:
            path = (folder / name).resolve()
            if not path.is_file() or ROOT not in path.parents:
                broken.append(target)
                continue
            page = path.read_text(encoding="utf-8")
        headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", page, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
        if heading and heading not in {anchor(one) for one in headings}:
            broken.append(target)
    return broken


def run_script(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GRIDCORE_OFFLINE": "1", "PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg"}
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_link_check_sees_what_is_broken() -> None:
    text = "# One Two\n[a](#one-two) [b](#three) [c](index.md) [d](nowhere.md) [e](model.md#choices) [f](model.md#none) `[g](h)`"
    assert broken_links(text, ROOT / "docs") == ["#three", "nowhere.md", "model.md#none"]


@pytest.mark.parametrize("name", TEXTS)
def test_links_resolve(name: str) -> None:
    assert broken_links(TEXTS[name], (ROOT / name).parent) == []


def test_the_index_lists_every_document_and_example() -> None:
    linked = set(re.findall(r"\]\(([^)#\s]+)\)", TEXTS["docs/index.md"]))
    assert {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"} <= linked
    assert {f"../examples/{path.name}" for path in (*EXAMPLES, *NOTEBOOKS)} <= linked


@pytest.mark.parametrize("name", TEXTS)
def test_files_named_in_the_text_exist(name: str) -> None:
    named = re.findall(r"`((?:gridcore|engine|backtest|configs|examples|tests|docs)/[\w./*]*)`", TEXTS[name])
    assert [one for one in named if not (list(ROOT.glob(one)) if "*" in one else (ROOT / one).exists())] == []


def test_options_exist() -> None:
    known = {*build_parser().option_names([]), *data_parser().option_names(["fetch", "list", "check", "import", "export"])}
    known |= {*optimizer_parser().option_names([]), *study_parser().option_names(COMMANDS)}
    known |= {option for path in EXAMPLES for option in re.findall(r'add_argument\("(--[a-z-]+)"', path.read_text(encoding="utf-8"))}
    for parser in (controls_parser, benchmarks_parser, gate_check_parser, instructions_parser):
        known |= set(re.findall(r"--[a-z-]+", parser().format_help()))
    named = {(name, option) for name, text in TEXTS.items() for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)}
    assert len(named) > 10
    assert {(name, option) for name, option in named if option not in known} == set()


def test_settings_given_by_name_are_accepted() -> None:
    given = {one for text in TEXTS.values() for one in re.findall(r"--set ([\w.]+=[\w.]+)", text)}
    given -= {"name=value", "table.name=value", "optimizer.name=value"}  # how it is written, not what is set
    assert given
    for assignment in given:
        Configuration().set(assignment)


def test_the_model_names_every_label_and_no_other() -> None:
    text = TEXTS["docs/model.md"]
    assert [label for label in LABELS if f"`{label}`" not in text] == []
    named = set(re.findall(r"`((?:BUY|SELL|STOP|PRUNE|CIRCUIT|TRAILING)_[A-Z_]+)`", text))
    assert named <= set(LABELS)


def test_the_model_names_every_parameter_of_strategies_and_execution() -> None:
    """Every parameter that moves a result has its place in the model; where a formula abbreviates it, that is said there."""
    abbreviated = {"kama_fast": "fast", "kama_slow": "slow"}
    text = TEXTS["docs/model.md"]
    words = set(re.findall(r"\w+", " ".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))))
    for heading, _, kind in sections():
        if heading in ("Data", "Optimizer"):
            continue
        for name in kind.model_fields:
            known = abbreviated.get(name, name)
            shared = {"capital", "wallet", "margin"}  # words of the text rather than of the formulas
            assert known in words or name in shared, f"{heading}: {name}"


def test_there_is_runnable_code() -> None:
    assert RUNNABLE


@pytest.mark.parametrize(("name", "block"), RUNNABLE, ids=[f"{name}-{number}" for number, (name, _) in enumerate(RUNNABLE)])
def test_runnable_code_runs(name: str, block: str, tmp_path: Path) -> None:
    done = run_script(["-c", block], tmp_path)
    assert done.returncode == 0, f"{name}\n{done.stderr}"
    assert done.stdout.strip()


@pytest.mark.skipif(not COMPILED, reason="a quarter of bars takes too long without the compiler")
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_examples_run(example: Path, tmp_path: Path) -> None:
    done = run_script([str(example)], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "SIMULATED" in done.stdout
    assert not list(tmp_path.iterdir())  # it leaves nothing behind
