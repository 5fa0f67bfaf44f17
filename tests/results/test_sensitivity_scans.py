"""Break-even points against direct scans, and the bars whose order could matter against a plain count."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backtest as bt
from backtest.sensitivity import Scan, count_path_bars, sensitivity
from backtest.sensitivity.scan import FUNDING_MULTIPLE, MAKER_FEE, Grid
from tests.backtest import frames

GRID = bt.StaticGrid(step=0.004, grid_levels=3)
TENS = Grid("test value", tuple(float(value) for value in range(31)), 1.0, 10, lambda value: f"{value:g}")


def market(count: int, seed: int, rate: float) -> bt.Market:
    one = bt.Market.from_frame(frames.bars(count, seed=seed), frames.BTC, "15m")
    return replace(one, funding_rate=np.full(one.funding_rate.size, rate))


def crossings(values: list[float], gains: list[float]) -> tuple[float, ...]:
    return tuple(values[i] for i in range(1, len(values)) if (gains[i] > 0.0) != (gains[i - 1] > 0.0))


def test_the_grids_are_those_of_the_specification() -> None:
    assert len(MAKER_FEE.values) == 111
    assert (MAKER_FEE.values[0], MAKER_FEE.values[-1]) == (-0.0001, 0.001)
    assert 0.0002 in MAKER_FEE.values
    assert FUNDING_MULTIPLE.values[:3] == (0.0, 0.25, 0.5)
    assert FUNDING_MULTIPLE.values[-1] == 10.0
    for grid in (MAKER_FEE, FUNDING_MULTIPLE):
        assert np.allclose(np.diff(grid.values), grid.step)
        assert grid.values[:: grid.stride][-1] == grid.values[-1]


@pytest.mark.parametrize(("seed", "rate"), [(1, 0.001), (2, -0.002)])
def test_break_even_points_are_those_of_direct_scans(seed: int, rate: float) -> None:
    one = market(110, seed, rate)
    table = sensitivity(bt.run(one, GRID))
    fees = bt.sweep(one, GRID, {"fee_maker": list(MAKER_FEE.values)}, metrics=["total_return"])["total_return"].tolist()
    assert table.break_even_maker_fee is not None
    assert list(table.break_even_maker_fee.total_returns) == fees
    assert table.break_even_maker_fee.crossings == crossings(list(MAKER_FEE.values), fees)
    gains = [
        bt.run(replace(one, funding_rate=one.funding_rate * multiple), GRID, log=False).metrics["total_return"]
        for multiple in FUNDING_MULTIPLE.values
    ]
    assert table.break_even_funding_multiple is not None
    assert list(table.break_even_funding_multiple.total_returns) == gains
    assert table.break_even_funding_multiple.crossings == crossings(list(FUNDING_MULTIPLE.values), gains)


def test_a_break_even_fee_lies_where_profit_ends() -> None:
    """Buys at 39 600, sells at 40 000: fees of a round trip eat one percent at half a percent each, far beyond the range."""
    shape = {"open": 40_000.0, "high": 40_000.0, "low": 39_600.0, "close": 40_000.0, "volume": 1_000.0}
    time = frames.START + frames.QUARTER * np.arange(60, dtype=np.int64)
    bars = pd.DataFrame({"timestamp": time, **shape})
    grid = bt.StaticGrid(step=0.01, grid_levels=1, allow_short=False)
    wide = sensitivity(bt.run(bt.Market.from_frame(bars, frames.BTC, "15m", funding=0), grid), scans="coarse")
    assert wide.break_even_maker_fee is not None
    assert wide.break_even_maker_fee.crossings == ()
    assert wide.break_even_maker_fee.sentence == (
        "Break-even maker fee: none in range, a profit anywhere from -0.010 % to 0.100 % in steps of 0.010 %."
    )
    assert wide.break_even_funding_multiple is None  # no settlements
    # Rungs 0.1 % apart: 39 960 to 40 000 earns 0.1 %, so that two fees of just above 0.05 % eat it.
    bars["low"] = 39_960.0
    narrow = bt.run(bt.Market.from_frame(bars, frames.BTC, "15m", funding=0), grid.replace(step=0.001))
    found = sensitivity(narrow, scans="coarse").break_even_maker_fee
    assert found is not None
    assert found.crossings == (0.00051,)
    assert found.sentence.startswith("Break-even maker fee: the return crosses zero at 0.051 % (scanned from")


def test_a_coarse_scan_is_fine_where_the_side_changes() -> None:
    asked: list[float] = []

    def run(values: list[float]) -> list[float]:
        asked.extend(values)
        return [1.0 if value < 13.0 else -1.0 for value in values]

    scan = Scan.make(TENS, True, run)
    assert asked == [0.0, 10.0, 20.0, 30.0, *map(float, range(11, 20))]
    assert scan.crossings == (13.0,)
    assert not scan.complete
    assert scan.sentence == (
        "Break-even test value: the return crosses zero at 13 (scanned from 0 to 30 in steps of 10, of 1 next to a crossing)."
    )
    assert Scan.make(TENS, False, run).crossings == (13.0,)


@settings(max_examples=30)
@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0, math.nan]), min_size=31, max_size=31))
def test_full_scans_list_every_crossing(gains: list[float]) -> None:
    scan = Scan.make(TENS, False, lambda values: [gains[int(value)] for value in values])
    known = [value for value in range(31) if not math.isnan(gains[value])]
    expected = crossings([float(value) for value in known], [gains[value] for value in known])
    assert scan.crossings == expected
    assert scan.sentence.count("none in range") == (not expected)
    coarse = Scan.make(TENS, True, lambda values: [gains[int(value)] for value in values])
    assert set(coarse.values) >= {0.0, 10.0, 20.0, 30.0}
    assert all((gains[int(value)] > 0.0) == (coarse.total_returns[place] > 0.0) for place, value in enumerate(coarse.values))


# --- order of events inside a bar ------------------------------------------------------------------------------------------


def test_bars_that_trade_on_both_sides_of_the_open() -> None:
    """Entries of both sides fill in one bar, their exits at the next open, which is a place of its own."""
    shape = {"open": 40_000.0, "high": 40_400.0, "low": 39_600.0, "close": 40_000.0, "volume": 1_000.0}
    time = frames.START + frames.QUARTER * np.arange(41, dtype=np.int64)
    one = bt.Market.from_frame(pd.DataFrame({"timestamp": time, **shape}), frames.BTC, "15m", funding=0)
    result = bt.run(one, bt.StaticGrid(step=0.01, grid_levels=1))
    entries = result.trades[result.trades["label"].isin(["BUY_OPEN_LONG", "SELL_OPEN_SHORT"])]
    exits = result.trades[result.trades["label"].isin(["SELL_CLOSE_LONG", "BUY_CLOSE_SHORT"])]
    assert len(exits) > 10
    counted = count_path_bars(result)
    assert counted == (entries["bar"].nunique(), result.trades["bar"].nunique())
    assert counted is not None
    assert 0 < counted.ambiguous < counted.traded
    assert counted.sentence.startswith(f"In {counted.ambiguous} of {counted.traded} bars with fills")
    one_sided = count_path_bars(bt.run(one, bt.StaticGrid(step=0.01, grid_levels=1, allow_short=False)))
    assert one_sided is not None
    assert one_sided.ambiguous == 0
    assert one_sided.traded > 0


def plain_count(result: bt.Result, symbol: str, market: bt.Market, slippage: float) -> tuple[int, int]:
    """The same from the table of trades, a loop over its rows."""
    sides: dict[int, set[str]] = {}
    log = result.trades
    for row in log[(log["symbol"] == symbol) & (log["lot"] >= 0)].to_dict("records"):
        bar = int(row["time"].timestamp() * 1000 - market.time[0]) // frames.QUARTER
        place, price = sides.setdefault(bar, set()), row["price"]
        opened, label = market.open[bar], row["label"]
        price = price / (1.0 - slippage) if label == "STOP_LONG" else price / (1.0 + slippage) if label == "STOP_SHORT" else price
        if label in ("BUY_OPEN_LONG", "BUY_CLOSE_SHORT", "STOP_LONG", "LIQUIDATION") and price < opened - 1e-7:
            place.add("below")
        if label in ("SELL_OPEN_SHORT", "SELL_CLOSE_LONG", "STOP_SHORT", "LIQUIDATION") and price > opened + 1e-7:
            place.add("above")
    return sum(len(found) == 2 for found in sides.values()), len(sides)


@pytest.mark.parametrize("wallet", ["separate", "shared"])
def test_the_count_agrees_with_a_plain_one(wallet: str) -> None:
    markets = [market(500, 3, 0.0001), bt.Market.from_frame(frames.bars(450, seed=4), frames.ETH, "15m")]
    strategy = bt.AdaptiveGrid(atr_sl_mult=2.0, grid_spacing_k=0.5, spacing_floor=0.0005)
    execution = bt.Execution(slippage_stop=0.001)
    result = bt.run(markets, strategy, bt.Account(wallet=wallet, leverage=5.0), execution)
    assert result.trades["label"].str.startswith("STOP").any()
    counts = [plain_count(result, one.symbol, one, 0.001) for one in markets]
    assert count_path_bars(result) == (sum(one[0] for one in counts), sum(one[1] for one in counts))
    assert sum(one[0] for one in counts) > 0


def test_without_a_log_nothing_is_counted() -> None:
    assert count_path_bars(bt.run(market(300, 3, 0.0), GRID, log=False)) is None
