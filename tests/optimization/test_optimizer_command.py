"""`optimizer.py` from the outside: what it writes, that a plain run gives the same figures, bad options, commands on a study."""

from __future__ import annotations

import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from backtest.configuration import Configuration
from backtest.optimization import command
from backtest.optimization.arguments import request
from backtest.optimization.files import FILES
from backtest.optimization.opening import OpenedStudy
from backtest.optimization.optimize import Optimizer
from tests.conftest import COMPILED
from tests.optimization.studies import SIMULATED, SMALL, assert_the_run_is_the_row, journal_of, run_study

ROOT = Path(__file__).resolve().parents[2]
needs_compiler = pytest.mark.skipif(not COMPILED, reason="thousands of runs take too long without the compiler")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("study")
    return folder, run_study(folder, "--study", "first")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The same search under another name: nothing is known of it when it begins."""
    folder = tmp_path_factory.mktemp("other")
    return folder, run_study(folder, "--study", "second")


@needs_compiler
@pytest.mark.parametrize("part", ["train 1", "train 2", "validation 1", "holdout"])
def test_a_plain_run_of_the_best_set_is_the_row_to_the_bit(study: tuple[Path, dict[str, Any]], part: str, tmp_path: Path) -> None:
    assert_the_run_is_the_row(*study, part, tmp_path)


@needs_compiler
@pytest.mark.real_data
@pytest.mark.parametrize("mode", ["robust", "rolling"])
def test_on_real_bars_too(real_data: Path, mode: str, tmp_path: Path) -> None:
    market = ["--coins", "BTC", "--data-dir", str(real_data), "--start", "2024-01-01", "--end", "2024-04-01", "--strategy", "static_grid"]
    summary = run_study(tmp_path / "study", "--mode", mode, market=market)
    parts = ("train 2", "validation 2", "holdout") if mode == "robust" else ("train 2", "test 2", "holdout")
    for number, part in enumerate(parts):
        assert_the_run_is_the_row(tmp_path / "study", summary, part, tmp_path / f"run{number}")


@needs_compiler
def test_the_same_search_writes_the_same_bytes(study: tuple[Path, dict[str, Any]], other: tuple[Path, dict[str, Any]]) -> None:
    assert sorted(path.name for path in study[0].iterdir()) == sorted(FILES)
    for name in ("best.toml", "trials.parquet", "out_of_sample.parquet"):
        assert (other[0] / name).read_bytes() == (study[0] / name).read_bytes(), name
    assert {**other[1], "study": "first"} == study[1]


@needs_compiler
def test_a_finished_study_only_reports_again(
    study: tuple[Path, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is left to run; this time it is told, and the files are the same to the byte."""
    folder, summary = study
    loud = [word for word in SMALL if word != "--quiet"]
    assert command.main([*SIMULATED, *loud, "--storage", str(journal_of(folder)), "--study", "first", "--output", str(tmp_path)]) == 0
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name
    out, err = capsys.readouterr()
    assert out.startswith(f"SIMULATED: {summary['verdict']['label'].capitalize()}: ")
    assert "deflated Sharpe ratio" in out
    assert "compiled code" in out
    assert out.rstrip().endswith(f"written to {tmp_path}: {', '.join(FILES)}")
    assert "searching all windows" in err


@needs_compiler
def test_best_toml_holds_the_terms_the_set_was_scored_by(study: tuple[Path, dict[str, Any]]) -> None:
    folder, summary = study
    settings = Configuration.read(folder / "best.toml")
    assert (settings.execution.close_at_end, settings.execution.through_bps) == (True, 1.0)
    assert (settings.data.source, settings.data.start, settings.data.end) == ("simulated", "2024-01-01", "2024-04-10")
    chosen = summary["choices"][-1]["parameters"]
    assert {name: getattr(settings.strategy, name) for name in chosen} == chosen


