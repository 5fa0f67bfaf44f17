"""Prunes, fills by grid level and trapped inventory against a walk over the table of trades; rows by hand."""

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import backtest as bt
from backtest.metrics.prune_outcomes import HOURS
from backtest.report.lot_tables import as_json, lot_tables
from backtest.report.terminal import as_text
from backtest.result import Result
from engine.errors import InputError
from tests.results.ledgers import ALL, BAR, Book, make_market, make_result
from tests.results.test_result import without_log

HOUR = 3_600_000


def markets_of(result: Result) -> dict[str, Any]:
    return dict(zip(result.symbols, result.markets, strict=True))


@ALL
def test_prunes_against_a_walk(options: dict[str, Any]) -> None:
    result = make_result(**options)
    plain: dict[tuple[str, str], dict[str, float]] = {}
    for trade in result.trades.itertuples():
        if not trade.label.startswith("PRUNE"):
            continue
        market = markets_of(result)[trade.symbol]
        row = plain.setdefault((trade.symbol, trade.label), dict.fromkeys(("closes", "qty", "realized_pnl", "fees"), 0.0))
        row["closes"] += 1
        row["qty"] += trade.qty
        row["realized_pnl"] += trade.realized_pnl
        row["fees"] += trade.fee
        for hours in HOURS:
            place = trade.bar + hours * HOUR // BAR - 1  # the bar that closes then
            if place >= market.close.size:
                row[f"unknown_{hours}h"] = row.get(f"unknown_{hours}h", 0) + 1
                continue
            sign = 1.0 if trade.position_side == "LONG" else -1.0
            missed = sign * (market.close[place] - trade.price) * trade.qty * market.instrument.contract_multiplier
            row[f"missed_{hours}h"] = row.get(f"missed_{hours}h", 0.0) + missed
    found = result.prune_outcomes()
    assert sorted(zip(found["symbol"], found["kind"], strict=True)) == sorted(plain)
    for row in found.to_dict("records"):
        mine = plain[row["symbol"], row["kind"]]
        for name in ("closes", "qty", "realized_pnl", "fees"):
            assert row[name] == pytest.approx(mine[name])
        for hours in HOURS:
            assert row[f"missed_{hours}h"] == pytest.approx(mine.get(f"missed_{hours}h", math.nan), nan_ok=True)
            assert row[f"unknown_{hours}h"] == mine.get(f"unknown_{hours}h", 0)
    assert found["realized_pnl"].sum() == pytest.approx(result.metrics["pnl_prunes"], abs=1e-9)
    assert found["closes"].sum() == result.metrics["prunes"]


def plain_result(book: Book, prices: list[list[float]], steps: dict[int, Any]) -> Result:
    """One coin's result of a book that does `steps[bar]` in a bar and marks at the closes `prices`."""
    for bar, price in enumerate(prices):
        book.bar = bar
        steps.get(bar, lambda: None)()
        book.mark(price)
    like = make_result(bars=11)
    return dataclasses.replace(like, markets=book.markets, ledgers=[book.ledger(0)])


def by_hand(closes: list[float]) -> tuple[Book, list[list[float]]]:
    market = make_market(bars=len(closes))
    market = dataclasses.replace(market, close=np.array(closes), open=np.array([closes[0], *closes[:-1]]))
    return Book([market], market.time, 10_000.0, bt.Execution()), [[price] for price in closes]


