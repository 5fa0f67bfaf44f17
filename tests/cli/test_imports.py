"""What a start imports: only what it uses."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest

import backtest as bt
from backtest.command_line import run_command
from tests.compiled.processes import run_script
from tests.conftest import COMPILED

SCRIPT = """
import json, sys
{body}
print(json.dumps([name for name in {names!r} if name in sys.modules]))
"""

# Packages that a quiet run without charts has no use for.
UNUSED = (
    *("ccxt", "optuna", "sqlalchemy", "matplotlib", "rich", "tenacity", "joblib", "cmaes", "asyncio", "IPython"),
    *("scipy.linalg", "scipy.stats", "scipy.special", "numpy.f2py"),
)
# Parts of ours that only an option, a table or an exchange needs.
UNUSED_PARTS = (
    *("backtest.data.exchange.client", "backtest.data.download", "backtest.data.files.source", "backtest.stepper", "backtest.checks"),
    *("backtest.calibration", "backtest.ablation", "backtest.exposure_ladder", "backtest.evaluation.study", "backtest.optimization"),
    *("backtest.report.terminal", "backtest.report.charts", "backtest.report.html", "backtest.order_log"),
)


def imported(body: str, names: tuple[str, ...]) -> Any:
    return run_script(SCRIPT.format(body=body, names=names))


def test_the_scan_sees_what_is_imported() -> None:
    assert imported("import matplotlib, rich", ("ccxt", "matplotlib", "rich")) == ["matplotlib", "rich"]


def test_import_backtest_imports_nothing_heavy() -> None:
    assert imported("import backtest", ("numba", "numpy", "pandas", "pyarrow", "pydantic", *UNUSED, *UNUSED_PARTS)) == []


def test_help_and_a_typo_do_not_wait_for_the_compiler() -> None:
    body = "from backtest.cli import main\nassert main(['--coin', 'BTC', '--stat', 'x']) == 2"
    assert imported(body, ("numba", "pandas", "pyarrow", *UNUSED)) == []


@pytest.mark.skipif(not COMPILED, reason="a kernel that is not compiled may import anything")
def test_a_quiet_run_imports_only_what_it_uses(tmp_path: Path) -> None:
    options = ["--coins", "BTC", "--source", "simulated", "--start", "2024-03-01", "--end", "2024-03-04", "--no-charts", "--quiet"]
    body = f"from backtest.cli import main\nassert main({[*options, '--output', str(tmp_path)]!r}) == 0"
    imported(body, ())  # compiles what is not in the cache
    assert imported(body, (*UNUSED, *UNUSED_PARTS)) == []


def test_the_names_of_bt_are_those_it_promises() -> None:
    assert [name for name in bt.__all__ if not callable(getattr(bt, name))] == []
    assert set(bt.__all__) <= set(dir(bt))
    with pytest.raises(AttributeError, match="no attribute 'sweeps'"):
        _ = bt.sweeps  # type: ignore[attr-defined]


def test_functions_are_not_hidden_by_modules_of_their_name() -> None:
    body = "import backtest as bt, backtest.run, backtest.sweep, backtest.order_log\nassert callable(bt.run) and callable(bt.sweep)"
    assert imported(body + "\nassert callable(bt.order_log)", ("backtest.run",)) == ["backtest.run"]


def test_a_command_leaves_the_collector_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    before, seen = gc.get_threshold(), []
    for failing in (False, True):

        def command(_: list[str], failing: bool = failing) -> None:
            seen.append(gc.get_threshold())
            if failing:
                raise bt.InputError("refused")

        assert run_command(command, []) == (2 if failing else 0)
        assert gc.get_threshold() == before
    assert seen[0][0] > before[0]
    assert capsys.readouterr().err == "error: refused\n"
