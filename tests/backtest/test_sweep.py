"""A sweep gives the numbers of single runs, in order, on any number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import backtest as bt
from backtest.metrics import METRICS
from backtest.metrics.catalogue import NEED_THE_LOG
from backtest.sweep import DEFAULT_METRICS, INDICATOR_PARAMETERS, Shared, combinations, indicator_key, run_combination
from engine.parameters import Parameters
from engine.programs import PROGRAMS
from tests.backtest import frames
from tests.backtest.stepping import bracket_strategy

GRID = {"grid_spacing_k": [1.0, 4.0], "kama_period": [8, 10], "leverage": [1.0, 3.0], "fee_maker": [0.0, 0.0002]}


def market(count: int = 500, seed: int = 0, instrument: bt.Instrument = frames.BTC) -> bt.Market:
    return bt.Market.from_frame(frames.bars(count, seed=seed), instrument, "15m")


def same(first: float, second: float) -> bool:
    return first == second or (np.isnan(first) and np.isnan(second))


def test_every_row_is_a_single_run() -> None:
    one = market()
    table = bt.sweep(one, bt.AdaptiveGrid(), GRID)
    assert list(table.columns) == [*GRID, *DEFAULT_METRICS]
    assert len(table) == 16
    assert table["final_equity"].nunique() == 16  # each setting counts
    for row in table.to_dict("records"):
        strategy = bt.AdaptiveGrid(grid_spacing_k=row["grid_spacing_k"], kama_period=row["kama_period"])
        result = bt.run(one, strategy, bt.Account(leverage=row["leverage"]), bt.Execution(fee_maker=row["fee_maker"]))
        unlike = {name: (row[name], result.metrics[name]) for name in DEFAULT_METRICS if not same(row[name], result.metrics[name])}
        assert unlike == {}


def test_rows_are_the_product_in_order() -> None:
    table = bt.sweep(market(200), bt.StaticGrid(), {"grid_levels": [3, 2], "step": [0.01, 0.002, 0.005]}, metrics=["turnover"])
    assert table["grid_levels"].tolist() == [3, 3, 3, 2, 2, 2]
    assert table["step"].tolist() == [0.01, 0.002, 0.005] * 2
    assert list(table.columns) == ["grid_levels", "step", "turnover"]
    assert len(bt.sweep(market(200), bt.StaticGrid(), {})) == 1


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_the_numbers_do_not_depend_on_threads(threads: int) -> None:
    one = market()
    alone = bt.sweep(one, bt.AdaptiveGrid(), GRID, threads=1)
    assert np.array_equal(alone.to_numpy(), bt.sweep(one, bt.AdaptiveGrid(), GRID, threads=threads).to_numpy(), equal_nan=True)


@pytest.mark.parametrize("wallet", ["separate", "shared"])
def test_several_markets(wallet: str) -> None:
    markets = [market(), market(400, 1, frames.ETH)]
    account = bt.Account(wallet=wallet)
    table = bt.sweep(markets, bt.StaticGrid(), {"step": [0.004, 0.008]}, account)
    for row in table.to_dict("records"):
        result = bt.run(markets, bt.StaticGrid(step=row["step"]), account, log=False)
        assert [name for name in DEFAULT_METRICS if not same(row[name], result.metrics[name])] == []


def test_weights_of_a_shared_wallet() -> None:
    markets, account = [market(), market(500, 1, frames.ETH)], bt.Account(wallet="shared")
    table = bt.sweep(markets, bt.StaticGrid(), {"step": [0.004]}, account, weights=[0.7, 0.2])
    result = bt.run(markets, bt.StaticGrid(step=0.004), account, weights=[0.7, 0.2])
    assert table["final_equity"].tolist() == [result.metrics["final_equity"]]
    assert table["turnover"].tolist() == [result.metrics["turnover"]]


def test_both_kinds_of_wallet_in_one_sweep() -> None:
    markets = [market(), market(500, 1, frames.ETH)]
    table = bt.sweep(markets, bt.StaticGrid(), {"wallet": ["separate", "shared"]})
    for row in table.to_dict("records"):
        assert row["final_equity"] == bt.run(markets, bt.StaticGrid(), bt.Account(wallet=row["wallet"])).metrics["final_equity"]


def test_an_own_strategys_parameters() -> None:
    one, own = market(200), bracket_strategy()
    table = bt.sweep(one, own, {"step": [0.002, 0.004], "slippage": [0.0, 0.001]})
    assert table["final_equity"].nunique() == 4
    changed = bt.Strategy(own.decide, {**own.parameters, "step": 0.004}, own.indicators, own.warmup, name=own.name)
    result = bt.run(one, changed, execution=bt.Execution(slippage=0.001))
    assert table["final_equity"].iloc[3] == result.metrics["final_equity"]


def test_any_metric_without_the_log_can_be_asked_for() -> None:
    one = market()
    names = [name for name in METRICS if name not in NEED_THE_LOG]
    table = bt.sweep(one, bt.AdaptiveGrid(), {"gamma": [0.5]}, metrics=names)
    wanted = bt.run(one, bt.AdaptiveGrid(gamma=0.5)).metrics
    assert [name for name in names if not same(table[name].iloc[0], wanted[name])] == []


@pytest.mark.parametrize("kind", list(PROGRAMS), ids=lambda kind: kind.name)
def test_the_indicators_read_exactly_the_parameters_that_are_declared(kind: type[Parameters]) -> None:
    """Were one missing in the list, combinations would share indicators that are not theirs."""
    program, plain = PROGRAMS[kind], kind()
    bars = np.stack([frames.bars(400)[name].to_numpy() for name in ("open", "high", "low", "close", "volume")])

    def rows(parameters: Any) -> np.ndarray:
        out = np.full((program.columns, bars.shape[1]), np.nan)
        program.fill_indicators(parameters.record(), bars, out, 0)
        return out

    read = []
    for name, value in plain.model_dump().items():
        other = not value if isinstance(value, bool) else value + 1 if isinstance(value, int) else value * 0.9 + 1e-3
        changed = plain.replace(**{name: other})
        if not np.array_equal(rows(plain), rows(changed), equal_nan=True):
            read.append(name)
            assert indicator_key(plain) != indicator_key(changed)
    assert tuple(read) == INDICATOR_PARAMETERS[kind]


def test_arrays_are_let_go_after_the_last_combination() -> None:
    rows = combinations(bt.StaticGrid(), bt.Account(), bt.Execution(), {"step": [0.004, 0.008]})
    shared = Shared((market(100),), None, waiting=2)
    wallets = shared.take(rows[0])
    assert shared.take(rows[1]) is wallets
    run_combination(rows[0], shared)
    shared.leave()
    assert shared.wallets is wallets
    shared.leave()
    assert shared.wallets is None


@pytest.mark.parametrize(
    ("grid", "options", "words"),
    [
        ({"grid_spacin_k": [1.0]}, {}, "grid_spacin_k is not a setting of the .* or the execution; did you mean grid_spacing_k?"),
        ({"leverag": [1.0]}, {}, "did you mean leverage?"),
        ({"gamma": 0.5}, {}, "gamma = 0.5 is refused: it must be a list of values"),
        ({"gamma": "abc"}, {}, "gamma = 'abc' is refused: it must be a list of values"),
        ({"gamma": []}, {}, "gamma has no values"),
        ({"gamma": [0.5, -1.0]}, {}, "gamma = -1.0 is refused"),
        ([1], {}, r"grid = \[1\] is refused"),
        ({"leverage": [1.0, 140.0]}, {}, "leverage = 140.0: leverage = 140 is refused: the tiers of BTCUSDT allow at most 125"),
        ({}, {"threads": 0}, "threads = 0 is refused"),
        ({}, {"metrics": ["sharp"]}, "'sharp' is not a metric; did you mean sharpe?"),
        ({}, {"metrics": ["win_rate"]}, "win_rate is refused: it needs the event log"),
        ({}, {"weights": [1.0]}, "weights are refused"),
    ],
)
def test_bad_input_gets_one_sentence(grid: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(bt.InputError, match=words) as caught:
        bt.sweep(market(50), bt.AdaptiveGrid(), grid, **options)
    assert "\n" not in str(caught.value)


def test_numbers_of_numpy_are_taken_for_numbers() -> None:
    table = bt.sweep(market(100), bt.StaticGrid(), {"grid_levels": np.arange(2, 4), "step": pd.Series([0.01])}, metrics="fees")
    assert table["grid_levels"].tolist() == [2, 3]
