"""How time is split, that a train part knows nothing of later bars, and what a set is worth, by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import backtest as bt
from backtest.data.market import Market
from backtest.data.timeframe import DAY, HOUR, Timeframe
from backtest.optimization.cells import Figures
from backtest.optimization.evaluation import Evaluator, scored_execution
from backtest.optimization.parts import LEAST_DAYS, split_time
from backtest.optimization.reach import longest_lot_age, longest_warmup
from backtest.optimization.scores import complexity, score
from backtest.optimization.settings import Optimization
from backtest.optimization.space import search_space
from engine.errors import InputError

# --- the split ---------------------------------------------------------------------------------------------------------


@given(
    mode=st.sampled_from(("robust", "rolling")),
    windows=st.integers(1, 8),
    anchored=st.booleans(),
    holdout=st.floats(0.0, 0.8),
    train_share=st.floats(0.1, 0.9),
    purge=st.integers(0, 1600).map(lambda quarters: quarters / 4.0),
    days=st.integers(60, 1500),
    minutes=st.sampled_from((15, 60, 1440)),
)
def test_parts_lie_inside_keep_the_gap_and_do_not_overlap(
    mode: Any, windows: int, anchored: bool, holdout: float, train_share: float, purge: float, days: int, minutes: int
) -> None:
    settings = Optimization(mode=mode, windows=windows, anchored=anchored, holdout=holdout, train_share=train_share)
    begin, bar = 1_640_995_200_000, Timeframe.parse({15: "15m", 60: "1h", 1440: "1d"}[minutes])
    end = begin + days * DAY
    try:
        split = split_time(begin, end, bar, settings, purge)
    except InputError:
        assume(False)
    parts = [*split.trains, *split.tests, *([split.holdout] if split.holdout else [])]
    assert len(split.windows) == windows
    assert (split.holdout is None) == (holdout == 0.0)
    for part in parts:
        assert begin <= part.begin < part.end <= end
        assert part.days >= LEAST_DAYS
        assert (part.begin - begin) % bar.ms == 0
        assert (part.end - begin) % bar.ms == 0
    assert split.purge >= purge * HOUR
    for window in split.windows:
        assert window.test.begin - window.train.end == split.purge
    if split.holdout is not None:
        assert split.holdout.end == end
        assert min(split.holdout.begin - part.end for part in (*split.trains, *split.tests)) >= split.purge
    for one, after in pairwise(split.windows):
        if mode == "robust":
            assert after.train.begin - one.test.end == split.purge
        else:
            assert after.test.begin == one.test.end
            assert after.train.begin == begin if anchored else after.train.begin > one.train.begin


def test_a_split_by_hand() -> None:
    """100 days, the last 30 held out, one day of gap: 69 days make two windows of 34.5 days, seven tenths of each are train."""
    settings = Optimization(windows=2, holdout=0.3, train_share=0.7)
    split = split_time(0, 100 * DAY, Timeframe.parse("1h"), settings, 24.0)
    hours = [[(part.begin / HOUR, part.end / HOUR) for part in (window.train, window.test)] for window in split.windows]
    assert hours == [[(0.0, 555.0), (579.0, 804.0)], [(828.0, 1383.0), (1407.0, 1656.0)]]
    assert split.holdout is not None
    assert (split.holdout.begin / DAY, split.holdout.end / DAY) == (70.0, 100.0)


# --- nothing of later bars ----------------------------------------------------------------------------------------------


def shaken(market: Market, after: int) -> Market:
    """The market with every price from `after` (ms) on scaled, and the settlements as well."""
    later = market.time >= after
    factor = np.where(later, 1.7, 1.0)
    prices = {name: getattr(market, name) * factor for name in ("open", "high", "low", "close")}
    rates = np.where(market.funding_time > after, 0.01, market.funding_rate)
    mark = None if market.mark is None else market.mark * factor
    return replace(market, **prices, volume=np.where(later, 1.0, market.volume), mark=mark, funding_rate=rates)


@pytest.mark.parametrize("strategy", [bt.AdaptiveGrid(), bt.StaticGrid()], ids=lambda one: one.name)
def test_whatever_happens_after_a_train_part_its_scores_stay_to_the_bit(strategy: Any) -> None:
    warmup = longest_warmup(strategy, search_space(type(strategy)))
    market = bt.load("BTC", "2024-01-01", "2024-03-15", source="simulated", timeframe="1h", warmup=warmup)
    settings = Optimization(windows=2, min_round_trips=1, holdout=0.2)
    split = split_time(int(market.time[market.trade_from]), market.end_time, market.timeframe, settings, 24.0)
    terms = scored_execution(bt.Execution(), settings)
    train = split.trains[0]

    def scores(of: Market) -> Any:
        evaluator = Evaluator.build([of], [train], strategy, bt.Account(), terms, settings, warmup, threads=1)
        return evaluator.evaluate([{}, {"order_pct": 0.05}])

    before, after = scores(market), scores(shaken(market, train.end))
    earlier = scores(shaken(market, train.end - 5 * DAY))
    for one, other in zip(before, after, strict=True):
        assert one.figures == other.figures
        assert one.score == other.score
        np.testing.assert_array_equal(one.daily, other.daily)
    assert before[0].figures != earlier[0].figures  # bars of the part itself do matter


# --- scores -------------------------------------------------------------------------------------------------------------


def figures(**changes: Any) -> Figures:
    usual = {
        "total_return": 0.1, "growth": 0.3, "drawdown": 0.1, "sharpe": 1.5, "sortino": 2.0,
        "profit_factor": 1.5, "win_rate": 0.6, "round_trips": 100, "liquidations": 0,
    }  # fmt: skip
    return Figures(**{**usual, **changes})


def test_the_default_score_by_hand() -> None:
    """Growth over drawdown 3 and 0.6; the drawdown of the third is floored at 3 %: 0.03/0.03 = 1."""
    cells = [figures(), figures(growth=0.06), figures(growth=0.03, drawdown=0.001)]
    made = score(cells, [30.0] * 3, Optimization(stability_penalty=0.0))
    parts = [math.tanh(1.0), math.tanh(0.2), math.tanh(1.0 / 3.0)]
    assert made.cells == pytest.approx(parts)
    assert made.value == pytest.approx(parts[2])
    spread = math.sqrt(sum((one - sum(parts) / 3.0) ** 2 for one in parts) / 3.0)
    assert score(cells, [30.0] * 3, Optimization()).value == pytest.approx(parts[2] - 0.5 * spread)


def test_four_times_the_allowed_trades_cost_two_doublings() -> None:
    settings = Optimization()
    assert complexity(2000, 30.0, settings) == pytest.approx(0.2)
    assert complexity(2000, 120.0, settings) == 0.0
    assert complexity(1, 30.0, settings) == 0.0


@pytest.mark.parametrize(
    ("objective", "wanted"),
    [
        ("sharpe", math.tanh(0.5)),
        ("sortino", math.tanh(0.5)),
        ("weighted", 0.35 * math.tanh(0.5) + 0.30 * math.tanh(0.5) + 0.35 * math.tanh(1.0) - 0.20 * math.tanh(1.0 / 3.0)),
    ],
)
def test_other_objectives_by_hand(objective: Any, wanted: float) -> None:
    made = score([figures()], [30.0], Optimization(objective=objective))
    assert made.value == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("settings", "change", "feasible"),
    [
        ({}, {}, True),
        ({}, {"liquidations": 1}, False),
        ({}, {"round_trips": 19}, False),
        ({"min_sharpe": 1.5}, {}, True),
        ({"min_sharpe": 1.6}, {}, False),
        ({"max_drawdown": 0.1}, {}, True),
        ({"max_drawdown": 0.09}, {}, False),
        ({"min_trades": 101}, {}, False),
        ({"min_win_rate": 0.61}, {}, False),
        ({"min_profit_factor": 1.6}, {}, False),
        ({"min_calmar": 3.1}, {}, False),
        ({"min_win_rate": 0.45}, {"win_rate": math.nan}, False),
    ],
)
def test_hard_constraints(settings: dict[str, Any], change: dict[str, Any], feasible: bool) -> None:
    made = score([figures(**change)], [30.0], Optimization(**settings))
    assert made.feasible is feasible
    good = score([figures(growth=-0.9)], [30.0], Optimization())
    assert (made.guided < good.guided) is not feasible  # the worst feasible set guides better than any other


# --- how far a space reaches --------------------------------------------------------------------------------------------


def test_the_warm_up_is_that_of_the_longest_windows_searched() -> None:
    space = search_space(bt.AdaptiveGrid)
    assert longest_warmup(bt.AdaptiveGrid(), space) == 24 * 30
    assert longest_warmup(bt.AdaptiveGrid(vol_period=900), search_space(bt.AdaptiveGrid, {"vol_period": None})) == 901
    assert longest_warmup(bt.StaticGrid(), search_space(bt.StaticGrid)) == 1


def test_the_gap_is_the_longest_age_of_a_lot() -> None:
    fixed = search_space(bt.AdaptiveGrid, {"max_position_age_hours": None})
    assert longest_lot_age(bt.AdaptiveGrid(), search_space(bt.AdaptiveGrid)) == (168.0, "")
    assert longest_lot_age(bt.AdaptiveGrid(max_position_age_hours=30.0), fixed) == (30.0, "")
    assert "prune_oldest may be off" in longest_lot_age(bt.AdaptiveGrid(prune_oldest=False), fixed).note
    assert longest_lot_age(bt.StaticGrid(), search_space(bt.StaticGrid)).hours == 168.0
