"""Every figure of the first screen, made again from the files beside it with the csv module, pandas and plain arithmetic."""

from __future__ import annotations

import csv
import math
import statistics
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from backtest import cli
from tests.conftest import COMPILED

pytestmark = pytest.mark.skipif(not COMPILED, reason="a quarter of bars takes too long without the compiler")
BARS_PER_YEAR = 35_040


def first_screen(out: str) -> dict[str, str]:
    """The rows of the headline table of a run of one coin: name to what is printed."""
    rows = {}
    for line in out.splitlines():
        name, _, value = line.strip().partition("  ")
        if value and name not in rows:
            rows[name] = value.strip()
    return rows


def deepest(values: list[float], start: float) -> tuple[float, int]:
    """Deepest fall from the peak, and how many values stand below theirs."""
    peak, worst, below = start, 0.0, 0
    for value in values:
        peak = max(peak, value)
        worst = max(worst, 1.0 - value / peak)
        below += value < peak
    return worst, below


def ratio(values: list[float], before: float, per_year: float) -> float:
    """Mean over sample deviation of the returns, annualized."""
    returns = []
    for value in values:
        returns.append(value / before - 1.0)
        before = value
    return statistics.fmean(returns) / statistics.stdev(returns) * math.sqrt(per_year)


def percent(value: float) -> str:
    return f"{100.0 * value:,.2f} %"


def recomputed(folder: Path) -> dict[str, str]:
    capital = tomllib.loads((folder / "config.toml").read_text())["account"]["capital"]
    frame = pd.read_parquet(folder / "equity.parquet")
    equity = frame["equity"].tolist()
    with (folder / "trades.csv").open() as file:
        trades = list(csv.DictReader(file))
    with (folder / "lots.csv").open() as file:
        lots = list(csv.DictReader(file))
    labels = [trade["label"] for trade in trades]
    days = frame.groupby(frame["time"].dt.date)["equity"].last().tolist()
    fall, below = deepest(equity, capital)
    nets = [float(lot["net"]) for lot in lots]
    closed = [lot for lot in lots if lot["closed"]]
    closed_nets = [float(lot["net"]) for lot in closed]
    hours = [(pd.Timestamp(lot["closed"]) - pd.Timestamp(lot["opened"])).total_seconds() / 3600.0 for lot in closed]

    def factor(values: list[float]) -> str:
        return f"{sum(value for value in values if value > 0) / -sum(value for value in values if value < 0):,.2f}"

    def count(*wanted: str) -> str:
        return f"{sum(label.startswith(wanted) for label in labels):,}"

    return {
        "total return": percent(equity[-1] / capital - 1.0),
        "buy and hold": percent(frame["buy_and_hold"].iloc[-1] / capital - 1.0),
        "CAGR": percent((equity[-1] / capital) ** (BARS_PER_YEAR / len(equity)) - 1.0),
        "final equity": f"{equity[-1]:,.2f}",
        "max drawdown at closes": percent(fall),
        "Sharpe, bar / day": f"{ratio(equity, capital, BARS_PER_YEAR):,.2f} / {ratio(days, capital, 365.0):,.2f}",
        "time under water": percent(below / len(equity)),
        "longs / shorts opened": f"{count('BUY_OPEN_LONG')} / {count('SELL_OPEN_SHORT')}",
        "win rate, marked": percent(sum(net > 0 for net in nets) / len(nets)),
        "profit factor, marked": factor(nets),
        "profit factor, closed": factor(closed_nets),
        "average hold, hours": f"{statistics.fmean(hours):,.2f}",
        "fees": f"{sum(float(trade['fee']) for trade in trades):,.2f}",
        "funding, net": f"{sum(float(trade['funding']) for trade in trades if trade['label'] == 'FUNDING') + 0.0:,.2f}",
        "stops long / short": f"{count('STOP_LONG')} / {count('STOP_SHORT')}",
        "prunes / halts / shifts": f"{count('PRUNE_')} / {count('CIRCUIT_BREAKER_HALT')} / {count('TRAILING_')}",
        "liquidations": count("LIQUIDATION"),
    }


def check(terms: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*terms, "--no-charts", "--sensitivity", "none", "--output", str(tmp_path)]) == 0
    shown = first_screen(capsys.readouterr().out)
    (folder,) = tmp_path.iterdir()
    wanted = recomputed(folder)
    assert {name: shown[name] for name in wanted} == wanted


def test_on_the_simulated_market(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check(["--coins", "BTC", "--source", "simulated", "--start", "2025-08-01", "--end", "2025-11-01"], tmp_path, capsys)


@pytest.mark.real_data
@pytest.mark.parametrize("coin", ["BTC", "SOL"])
def test_on_real_bars(coin: str, real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check(["--coins", coin, "--data-dir", str(real_data), "--start", "2024-01-01", "--end", "2025-01-01"], tmp_path, capsys)
