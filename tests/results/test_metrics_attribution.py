"""Attribution by month, coin, regime and any label: each sums to the attribution of the whole."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backtest as bt
from backtest.metrics import attribution_by
from backtest.metrics.attribution import PARTS
from backtest.metrics.regimes import ORDER, regimes
from backtest.result import Result
from engine.errors import InputError
from engine.records import event_dtype
from tests.backtest import frames
from tests.results.ledgers import make_market, make_result, random_ledger

TWO = ("BTCUSDT", "ETHUSDT")
COLUMNS = [*PARTS, "total"]


def sums_to_the_whole(result: Result, by: Any) -> None:
    """Rows sum to the last one, and that is the attribution of the whole, up to rounding."""
    table = attribution_by(result, by)
    rounding = 1e-12 * max(result.capital, result.metrics["turnover"])
    assert list(table.columns) == COLUMNS
    np.testing.assert_allclose(table.loc["total"], result.attribution.loc[COLUMNS, "total"], rtol=1e-9, atol=rounding)
    np.testing.assert_allclose(table.iloc[:-1].sum(), table.loc["total"], rtol=1e-12, atol=rounding)
    np.testing.assert_allclose(table[list(PARTS)].sum(axis=1), table["total"], rtol=1e-12, atol=rounding)
    change = result.equity_values[-1] - result.capital if result.time.size else 0.0
    assert table.loc["total", "total"] == pytest.approx(change, rel=1e-9, abs=rounding)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    shared=st.booleans(),
    bars=st.integers(11, 260),
    multiplier=st.sampled_from([1.0, 0.001, 100.0]),
    liquidate_at=st.sampled_from([-1, 0, 40]),
)
def test_the_rows_sum_to_the_whole(seed: int, shared: bool, bars: int, multiplier: float, liquidate_at: int) -> None:
    result = make_result(TWO, shared=shared, bars=bars, seed=seed, multiplier=multiplier, liquidate_at=liquidate_at)
    labels = np.random.default_rng(seed).integers(0, 5, result.time.size)
    for by in ("day", "month", "year", "symbol", labels, {symbol: labels + place for place, symbol in enumerate(TWO)}):
        sums_to_the_whole(result, by)


def test_days_against_equity_at_their_ends() -> None:
    result = make_result(TWO, bars=500)
    table = attribution_by(result, "day")
    last = result.equity.groupby(result.equity.index.strftime("%Y-%m-%d")).last()
    gains = last - last.shift(fill_value=result.capital)
    assert table.index.tolist() == [*gains.index, "total"]
    np.testing.assert_allclose(table["total"].iloc[:-1], gains, rtol=1e-9, atol=1e-7)
    fees = result.trades.groupby(result.trades["time"].dt.strftime("%Y-%m-%d"))["fee"].sum()
    np.testing.assert_allclose(table["fees"].iloc[:-1], -fees.reindex(gains.index, fill_value=0.0), rtol=1e-9, atol=1e-12)


def test_coins_are_those_of_their_results() -> None:
    for shared in (False, True):
        result = make_result(TWO, shared=shared)
        table = attribution_by(result, "symbol")
        assert table.index.tolist() == [*TWO, "total"]
        for symbol in TWO:
            np.testing.assert_allclose(table.loc[symbol], result[symbol].attribution.loc[COLUMNS, "total"], rtol=1e-9, atol=1e-7)


def test_wallets_that_begin_and_end_apart() -> None:
    early, late = make_market("BTCUSDT", bars=100, seed=1), make_market("ETHUSDT", bars=100, seed=2, first=50)
    plain = make_result()
    ledgers = [random_ledger([early], 1), random_ledger([late], 2)]
    result = Result(plain.strategy, plain.account, plain.execution, [early, late], ledgers, [0.5, 0.5])
    for by in ("day", "symbol", np.arange(result.time.size) // 30):
        sums_to_the_whole(result, by)


def test_no_bars_give_the_total_alone() -> None:
    market = make_market(bars=10)
    plain = make_result()
    result = Result(plain.strategy, plain.account, plain.execution, [market], [random_ledger([market])], [1.0])
    table = attribution_by(result, "month")
    assert table.index.tolist() == ["total"]
    assert not table.to_numpy().any()


@pytest.mark.parametrize(
    ("by", "words"),
    [
        ("week", "by = 'week' is refused: it must be day, month, year, symbol, regime, or a label for each bar"),
        ([1, 2], "by has 2 labels for BTCUSDT: it must have one for each of the 390 bars"),
        ({"ETHUSDT": np.zeros(390)}, "by has no labels for BTCUSDT"),
        (["total"] * 390, "by has the label 'total'"),
        ("regime", "regimes need the highs and lows of the market"),
    ],
)
def test_bad_labels_get_one_sentence(by: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        attribution_by(make_result(), by)


def test_without_a_log_it_is_refused() -> None:
    full = make_result()
    bare = dataclasses.replace(full, ledgers=[dataclasses.replace(full.ledgers[0], events=np.zeros(0, dtype=event_dtype))])
    with pytest.raises(InputError, match="attribution_by needs the event log"):
        attribution_by(bare, "month")


# --- regimes of real runs ---------------------------------------------------------------------------------------------------


def run(symbols: int = 1, wallet: str = "separate", first: int = 0) -> Result:
    instruments = (frames.BTC, frames.ETH)
    markets = []
    for place in range(symbols):
        table = frames.bars(700, seed=place).iloc[first if place else 0 :].reset_index(drop=True)
        markets.append(bt.Market.from_frame(table, instruments[place], "15m"))
    return bt.run(markets, bt.AdaptiveGrid(), bt.Account(wallet=wallet, capital=100_000.0))


@pytest.mark.parametrize(("symbols", "wallet", "first"), [(1, "separate", 0), (2, "separate", 100), (2, "shared", 100)])
def test_regimes_sum_to_the_whole(symbols: int, wallet: str, first: int) -> None:
    result = run(symbols, wallet, first)
    assert len(result.trades) > 20
    sums_to_the_whole(result, "regime")
    names = attribution_by(result, "regime").index.tolist()
    assert names == [*[name for name in ORDER if name in names], "total"]
    assert {"downtrend", "uptrend"} & set(names)
    if wallet == "shared":
        sums_to_the_whole(result["ETHUSDT"], "regime")


def test_entries_stand_in_regimes_that_allow_them() -> None:
    """The grid quotes no shorts in a rising market and no longs in a falling one; a bar's regime is that it was quoted in."""
    result = run()
    regime = dict(zip(result.equity.index, regimes(result)["BTCUSDT"], strict=True))
    seen: dict[str, set[str]] = {"BUY_OPEN_LONG": set(), "SELL_OPEN_SHORT": set()}
    for row in result.trades.itertuples():
        if row.label in seen:
            seen[row.label].add(regime[row.time])
    assert all(seen.values())
    assert not seen["BUY_OPEN_LONG"] & {"downtrend", "breakout down", "unknown"}
    assert not seen["SELL_OPEN_SHORT"] & {"uptrend", "breakout up", "unknown"}


def test_the_last_regime_is_that_of_the_last_decision() -> None:
    result = run()
    code = {"breakout down": -2, "downtrend": -1, "noise": 0, "uptrend": 1, "breakout up": 2}
    assert code[regimes(result)["BTCUSDT"][-1]] == result.memory[0]["regime"]


def test_other_strategies_have_no_regimes() -> None:
    market = bt.Market.from_frame(frames.bars(200), frames.BTC, "15m")
    with pytest.raises(InputError, match="regimes are those of the adaptive grid"):
        attribution_by(bt.run(market, bt.StaticGrid()), "regime")
