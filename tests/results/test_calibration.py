"""Fill calibration: tables made by hand, a threshold that is found again, and tables that are refused in one sentence."""

from __future__ import annotations

import io
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import backtest as bt
from backtest.calibration import calibration_tables

BTC = bt.Instrument("BTCUSDT", tick_size=0.1, step_size=0.001, min_qty=0.001, min_notional=5.0)
OPEN = pd.Timestamp("2024-01-01", tz="UTC")
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "calibrate_fills.py"


def at(minutes: float) -> pd.Timestamp:
    return OPEN + pd.Timedelta(minutes=minutes)


def market(lows: list[float], highs: list[float] | None = None, **changes: Any) -> bt.Market:
    """Bars of 15 minutes that open and close at 1000."""
    count = len(lows)
    values = {"open": 1000.0, "high": highs or [1000.0] * count, "low": lows, "close": 1000.0, "volume": 1.0}
    frame = pd.DataFrame(values, index=pd.date_range(OPEN, periods=count, freq="15min"))
    return bt.Market.from_frame(frame.assign(**changes), BTC, "15m", funding=0)


def order(**values: Any) -> dict[str, Any]:
    """An order to buy at 999 that rested through the first bar and filled in it."""
    usual = {"time": at(5), "side": "BUY", "kind": "LIMIT", "price": 999.0, "qty": 1.0, "placed_at": at(0), "canceled_at": None}
    return {**usual, **values}


def unfilled(**values: Any) -> dict[str, Any]:
    return order(**{"time": None, "qty": 0.0, "canceled_at": at(15), **values})


def calibrate(rows: list[dict[str, Any]], bars: bt.Market, **options: Any) -> Any:
    return bt.calibrate_fills(pd.DataFrame(rows), bars, **options)


def ratios(found: Any) -> dict[str, tuple[int, int]]:
    table = found.by_depth[found.by_depth["orders"] > 0]
    return {row.depth: (row.orders, row.filled) for row in table.itertuples()}


def test_depths_by_hand() -> None:
    """Lows of 999.0 (a mere touch), 998.95 (half a tick), 998.6 (4 bp) and 999.5 (not reached) against orders to buy at 999."""
    bars = market([999.0, 998.95, 998.6, 999.5], [1000.0, 1000.0, 1001.5, 1000.0])
    rows = [
        order(),
        unfilled(),
        unfilled(placed_at=at(15), canceled_at=at(30)),
        order(placed_at=at(30), time=at(40)),
        unfilled(placed_at=at(45), canceled_at=at(60)),
        order(side="SELL", price=1001.0, placed_at=at(30), time=at(44)),  # 5 bp less a little: 0.5 / 1001
    ]
    found = calibrate(rows, bars)
    assert ratios(found) == {"not reached": (1, 0), "less than a tick": (3, 1), "3 to 5 bp": (2, 2)}
    assert found.orders["outcome"].tolist() == ["BOTH", "ONLY_ENGINE", "ONLY_ENGINE", "BOTH", "NEITHER", "BOTH"]
    assert found.orders["depth_bps"].tolist() == pytest.approx([0.0, 0.0, 0.05 / 999e-4, 0.4 / 999e-4, -0.5 / 999e-4, 0.5 / 1001e-4])
    assert found.orders["engine_at"].iloc[3] == at(30)
    assert pd.isna(found.orders["engine_at"].iloc[4])
    ticked = calibrate(rows, bars, execution=bt.Execution(through=1.0))
    assert ticked.orders["outcome"].tolist() == ["ONLY_MINE", "NEITHER", "NEITHER", "BOTH", "NEITHER", "BOTH"]
    deeper = calibrate(rows, bars, execution=bt.Execution(through_bps=4.5))
    assert deeper.orders["outcome"].tolist()[3::2] == ["ONLY_MINE", "BOTH"]


def test_which_bars_count_for_an_order() -> None:
    bars = market([998.0, 999.5, 998.0])
    rows = [
        unfilled(placed_at=at(1), canceled_at=at(14)),  # nine tenths of the first bar
        unfilled(placed_at=at(2), canceled_at=at(30)),  # the second alone
        unfilled(placed_at=at(15), canceled_at=at(31)),  # not the third
        unfilled(placed_at=at(5), canceled_at=at(14)),  # none
        order(placed_at=at(5), time=at(7)),  # filled in the bar it was placed in
        order(placed_at=None),
        unfilled(placed_at=at(-60), canceled_at=at(20)),
        order(placed_at=at(40), time=at(50)),
    ]
    found = calibrate(rows, bars)
    assert found.orders["outcome"].tolist() == ["ONLY_ENGINE", "NEITHER", "NEITHER", "", "", "", "", ""]
    assert found.orders["left_out"].tolist()[3:] == [*["rested through no whole bar"] * 2, "no placed_at", *["outside the bars"] * 2]
    assert any("2 limit orders say nothing of the fill ratio: outside the bars." in line for line in found.sentences())


