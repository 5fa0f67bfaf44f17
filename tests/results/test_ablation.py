"""Ablation: every row is a run with one parameter changed, and the words say what was changed."""

from __future__ import annotations

import io
import json
import math

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import backtest as bt
from backtest.ablation import MODULES, Ablation, ablation, ablation_table, as_json, trend_capture
from backtest.ablation.trend_days import share_caught
from engine.errors import InputError
from tests.backtest import frames
from tests.backtest.stepping import bracket_strategy

HOUR = 3_600_000

# What switches each module off, written out.
OFF = {
    "skew": {"skew_cap": 0.0},
    "trailing": {"trailing_activation_er": 1.0},
    "prune by deviance": {"prune_deviance": False},
    "prune by age": {"prune_oldest": False},
    "prune by gap": {"prune_gap": False},
    "prune by funding": {"prune_funding": False},
    "prune by offset": {"prune_offset": False},
    "stops": {"atr_sl_mult": 0.0},
    "circuit breaker": {"halt_z_threshold": -100.0},
    "value-at-risk gate": {"max_drawdown_pct": 10.0},
}
# Every module acts within a few days of random bars.
BUSY = bt.AdaptiveGrid(
    spacing_floor=0.001,
    vol_period=48,
    max_position_age_hours=2,
    halt_z_threshold=-1.5,
    max_drawdown_pct=0.02,
    trailing_activation_er=0.2,
    trailing_trigger_level=1,
    er_trend_threshold=0.2,
    grid_levels=4,
    order_pct=0.1,
    deviance_sigma=1.2,
    atr_period=5,
    kama_period=5,
    gap_prune_mult=4.0,
    funding_cost_ratio=0.02,
)


