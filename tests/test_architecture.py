"""The layers, held by import-linter's contracts in pyproject.toml, and the size of modules."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("gridcore", "engine", "backtest")
LONGEST_MODULE = 400  # lines; one idea each

LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(config_filename={config!r}, no_cache=True))"


def lint_imports(config: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", LINT.format(config=str(config))], cwd=ROOT, capture_output=True, text=True, check=False)


def test_imports_go_one_way() -> None:
    done = lint_imports(ROOT / "pyproject.toml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_a_broken_layer_is_seen(tmp_path: Path) -> None:
    """The same layers upside down must fail, or the contract would hold nothing."""
    config = tmp_path / "importlinter.toml"
    text = (ROOT / "pyproject.toml").read_text()
    layers = 'layers = ["backtest", "engine", "gridcore"]'
    assert layers in text
    config.write_text(text.replace(layers, 'layers = ["gridcore", "engine", "backtest"]'))
    done = lint_imports(config)
    assert done.returncode != 0
    assert "1 broken" in done.stdout


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_stay_short(package: str) -> None:
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in (ROOT / package).rglob("*.py")}
    assert lengths
    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}