def test_a_prune_by_hand() -> None:
    """A long of 2 bought at 100, pruned at 90 in bar 1. One hour after bar 1 opens is the close of bar 4, four hours that of bar 16."""
    book, prices = by_hand([100.0, 91.0, 92.0, 93.0, 94.0, *[80.0] * 12])
    result = plain_result(
        book, prices, {0: lambda: book.open(0, 0, 100.0, 2.0), 1: lambda: book.close(book.lots[0], 90.0, 2.0, "PRUNE_GAP")}
    )
    row = result.prune_outcomes().iloc[0]
    assert (row["kind"], row["closes"], row["qty"], row["realized_pnl"]) == ("PRUNE_GAP", 1, 2.0, -20.0)
    assert row["missed_1h"] == pytest.approx(2.0 * (94.0 - 90.0))  # holding on for an hour would have made 8
    assert row["missed_4h"] == pytest.approx(2.0 * (80.0 - 90.0))  # the prune saved 20 against four hours
    assert math.isnan(row["missed_24h"])
    assert row[["unknown_1h", "unknown_4h", "unknown_24h"]].tolist() == [0, 0, 1]


def test_a_prune_of_a_short_is_signed_the_other_way() -> None:
    book, prices = by_hand([100.0, 110.0, 112.0, 113.0, 114.0])
    result = plain_result(
        book, prices, {0: lambda: book.open(0, 1, 100.0, 1.0), 1: lambda: book.close(book.lots[0], 110.0, 1.0, "PRUNE_OLDEST")}
    )
    assert result.prune_outcomes()["missed_1h"].tolist() == pytest.approx([-4.0])


def test_an_hour_is_not_known_from_bars_of_four() -> None:
    result = make_result()
    wide = make_result(bars=60)
    market = wide.markets[0]
    wide_time = market.time[0] + 16 * (market.time - market.time[0])
    events = wide.ledgers[0].events.copy()
    events["time"] = wide_time[0] + 16 * (events["time"] - market.time[0])
    ledger = dataclasses.replace(wide.ledgers[0], time=wide_time[10:], events=events)
    coarse = dataclasses.replace(wide, markets=[dataclasses.replace(market, time=wide_time)], ledgers=[ledger])
    assert len(coarse.prune_outcomes()) > 0
    assert coarse.prune_outcomes()["missed_1h"].isna().all()
    assert coarse.prune_outcomes()["missed_4h"].notna().any()
    assert result.prune_outcomes()["missed_1h"].notna().any()


@ALL
def test_levels_against_a_walk(options: dict[str, Any]) -> None:
    result = make_result(**options)
    plain: dict[tuple[str, str, int], dict[str, float]] = {}
    held: dict[tuple[str, int], float] = {}
    for trade in result.trades.itertuples():
        if trade.lot < 0:
            assert trade.level == -1
            continue
        names = ("opened", "taken_at_profit", "closed_otherwise", "still_open", "realized_pnl")
        row = plain.setdefault((trade.symbol, trade.position_side, trade.level), dict.fromkeys(names, 0.0))
        row["realized_pnl"] += trade.realized_pnl
        lot = (trade.symbol, trade.lot)
        if "OPEN" in trade.label:
            held[lot] = trade.qty
            row["opened"] += 1
            row["still_open"] += 1
            continue
        held[lot] = round(held[lot] - trade.qty, 6)
        if held[lot] == 0.0:
            row["still_open"] -= 1
            row["taken_at_profit" if "CLOSE_" in trade.label and "MARKET" not in trade.label else "closed_otherwise"] += 1
    found = result.fills_by_level()
    keys = list(zip(found["symbol"], found["position_side"], found["level"], strict=True))
    coins = {symbol: place for place, symbol in enumerate(result.symbols)}
    assert keys == sorted(plain, key=lambda key: (coins[key[0]], key[1:]))
    for key, row in zip(keys, found.to_dict("records"), strict=True):
        for name, value in plain[key].items():
            assert row[name] == pytest.approx(value, abs=1e-9), (key, name)
    assert found["opened"].sum() == len(result.lots)
    assert found["net"].sum() == pytest.approx(result.lots["net"].sum())


