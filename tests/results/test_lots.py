"""The table of lots against bookkeeping lot by lot, and the metrics made of it."""

import math
from collections import defaultdict

import numpy as np
import pytest

from backtest.lots import LOT_COLUMNS, OPEN, empty_lots, lots_of
from backtest.metrics import lots as of_lots
from engine.records import LABELS, event_dtype
from tests.results.ledgers import BAR, LABEL, START, make_result


def event(
    bar: int, label: str, side: int, price: float, qty: float, fee: float, pnl: float, funding: float, lot: int, level: int = -1
) -> tuple[object, ...]:
    return (START + bar * BAR, bar, 0, LABEL[label], side, price, qty, fee, pnl, funding, 0.0, lot, level)


def test_partial_closes_funding_and_open_lots_by_hand() -> None:
    log = np.array(
        [
            event(0, "BUY_OPEN_LONG", 0, 100.0, 2.0, 0.2, 0.0, 0.0, 0, level=0),
            event(1, "BUY_OPEN_LONG", 0, 90.0, 2.0, 0.1, 0.0, 0.0, 1, level=3),
            event(2, "FUNDING", 0, 95.0, 4.0, 0.0, 0.0, -0.8, -1),  # 0.4 for each lot
            event(3, "STOP_LONG", 0, 80.0, 1.0, 0.3, -20.0, 0.0, 0, level=0),
            event(4, "FUNDING", 0, 85.0, 3.0, 0.0, 0.0, 0.6, -1),  # 0.2 for what is left of lot 0, 0.4 for lot 1
            event(5, "SELL_CLOSE_LONG", 0, 110.0, 1.0, 0.1, 10.0, 0.0, 0, level=0),
            event(6, "SELL_OPEN_SHORT", 1, 120.0, 1.0, 0.1, 0.0, 0.0, 2),
        ],
        dtype=event_dtype,
    )
    table = lots_of(log, "BTCUSDT", last_price=100.0, last_bar=9, multiplier=1.0, step_size=0.001)
    assert tuple(table.columns) == LOT_COLUMNS
    assert table["level"].tolist() == [0, 3, -1]
    first, second, third = (table.iloc[row] for row in range(3))
    assert (first["how"], first["closed_bar"], first["bars_held"], first["open_qty"]) == ("SELL_CLOSE_LONG", 5, 5, 0.0)
    assert first["exit_price"] == pytest.approx(95.0)
    assert first["pnl"] == pytest.approx(-10.0)
    assert first["fees"] == pytest.approx(0.6)
    assert first["funding"] == pytest.approx(-0.2)
    assert first["net"] == pytest.approx(-10.8)
    assert (second["how"], second["closed_bar"], second["bars_held"], second["open_qty"]) == (OPEN, -1, 8, 2.0)
    assert second["unrealized_pnl"] == pytest.approx(20.0)
    assert second["funding"] == pytest.approx(0.0)
    assert (third["position_side"], third["unrealized_pnl"], third["funding"]) == ("SHORT", pytest.approx(20.0), 0.0)
    assert table["closed"].isna().tolist() == [False, True, True]


@pytest.mark.parametrize("seed", range(4))
def test_random_histories_against_a_walk_through_the_log(seed: int) -> None:
    result = make_result(bars=300, seed=seed, multiplier=0.1 if seed == 1 else 1.0, liquidate_at=200 if seed == 3 else -1)
    ledger = result.ledgers[0]
    funding: dict[int, float] = defaultdict(float)
    fees: dict[int, float] = defaultdict(float)
    realized: dict[int, float] = defaultdict(float)
    held: dict[int, tuple[int, float]] = {}
    last_label = {}
    for row in ledger.events:
        label, lot = LABELS[row["label"]], int(row["lot"])
        if label == "FUNDING":
            total = sum(qty for side, qty in held.values() if side == row["side"])
            for one, (side, qty) in held.items():
                if side == row["side"]:
                    funding[one] += float(row["funding"]) * qty / total
        elif "OPEN" in label:
            held[lot] = (int(row["side"]), float(row["qty"]))
            fees[lot] += float(row["fee"])
        elif lot >= 0:
            held[lot] = (held[lot][0], held[lot][1] - float(row["qty"]))
            fees[lot] += float(row["fee"])
            realized[lot] += float(row["realized_pnl"])
            last_label[lot] = label
            if held[lot][1] < 0.0005:
                del held[lot]
    lots = result.lots
    assert len(lots) > 20
    assert set(lots.loc[lots["how"] == OPEN, "lot"]) == set(held)
    for row in lots.itertuples():
        assert row.funding == pytest.approx(funding[row.lot], abs=1e-9)
        assert row.fees == pytest.approx(fees[row.lot], abs=1e-9)
        assert row.realized_pnl == pytest.approx(realized[row.lot], abs=1e-9)
        assert row.how == (OPEN if row.lot in held else last_label[row.lot])
    shortfall = result.metrics["shortfall"]
    assert lots["net"].sum() + shortfall == pytest.approx(ledger.equity[-1] - ledger.capital, abs=1e-6)
    assert (shortfall > 0.0) == (seed == 3)


def test_no_lots_have_the_same_columns() -> None:
    table = lots_of(np.zeros(0, dtype=event_dtype), "BTCUSDT", 1.0, 0, 1.0, 0.001)
    assert tuple(table.columns) == LOT_COLUMNS
    assert len(table) == 0
    full = make_result().lots
    assert [str(kind) for kind in empty_lots().dtypes] == [str(kind) for kind in full.dtypes]


@pytest.mark.parametrize(
    ("net", "win_rate", "profit_factor", "payoff", "largest_win", "largest_loss"),
    [
        ([3.0, -1.0, 1.0, -1.0], 0.5, 2.0, 2.0, 3.0, 1.0),
        ([2.0, 0.0], 0.5, math.inf, math.nan, 2.0, math.nan),
        ([-2.0], 0.0, 0.0, math.nan, math.nan, 2.0),
        ([0.0], 0.0, math.nan, math.nan, math.nan, math.nan),
        ([], math.nan, math.nan, math.nan, math.nan, math.nan),
    ],
)
def test_metrics_of_lots(
    net: list[float], win_rate: float, profit_factor: float, payoff: float, largest_win: float, largest_loss: float
) -> None:
    values = np.array(net)
    functions = (of_lots.win_rate, of_lots.profit_factor, of_lots.payoff, of_lots.largest_win, of_lots.largest_loss)
    found = [function(values) for function in functions]
    assert found == pytest.approx([win_rate, profit_factor, payoff, largest_win, largest_loss], nan_ok=True)


def test_marked_and_closed_figures_differ_by_the_open_lots() -> None:
    result = make_result(bars=300)
    lots = result.lots
    assert (lots["how"] == OPEN).any()
    closed = lots[lots["how"] != OPEN]["net"]
    assert result.metrics["win_rate"] == pytest.approx((lots["net"] > 0).mean())
    assert result.metrics["win_rate_closed"] == pytest.approx((closed > 0).mean())
    assert result.metrics["profit_factor_closed"] == pytest.approx(closed[closed > 0].sum() / -closed[closed < 0].sum())
    assert result.metrics["gross_profit"] - result.metrics["gross_loss"] == pytest.approx(closed.sum())
    hours = (lots["closed"] - lots["opened"]).dropna().dt.total_seconds().mean() / 3600
    assert result.metrics["average_hold_hours"] == pytest.approx(hours)
