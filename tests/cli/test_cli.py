"""The command line: exit codes, one sentence for bad input, what is printed and written."""

import json
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from backtest import cli
from backtest.configuration import Configuration
from backtest.data.instrument import Instrument
from backtest.data.progress import Silent
from backtest.result import Result
from engine.errors import InputError, SourceError
from engine.strategies.adaptive_grid_parameters import AdaptiveGrid
from tests.results.ledgers import make_result

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Configuration]:
    """Runs are replaced by a made-up result; the list holds the configurations they were asked for."""
    seen: list[Configuration] = []

    def run(settings: Configuration, **_: bool) -> Result:
        seen.append(settings)
        symbols = tuple(f"{coin}USDT" for coin in settings.data.coins)
        return make_result(symbols, bars=60, strategy=settings.strategy, execution=settings.execution)

    monkeypatch.setattr(cli, "run_configuration", run)
    return seen


def written(folder: Path) -> Path:
    (run,) = folder.iterdir()
    return run


def test_a_run_prints_a_table_and_writes_its_files(calls: list[Configuration], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--coins", "BTC", "ETH", "--output", str(tmp_path), "--no-charts"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("SIMULATED market")
    assert "PORTFOLIO" in out
    assert out.rstrip().endswith(f"written to {written(tmp_path)}")
    assert err == ""
    assert {path.name for path in written(tmp_path).iterdir()} >= {
        "config.toml",
        "summary.json",
        "trades.csv",
        "equity.parquet",
        "lots.csv",
    }
    assert Configuration.read(written(tmp_path) / "config.toml") == calls[0].set("source=simulated")


def test_charts_are_written_unless_told_not_to(calls: list[Configuration], tmp_path: Path) -> None:
    assert cli.main(["--quiet", "--output", str(tmp_path)]) == 0
    assert (written(tmp_path) / "chart_BTCUSDT.png").read_bytes().startswith(b"\x89PNG")
    assert calls[0].data.coins == ("BTC",)


def test_a_page_is_written_when_asked_for(calls: list[Configuration], tmp_path: Path) -> None:
    assert cli.main(["--quiet", "--no-charts", "--html", "--output", str(tmp_path)]) == 0
    page = (written(tmp_path) / "report.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert "SIMULATED" in page


def test_json_prints_the_summary_and_nothing_else(calls: list[Configuration], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--json", "--output", str(tmp_path), "--no-charts"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == json.loads((written(tmp_path) / "summary.json").read_text())
    assert err.startswith("written to ")


def test_quiet_prints_nothing(calls: list[Configuration], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--quiet", "--output", str(tmp_path), "--no-charts"]) == 0
    assert capsys.readouterr() == ("", "")


def test_a_saved_configuration_runs_again(calls: list[Configuration], tmp_path: Path) -> None:
    common = ["--quiet", "--no-charts"]
    assert cli.main([*common, "--set", "gamma=0.25", "--coins", "SOL", "--output", str(tmp_path / "a")]) == 0
    assert cli.main([*common, "--config", str(written(tmp_path / "a") / "config.toml"), "--output", str(tmp_path / "b")]) == 0
    assert calls[0].set("source=simulated") == calls[1]
    assert written(tmp_path / "a").name[-6:] == written(tmp_path / "b").name[-6:]


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--coin", "BTC"], "--coin is not an option; did you mean --coins?"),
        (["--frobnicate"], "--frobnicate is not an option"),
        (["BTC"], "BTC is not an option"),
        (["--coins"], "--coins: expected at least one argument"),
        (["--capital"], "--capital: expected one argument"),
        (["--capital", "lots"], "capital = 'lots' is refused: it must be a valid number"),
        (["--leverage", "-1"], "leverage = '-1' is refused: it must be at least 1 and at most 150"),
        (["--set", "gama=1"], "did you mean gamma?"),
        (["--strategy", "martingale"], "strategy 'martingale' is not known"),
        (["--fees", "free"], "--fees free is refused: it must be regular or market_maker"),
        (["--fills", "always"], "--fills always is refused: it must be touch or through"),
        (["--config", "nowhere.toml"], "configuration nowhere.toml cannot be read"),
        (["--data-dir", "no/such/folder"], "--data-dir no/such/folder is refused: there is no such folder or file"),
        (["--path", "up"], "path = 'up' is refused"),
    ],
)
def test_bad_input_is_one_sentence_and_code_2(
    argv: list[str], sentence: str, calls: list[Configuration], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert sentence in err
    assert err.count("\n") == 1
    assert calls == []


@pytest.mark.parametrize(("error", "code"), [(InputError("no bar opens then"), 2), (SourceError("no files for ETHUSDT"), 3)])
def test_errors_of_a_run_have_their_exit_codes(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: Configuration, **__: bool) -> Result:
        raise error

    monkeypatch.setattr(cli, "run_configuration", fail)
    assert cli.main([]) == code
    assert capsys.readouterr().err == f"error: {error}\n"


def test_markets_are_loaded_as_asked_and_handed_to_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: dict[str, Any] = {}

    def load_markets(coins: Any, start: Any, end: Any, **options: Any) -> list[str]:
        loaded.update(coins=coins, start=start, end=end, **options)
        return [coin.lower() for coin in coins]

    run = types.ModuleType("backtest.run")
    run.run = lambda *args, watch, **terms: (*args, *terms.values())  # type: ignore[attr-defined]
    monkeypatch.setattr("backtest.loading.load_markets", load_markets)
    monkeypatch.setitem(sys.modules, "backtest.run", run)
    settings = Configuration()
    for assignment in ("coins=BTC,ETH", "start=2024-01-01", "seed=9", "max_gap_pct=2.5", "cache_dir=elsewhere", "bars_from=1m"):
        settings = settings.set(assignment)
    settings = settings.set("filters=PEPE=0.1,1,1,5")
    terms = (settings.strategy, settings.account, settings.execution, settings.evaluation)
    assert cli.run_configuration(settings, refresh=True) == (["btc", "eth"], *terms)
    assert isinstance(loaded.pop("watcher"), Silent)
    assert loaded == {
        "coins": ("BTC", "ETH"),
        "start": "2024-01-01",
        "end": None,
        "timeframe": "15m",
        "source": "auto",
        "exchange": "binanceusdm",
        "data_dir": None,
        "warmup": settings.strategy.warmup_bars(),
        "sub_bars": None,
        "seed": 9,
        "max_gap_pct": 2.5,
        "instruments": [Instrument("PEPEUSDT", 0.1, 1.0, 1.0, 5.0)],
        "scenario": "default",
        "bars_from": "1m",
        "cache_dir": "elsewhere",
        "refresh": True,
    }


def test_scenarios_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--list-scenarios"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("SIMULATED")
    for name in ("default", "chop", "bull", "bear", "crash", "pump", "flash_crash", "calm"):
        assert f" {name} " in f" {out.replace(chr(10), ' ')} "


def saved_runs(tmp_path: Path) -> list[str]:
    one, other = (make_result(strategy=AdaptiveGrid(gamma=gamma), seed=seed) for gamma, seed in ((0.1, 1), (0.2, 2)))
    return [str(one.save(tmp_path / "one")), str(other.save(tmp_path / "other"))]


def test_two_runs_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = saved_runs(tmp_path)
    first, second = (Result.load(folder).metrics["total_return"] for folder in folders)
    assert cli.main(["--compare", *folders]) == 0
    out = capsys.readouterr().out
    (line,) = [line for line in out.splitlines() if line.strip().startswith("total return")]
    assert [cell for cell in line.split() if cell not in ("total", "return", "%")] == [
        f"{100.0 * value:,.2f}" for value in (first, second, second - first)
    ]
    (line,) = [line.split() for line in out.splitlines() if "strategy.gamma" in line]
    assert line == ["strategy.gamma", "0.1", "0.2"]
    assert "account.capital" not in out
    assert cli.main(["--compare", folders[0], folders[0]]) == 0
    assert "All settings are the same." in capsys.readouterr().out


def test_two_runs_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = saved_runs(tmp_path)
    assert cli.main(["--compare", *folders, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["settings"] == [["strategy.gamma", 0.1, 0.2]]
    row = values["metrics"]["total_return"]
    assert row["difference"] == pytest.approx(row["other"] - row["this"], abs=1e-15)


def test_a_folder_that_is_no_run_cannot_be_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--compare", saved_runs(tmp_path)[0], str(tmp_path)]) == 2
    assert "is not a saved result" in capsys.readouterr().err


def test_list_params_shows_what_the_document_has(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--list-params"]) == 0
    out = capsys.readouterr().out
    for words in ("Strategy adaptive_grid", "Strategy static_grid", "[account]", "grid_spacing_k", "0.4 to 2.5 (log)", "liquidation_fee"):
        assert words in out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("gridcore ")


def test_help_lists_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["--help"])
    assert left.value.code == 0
    out = capsys.readouterr().out
    names = "coins start end timeframe capital leverage no-short strategy config set source exchange data-dir wallet margin sub-bars fills"
    names += " through-bps path fees seed output no-charts json quiet list-params version"
    names += " cache-dir refresh max-gap-pct bars-from filters scenario list-scenarios compare sensitivity html ablate exposure-ladder"
    names += " log-orders"
    names += " evaluation"
    for name in names.split():
        assert f"--{name}" in out


def test_the_program_itself_leaves_without_a_traceback() -> None:
    done = subprocess.run([sys.executable, "main.py", "--set", "gama=1"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "error: --set gama=1: gama is not a setting; did you mean gamma?\n"