def test_an_order_that_lives_for_less_than_a_bar_counts_whether_it_filled_or_not() -> None:
    """Otherwise the ones that filled are all that is left, and every touch looks like a fill."""
    bars = market([999.0] * 3)
    rows = [order(), unfilled(canceled_at=at(5)), unfilled(canceled_at=at(1)), unfilled(placed_at=at(-1), canceled_at=at(0))]
    rows += [unfilled(placed_at=at(0), canceled_at=at(20)), unfilled(placed_at=at(5), canceled_at=at(31))]
    found = calibrate(rows, bars, least_orders=2)
    assert ratios(found) == {"less than a tick": (5, 1)}
    assert found.suggestions[1].value == pytest.approx(0.2)
    assert found.orders["left_out"].tolist() == ["", "", "", "outside the bars", "", ""]


def test_a_chance_of_the_engine_is_left_aside_and_said() -> None:
    found = calibrate([order()], market([999.0]), execution=bt.Execution(touch_probability=0.5))
    assert found.by_depth["engine"].max() == 1.0
    assert "touch_probability = 0.5 is left aside" in " ".join(found.sentences())
    assert "left aside" not in " ".join(calibrate([order()], market([999.0])).sentences())


def test_finer_bars_are_used() -> None:
    fine = pd.DataFrame({"open": 1000.0, "high": 1000.0, "low": [998.0, 999.5, 999.5], "close": 1000.0, "volume": 1.0})
    fine.index = pd.date_range(OPEN, periods=3, freq="5min")
    frame = pd.DataFrame({"open": [1000.0], "high": 1000.0, "low": 998.0, "close": 1000.0, "volume": 3.0}, index=[OPEN])
    frame.loc[at(15)] = 1000.0
    bars = bt.Market.from_frame(frame, BTC, "15m", funding=0, sub_bars=fine)
    found = calibrate([unfilled(placed_at=at(5))], bars)
    assert found.orders["outcome"].tolist() == ["NEITHER"]


def test_rows_of_one_order_are_added_up() -> None:
    bars = market([998.0] * 3)
    rows = [
        order(order_id=7, qty=0.5, order_qty=2.0, time=at(9)),
        order(order_id=7, qty=0.5, order_qty=2.0, time=at(3), price=998.0),
        order(order_id=8, qty=3.0),
    ]
    found = calibrate(rows, bars)
    assert found.orders["order_id"].tolist() == ["7", "8"]
    assert found.orders["filled"].tolist() == [0.5, 1.0]
    assert found.orders["filled_at"].iloc[0] == at(3)


def test_slippage_by_kind_by_hand() -> None:
    bars = market([990.0] * 4)
    rows = [
        *[order(kind="STOP", side="SELL", order_price=1000.0, price=1000.0 - one, placed_at=None) for one in (0.1, 0.2, 0.9)],
        order(kind="MARKET", side="BUY", order_price=1000.0, price=1000.5, placed_at=None),
        order(kind="MARKET", placed_at=None),
        unfilled(kind="STOP"),
    ]
    found = calibrate(rows, bars, least_orders=3)
    table = found.slippage.set_index("kind")
    assert table.loc["STOP", ["orders", "median_bps", "mean_bps", "left_out"]].tolist() == pytest.approx([3, 2.0, 4.0, 0])
    assert table.loc["STOP", ["low_bps", "high_bps"]].tolist() == pytest.approx(np.quantile([1.0, 2.0, 9.0], [0.05, 0.95]))
    assert table.loc["MARKET", ["orders", "median_bps", "engine_bps", "left_out"]].tolist() == pytest.approx([1, 5.0, 2.0, 1])
    chosen = {one.setting: one.value for one in found.suggestions}
    assert chosen == {"through_bps": None, "touch_probability": None, "slippage_stop": pytest.approx(0.0004), "slippage": None}
    assert found.suggested(bt.Execution(through=1.0)) == bt.Execution(through=1.0, slippage_stop=0.0004)
    text = " ".join(found.sentences())
    assert "1 fills have no order_price" in text
    assert "No slippage is suggested: it takes 3 filled market orders with an order_price, and there are 1." in text


