"""Several markets on one grid, and finer bars beneath them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.align import align
from backtest.data.market import Market
from backtest.data.sub_bars import SubBars
from engine.errors import InputError
from engine.records import ABSENT, GAP, TRADED
from tests.backtest.frames import BTC, ETH, QUARTER, START, bars, grouped

FIVE = 300_000


def market(instrument, count, first=0, **options):
    return Market.from_frame(bars(count, start=START + first * QUARTER, seed=first + count), instrument, "15m", **options)


def test_the_grid_is_the_union_and_the_rest_absent():
    btc, eth = market(BTC, 40), market(ETH, 30, first=20)
    joined = align([btc, eth])
    assert np.array_equal(joined.time, START + QUARTER * np.arange(50))
    assert joined.bars.shape == (2, 5, 50)
    assert joined.bars.flags.c_contiguous
    assert joined.kinds.dtype == np.int8
    assert joined.kinds[0].tolist() == [TRADED] * 40 + [ABSENT] * 10
    assert joined.kinds[1].tolist() == [ABSENT] * 20 + [TRADED] * 30
    for row, name in enumerate(("open", "high", "low", "close", "volume")):
        assert np.array_equal(joined.bars[0, row, :40], getattr(btc, name))
        assert np.array_equal(joined.bars[1, row, 20:], getattr(eth, name))
    assert np.isnan(joined.bars[0, :4, 40:]).all()
    assert (joined.bars[0, 4, 40:] == 0.0).all()
    assert joined.first_trades.tolist() == [0, 20]
    assert joined.trade_from == 0
    assert np.isnan(joined.mark).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(40, 120), st.integers(2, 120), st.integers(0, 140))
def test_settlements_stay_with_their_bar(first_count, second_count, shift):
    markets = [market(BTC, first_count), market(ETH, second_count, first=shift)]
    joined = align(markets)
    assert joined.settlement_offsets.shape == (2, len(joined) + 1)
    assert joined.settlement_offsets.flags.c_contiguous
    for number, one in enumerate(markets):
        found = []
        for bar in range(len(joined)):
            places = range(joined.settlement_offsets[number, bar], joined.settlement_offsets[number, bar + 1])
            found += [(bar, joined.settlement_rates[place], joined.settlement_marks[place]) for place in places]
        expected = []
        for time, rate in zip(one.funding_time, one.funding_rate, strict=True):
            bar = next(k for k, opened in enumerate(joined.time) if opened < time <= opened + QUARTER)
            expected.append((bar, rate, joined.bars[number, 3, bar]))
        assert found == expected


def test_gaps_and_marks_go_to_the_common_grid():
    frame = bars(30, start=START + 10 * QUARTER)
    holed = Market.from_frame(frame.drop(index=[4]), ETH, "15m", mark=frame.drop(index=[4])["close"].to_numpy())
    joined = align([market(BTC, 40), holed])
    assert np.flatnonzero(joined.kinds[1] == GAP).tolist() == [14]
    assert np.flatnonzero(~np.isnan(joined.mark[1])).tolist() == [k for k in range(10, 40) if k != 14]
    assert joined.mark[1, 12] == frame.loc[2, "close"]


def test_trading_starts_at_each_markets_own_first_bar():
    late = market(ETH, 30, first=5).slice(START + 15 * QUARTER, warmup=6)
    joined = align([market(BTC, 40).slice(START + 20 * QUARTER, warmup=20), late])
    assert joined.first_trades.tolist() == [20, 15]
    assert joined.trade_from == 15


def test_one_market_alone():
    joined = align(market(BTC, 40))
    assert joined.bars.shape == (1, 5, 40)
    assert (joined.sub_rows == -1).all()
    assert joined.sub_count == 0
    assert joined.sub_tables[0].shape == (5, 0)


def test_finer_bars_are_used_where_complete_and_consistent():
    fine = bars(60, step=FIVE)
    coarse = grouped(fine, 3)
    # Bar 2 misses a finer bar, bar 5 has another high, bar 8 another close by rounding only, bar 11 no trade.
    coarse.loc[5, "high"] += 0.1
    coarse.loc[8, "close"] *= 1.0 + 1e-12
    coarse.loc[8, "high"] = max(coarse.loc[8, "high"], coarse.loc[8, "close"])
    coarse.loc[11, "volume"] = 0.0
    made = Market.from_frame(coarse, BTC, "15m", sub_bars=fine.drop(index=[7]))
    joined = align(made)
    assert joined.sub_count == 3
    assert joined.own_path_bars.tolist() == [2]
    for bar in range(20):
        row = joined.sub_rows[0, bar]
        if bar in (2, 5, 11):
            assert row == -1
        else:
            table = joined.sub_tables[0][:, row : row + 3]
            assert table[0, 0] == coarse.loc[bar, "open"]
            assert table[3, 2] == pytest.approx(coarse.loc[bar, "close"], rel=1e-9)
            assert table[1].max() == coarse.loc[bar, "high"]
    assert joined.notes[0].startswith("BTCUSDT: 2 of 19 traded bars (10.5 %) walk their own path")


def test_finer_bars_keep_their_table():
    fine = bars(60, step=FIVE)
    made = SubBars.from_frame(fine)
    assert (str(made.timeframe), len(made), repr(made)) == ("5m", 60, "SubBars(5m, 60 rows)")
    assert np.array_equal(made.table(), fine[["open", "high", "low", "close", "volume"]].to_numpy().T)
    assert Market.from_frame(grouped(fine, 3), BTC, "15m", sub_bars=made).sub_bars is made


@pytest.mark.parametrize("field", ["open", "high", "low", "close"])
def test_each_price_must_agree(field):
    fine = bars(30, step=FIVE)
    coarse = grouped(fine, 3)
    step = -0.1 if field == "low" else 0.1
    coarse.loc[4, field] += step
    coarse.loc[4, "high"] = max(coarse.loc[4, ["open", "high", "close"]])
    coarse.loc[4, "low"] = min(coarse.loc[4, ["open", "low", "close"]])
    joined = align(Market.from_frame(coarse, BTC, "15m", sub_bars=fine))
    assert np.flatnonzero(joined.sub_rows[0] == -1).tolist() == [4]


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(0, 59)), st.integers(0, 5))
def test_a_set_with_any_finer_bar_missing_is_not_used(dropped, shift):
    fine = bars(60, step=FIVE)
    kept = fine.drop(index=sorted(dropped))
    if len(kept) < 2:
        return
    coarse = grouped(fine, 3).iloc[shift:]
    made = Market.from_frame(coarse, BTC, "15m", sub_bars=SubBars.from_frame(kept, "5m"))
    joined = align(made)
    complete = [bar >= shift and not {3 * bar, 3 * bar + 1, 3 * bar + 2} & dropped for bar in range(20)]
    assert (joined.sub_rows[0] >= 0).tolist() == complete[shift:]
    assert joined.own_path_bars.tolist() == [complete[shift:].count(False)]
    # On one wallet all walk in step: where one that trades has no finer bars, none walks on its own.
    together = align([made, market(ETH, 20)])
    assert (together.sub_rows == -1).all()
    assert together.own_path_bars[0] == len(complete) - shift


def test_bars_before_trading_starts_are_not_counted_as_on_their_own_path():
    fine = bars(60, step=FIVE)
    made = Market.from_frame(grouped(fine, 3), BTC, "15m", sub_bars=fine.iloc[30:].reset_index(drop=True))
    assert align(made).own_path_bars.tolist() == [10]
    assert align(made.slice(START + 10 * QUARTER, warmup=5)).own_path_bars.tolist() == [0]


def test_several_settlements_in_a_bar_are_noted():
    made = Market.from_frame(bars(10, step=86_400_000), BTC, "1d")
    assert align(made).notes == ["BTCUSDT: 10 bars hold more than one funding settlement; all are charged at the bar's close."]


def test_unlike_markets_are_refused():
    hourly = Market.from_frame(bars(20, step=4 * QUARTER), ETH, "1h")
    with pytest.raises(InputError, match="timeframe = 1h of ETHUSDT is refused: all markets must share the 15m of BTCUSDT"):
        align([market(BTC, 40), hourly])
    with pytest.raises(InputError, match="markets holds BTCUSDT 2 times"):
        align([market(BTC, 40), market(BTC, 30)])
    with pytest.raises(InputError, match="markets is empty"):
        align([])
    with pytest.raises(InputError, match="every one must be a Market"):
        align([bars(20)])
    one = market(BTC, 20, sub_bars=bars(60, step=FIVE))
    other = market(ETH, 20, sub_bars=bars(300, step=60_000))
    with pytest.raises(InputError, match="sub_bars of 5m and 1m are refused"):
        align([one, other])


@pytest.mark.parametrize("step", [QUARTER, 2 * QUARTER, 240_000])
def test_sub_bars_must_be_finer_and_divide_the_bar(step):
    with pytest.raises(InputError, match=r"sub_bars of .* are refused: they must be finer than 15m and divide it"):
        market(BTC, 20, sub_bars=bars(20, step=step))


def test_broken_sub_bars_are_refused_by_row():
    fine = bars(60, step=FIVE)
    fine.loc[7, "low"] = 0.0
    with pytest.raises(InputError, match=r"row 7 of the sub-bar frame \(2024-01-01 00:35\): low = 0"):
        market(BTC, 20, sub_bars=fine)
    with pytest.raises(InputError, match="at least two"):
        market(BTC, 20, sub_bars=fine.iloc[:1])
