"""The market's worst days, against the same days counted with pandas."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import backtest as bt
from backtest.report.worst_days import KNOWN_DAYS, WorstDays, as_json, worst_days, worst_days_table
from engine.errors import InputError
from tests.backtest import frames

GRID = bt.StaticGrid(step=0.004, grid_levels=6)
DAY = 86_400_000


def frame_from(day: str, count: int = 960, seed: int = 0, bars_in: int = 0) -> pd.DataFrame:
    start = int(pd.Timestamp(day, tz="UTC").timestamp() * 1000) + bars_in * frames.QUARTER
    return frames.bars(count, start=start, seed=seed)


def market(day: str = "2024-07-30", count: int = 960, seed: int = 0, instrument: bt.Instrument = frames.BTC, bars_in: int = 0) -> bt.Market:
    return bt.Market.from_frame(frame_from(day, count, seed, bars_in), instrument, "15m")


def daily(values: pd.Series, first: float) -> pd.Series:
    closes = values.resample("D").last()
    return closes / closes.shift(1, fill_value=first) - 1.0


def by_pandas(result: bt.Result, symbol: str, frame: pd.DataFrame, n: int) -> pd.DataFrame:
    """The worst days of one coin from its table of bars; the strategy's own equity beside it."""
    own = result[symbol]
    bars = frame.set_index(pd.to_datetime(frame["timestamp"], unit="ms", utc=True)).loc[own.equity.index[0] :]
    table = pd.DataFrame({"market": daily(bars["close"], bars["open"].iloc[0])})
    table["strategy"] = daily(own.equity, own.capital)
    table["portfolio"] = daily(result.equity, result.capital)
    return table[table["market"] < 0.0].sort_values("market").head(n)


@pytest.mark.parametrize("wallet", ["separate", "shared"])
def test_against_pandas(wallet: str) -> None:
    specs = {"BTCUSDT": ("2024-07-30", 960, 3, frames.BTC, 10), "ETHUSDT": ("2024-08-01", 700, 4, frames.ETH, 0)}
    markets = [market(*spec) for spec in specs.values()]
    result = bt.run(markets, GRID, bt.Account(wallet=wallet, leverage=2.0))
    found = worst_days(result, 99)
    for symbol, (day, count, seed, _, bars_in) in specs.items():
        wanted = by_pandas(result, symbol, frame_from(day, count, seed, bars_in), 99)
        rows = [row for row in found.rows if row.symbol == symbol]
        assert [row.day for row in rows] == wanted.index.strftime("%Y-%m-%d").tolist()
        assert [row.market_return for row in rows] == pytest.approx(wanted["market"].tolist(), rel=1e-12)
        assert [row.strategy_return for row in rows] == pytest.approx(wanted["strategy"].tolist(), rel=1e-9, abs=1e-15)
        assert [row.portfolio_return for row in rows] == pytest.approx(wanted["portfolio"].tolist(), rel=1e-9, abs=1e-15)
        assert [row.day for row in worst_days(result, 2).rows if row.symbol == symbol] == [row.day for row in rows[:2]]
    firsts = {(row.symbol, row.day) for row in found.rows}
    assert {("BTCUSDT", "2024-07-30"), ("ETHUSDT", "2024-08-01")} <= firsts


def test_days_in_part_are_said() -> None:
    result = bt.run(market(bars_in=10, count=250), GRID)
    found = worst_days(result, 1000)
    whole = {day.strftime("%Y-%m-%d"): count == 96 for day, count in result.equity.resample("D").count().items()}
    assert {row.day: row.whole for row in found.rows} == {row.day: whole[row.day] for row in found.rows}
    part = [row.day for row in found.rows if not row.whole]
    assert part
    assert found.sentences()[-1] == f"The run has only a part of {', '.join(sorted(part))}."


def test_known_days_within_and_outside() -> None:
    result = bt.run(market("2024-07-30"), GRID)  # ten days
    found = worst_days(result)
    assert [row.day for row in found.known] == ["2024-08-05"]
    assert found.outside == ("2020-03-12", "2021-05-19", "2022-11-09", "2025-10-10")
    row, said = found.known[0], found.sentences()
    wanted = f"BTCUSDT {row.market_return * 100.0:+.2f} % (strategy {row.strategy_return * 100.0:+.2f} %)."
    assert said[0] == f"2024-08-05 ({KNOWN_DAYS['2024-08-05']}) is in the range: {wanted}"
    assert said[1].startswith("Outside of the range lie 2020-03-12 (the pandemic crash), 2021-05-19 ")
    assert "2024-08-05" not in said[1]