@needs_compiler
def test_the_tables_hold_every_trial_and_every_day(study: tuple[Path, dict[str, Any]]) -> None:
    folder, summary = study
    trials = pq.read_table(folder / "trials.parquet").to_pandas()
    assert (len(trials), (trials["kind"] == "design").sum()) == (summary["trials"], 256)
    assert trials["number"].is_unique
    assert {"window", "value", "guided", "feasible", "violations", "step", "train2_ETHUSDT_sharpe"} <= set(trials.columns)
    assert {one.dtype for one in trials["daily"]} == {np.dtype(np.float32)}
    days = pq.read_table(folder / "out_of_sample.parquet").to_pandas()
    assert list(dict.fromkeys(days["part"])) == ["validation 1", "validation 2", "holdout"]
    row = next(one for one in summary["rows"] if (one["whose"], one["part"], one["coins"]) == ("defaults", "holdout", "BTCUSDT"))
    other = next(one for one in summary["rows"] if (one["whose"], one["part"], one["coins"]) == ("defaults", "holdout", "ETHUSDT"))
    grown = float(np.prod(1.0 + days.loc[days["part"] == "holdout", "defaults"])) - 1.0
    assert grown == pytest.approx((row["total_return"] + other["total_return"]) / 2.0, abs=2e-4)  # mean of days, not of the whole


@needs_compiler
def test_the_label_never_stands_without_its_tests(study: tuple[Path, dict[str, Any]]) -> None:
    folder, summary = study
    page = (folder / "report.html").read_text()
    assert summary["verdict"]["label"] in page
    names = [test["name"] for test in summary["verdict"]["tests"]]
    assert len(names) == 7
    assert all(name in page for name in names)
    assert "SIMULATED" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


