"""The grid level of events, lots and fills: against the prices of a static grid's rungs, in files, and printed."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from rich.table import Table

import backtest as bt
from backtest.report.html.details import events
from backtest.report.lot_tables import LEVELS, NO_LEVEL, level_name, level_table
from backtest.result import Result
from engine.errors import InputError
from engine.strategies.adaptive_grid_parameters import MAX_LEVELS
from tests.backtest.stepping import bracket_strategy
from tests.conftest import COMPILED
from tests.results.ledgers import make_result

pytestmark = pytest.mark.skipif(not COMPILED, reason="whole runs take too long without the compiler")
STEP = 0.004


@pytest.fixture(scope="module")
def market() -> bt.Market:
    (made,) = bt.load_markets(["BTC"], source="simulated", start="2025-06-01", end="2025-06-15", timeframe="15m")
    return made


@pytest.fixture(scope="module")
def static(market: bt.Market) -> Result:
    return bt.run(market, bt.StaticGrid(grid_levels=12, step=STEP))


def cells(table: Table, place: int) -> list[str]:
    return [str(cell) for cell in table.columns[place].cells]


def test_levels_are_the_rungs_of_a_static_grid(static: Result) -> None:
    """Until the grid is centred anew the anchor is the first close, and level j buys and sells j + 1 steps away from it."""
    trades, market = static.trades, static.markets[0]
    tick = market.instrument.tick_size
    anchor = market.close[static.ledgers[0].first_bar - 1]
    centred = trades.index[trades["label"] == "RECENTER"]
    opens = trades[trades["label"].isin(["BUY_OPEN_LONG", "SELL_OPEN_SHORT"]) & (trades.index < min(centred, default=len(trades)))]
    assert opens["level"].nunique() >= 4
    for row in opens.itertuples():
        sign = -1.0 if row.position_side == "LONG" else 1.0
        rung = anchor * (1.0 + sign * (row.level + 1) * STEP)
        assert row.price == pytest.approx((math.ceil if sign > 0.0 else math.floor)(rung / tick) * tick), row


def test_every_event_of_a_lot_has_its_level(static: Result) -> None:
    trades = static.trades
    of_lots = trades[trades["lot"] >= 0]
    assert (of_lots.groupby("lot")["level"].nunique() == 1).all()
    assert of_lots["level"].between(0, 11).all()
    assert (trades.loc[trades["lot"] < 0, "level"] == -1).all()
    assert (trades["lot"] < 0).any()
    opened = of_lots[of_lots["label"].isin(["BUY_OPEN_LONG", "SELL_OPEN_SHORT"])].set_index("lot")["level"]
    assert static.lots.set_index("lot")["level"].to_dict() == opened.to_dict()


def test_the_sums_are_those_of_the_lots(static: Result) -> None:
    found = static.fills_by_level()
    assert found["opened"].sum() == len(static.lots) > 50
    assert (found["opened"] == found["taken_at_profit"] + found["closed_otherwise"] + found["still_open"]).all()
    assert found["realized_pnl"].sum() == pytest.approx(float(static.ledgers[0].account["realized"]))
    assert found["net"].sum() == pytest.approx(static.equity_values[-1] - static.capital)
    assert found["still_open"].sum() == static.metrics["open_lots"]


def test_entries_without_a_level_are_one_row_a_side(market: bt.Market) -> None:
    result = bt.run(market, bracket_strategy())
    found = result.fills_by_level()
    assert set(found["level"]) == {-1}
    assert len(found) == result.lots["position_side"].nunique()
    table = level_table(result)
    assert table.row_count == len(found)
    assert cells(table, 1) == ["none"] * len(found)


def test_files_read_back_the_levels(static: Result, tmp_path: Path) -> None:
    again = Result.load(static.save(tmp_path / "run"))
    assert again.trades["level"].tolist() == static.trades["level"].tolist()
    assert again.fills_by_level().equals(static.fills_by_level())
    told = json.loads((tmp_path / "run" / "summary.json").read_text())["fills_by_level"]
    assert [row["level"] for row in told] == static.fills_by_level()["level"].tolist()


def test_a_run_saved_without_levels_is_refused(tmp_path: Path) -> None:
    folder = make_result(bars=60).save(tmp_path / "run")
    facts = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**facts, "format": 2}))
    with pytest.raises(InputError, match=r"was saved in format 2: this version reads format 3 only.*grid level"):
        Result.load(folder)


def test_printed_levels_count_from_one(static: Result) -> None:
    found = static.fills_by_level()
    table = level_table(static)
    sides, names, opened = (cells(table, place) for place in range(3))
    shown = {(side, name): int(count) for side, name, count in zip(sides, names, opened, strict=True)}
    for row in found[found["level"] < 10].itertuples():
        assert shown[row.position_side, str(row.level + 1)] == row.opened
    assert sum(shown.values()) == found["opened"].sum()
    deep = found[found["level"].between(10, 19) & (found["position_side"] == "LONG")]["opened"].sum()
    assert shown.get(("LONG", "11 to 20"), 0) == deep


def test_rows_of_the_printed_table_cover_every_level_once() -> None:
    covered = np.concatenate([np.arange(first, min(last, MAX_LEVELS - 1) + 1) for first, last in LEVELS])
    assert covered.tolist() == list(range(MAX_LEVELS))
    names = [level_name(first, last) for first, last in ((NO_LEVEL, NO_LEVEL), *LEVELS)]
    assert names[:3] == ["none", "1", "2"]
    assert names[-3:] == ["11 to 20", "21 to 50", "51 and more"]


def test_the_page_lists_events_with_their_level(static: Result) -> None:
    first = static.trades.iloc[0]
    row = events(static).split("<tbody>")[1].split("</tr>")[0]
    assert row.rstrip().endswith(f">{first['level'] + 1}</td>")