@ALL
def test_open_lots_against_the_table_of_lots(options: dict[str, Any]) -> None:
    result = make_result(**options)
    found, lots = result.open_inventory(), result.lots
    standing = lots[lots["how"] == "open"]
    assert found["lots"].sum() == len(standing) == result.metrics["open_lots"]
    assert found["unrealized_pnl"].sum() == pytest.approx(result.metrics["pnl_open_positions"], abs=1e-7)
    assert found["notional"].sum() == pytest.approx(result.metrics["open_notional"])
    end = result.equity.index[-1].value // 1_000_000 + BAR if len(result.equity) else 0
    for row in found.to_dict("records"):
        mine = standing[(standing["symbol"] == row["symbol"]) & (standing["position_side"] == row["position_side"])]
        entry = np.average(mine["entry_price"], weights=mine["open_qty"])
        assert row["average_entry"] == pytest.approx(entry)
        assert row["entry_distance"] == pytest.approx(entry / markets_of(result)[row["symbol"]].close[-1] - 1.0)
        ages = [(end - opened.value // 1_000_000) / HOUR for opened in mine["opened"]]
        assert (row["average_age_hours"], row["oldest_age_hours"]) == (pytest.approx(np.mean(ages)), max(ages))


def test_break_even_is_where_closing_costs_nothing() -> None:
    """Closing everything at the break-even price, with the maker fee, leaves the wallet where it was before the lots."""
    for side in (0, 1):
        book, prices = by_hand([100.0, 97.0])
        open_lot = book.open
        steps = {0: lambda side=side, open_lot=open_lot: [open_lot(0, side, 100.0, 2.0), open_lot(0, side, 98.0, 1.0)]}
        result = plain_result(book, prices, steps)
        result.states[0]["lot_funding"][side] = 0.25
        price = 97.0 * (1.0 + result.open_inventory()["break_even_move"].iloc[0])
        gain = (1.0 - 2.0 * side) * (3.0 * price - 298.0)
        fees = result.execution.fee_maker * (298.0 + 3.0 * price)
        assert gain - fees - 0.25 == pytest.approx(0.0, abs=1e-9)


def test_age_of_standing_lots_by_hand() -> None:
    """One lot stands at 200 closes, the other at 10: of 210 closes 200 - 95 come once it is a day (96 bars) old."""
    book, prices = by_hand([100.0] * 200)
    steps = {
        0: lambda: book.open(0, 0, 100.0, 1.0),
        50: lambda: book.open(0, 0, 100.0, 1.0),
        60: lambda: book.close(book.lots[1], 100.0, 1.0, "SELL_CLOSE_LONG"),
    }
    result = plain_result(book, prices, steps)
    assert result.metrics["lots_older_than_day"] == pytest.approx(105.0 / 210.0)
    assert result.metrics["lots_older_than_week"] == 0.0
    assert result.metrics["open_lots_oldest_age_hours"] == 50.0


def test_nothing_is_told_without_a_log() -> None:
    bare = without_log(make_result())
    for name in ("prune_outcomes", "fills_by_level", "open_inventory"):
        with pytest.raises(InputError, match=f"{name} needs the event log"):
            getattr(bare, name)()
    assert lot_tables(bare) == []
    assert as_json(bare) == {"prune_outcomes": None, "fills_by_level": None, "open_inventory": None}


@ALL
def test_tables_and_json(options: dict[str, Any]) -> None:
    result = make_result(**options)
    console = Console(width=100, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as captured:
        for table, words in lot_tables(result):
            console.print(table or "", *words, sep="\n")
    text = captured.get()
    assert ("Trapped inventory" in text) == (result.metrics["open_lots"] > 0)
    assert ("Fills by grid level" in text) == ("Prunes: what was realized" in text) == (len(result.lots) > 0)
    plain = as_json(result)
    assert [row["closes"] for row in plain["prune_outcomes"]] == result.prune_outcomes()["closes"].tolist()
    assert json.loads(json.dumps(plain["fills_by_level"])) == plain["fills_by_level"]
    assert "Trapped inventory" not in as_text(result)  # the first screen stays short
