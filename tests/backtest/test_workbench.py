"""Runs in the arrays of other runs: the same bits as on a machine of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backtest as bt
from backtest.metrics import METRICS
from backtest.metrics.catalogue import NEED_THE_LOG
from backtest.sweep import Combination, Shared, metrics_of, run_combination
from backtest.workbench import Workbench
from engine.machine import parts_to_clear
from engine.records import journal_dtype, state_dtype
from tests.backtest import frames
from tests.backtest.stepping import bracket_strategy

NAMES = [name for name in METRICS if name not in NEED_THE_LOG]
MARKET = bt.Market.from_frame(frames.bars(400), frames.BTC, "15m")
OTHER = bt.Market.from_frame(frames.bars(400, seed=1), frames.ETH, "15m")

STRATEGIES = [bt.AdaptiveGrid(), bt.AdaptiveGrid(grid_spacing_k=0.3, atr_sl_mult=1.0, order_pct=1.0), bt.StaticGrid(step=0.002)]
ACCOUNTS = [bt.Account(), bt.Account(capital=500.0, leverage=20.0), bt.Account(margin="isolated", leverage=10.0)]
EXECUTIONS = [bt.Execution(), bt.Execution(touch_probability=0.5, max_volume_share=0.01), bt.Execution(close_at_end=True)]


def outcome(markets: tuple[bt.Market, ...], strategy: Any, account: bt.Account, execution: bt.Execution, bench: Workbench | None) -> Any:
    result = run_combination(Combination(strategy, account, execution, ()), Shared(markets, None), bench=bench)
    return [metrics_of(result, NAMES), [ledger.account.tobytes() for ledger in result.ledgers], result.equity_values.copy()]


def spoil(bench: Workbench) -> None:
    """Fill every row of the tables with what a run could never have left there."""
    assert bench.machines
    for machine in bench.machines.values():
        for record in (machine.states, machine.journals):
            record.view(np.uint8)[...] = 0xFF


@settings(max_examples=12)
@given(st.lists(st.tuples(st.sampled_from(STRATEGIES), st.sampled_from(ACCOUNTS), st.sampled_from(EXECUTIONS)), min_size=2, max_size=5))
def test_a_run_does_not_see_the_run_before(runs: list[tuple[Any, bt.Account, bt.Execution]]) -> None:
    bench = Workbench()
    for run in runs:
        found, wanted = outcome((MARKET,), *run, bench), outcome((MARKET,), *run, None)
        assert found[1] == wanted[1]
        assert np.array_equal(found[0], wanted[0], equal_nan=True)
        assert np.array_equal(found[2], wanted[2])
        spoil(bench)


def test_a_shared_wallet_too() -> None:
    bench, account = Workbench(), bt.Account(wallet="shared", leverage=20.0)
    for strategy in (STRATEGIES[1], STRATEGIES[0]):
        found = outcome((MARKET, OTHER), strategy, account, EXECUTIONS[0], bench)
        assert found[1] == outcome((MARKET, OTHER), strategy, account, EXECUTIONS[0], None)[1]
        spoil(bench)


def test_separate_wallets_each_have_their_own_states() -> None:
    bench = Workbench()
    for strategy in (STRATEGIES[1], STRATEGIES[0]):
        found = outcome((MARKET, OTHER), strategy, ACCOUNTS[0], EXECUTIONS[0], bench)
        assert np.array_equal(found[0], outcome((MARKET, OTHER), strategy, ACCOUNTS[0], EXECUTIONS[0], None)[0], equal_nan=True)
        spoil(bench)
    assert len(bench.machines) == 2


def test_the_machine_is_used_again_but_for_a_users_strategy() -> None:
    bench = Workbench()
    outcome((MARKET,), STRATEGIES[0], ACCOUNTS[0], EXECUTIONS[0], bench)
    first = bench.machines[0]
    outcome((MARKET,), STRATEGIES[1], ACCOUNTS[1], EXECUTIONS[1], bench)
    assert bench.machines[0] is first
    outcome((MARKET,), STRATEGIES[2], ACCOUNTS[0], EXECUTIONS[0], bench)
    assert bench.machines[0] is not first
    own = bracket_strategy()
    outcome((MARKET,), own, ACCOUNTS[0], EXECUTIONS[0], bench)
    first = bench.machines[0]
    outcome((MARKET,), own, ACCOUNTS[0], EXECUTIONS[0], bench)
    assert bench.machines[0] is not first


@pytest.mark.parametrize(("dtype", "tables"), [(state_dtype, {"lots", "orders"}), (journal_dtype, {"events", "fills"})])
def test_only_tables_of_records_are_left_as_they_are(dtype: np.dtype, tables: set[str]) -> None:
    cleared = np.zeros(dtype.itemsize, bool)
    for part in parts_to_clear(dtype):
        cleared[part] = True
    assert dtype.fields is not None
    for name, field in dtype.fields.items():
        kind, offset = field[0], field[1]
        assert cleared[offset : offset + kind.itemsize].all() == (name not in tables)
        assert cleared[offset : offset + kind.itemsize].any() == (name not in tables)
