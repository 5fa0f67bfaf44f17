"""A small study through the command line, for the tests of what it writes and says."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from backtest import cli
from backtest.optimization import command

_MARKET = "--source simulated --coins BTC ETH --start 2024-01-01 --end 2024-04-10 --timeframe 1h --strategy static_grid"
_SIZE = "--trials 8 --windows 2 --min-round-trips 1 --purge-hours 24 --threads 1 --quiet"
SIMULATED, SMALL = _MARKET.split(), _SIZE.split()


def journal_of(folder: Path) -> Path:
    """Where the trials of a study that was run into a folder are."""
    return folder.with_name(f"{folder.name}.log")


def run_study(folder: Path, *extra: str, market: list[str] = SIMULATED) -> dict[str, Any]:
    """Run `optimizer.py` into a folder, its trials in a journal beside it unless `extra` says otherwise, and return its summary."""
    assert command.main([*market, *SMALL, "--storage", str(journal_of(folder)), "--output", str(folder), *extra]) == 0
    return json.loads((folder / "summary.json").read_text())


def run_best(study: Path, part: dict[str, str], output: Path, *extra: str) -> dict[str, Any]:
    """Run `main.py --config best.toml` over a part and return its summary."""
    arguments = ["--config", str(study / "best.toml"), "--start", part["start"], "--end", part["end"], "--output", str(output)]
    assert cli.main([*arguments, "--no-charts", "--quiet", "--sensitivity", "none", *extra]) == 0
    (run,) = output.iterdir()
    return json.loads((run / "summary.json").read_text())


# The same figure in a row of the study and in a run's metrics.
FIGURES = {
    "total_return": "total_return",
    "growth": "cagr",
    "drawdown": "max_drawdown",
    "sharpe": "sharpe",
    "sortino": "sortino",
    "profit_factor": "profit_factor_exits",
    "win_rate": "win_rate_exits",
    "liquidations": "liquidations",
}


def assert_the_run_is_the_row(study: Path, summary: dict[str, Any], name: str, output: Path) -> None:
    """Every figure of every coin's row of the best set, to the bit."""
    rows = [row for row in summary["rows"] if row["whose"] == "best" and row["part"] == name]
    assert rows
    found = run_best(study, rows[0], output)
    coins = found["coins"] or {rows[0]["coins"]: found["metrics"]}
    assert sum(row["round_trips"] for row in rows) > 0
    for row in rows:
        metrics = coins[row["coins"]]
        assert {figure: row[figure] for figure in FIGURES} == {figure: metrics[metric] for figure, metric in FIGURES.items()}
        # The run divides by its capital once more, so that the last bit of holding the coin may differ.
        assert math.isclose(row["buy_and_hold"], metrics["buy_and_hold_return"], abs_tol=1e-12)
        assert row["round_trips"] == metrics["longs_closed"] + metrics["shorts_closed"]
