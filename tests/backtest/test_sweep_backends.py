"""A sweep in other processes gives the numbers of a sweep on threads, to the bit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

import backtest as bt
from backtest.sweep import Task
from backtest.sweep_backends import on_backend
from tests.backtest import frames
from tests.backtest.stepping import bracket_strategy

GRID = {"grid_spacing_k": [1.0, 2.0, 4.0], "kama_period": [8, 10], "fee_maker": [0.0, 0.0002]}


def market(instrument: bt.Instrument = frames.BTC, seed: int = 0) -> bt.Market:
    return bt.Market.from_frame(frames.bars(400, seed=seed), instrument, "15m")


@pytest.fixture
def cluster() -> Iterator[None]:
    """Dask on this machine alone: two worker processes, no dashboard, nothing written outside of a folder of the system's."""
    distributed = pytest.importorskip("distributed")
    import dask

    with dask.config.set({"distributed.admin.system-monitor.gil.enabled": False}):
        made = distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None, silence_logs=50
        )
        with made, distributed.Client(made):
            yield


def check_same(backend: str, threads: int | None = 2) -> None:
    one = market()
    expected = bt.sweep(one, bt.AdaptiveGrid(), GRID, threads=1)
    found = bt.sweep(one, bt.AdaptiveGrid(), GRID, threads=threads, backend=backend)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    both = [market(), market(frames.ETH, seed=1)]
    shared = bt.Account(wallet="shared")
    weights = (0.5, 0.25)
    expected = bt.sweep(both, bt.StaticGrid(), {"step": [0.01, 0.002, 0.005]}, shared, weights=weights, threads=1)
    found = bt.sweep(both, bt.StaticGrid(), {"step": [0.01, 0.002, 0.005]}, shared, weights=weights, backend=backend)
    assert np.array_equal(found.to_numpy(), expected.to_numpy(), equal_nan=True)


def test_processes_give_the_same_numbers() -> None:
    check_same("loky")


def test_a_dask_cluster_gives_the_same_numbers(cluster: None) -> None:
    check_same("dask", threads=None)


def test_the_name_threads_is_the_default() -> None:
    check_same("threads")


@pytest.mark.slow  # each process compiles it
def test_an_own_strategy_goes_to_other_processes() -> None:
    strategy = bracket_strategy()
    grid = {"step": [0.002, 0.004, 0.006], "fee_maker": [0.0, 0.0002]}
    expected = bt.sweep(market(), strategy, grid, threads=1)
    found = bt.sweep(market(), strategy, grid, threads=2, backend="loky")
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    assert expected["final_equity"].nunique() == 6


def test_an_error_of_another_process_names_the_settings() -> None:
    with pytest.raises(bt.InputError, match=r"row 3: it broke"):
        on_backend("loky", 2, fails, "it broke", [1, 2, 3])


def fails(shared: str, rows: list[int]) -> list[list[float]]:
    if 3 in rows:
        raise bt.InputError(f"row 3: {shared}")
    return [[float(row)] for row in rows]


@pytest.mark.parametrize(
    ("backend", "sentence"),
    [
        ("loki", "backend = 'loki' is refused: it must be one of threads, loky, multiprocessing, dask, ray"),
        ("ray", "backend = 'ray' is refused: it needs a package that is not installed; pip install ray"),
    ],
)
def test_a_back_end_that_is_not_there(backend: str, sentence: str) -> None:
    with pytest.raises(bt.InputError, match="^" + sentence.replace("(", r"\(") + "$"):
        bt.sweep(market(), bt.StaticGrid(), {"step": [0.01]}, backend=backend)


def test_dask_without_a_cluster() -> None:
    pytest.importorskip("distributed")
    with pytest.raises(bt.InputError, match="no cluster is connected"):
        bt.sweep(market(), bt.StaticGrid(), {"step": [0.01]}, backend="dask")


def test_chunks_keep_the_order() -> None:
    task = Task((market(),), None, ("final_equity",), ())
    assert on_backend("loky", 2, counts, task, list(range(23))) == [[float(k)] for k in range(23)]


def counts(shared: Task, rows: list[int]) -> list[list[float]]:
    assert all(array.flags.writeable for array in (shared.markets[0].close, shared.markets[0].time))
    return [[float(row)] for row in rows]
