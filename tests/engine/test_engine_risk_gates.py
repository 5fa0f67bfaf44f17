"""The rules of a funded account on small markets worked out by hand, and what holds for every run under them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import backtest as bt
from engine.risk_gates import FAILED_DAILY_LOSS, FAILED_DRAWDOWN, PASSED, UNDECIDED

OFF: dict[str, Any] = {
    **dict.fromkeys(("daily_loss_limit", "trailing_drawdown", "exposure_cap", "daily_target", "profit_target")),
    "flat_at_session_end": False,
}
FREE = {"fee_maker": 0.0, "fee_taker": 0.0, "slippage": 0.0}
COIN = bt.Instrument(symbol="BTCUSDT", tick_size=0.1, step_size=1.0, min_qty=1.0, min_notional=1.0)
CALM = (100.0, 100.2, 99.8, 100.0)


def market(candles: dict[int, tuple[float, float, float, float]], bars: int = 60) -> bt.Market:
    """Hourly bars from midnight UTC, calm at the close before where no candle is given."""
    rows, close = [], 100.0
    for i in range(bars):
        row = candles.get(i, (close, close + 0.2, close - 0.2, close))
        rows.append(row)
        close = row[3]
    frame = pd.DataFrame(rows, columns=["open", "high", "low", "close"], index=pd.date_range("2024-01-01", periods=bars, freq="1h"))
    return bt.Market.from_frame(frame.assign(volume=1e6), COIN, "1h", funding=0)


def run(candles: dict[int, tuple[float, float, float, float]], bars: int = 60, **rules: Any) -> bt.Result:
    """A static grid of 100 coins at 99 and 98, each closed a rung nearer, without costs."""
    grid = bt.StaticGrid(grid_levels=2, step=0.01, order_qty=100.0, allow_short=False)
    account = bt.Account(capital=10_000.0, leverage=10.0)
    return bt.run(market(candles, bars), grid, account, bt.Execution(**FREE), evaluation=bt.Evaluation(**{**OFF, **rules}))


def fills(result: bt.Result) -> list[tuple[int, str, float, float]]:
    return [tuple(row) for row in result.trades[["bar", "label", "price", "qty"]].itertuples(index=False)]


def account(result: bt.Result) -> Any:
    return result.ledgers[0].account


# Two longs are bought, and at the low of 97 they have lost 300.
FALL = {2: (100.0, 100.0, 98.5, 98.6), 3: (98.6, 98.7, 97.0, 98.0), 4: (97.6, 98.6, 97.4, 98.5)}
BOUGHT = [(2, "BUY_OPEN_LONG", 99.0, 100.0), (3, "BUY_OPEN_LONG", 98.0, 100.0)]


def test_the_daily_loss_limit_closes_at_the_next_open_and_waits_for_the_next_session() -> None:
    dips = dict.fromkeys((10, 30), (98.5, 98.6, 97.9, 98.5))
    result = run({**FALL, **dips}, daily_loss_limit=300.0)
    closes = [(4, "DAILY_LOSS_LIMIT", 97.6, 100.0)] * 2
    assert fills(result) == [*BOUGHT, (3, "DAILY_LOSS_LIMIT", 0.0, 0.0), *closes, (30, "BUY_OPEN_LONG", 98.0, 100.0)]
    assert result.equity.iloc[-1] == pytest.approx(10_000.0 - 140.0 - 40.0 + 50.0)
    assert account(result)["outcome"] == UNDECIDED


def test_a_loss_just_short_of_the_limit_is_none() -> None:
    assert fills(run(FALL, daily_loss_limit=300.01)) == fills(run(FALL))


def test_the_loss_counts_from_the_start_of_the_session() -> None:
    """300 are lost at the low of day one, of which 100 stand at its close; day two loses 300 more, and then 340."""
    more = {2: FALL[2], 3: FALL[3], 30: (98.0, 98.1, 96.5, 98.0), 40: (98.0, 98.1, 96.3, 98.0)}
    result = run(more, daily_loss_limit=310.0)
    assert next(row for row in fills(result) if row[1] == "DAILY_LOSS_LIMIT")[0] == 40


def test_a_daily_loss_may_fail_the_account() -> None:
    result = run(FALL, daily_loss_limit=300.0, daily_loss_fails=True)
    assert account(result)["outcome"] == FAILED_DAILY_LOSS
    assert fills(result)[2:] == [(3, "EVALUATION_FAILED", 0.0, 0.0), *[(4, "EVALUATION_FAILED", 97.6, 100.0)] * 2]
    assert "FAILED by daily loss at 2024-01-01 03:00 UTC" in result.notes[-1]


def test_the_trailing_drawdown_fails_the_account_for_good() -> None:
    result = run(FALL, trailing_drawdown=300.0)
    assert account(result)["outcome"] == FAILED_DRAWDOWN
    assert fills(result)[2:] == [(3, "EVALUATION_FAILED", 0.0, 0.0), *[(4, "EVALUATION_FAILED", 97.6, 100.0)] * 2]
    assert result.equity.iloc[-1] == pytest.approx(9_820.0)


# A long gains 100 at 100, its exit; another has lost 70 of it at the low of 98.3: equity 10,100 at its peak, then 10,030.
ROUND = {2: (100.0, 100.0, 98.5, 98.6), 3: (98.6, 100.4, 98.6, 100.4), 4: (100.4, 100.4, 98.3, 98.6)}


@pytest.mark.parametrize(
    ("rules", "fails"),
    [
        ({"trailing_basis": "end_of_day"}, False),  # the gain of the day is not yet a balance of its end
        ({"trailing_basis": "intraday"}, True),
        ({"trailing_basis": "intraday", "locks_at_start": True}, False),
    ],
)
def test_what_the_drawdown_trails(rules: dict[str, Any], fails: bool) -> None:
    """A drawdown of 60 stands at 9,940 of the start, at 10,040 of the peak, at 10,000 where it is locked."""
    assert (account(run(ROUND, bars=10, trailing_drawdown=60.0, **rules))["outcome"] == FAILED_DRAWDOWN) == fails


def test_the_end_of_a_day_raises_the_floor() -> None:
    later = {i + 24 if i > 3 else i: row for i, row in ROUND.items()}
    assert account(run(later, trailing_drawdown=60.0))["outcome"] == FAILED_DRAWDOWN
    assert account(run(later, trailing_drawdown=60.0, locks_at_start=True))["outcome"] == UNDECIDED


def test_everything_is_closed_at_the_open_of_a_sessions_last_bar() -> None:
    held = {22: (100.0, 100.0, 98.5, 98.6), 23: (98.7, 98.8, 97.0, 98.6), 24: (98.6, 98.7, 98.5, 98.6)}
    assert fills(run(held, flat_at_session_end=True)) == [(22, "BUY_OPEN_LONG", 99.0, 100.0), (23, "SESSION_END", 98.7, 100.0)]


def test_nothing_is_bought_outside_the_hours_of_a_session() -> None:
    result = run({5: (100.0, 100.0, 96.0, 100.0), 12: (100.0, 100.0, 98.5, 98.6)}, bars=20, session_start="08:00", session_end="16:00")
    assert fills(result)[0] == (12, "BUY_OPEN_LONG", 99.0, 100.0)


def test_the_daily_target_ends_entries_but_not_exits() -> None:
    """The long of bar 2 earns 100 in bar 3; the one of bar 4 of the next session is bought again."""
    again = {**ROUND, 28: (98.6, 100.0, 98.6, 100.0), 30: (100.0, 100.0, 98.9, 99.5)}
    result = run(again, daily_target=100.0)
    assert fills(result)[:3] == [BOUGHT[0], (3, "SELL_CLOSE_LONG", 100.0, 100.0), (3, "DAILY_TARGET", 0.0, 0.0)]
    assert fills(result)[3][:2] == (30, "BUY_OPEN_LONG")


def test_no_entries_while_the_exposure_is_above_the_cap() -> None:
    """One lot of 100 with an average range of about 0.4 and more is an exposure of at least 40."""
    assert [row[0] for row in fills(run(FALL, bars=10, exposure_cap=30.0, atr_period=1))] == [2]
    assert [row[0] for row in fills(run(FALL, bars=10, exposure_cap=300.0, atr_period=1))] == [2, 3]


def test_the_profit_target_closes_everything_and_passes_when_flat() -> None:
    result = run(ROUND, bars=10, profit_target=100.0)
    assert account(result)["outcome"] == PASSED
    assert fills(result)[1:] == [(3, "SELL_CLOSE_LONG", 100.0, 100.0), (3, "EVALUATION_PASSED", 0.0, 0.0)]
    open_gain = {2: (100.0, 100.0, 98.5, 98.6), 3: (98.6, 99.8, 98.6, 99.6), 4: (99.7, 99.8, 99.6, 99.7)}
    result = run(open_gain, bars=10, profit_target=60.0)
    assert fills(result)[1:] == [(4, "PROFIT_TARGET", 99.7, 100.0), (4, "EVALUATION_PASSED", 0.0, 0.0)]


def test_a_gain_that_is_lost_in_closing_passes_nothing() -> None:
    lost = {2: (100.0, 100.0, 98.5, 98.6), 3: (98.6, 99.8, 98.6, 99.6), 4: (99.3, 99.4, 99.2, 99.3)}
    result = run(lost, bars=10, profit_target=60.0)
    assert fills(result)[1] == (4, "PROFIT_TARGET", 99.3, 100.0)
    assert account(result)["outcome"] == UNDECIDED


@pytest.mark.parametrize("rule", [{"minimum_days": 2}, {"largest_day_share": 0.9}])
def test_passing_takes_days_enough_and_no_day_too_large(rule: dict[str, Any]) -> None:
    result = run(ROUND, bars=24, profit_target=100.0, **rule)
    assert account(result)["outcome"] == UNDECIDED
    assert len(fills(result)) > 2, "it does not go on trading"
    second = {**ROUND, 27: (98.6, 100.4, 98.6, 100.4), 30: (100.4, 100.4, 98.9, 99.5), 31: (99.5, 100.4, 99.5, 100.4)}
    assert account(run(second, profit_target=100.0, **rule))["outcome"] == PASSED


def random_market(seed: int, bars: int = 1500) -> bt.Market:
    random = np.random.default_rng(seed)
    close = np.round(100.0 * np.exp(np.cumsum(random.normal(0.0, 0.004, bars))), 1)
    frame = pd.DataFrame({"open": np.concatenate([close[:1], close[:-1]]), "close": close, "volume": 1e6})
    frame["high"] = frame[["open", "close"]].max(axis=1) + np.round(random.exponential(0.3, bars), 1)
    frame["low"] = frame[["open", "close"]].min(axis=1) - np.round(random.exponential(0.3, bars), 1)
    frame.index = pd.date_range("2024-01-01", periods=bars, freq="1h", tz="UTC")
    return bt.Market.from_frame(frame, COIN.replace(step_size=0.01, min_qty=0.01), "1h")


RULES = bt.Evaluation(daily_loss_limit=80.0, trailing_drawdown=900.0, exposure_cap=60.0, daily_target=60.0, profit_target=2000.0)


@pytest.mark.parametrize("strategy", [bt.AdaptiveGrid(), bt.StaticGrid()])
def test_the_ledger_adds_up_and_no_position_stays_over_night(strategy: Any) -> None:
    result = bt.run(random_market(1), strategy, bt.Account(leverage=3.0), evaluation=RULES)
    log, ledger = result.trades, result.ledgers[0]
    assert set(log["label"]) >= {"SESSION_END", "DAILY_LOSS_LIMIT", "BUY_OPEN_LONG"}
    total = 10_000.0 + (log["realized_pnl"] - log["fee"] + log["funding"]).sum()
    assert float(ledger.account["wallet"]) == pytest.approx(total, rel=1e-12)
    opened = log[log["label"].str.contains("_OPEN_")]
    assert (opened["time"].dt.hour != 23).all()
    assert (result.lots["closed"].dropna().dt.date == result.lots["opened"][result.lots["closed"].notna()].dt.date).all()
    wallets = result.equity[result.equity.index.hour == 23]
    assert np.isin(np.round(wallets.to_numpy(), 6), np.round(np.append(log["wallet"].to_numpy(), 10_000.0), 6)).all()


def test_rules_that_are_all_off_change_nothing() -> None:
    one = bt.run(random_market(2), bt.AdaptiveGrid(), evaluation=bt.Evaluation(**OFF))
    other = bt.run(random_market(2), bt.AdaptiveGrid())
    assert one.equity.equals(other.equity)
    assert one.trades.equals(other.trades)


def test_no_rule_looks_ahead() -> None:
    """Changed prices of the last 300 bars change no event and no equity before them."""
    whole = random_market(3)
    changed = whole.to_frame().drop(columns="kind")
    changed.iloc[-300:, :4] *= 0.9
    args = (bt.AdaptiveGrid(), bt.Account(leverage=3.0))
    one = bt.run(whole, *args, evaluation=RULES)
    other = bt.run(bt.Market.from_frame(changed, whole.instrument, "1h"), *args, evaluation=RULES)
    cut = one.time.size - 300
    assert np.array_equal(one.equity_values[:cut], other.equity_values[:cut])
    assert one.trades[one.trades["bar"] < 1200].equals(other.trades[other.trades["bar"] < 1200])
    assert not np.array_equal(one.equity_values, other.equity_values)


def test_a_saved_run_keeps_its_rules_and_can_be_run_again(tmp_path: Any) -> None:
    result = bt.run(random_market(4), bt.AdaptiveGrid(), evaluation=RULES.replace(profit_target=None, holidays=("2024-01-05",)))
    again = bt.Result.load(result.save(tmp_path / "run"))
    assert again.evaluation == result.evaluation
    assert again.trades.equals(result.trades)
    assert result.sensitivity(scans="coarse").rows, "the studies of a run under rules cannot be made"


def test_a_stepper_refuses_the_rules() -> None:
    with pytest.raises(bt.InputError, match="a stepper does not apply"):
        bt.Stepper(COIN, bt.StaticGrid(), evaluation=RULES)


def test_a_sweep_runs_under_the_rules() -> None:
    table = bt.sweep(random_market(5), bt.StaticGrid(), {"step": [0.01]}, evaluation=RULES)
    alone = bt.run(random_market(5), bt.StaticGrid(step=0.01), evaluation=RULES)
    assert table["final_equity"][0] == alone.equity_values[-1]
    assert table["final_equity"][0] != bt.run(random_market(5), bt.StaticGrid(step=0.01)).equity_values[-1]
