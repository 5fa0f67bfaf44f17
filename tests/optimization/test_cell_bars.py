"""A cell's feed and indicators are made once where its runs ask for the same, and give the same numbers either way."""

from __future__ import annotations

import numpy as np

import backtest as bt
from backtest.optimization.cells import ReadyCell, cells_of
from backtest.optimization.parts import Part
from tests.backtest import frames

# The third and the fourth have other indicators than the first two.
STRATEGIES = [
    bt.AdaptiveGrid(grid_spacing_k=2.0),
    bt.AdaptiveGrid(grid_spacing_k=3.0),
    bt.AdaptiveGrid(grid_spacing_k=3.0, atr_period=9),
    bt.AdaptiveGrid(grid_spacing_k=3.0, kama_period=200),
]
ORDER = (0, 1, 0, 2, 0, 3, 3, 1, 1, 2, 2, 2, 0)


def ready() -> ReadyCell:
    one = bt.Market.from_frame(frames.bars(900), frames.BTC, "15m")
    part = Part(int(one.time[400]), int(one.time[-1]) + one.timeframe.ms)
    (cell,) = cells_of([one], part, bt.Account(), 300)
    return cell.ready(bt.Account(), bt.Execution())


def test_runs_in_any_order_give_the_figures_of_a_run_alone() -> None:
    alone = [ready().run(strategy, strategy.record()) for strategy in STRATEGIES]
    assert len({run.figures for run in alone}) == len(STRATEGIES)
    cell = ready()
    for number in ORDER:
        found = cell.run(STRATEGIES[number], STRATEGIES[number].record())
        assert found.figures == alone[number].figures
        assert np.array_equal(found.daily, alone[number].daily)


def test_bars_are_kept_only_while_runs_ask_for_the_same() -> None:
    cell, kept = ready(), []
    for number in ORDER:
        cell.run(STRATEGIES[number], STRATEGIES[number].record())
        kept.append(cell.last[1] is not None)
    assert kept == [False, True, True, False, False, False, True, False, True, False, True, True, False]
