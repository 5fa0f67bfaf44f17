"""The studies of a run: on the page, in summary.json, and honest about what is missing."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

import backtest as bt
from backtest import cli
from backtest.report.terminal import as_text, print_report
from backtest.sensitivity.table import Row
from backtest.studies import Studies, study
from tests.conftest import COMPILED
from tests.results.ledgers import make_result

pytestmark = pytest.mark.skipif(not COMPILED, reason="dozens of runs take too long without the compiler")


@pytest.fixture(scope="module")
def result() -> bt.Result:
    return bt.run(bt.load("BTC", source="simulated", start="2025-06-01", end="2025-09-01", timeframe="1h"), bt.AdaptiveGrid())


TURNED = Row("fills through 3 bp", "orders fill only 3 basis points beyond their price", 0.5, 0.1, 1.0, 52.0, True, False)


def page(result: bt.Result, width: int = 100, **options: object) -> str:
    sink = io.StringIO()
    print_report(result, Console(width=width, file=sink), **options)  # type: ignore[arg-type]
    return sink.getvalue()


def test_the_page_has_table_interval_and_headline(result: bt.Result) -> None:
    studies = study(result)
    assert studies.sensitivity is not None
    assert studies.uncertainty is not None
    text = page(result, studies=studies)
    assert "SIMULATED: The same run under other assumptions" in text
    assert "fills through 3 bp" in text
    assert "SIMULATED: the luck in these days" in text
    assert ("FRAGILE" in text) is bool(studies.headline)
    assert "fills through 3 bp" not in as_text(result)


def test_what_cannot_be_run_again_is_said_and_the_rest_stands() -> None:
    made = make_result()
    studies = study(made)
    assert studies.sensitivity is None
    assert studies.left_out.startswith("The sensitivity table is missing: ")
    assert studies.left_out in " ".join(page(made, studies=studies).split())
    assert studies.as_json()["fragile"] is None


def test_summary_holds_the_studies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    terms = ["--source", "simulated", "--start", "2025-06-01", "--end", "2025-07-01", "--timeframe", "1h", "--no-charts"]
    assert cli.main([*terms, "--json", "--output", str(tmp_path / "with")]) == 0
    printed = json.loads(capsys.readouterr().out)
    (folder,) = (tmp_path / "with").iterdir()
    assert json.loads((folder / "summary.json").read_text()) == printed
    rows = {row["name"]: row for row in printed["sensitivity"]["rows"]}
    assert {"fills through 3 bp", "path low_first", "stop slippage x10"} <= set(rows)
    assert printed["fragile"] is any(row["sign_changed"] for row in rows.values())
    assert cli.main([*terms, "--quiet", "--sensitivity", "none", "--output", str(tmp_path / "without")]) == 0
    (folder,) = (tmp_path / "without").iterdir()
    assert json.loads((folder / "summary.json").read_text())["sensitivity"] is None


def test_a_fragile_result_is_called_so_before_the_table(result: bt.Result) -> None:
    turned = Studies(replace(study(result).sensitivity, rows=(TURNED,)))  # type: ignore[type-var]
    lines = page(result, studies=turned).splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("FRAGILE: the return of"))
    assert first < next(number for number, line in enumerate(lines) if "total return" in line)


def test_a_result_offers_its_studies(result: bt.Result) -> None:
    assert result.sensitivity(scans="none").run.total_return == result.metrics["total_return"]
    assert result.uncertainty(draws=100).days == 92
    assert list(result.monthly_returns.index) == [2025]
    assert len(result.worst_drawdowns(3)) == 3
    by_month = result.attribution_by("month")
    assert by_month.loc["total", "total"] == pytest.approx(result.attribution.loc["total", "total"])


def test_ablation_and_ladder_come_when_asked_for(result: bt.Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain, asked = study(result, "none"), study(result, "none", ablate=True, ladder=True)
    assert (plain.ablation, plain.exposure_ladder) == (None, None)
    text = page(result, studies=asked)
    for title in ("The same run under other", "The same run without one", "The same run at other exposures"):
        assert f"SIMULATED: {title}" in text
    for words in ("all of them", "exposure", "ruin"):
        assert words in text
        assert words not in page(result) or words == "exposure"
    terms = ["--source", "simulated", "--start", "2025-06-01", "--end", "2025-07-01", "--timeframe", "1h", "--no-charts", "--json"]
    assert cli.main([*terms, "--ablate", "--exposure-ladder", "--output", str(tmp_path / "a")]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["ablation"]["schema"] == values["exposure_ladder"]["schema"] == values["worst_days"]["schema"] == 1
    assert cli.main([*terms, "--strategy", "static_grid", "--ablate", "--output", str(tmp_path / "b")]) == 2
    assert "only adaptive_grid has modules" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()