def market(count: int = 250, seed: int = 3, instrument: bt.Instrument = frames.BTC) -> bt.Market:
    times = frames.START + 8 * HOUR * np.arange(1, count // 32 + 1)
    funding = pd.DataFrame({"time": pd.to_datetime(times, unit="ms", utc=True), "rate": 0.002})
    return bt.Market.from_frame(frames.bars(count, seed=seed), instrument, "15m", funding=funding)


def deepest(result: bt.Result) -> float:
    return result.metrics["max_drawdown" if len(result.ledgers) == 1 else "max_drawdown_close"]


def same(first: float, second: float) -> bool:
    return first == second or (math.isnan(first) and math.isnan(second))


@pytest.mark.parametrize("wallet", ["separate", "shared"])
def test_every_row_is_a_run(wallet: str) -> None:
    markets = [market(), market(210, 5, frames.ETH)]
    account = bt.Account(wallet=wallet, leverage=3.0)
    result = bt.run(markets, BUSY, account, log=False)
    found = ablation(result, threads=2)
    assert [row.name for row in found.rows] == [*OFF, "all of them"]
    assert found.off == ()
    everything = {name: value for change in OFF.values() for name, value in change.items()}
    for row in found.rows:
        change = OFF.get(row.name, everything)
        assert row.changes == {name: (getattr(BUSY, name), value) for name, value in change.items()}
        direct = bt.run(markets, BUSY.replace(**change), account)
        assert row.total_return == direct.metrics["total_return"], row.name
        assert row.max_drawdown == deepest(direct), row.name
        assert row.change_points == pytest.approx(100.0 * (direct.metrics["total_return"] - result.metrics["total_return"]))
        assert row.drawdown_points == pytest.approx(100.0 * (deepest(direct) - deepest(result)))
        assert same(row.trend_capture, trend_capture(direct))
        assert row.still == 0
    assert len({row.total_return for row in found.rows}) > 7  # the modules count


def test_how_often_a_module_acted() -> None:
    result = bt.run(market(), BUSY, bt.Account(leverage=3.0))
    found = {row.name: row.times for row in ablation(result).rows}
    count = result.trades["label"].value_counts()
    assert found["prune by deviance"] == count.get("PRUNE_DEVIANCE", 0) > 0
    assert found["prune by age"] == count.get("PRUNE_OLDEST", 0) > 0
    assert found["stops"] == count.get("STOP_LONG", 0) + count.get("STOP_SHORT", 0) > 0
    metrics = result.metrics
    assert found["trailing"] == metrics["shifts"] > 0
    assert found["circuit breaker"] == metrics["halts"] > 0
    assert found["value-at-risk gate"] == metrics["var_blocked_bars"] > 0
    assert found["skew"] is None


@pytest.mark.parametrize("name", list(OFF))
def test_a_module_that_is_off_is_not_listed(name: str) -> None:
    found = ablation(bt.run(market(100), BUSY.replace(**OFF[name])))
    assert [row.name for row in found.rows] == [*(other for other in OFF if other != name), "all of them"]
    assert found.off == (name,)
    assert f"Off in this run and so not listed: {name}." in found.sentences()


def test_no_risk_aversion_is_no_skew() -> None:
    assert "skew" in ablation(bt.run(market(150), BUSY.replace(gamma=0.0))).off


def test_nothing_to_switch_off() -> None:
    everything = {name: value for change in OFF.values() for name, value in change.items()}
    found = ablation(bt.run(market(150), bt.AdaptiveGrid(**everything)))
    assert found.rows == ()
    assert len(found.off) == len(MODULES)
    assert found.sentences() == ["Every module is off in this run already: there is nothing to switch off."]


def test_one_module_alone_has_no_row_for_all() -> None:
    everything = {name: value for change in OFF.values() for name, value in change.items() if name != "atr_sl_mult"}
    assert [row.name for row in ablation(bt.run(market(150), bt.AdaptiveGrid(**everything))).rows] == ["stops"]


@pytest.mark.parametrize("kind", ["static_grid", "brackets"])
def test_other_strategies_have_no_modules(kind: str) -> None:
    strategy = bt.StaticGrid() if kind == "static_grid" else bracket_strategy()
    with pytest.raises(InputError, match=f"strategy {kind} is refused: only adaptive_grid has modules"):
        ablation(bt.run(market(150), strategy))


def test_bad_threads() -> None:
    with pytest.raises(InputError, match="threads = 0 is refused"):
        ablation(bt.run(market(150), BUSY), threads=0)


def test_the_numbers_do_not_depend_on_threads_and_progress_is_told() -> None:
    result = bt.run(market(150), BUSY)
    seen: list[tuple[int, int]] = []
    one = ablation(result, lambda done, total: seen.append((done, total)), threads=1)
    assert as_json(one) == as_json(ablation(result, threads=2))
    assert seen == [(done, 11) for done in range(1, 12)]


# --- trends caught ----------------------------------------------------------------------------------------------------------


def test_share_caught_by_hand() -> None:
    moves = np.full(40, 0.001)
    moves[[3, 9, 21, 30]] = [0.10, -0.10, 0.05, -0.05]
    # The 90th percentile of 40 days lies at place 35.1, in the quiet ones but for a tenth of the step to 0.05.
    assert np.count_nonzero(np.abs(moves) >= np.quantile(np.abs(moves), 0.9)) == 4
    returns = np.full(40, 0.5)
    returns[[3, 9, 21, 30]] = [0.02, 0.01, -0.01, 0.01]
    assert share_caught(returns, moves, 0.5) == pytest.approx(0.03 / (0.5 * 0.30))
    # A perfect follower at constant exposure caught all, one on the wrong side lost all.
    assert share_caught(0.5 * np.abs(moves), moves, 0.5) == pytest.approx(1.0)
    assert share_caught(-0.5 * np.abs(moves), moves, 0.5) == pytest.approx(-1.0)


def test_share_caught_without_meaning() -> None:
    moves = np.linspace(-0.1, 0.1, 40)
    assert math.isnan(share_caught(moves, moves, 0.0))
    assert math.isnan(share_caught(moves, np.zeros(40), 1.0))
    assert math.isnan(share_caught(moves[:29], moves[:29], 1.0))
    assert not math.isnan(share_caught(moves[:30], moves[:30], 1.0))


def test_trend_capture_from_the_tables() -> None:
    days = {frames.BTC: 40, frames.ETH: 35}
    markets = [bt.Market.from_frame(frames.bars(24 * days[one], step=HOUR, seed=days[one]), one, "1h") for one in days]
    result = bt.run(markets, BUSY)
    daily = pd.DataFrame({"run": result.equity, "held": result.buy_and_hold}).resample("D").last()
    before = daily.shift(1).fillna(result.capital)
    moves = daily / before - 1.0
    trending = moves["held"].abs() >= moves["held"].abs().quantile(0.9)
    notional, equity = [], []
    for symbol in result.symbols:
        one = result[symbol]
        equity.append(one.equity_values)
        notional.append(one.gross_notional_values / one.equity_values)
    exposure = np.mean([values.mean() for values in notional])
    wanted = moves["run"][trending].sum() / (exposure * moves["held"][trending].abs().sum())
    assert trend_capture(result) == pytest.approx(wanted, rel=1e-9)


# --- showing ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shown() -> Ablation:
    return ablation(bt.run(market(), BUSY.replace(deviance_sigma=1000.0), bt.Account(leverage=3.0)))


def test_sentences_name_the_change(shown: Ablation) -> None:
    said = shown.sentences()
    age = next(row for row in shown.rows if row.name == "prune by age")
    after, before = (f"{row.total_return * 100.0:+.2f} %" for row in (age, shown.run))
    start = f"Without prune by age (prune_oldest true -> false) the return would have been {after}, in place of {before}"
    assert sum(sentence.startswith(start) for sentence in said) == 1
    assert "Without prune by deviance (prune_deviance true -> false) nothing would have changed: it never acted." in said


@pytest.mark.parametrize("width", [80, 100])
def test_the_table_fits(shown: Ablation, width: int) -> None:
    sink = io.StringIO()
    Console(file=sink, width=width).print(ablation_table(shown))
    lines = sink.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    for row in shown.rows:
        assert sum(f"{row.total_return * 100.0:,.2f}" in line for line in lines if line.strip().startswith(row.name)) == 1


def test_json_and_frame_hold_the_same(shown: Ablation) -> None:
    plain = json.loads(json.dumps(as_json(shown), allow_nan=False))
    assert [row["total_return"] for row in [plain["run"], *plain["rows"]]] == shown.frame["total_return"].tolist()
    assert plain["rows"][0]["changes"] == {"skew_cap": {"run": 5.0, "here": 0.0}}
    assert plain["sentences"] == shown.sentences()
    assert plain["run"]["trend_capture"] is None  # three days