@pytest.mark.parametrize("beyond", [0.0, 1.5, 4.0])
def test_a_threshold_is_found_again(beyond: float) -> None:
    """Orders that filled where the path went `beyond` basis points past them suggest that threshold."""
    random = np.random.default_rng(3)
    depths = random.uniform(0.05, 10.0, 300)
    bars = market([round(999.0 * (1.0 - depth / 1e4), 4) for depth in depths])
    rows = []
    for place, depth in enumerate(depths):
        life = {"placed_at": at(15 * place), "canceled_at": at(15 * (place + 1))}
        rows.append(order(time=at(15 * place + 5), **life) if depth >= beyond else unfilled(**life))
    found = calibrate(rows, bars)
    through = found.suggestions[0]
    assert through.orders == 300
    assert through.value == pytest.approx(beyond, abs=0.06)
    assert found.suggested().through_bps == through.value
    assert calibrate(rows, bars, execution=found.suggested()).orders["outcome"].isin(["BOTH", "NEITHER"]).mean() > 0.99


def test_a_share_of_mere_touches() -> None:
    bars = market([999.0] * 8)
    lives = [{"placed_at": at(15 * i), "canceled_at": at(15 * i + 15)} for i in range(8)]
    rows = [order(time=at(15 * i + 1), **lives[i]) if i < 2 else unfilled(**lives[i]) for i in range(8)]
    found = calibrate(rows, bars, least_orders=8)
    assert found.suggestions[1].value == 0.25
    few = calibrate(rows, bars, least_orders=9)
    assert all(one.value is None for one in few.suggestions)
    assert few.suggested() == bt.Execution()


def test_shown_on_a_terminal_and_in_a_notebook() -> None:
    found = calibrate([order(), unfilled(), order(kind="STOP", order_price=999.0, side="SELL", price=998.9)], market([998.0] * 2))
    sink = io.StringIO()
    for table in calibration_tables(found):
        Console(file=sink, width=80).print(table)
    text, page = repr(found), found._repr_html_()
    for words in ("BTCUSDT", "10 to 20 bp", "beyond the limit", "median bp"):
        assert words in page
        assert words in text
        assert words in sink.getvalue()
    assert "SIMULATED" not in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"side": "LONG"}, "row 0: side = 'LONG' is refused: it must be BUY or SELL"),
        ({"kind": "ICEBERG"}, "row 0: kind = 'ICEBERG' is refused: it must be LIMIT or STOP or MARKET"),
        ({"price": 0.0}, "row 0: price = 0.0 is refused"),
        ({"price": "cheap"}, "row 0: price = 'cheap' is refused"),
        ({"qty": -1.0}, "row 0: qty = -1.0 is refused"),
        ({"qty": None}, "row 0: qty = None is refused"),
        ({"time": "yesterday"}, "row 0: time = 'yesterday' is refused"),
        ({"time": None}, "row 0 is refused: it has a qty but no time"),
        ({"qty": 0.0, "canceled_at": None}, "needs placed_at and canceled_at"),
        ({"placed_at": at(30)}, "row 0 is refused: it was filled before it was placed"),
        ({"canceled_at": at(-1)}, "row 0 is refused: it was canceled before it was placed"),
        ({"symbol": "ETHUSDT"}, "row 0: symbol = 'ETHUSDT' is refused: it must be BTCUSDT"),
        ({"order_price": -3.0}, "row 0: order_price = -3.0 is refused"),
    ],
)
def test_a_row_that_does_not_fit_is_refused(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(bt.InputError) as error:
        calibrate([order(**change)], market([998.0] * 2))
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_no_table_is_refused() -> None:
    bars = market([998.0] * 2)
    rows = pd.DataFrame([order()])
    for call, sentence in (
        (lambda: bt.calibrate_fills([1], bars), "must be a DataFrame"),  # type: ignore[arg-type]
        (lambda: bt.calibrate_fills(rows.drop(columns="side"), bars), "my_fills lacks side"),
        (lambda: bt.calibrate_fills(rows.iloc[:0], bars), "has no rows"),
        (lambda: bt.calibrate_fills(rows, None), "must be a bt.Market"),  # type: ignore[arg-type]
        (lambda: bt.calibrate_fills(rows, bars, least_orders=0), "least_orders = 0 is refused"),
        (lambda: calibrate([order(order_id=1), order(order_id=1, side="SELL")], bars), "order 1 has rows with different side"),
    ):
        with pytest.raises(bt.InputError, match=sentence):
            call()


def test_the_given_table_is_left_as_it_was() -> None:
    rows = pd.DataFrame([order(side="buy", time="2024-01-01T00:05"), unfilled(placed_at=1_704_067_200_000)])
    before = rows.copy(deep=True)
    found = bt.calibrate_fills(rows, market([998.0] * 2))
    assert rows.equals(before)
    assert found.orders["outcome"].tolist() == ["BOTH", "ONLY_ENGINE"]


def test_the_example_calls_its_fills_simulated() -> None:
    assert "SIMULATED" in (runpy.run_path(str(EXAMPLE))["__doc__"] or "")