class _Tags(HTMLParser):
    """Refuses a tag that is closed out of turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@needs_compiler
def test_the_page_is_well_formed(study: tuple[Path, dict[str, Any]]) -> None:
    tags = _Tags()
    tags.feed((study[0] / "report.html").read_text())
    assert tags.open == []


@needs_compiler
def test_a_rolling_study_without_a_holdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [*SIMULATED, *SMALL, "--storage", str(tmp_path.with_suffix(".log")), "--output", str(tmp_path)]
    assert command.main([*arguments, "--mode", "rolling", "--trials", "0", "--holdout", "0", "--strict", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary == json.loads((tmp_path / "summary.json").read_text())
    assert [one["window"] for one in summary["choices"]] == ["window 1", "window 2"]
    assert {row["part"] for row in summary["rows"]} == {"train 1", "test 1", "train 2", "test 2"}
    assert summary["settings"]["min_sharpe"] == 1.0
    assert summary["holdout"] is None
    assert summary["verdict"]["label"] != "robust"


@needs_compiler
def test_analyze_export_and_prune(other: tuple[Path, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["second", "--storage", str(journal_of(other[0]))]
    assert command.main(["analyze", *where, "--top", "3"]) == 0
    out = capsys.readouterr().out
    assert "264 trials, 256 of the design" in out
    assert "step" in out
    assert command.main(["export", *where, "--to", str(tmp_path / "trials.csv")]) == 0
    assert len((tmp_path / "trials.csv").read_text().splitlines()) == 265
    assert command.main(["export", *where, "--to", str(tmp_path / "trials.parquet")]) == 0
    assert pq.read_table(tmp_path / "trials.parquet").num_rows == 264
    capsys.readouterr()
    assert command.main(["prune", *where, "--keep", "2"]) == 0
    assert capsys.readouterr().out == "all windows: 6 trials dropped, 258 kept, 256 of them the design. All 264 stay counted.\n"
    summary = run_study(tmp_path / "after", "--study", *where)  # runs none of the dropped ones again
    assert (summary["trials"], summary["trials_seen"]) == (258, 264)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--trails", "5"], "--trails is not an option; did you mean --trials?"),
        (["--trials", "many"], "trials = 'many' is refused"),
        (["--trials", "-1"], "trials = -1 is refused: it must be at least 0 and at most 1e+07"),
        (["--holdout", "0.9"], "holdout = 0.9 is refused: it must be at least 0 and at most 0.8"),
        (["--mode", "walk"], "mode = 'walk' is refused: it must be 'robust' or 'rolling'"),
        (["--threads", "0"], "--threads 0 is refused: it must be a whole number from 1 to 1024"),
        (["--study", "../up"], "--study ../up is refused"),
        (["--search", "gamma"], "--search gamma is refused: it must be name=low:high, name=off or name=a,b"),
        (["--search", "gamma=a:b"], "--search gamma=a:b is refused: 'a' is not a number"),
        (["--search", "gama=0:1"], "gama is not a parameter of AdaptiveGrid; did you mean gamma?"),
        (["--search", "gamma=2:1"], "search range of gamma = 2.0 to 1.0 is refused"),
        (["--set", "optimizer.trails=5"], "trails is not a setting of Optimization; did you mean trials?"),
        (["--set", "optimizer.trials"], "--set optimizer.trials is refused: it must be optimizer.name=value"),
        (["--set", "kama_fast=40"], "kama_fast = 40 is refused: it must be below kama_slow = 30"),
        (["--set", "halt_z_threshold=0"], "halt_z_threshold = 0.0 is refused: it must not be above resume_z_threshold = -1.0"),
        (["analyze", "nothing"], "study = 'nothing' is not in the storage"),
        (["prune", "nothing"], "the following arguments are required: --keep"),
        (["--data-dir", "nowhere"], "--data-dir nowhere is refused: there is no such folder or file"),
    ],
)
def test_bad_options_are_told_in_one_sentence(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # where the default storage would be
    assert command.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {words}")
    assert err.count("\n") == 1


def test_a_sampler_whose_package_is_missing_is_refused_at_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert command.main(["--sampler", "gp"]) == 2
    assert capsys.readouterr().err.startswith("error: sampler = gp is refused: it needs the package torch")


def test_too_many_windows_are_refused_before_anything_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([*SIMULATED, "--quiet", "--windows", "30"]) == 2
    assert "error: windows = 30 is refused: 100 days leave parts of" in capsys.readouterr().err


def test_help_lists_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        command.main(["--help"])
    assert left.value.code == 0
    out = capsys.readouterr().out
    names = "coins start end timeframe source exchange data-dir capital config set trials windows mode anchored holdout train-share"
    names += " purge-hours sampler objective score-under design batch seed market-seed threads strict min-sharpe max-drawdown min-trades"
    names += (
        " min-win-rate min-profit-factor min-calmar stability-penalty complexity-penalty trade-limit min-round-trips search storage study"
    )
    for name in [*names.split(), "output", "json", "quiet"]:
        assert f"--{name}" in out


def test_ctrl_c_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Optimizer, "run", stopped)
    monkeypatch.setattr(command, "open_study", lambda *_: OpenedStudy("mine", "my.log"))
    assert command.main([*SIMULATED, *SMALL]) == 130
    wanted = "interrupted: finished trials are kept in my.log; the same command goes on from there\n"
    assert capsys.readouterr().err == wanted


def test_the_program_itself_leaves_without_a_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "optimizer.py", "--search", "gama=0:1"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: gama is not a parameter of AdaptiveGrid; did you mean gamma?\n"


def test_settings_come_from_file_option_and_assignment_in_this_order(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('[strategy]\nname = "static_grid"\n[optimizer]\ntrials = 5\nwindows = 4\nseed = 9\nmax_drawdown = 0.5\n')
    asked = request(["--config", str(file), "--windows", "2", "--set", "optimizer.seed=8", "--set", "batch=4", "--strict", "--anchored"])
    found = asked.settings
    assert (found.trials, found.windows, found.seed, found.batch, found.anchored) == (5, 2, 8, 4, True)
    assert (found.min_sharpe, found.max_drawdown) == (1.0, 0.5)  # the preset stands under what is given
    assert asked.configuration.data.seed == 1
    assert Configuration.read(file).strategy.name == "static_grid"  # main.py passes the table over


def test_ranges_given_by_search() -> None:
    space = {
        one.name: one for one in request(["--search", "gamma=0.1:0.2", "--search", "kappa=off", "--search", "allow_short=true,false"]).space
    }
    assert (space["gamma"].low, space["gamma"].high, space["gamma"].log) == (0.1, 0.2, True)
    assert "kappa" not in space
    assert space["allow_short"].values == (False, True)


@needs_compiler
def test_more_trials_go_on_with_the_study_and_know_of_the_look(tmp_path: Path) -> None:
    first = run_study(tmp_path / "study", "--study", "long")
    longer = run_study(tmp_path / "study", "--study", "long", "--trials", "12")
    assert (first["trials"], longer["trials"]) == (264, 268)
    assert (first["earlier_looks"], longer["earlier_looks"]) == (0, 1)


@needs_compiler
def test_a_second_study_of_the_same_bars_is_told_of_the_first(tmp_path: Path) -> None:
    where = ["--storage", str(tmp_path / "shared.log")]
    run_study(tmp_path / "one", "--study", "one", *where)
    other = run_study(tmp_path / "two", "--study", "two", "--seed", "2", *where)
    assert (other["trials_seen"], other["earlier_looks"]) == (528, 1)
