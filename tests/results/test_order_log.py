"""The order log: what was placed less what ended is what rests, its counts are the engine's, and it is the run's or nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backtest as bt
from backtest import cli
from backtest.order_log import ACTIONS, COLUMNS, write_order_log
from backtest.step_tables import KINDS
from engine.records import ENTRY, LABELS, SIDES
from engine.stepping import list_orders, wanted_dtype
from tests.backtest.stepping import bracket_strategy
from tests.conftest import COMPILED

pytestmark = pytest.mark.skipif(not COMPILED, reason="whole runs bar by bar take too long without the compiler")

TERMS = {"source": "simulated", "start": "2025-06-01", "end": "2025-06-08", "timeframe": "15m"}


def load(*coins: str, **changes: Any) -> list[bt.Market]:
    return bt.load_markets(coins, **{**TERMS, **changes})


def rest_at_the_end(result: bt.Result) -> pd.DataFrame:
    """What the engine's own books hold after the run, a row an order."""
    tables = []
    for ledger in result.ledgers:
        orders = np.zeros(5000, wanted_dtype)
        orders = orders[: list_orders(ledger.states.copy(), orders)]
        tables.append(
            pd.DataFrame(
                {
                    "symbol": [ledger.symbols[k] for k in orders["instrument"]],
                    "kind": [KINDS[kind] for kind in orders["kind"]],
                    "position_side": [SIDES[side] for side in orders["side"]],
                    **{name: orders[name] for name in ("price", "qty", "lot", "level")},
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def left_over(log: pd.DataFrame) -> pd.DataFrame:
    """PLACE rows of the orders that the log does not end."""
    log = log[log["order"] >= 0]
    ends = log["action"].isin(["CANCEL", "EXPIRE"]) | ((log["action"] == "FILL") & (log["remaining"] == 0.0))
    assert not log[ends].duplicated(["symbol", "order"]).any()
    placed = log[log["action"] == "PLACE"]
    assert not placed.duplicated(["symbol", "order"]).any()
    ended = pd.MultiIndex.from_frame(log.loc[ends, ["symbol", "order"]].astype({"symbol": str}))
    index = pd.MultiIndex.from_frame(placed[["symbol", "order"]].astype({"symbol": str}))
    assert ended.isin(index).all()
    assert len(placed) - int(ends.sum()) == np.count_nonzero(~index.isin(ended))
    return placed[~index.isin(ended)]


def counted(log: pd.DataFrame, action: str, reason: str | None = None) -> int:
    rows = log[(log["action"] == action) & ((log["reason"] == reason) if reason is not None else True)]
    return int(rows["count"].sum())


def check(result: bt.Result) -> pd.DataFrame:
    """Everything that must hold of a log, whatever the run; returns it."""
    log = bt.order_log(result)
    assert tuple(log.columns) == COLUMNS
    assert log["time"].is_monotonic_increasing
    for _, rows in log.groupby(["bar", "symbol"], observed=True):
        order = [ACTIONS.index(action) for action in rows["action"]]
        assert order == sorted(order)
    # What rests.
    rest, expected = left_over(log), rest_at_the_end(result)
    by = ["symbol", "kind", "position_side", "lot", "price"]
    rest = rest.astype(dict.fromkeys(by[:3], str)).sort_values([*by, "qty"])
    expected = expected.sort_values([*by, "qty"])
    assert rest["price"].tolist() == pytest.approx(expected["price"].tolist(), nan_ok=True)
    for name in [*by[:4], "level"]:
        assert rest[name].tolist() == expected[name].tolist()
    # What the engine counts.
    states = [state for ledger in result.ledgers for state in ledger.states]

    def total(name: str) -> int:
        return sum(int(state[name]) for state in states)

    assert counted(log, "PLACE") + counted(log, "REFUSE", "NEVER_RESTED") == total("orders_placed") == result.metrics["orders_placed"]
    entries = log["kind"] == KINDS[ENTRY]
    assert np.count_nonzero(entries & (log["action"] == "PLACE")) == total("entries_placed")
    assert np.count_nonzero(entries & (log["action"] == "FILL")) == total("entries_filled")
    assert counted(log, "REFUSE", "TOO_SMALL") == total("dropped_rungs")
    assert counted(log, "REFUSE", "TIER_CAP") == total("tier_cap_hits")
    refused = sum(counted(log, "REFUSE", reason) for reason in ("TOO_SMALL", "TIER_CAP", "LIMIT"))
    assert total("entries_placed") + refused == total("wanted_rungs")
    if not np.isnan(result.metrics["var_blocked_bars"]):
        assert counted(log, "REFUSE", "VALUE_AT_RISK") == result.metrics["var_blocked_bars"]
    # What filled: the quantities of the trades, and churn.
    fills, trades = log[log["action"] == "FILL"], result.trades
    trades = trades[(trades["lot"] >= 0) & ~trades["label"].isin(["DELISTED"])]
    assert fills["qty"].sum() == pytest.approx(trades["qty"].sum())
    # The level of an entry is that of the lot it opens.
    by = ["symbol", "position_side", "price", "level"]
    entered, opened = fills[fills["kind"] == KINDS[ENTRY]], trades[trades["label"].isin(LABELS[:2])]
    assert entered[by].astype(dict.fromkeys(by[:2], str)).value_counts().to_dict() == opened[by].value_counts().to_dict()
    return log


@pytest.mark.parametrize("strategy", [bt.AdaptiveGrid(), bt.StaticGrid(grid_levels=4, step=0.004)], ids=["adaptive", "static"])
def test_separate_wallets(strategy: Any) -> None:
    log = check(bt.run(load("BTC", "ETH"), strategy))
    assert {"PLACE", "CANCEL", "FILL"} <= set(log["action"])
    assert set(log["symbol"]) == {"BTCUSDT", "ETHUSDT"}
    assert (log["reason"] != "NEVER_RESTED").all()


def test_a_shared_wallet_with_weights_and_refusals() -> None:
    account = bt.Account(wallet="shared", leverage=3.0, capital=900.0)
    log = check(bt.run(load("BTC", "ETH", "SOL"), bt.AdaptiveGrid(), account, weights=[0.2, 0.5, 0.3]))
    assert counted(log, "REFUSE", "TOO_SMALL") > 0
    assert log.loc[log["action"] == "REFUSE", "order"].eq(-1).all()


def test_partial_fills_say_what_remains() -> None:
    log = check(bt.run(load("BTC"), bracket_strategy(), execution=bt.Execution(max_volume_share=3e-6)))
    partial = log[(log["action"] == "FILL") & (log["remaining"] > 0.0)]
    assert len(partial) > 0
    assert (partial["kind"] != "ENTRY").all()  # what volume left of an entry is cancelled


def test_own_exits_and_finer_bars() -> None:
    for markets in (load("BTC"), load("BTC", sub_bars="5m")):
        log = check(bt.run(markets, bracket_strategy()))
        exits = log[log["reason"] == "OWN_EXIT"]
        assert set(exits["kind"]) == {"TAKE_PROFIT", "STOP"}
        assert (exits["lot"] >= 0).all()
        assert counted(log, "EXPIRE", "NOTHING_TO_CLOSE") > 0


@pytest.mark.parametrize("after", ["stop", "continue"])
def test_a_liquidation_ends_what_rests(after: str) -> None:
    markets = load("BTC", scenario="crash", end="2025-07-01", timeframe="1h")
    result = bt.run(markets, bt.StaticGrid(step=0.03, order_pct=0.1), bt.Account(leverage=20.0, after_liquidation=after))
    assert result.liquidated
    log = check(result)
    assert counted(log, "EXPIRE", "LIQUIDATED") > 0
    assert (log.loc[log["kind"] == "LIQUIDATION", "action"] == "FILL").all()


@given(seed=st.integers(1, 9), levels=st.integers(1, 6), step=st.floats(0.001, 0.02), leverage=st.sampled_from([1.0, 5.0, 20.0]))
@settings(max_examples=8, deadline=None)
def test_random_grids(seed: int, levels: int, step: float, leverage: float) -> None:
    markets = load("BTC", seed=seed, end="2025-06-04")
    check(bt.run(markets, bt.StaticGrid(grid_levels=levels, step=step), bt.Account(leverage=leverage)))


@pytest.mark.real_data
def test_a_month_of_real_bars(real_data: Path) -> None:
    markets = bt.load_markets(["BTC", "ETH"], "2024-03-01", "2024-04-01", data_dir=str(real_data), warmup=bt.AdaptiveGrid().warmup_bars())
    check(bt.run(markets, bt.AdaptiveGrid(), bt.Account(wallet="shared")))


def test_without_an_event_log_and_with_a_watcher() -> None:
    markets = load("BTC", "ETH", end="2025-06-03")
    seen: list[tuple[int, int]] = []
    log = bt.order_log(bt.run(markets, bt.StaticGrid(), log=False), lambda done, total: seen.append((done, total)))
    assert log.equals(bt.order_log(bt.run(markets, bt.StaticGrid())))
    assert seen[-1] == (2 * 192, 2 * 192)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_what_cannot_be_replayed_is_refused(tmp_path: Path) -> None:
    result = bt.run(load("BTC", "ETH", end="2025-06-04"), bt.StaticGrid(step=0.003), bt.Account(wallet="shared"))
    with pytest.raises(bt.InputError, match="part of a larger run"):
        bt.order_log(result["BTCUSDT"])
    with pytest.raises(bt.InputError, match="read from files"):
        bt.order_log(bt.Result.load(result.save(tmp_path / "run")))


def test_a_replay_that_is_not_the_run_is_an_error() -> None:
    result = bt.run(load("BTC", end="2025-06-04"), bt.StaticGrid(step=0.003))
    events = result.ledgers[0].events.copy()
    events["price"][0] += 0.1
    tampered = replace(result, ledgers=(replace(result.ledgers[0], events=events),))
    with pytest.raises(RuntimeError, match="other trades than the run"):
        bt.order_log(tampered)


def test_the_command_line_writes_it_when_asked(tmp_path: Path) -> None:
    terms = ["--source", "simulated", "--start", "2025-06-01", "--end", "2025-06-03", "--no-charts", "--sensitivity", "none", "--quiet"]
    folders = []
    for name, extra in (("one", ["--log-orders"]), ("two", ["--log-orders"]), ("none", [])):
        assert cli.main([*terms, *extra, "--output", str(tmp_path / name)]) == 0
        folders += list((tmp_path / name).iterdir())
    one, two, none = folders
    assert not [path for path in none.iterdir() if path.name.startswith("orders")]
    for name in ("orders.csv", "orders.parquet"):
        assert (one / name).read_bytes() == (two / name).read_bytes()
    table, text = pd.read_parquet(one / "orders.parquet"), pd.read_csv(one / "orders.csv", keep_default_na=False, na_values={"price": ""})
    assert tuple(text.columns) == tuple(table.columns) == COLUMNS
    assert text["action"].tolist() == table["action"].tolist()
    assert text["price"].tolist() == pytest.approx(table["price"].tolist(), nan_ok=True)
    assert text["time"].iloc[0] == "2025-06-01T00:00:00Z"
    placed = json.loads((one / "summary.json").read_text())["metrics"]["orders_placed"]
    assert (table["action"] == "PLACE").sum() == placed


def test_without_bars_there_are_no_orders() -> None:
    (market,) = load("BTC", end="2025-06-02")
    other = load("ETH", end="2025-06-02")
    never = replace(market, trade_from=len(market))
    assert len(bt.order_log(bt.run(never, bt.StaticGrid()))) == 0
    log = check(bt.run([never, *other], bt.StaticGrid(step=0.003), bt.Account(wallet="shared")))
    assert set(log["symbol"]) == {"ETHUSDT"}


def test_an_empty_log_is_a_table_with_columns(tmp_path: Path) -> None:
    markets = load("BTC", end="2025-06-02")
    log = bt.order_log(bt.run(markets, bt.StaticGrid(), bt.Account(capital=1.0)))
    assert set(log["action"]) == {"REFUSE"}
    write_order_log(log.iloc[:0], tmp_path, "title")
    assert tuple(pd.read_parquet(tmp_path / "orders.parquet").columns) == COLUMNS