@pytest.mark.parametrize(("day", "inside"), [("2020-03-11", True), ("2020-03-12", True), ("2020-03-13", False), ("2020-03-10", False)])
def test_a_known_day_at_the_edge(day: str, inside: bool) -> None:
    found = worst_days(bt.run(market(day, 192), GRID))
    assert ("2020-03-12" not in found.outside) == inside
    assert [row.day for row in found.known] == ["2020-03-12"] * inside


def test_simulated_days_are_nobody_s_memory() -> None:
    made = bt.load("BTC", "2024-07-30", "2024-08-10", source="simulated")
    found = worst_days(bt.run(made, GRID))
    assert found.rows
    assert found.simulated
    assert found.known == found.outside == ()
    assert found.sentences() == ["These days are SIMULATED: none of the known crashes is among them."]
    assert "SIMULATED" in printed(found)
    assert "2024-08-05*" not in printed(found)


def test_a_rising_market_has_no_worst_day() -> None:
    frame = frame_from("2024-01-01", 200)
    rising = 100.0 + np.arange(200.0)
    frame = frame.assign(open=rising, close=rising + 1.0, high=rising + 1.0, low=rising)
    found = worst_days(bt.run(bt.Market.from_frame(frame, frames.BTC, "15m"), GRID))
    assert found.rows == ()
    assert "No day of the range closed lower than it began." in found.sentences()
    assert next(iter(found.frame.columns)) == "symbol"


def test_a_shared_wallet_without_a_log_knows_the_whole_alone() -> None:
    markets = [market(), market(seed=5, instrument=frames.ETH)]
    terms = bt.Account(wallet="shared")
    full, bare = (worst_days(bt.run(markets, GRID, terms, log=log)) for log in (True, False))
    assert [row.portfolio_return for row in bare.rows] == [row.portfolio_return for row in full.rows]
    assert all(math.isnan(row.strategy_return) for row in bare.rows)
    assert not any(math.isnan(row.strategy_return) for row in full.rows)
    assert as_json(bare)["rows"][0]["strategy_return"] is None
    assert "(strategy" not in bare.sentences()[0]


def test_a_saved_result_tells_the_same(tmp_path: Path) -> None:
    result = bt.run([market(), market(seed=5, instrument=frames.ETH)], GRID)
    saved = bt.Result.load(result.save(tmp_path / "run"))
    assert as_json(worst_days(saved)) == as_json(worst_days(result))


def printed(found: WorstDays, width: int = 80) -> str:
    sink = io.StringIO()
    Console(file=sink, width=width).print(worst_days_table(found))
    return sink.getvalue()


def test_table_and_json() -> None:
    found = worst_days(bt.run([market(), market(seed=5, instrument=frames.ETH)], GRID), 1000)
    lines = printed(found).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("2024-08-05*" in line for line in lines) == sum(row.day == "2024-08-05" for row in found.rows) > 0
    plain = json.loads(json.dumps(as_json(found), allow_nan=False))
    assert [row["market_return"] for row in plain["rows"]] == found.frame["market_return"].tolist()
    assert plain["sentences"] == found.sentences()


@pytest.mark.parametrize("n", [0, 1001, 2.0, True, "5"])
def test_bad_n(n: object) -> None:
    with pytest.raises(InputError, match="is refused: it must be a whole number from 1 to 1,000"):
        worst_days(bt.run(market(count=50), GRID), n)


@pytest.mark.real_data
def test_the_worst_days_of_2024(real_data: Path) -> None:
    result = bt.run(bt.load("BTC", "2024-01-01", "2025-01-01", data_dir=real_data), bt.AdaptiveGrid(), log=False)
    found = worst_days(result, 3)
    assert [row.day for row in found.rows] == ["2024-03-19", "2024-01-12", "2024-08-05"]
    assert [row.day for row in found.known] == ["2024-08-05"]
