"""What a person reads: first lines, warnings, assumptions, widths."""

import io
from typing import Any

import pytest
from rich.console import Console

from backtest.report import findings
from backtest.report.terminal import as_text, print_report
from backtest.result import Result
from engine.execution import Execution
from engine.strategies.adaptive_grid_parameters import AdaptiveGrid
from tests.results.ledgers import make_result


def dropped(wanted: int, lost: int, **options: Any) -> Result:
    result = make_result(**options)
    for ledger in result.ledgers:
        ledger.states["wanted_rungs"], ledger.states["dropped_rungs"] = wanted, lost
    return result


def test_the_first_line_names_source_range_and_bars() -> None:
    first = as_text(make_result(source="made up: BTCUSDT 15m, 400 bars"), width=200).splitlines()[0]
    assert first == "made up | 2024-01-01 02:30 to 2024-01-05 04:00 UTC | 390 bars of 15m"


def test_titles() -> None:
    assert findings.title(make_result()) == "SIMULATED: adaptive_grid on BTCUSDT"
    assert findings.title(make_result(simulated=False)) == "adaptive_grid on BTCUSDT"
    maker = make_result(("BTCUSDT", "ETHUSDT"), simulated=False, execution=Execution(fee_maker=-0.00005, fee_taker=0.0002))
    assert findings.title(maker) == "adaptive_grid on BTCUSDT, ETHUSDT, market_maker fees"
    assert findings.title(make_result(liquidate_at=100)) == "SIMULATED: LIQUIDATED: adaptive_grid on BTCUSDT"


def test_nothing_quoted_comes_before_everything() -> None:
    lines = as_text(dropped(50, 50), width=200).splitlines()
    assert lines[0].startswith("BTCUSDT: NOTHING WAS QUOTED, all 50 wanted rungs")


@pytest.mark.parametrize(("lost", "warned"), [(0, False), (50, False), (51, True), (999, True)])
def test_dropped_rungs_above_five_percent_are_a_warning(lost: int, warned: bool) -> None:
    lines = findings.warnings(dropped(1000, lost))
    assert any("of wanted rungs were dropped" in line for line in lines) == warned


def test_warnings_begin_with_liquidation_and_hold_the_notes() -> None:
    result = make_result(liquidate_at=100, notes=("Assumed: all 9 funding rates are synthetic; no history was given.",))
    lines = findings.warnings(result)
    assert lines[0].startswith("LIQUIDATED: 1 time")
    assert "BTCUSDT: Assumed: all 9 funding rates are synthetic; no history was given." in lines
    text = as_text(result)
    assert text.index("LIQUIDATED") < text.index("total return")


def test_a_note_of_several_coins_is_said_once() -> None:
    result = make_result(("BTCUSDT", "ETHUSDT"), bars=60, notes=("3 bars saw no trade; nothing fills in them.", "ETHUSDT is late."))
    assert findings.warnings(result) == ["BTCUSDT, ETHUSDT: 3 bars saw no trade; nothing fills in them.", "ETHUSDT is late."]


def test_gates_that_are_off_or_fired_are_not_named() -> None:
    silent = findings.gates_that_never_fired(make_result())
    assert "trailing" in silent
    assert "prune by deviance" not in silent  # fired
    off = make_result(strategy=AdaptiveGrid(prune_gap=False))
    assert "prune by gap" in silent
    assert "prune by gap" not in findings.gates_that_never_fired(off)


def test_ladder_use() -> None:
    lines = findings.ladder_use(make_result())
    assert "Bars on which the spacing floor decides: BTCUSDT 75 %." in lines
    assert any(line.startswith("Most lots held on a side: BTCUSDT ") and line.endswith("(levels: 10).") for line in lines)


@pytest.mark.parametrize(
    ("settings", "subject", "words"),
    [
        ({}, "fees", "maker 0.020 %, taker 0.050 % (regular)"),
        ({"fee_maker": 0.0003}, "fees", "maker 0.030 %, taker 0.050 %"),
        ({}, "fills", "at a touch of the limit price"),
        ({"through": 1, "through_bps": 3}, "fills", "when traded through by 1 ticks and 3 bps"),
        (
            {"touch_probability": 0.5, "touch_seed": 7},
            "fills",
            "at a touch of the limit price, with probability 50.00 %, else one tick further (seed 7)",
        ),
        ({"slippage_stop": 0.002}, "slippage", "market orders 0.020 %, stops and prunes 0.200 %"),
        ({"path": "low_first"}, "path inside a bar", "low_first"),
        ({"max_volume_share": 0.01}, "volume", "an order fills at most 1.00 % of a bar's volume"),
    ],
)
def test_assumptions(settings: dict[str, Any], subject: str, words: str) -> None:
    assert findings.assumptions(make_result(bars=40, execution=Execution(**settings)))[subject] == words


@pytest.mark.parametrize("width", [60, 100, 160])
def test_no_line_is_longer_than_the_width(width: int) -> None:
    symbols = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "ADAUSDT")
    text = as_text(make_result(symbols, bars=100), width)
    assert max(len(line) for line in text.splitlines()) <= width
    for symbol in symbols:
        assert symbol in text
    # Long tables go on below rather than being cut.
    assert "…" not in text


def test_printing_to_a_file_is_plain() -> None:
    sink = io.StringIO()
    print_report(make_result(bars=60), Console(file=sink, width=100))
    assert "\x1b" not in sink.getvalue()
    assert "total return" in sink.getvalue()
