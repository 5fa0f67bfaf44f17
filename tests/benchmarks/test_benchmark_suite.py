"""What the benchmarks count and write: the same events as `bt.run`, files that can be read again, tables for people."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import backtest as bt
from benchmarks import results
from benchmarks.__main__ import main
from benchmarks.cases import ADAPTIVE, ADAPTIVE_LOG, CASES, INDICATORS, QUIET, STATIC, WHOLE
from benchmarks.context import Context
from benchmarks.engine_speed import market_rows
from benchmarks.growth import fitted_exponent
from benchmarks.instructions import total_of
from benchmarks.loops import loop_of
from benchmarks.market import WARM_UP, simulated, stretched
from benchmarks.record import read_json, write_json
from benchmarks.rows import Row
from benchmarks.suite import GROUPS
from benchmarks.table import number, sheets
from tests.conftest import COMPILED

pytestmark = pytest.mark.skipif(not COMPILED, reason="speed is that of compiled code")
BASELINE = Path(results.FOLDER) / "baseline.json"


@pytest.fixture(scope="module")
def market() -> bt.Market:
    return simulated(start="2024-01-01", end="2024-02-01")


@pytest.fixture(scope="module")
def rows(market: bt.Market) -> dict[str, Row]:
    return {row.name: row for row in market_rows("engine", market, Context(quick=True), 2, 0.25)}


def test_every_case_has_a_row(rows: dict[str, Row]) -> None:
    assert {*CASES, *WHOLE, INDICATORS} < set(rows)
    assert all(row.rounds == 2 and row.ratio is not None and row.ratio > 0.0 for row in rows.values())


def test_counts_are_those_of_a_run(rows: dict[str, Row], market: bt.Market) -> None:
    result = bt.run(market, bt.AdaptiveGrid())
    bars = len(market) - market.trade_from
    counts = rows[ADAPTIVE_LOG].counts
    assert round(counts["events_per_bar"] * bars) == len(result.trades)
    assert round(counts["fills_per_bar"] * bars) == int(((result.trades["qty"] > 0.0) & (result.trades["label"] != "FUNDING")).sum())
    assert rows[ADAPTIVE].counts["events_per_bar"] == counts["events_per_bar"]
    assert 0.0 < counts["requotes_per_bar"] < 1.0


def test_what_the_log_costs_stands_beside_every_logged_row(rows: dict[str, Row]) -> None:
    logged = {name for name, row in rows.items() if row.counts.get("times_without_log")}
    assert logged == {name for name, (_, log) in (CASES | WHOLE).items() if log}


def test_the_quiet_case_is_quiet_and_the_others_are_not(rows: dict[str, Row]) -> None:
    assert rows[QUIET].counts["fills_per_bar"] == 0.0
    assert min(rows[name].counts["fills_per_bar"] for name in (ADAPTIVE, STATIC)) > 0.05


def test_a_loop_can_be_run_again_and_in_part(market: bt.Market) -> None:
    loop = loop_of(market, bt.AdaptiveGrid(), log=False)
    loop.run()
    whole = loop.machine.accounts.copy()
    loop.run(100)
    assert loop.machine.accounts["bars"][0] == 100
    loop.run()
    assert loop.machine.accounts.tobytes() == whole.tobytes()


def test_a_stretched_market_has_no_jumps_where_its_pieces_meet(market: bt.Market) -> None:
    long = stretched(market, 3 * len(market) - 7)
    assert len(long) == 3 * len(market) - 7
    assert long.trade_from == WARM_UP
    jumps = np.abs(long.open[1:] - long.close[:-1])
    assert jumps.max() <= np.abs(market.open[1:] - market.close[:-1]).max()


def test_json_is_read_again(tmp_path: Path, rows: dict[str, Row]) -> None:
    file = tmp_path / "figures.json"
    write_json(file, list(rows.values()), {"processor": "one"}, quick=True)
    found, machine = read_json(file)
    assert machine == {"processor": "one"}
    assert set(found) == {row.key for row in rows.values()}
    for row in rows.values():
        assert found[row.key].to_json() == row.to_json()


@pytest.mark.parametrize("text", ["", "{}", '{"schema": 1, "machine": {}, "rows": 3}', '{"schema": 0, "machine": {}, "rows": []}'])
def test_a_broken_baseline_is_refused_before_anything_is_measured(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "baseline.json"
    file.write_text(text)
    assert main(["--quick", "--compare", str(file)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert str(file) in told.err


def test_the_committed_baseline_judges_every_gated_group() -> None:
    rows, machine = read_json(BASELINE)
    judged = [row for row in rows.values() if row.tolerance is not None]
    assert {row.group for row in judged} >= {"engine", "indicators", "sweep", "stepper", "memory", "starts"}
    assert {row.group for row in rows.values()} <= set(GROUPS)
    assert machine["processor"]


def test_an_exponent_is_the_slope_of_logarithms() -> None:
    sizes = [10, 20, 40, 80]
    assert fitted_exponent(sizes, [3.0 * size**1.7 for size in sizes]) == pytest.approx(1.7)


@pytest.mark.parametrize(("value", "text"), [(None, ""), (0.1234, "0.123"), (1.234, "1.23"), (12.34, "12.3"), (1234.5, "1,234")])
def test_numbers_have_three_digits(value: float | None, text: str) -> None:
    assert number(value) == text


def test_tables_have_a_cell_for_every_heading(rows: dict[str, Row]) -> None:
    exponent = Row("growth", "bars", "exponent", 1.0, limit=1.3, counts={"steepest": 1.1, "seconds_at_10": 0.1})
    for sheet in sheets([*rows.values(), exponent]):
        assert {len(row) for row in sheet.rows} == {len(sheet.headings)}


def test_results_hold_the_peers_and_the_instructions_where_there_are_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: dict[str, Row]
) -> None:
    monkeypatch.setattr(results, "PEERS", tmp_path / "PEERS.md")
    monkeypatch.setattr(results, "INSTRUCTIONS", tmp_path / "instructions.json")
    without = results.results_text(list(rows.values()), {"processor": "one"})
    assert "Peers" not in without
    assert "- processor: one" in without
    (tmp_path / "PEERS.md").write_text("# Peers\n\n| peer |\n| --- |\n| one |\n\n| second |\n")
    counted = {"bars": 10, "market": "bars", "commit": "abc", "instructions_per_bar": {ADAPTIVE: 12.5}}
    (tmp_path / "instructions.json").write_text(json.dumps(counted))
    text = results.results_text(list(rows.values()), {"processor": "one"})
    assert "| one |" in text
    assert "second" not in text
    assert re.search(rf"\| {ADAPTIVE} \| [\d,.]+ \| 12.5 \| 0.00", text)


def test_the_total_of_a_dump_is_found(tmp_path: Path) -> None:
    (tmp_path / "out.1").write_text("version: 1\nsummary: 123\n\ntotals: 123\n")
    assert total_of(tmp_path / "out.1") == 123
    (tmp_path / "out.2").write_text("version: 1\n")
    with pytest.raises(ValueError, match=r"out\.2"):
        total_of(tmp_path / "out.2")
