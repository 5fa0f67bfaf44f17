"""A study knows what was asked of which bars: who asks otherwise is refused, and other studies of the same bars are counted."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.storages import BaseStorage, InMemoryStorage

import backtest as bt
from backtest.optimization.evaluation import Evaluation
from backtest.optimization.optimize import Optimizer
from backtest.optimization.records import DESIGN, SEARCH, MemoryStore
from backtest.optimization.scores import Score
from backtest.optimization.settings import Optimization
from backtest.optimization.space import decoded, from_unit, search_space
from backtest.optimization.storages import open_storage
from backtest.optimization.store import HOLDOUT, OptunaStore
from backtest.optimization.study import default_name, describe, fingerprint, join_study, load_study, other_studies, space_of, study_names
from tests.backtest import frames

DAY = 86_400_000


def market(days: int = 60, seed: int = 0, instrument: bt.Instrument = frames.BTC, start: int = frames.START) -> bt.Market:
    return bt.Market.from_frame(frames.bars(96 * days, seed=seed, start=start), instrument, "15m")


def optimizer(markets: Any = None, strategy: Any = None, settings: dict[str, Any] | None = None, **other: Any) -> Optimizer:
    mine = strategy or bt.StaticGrid()
    terms = {"account": bt.Account(), "execution": bt.Execution(), "space": search_space(type(mine)), "warmup": 10, "purge_hours": 24.0}
    asked = Optimization(trials=8, windows=1, **(settings or {}))
    return Optimizer(markets or [market()], mine, settings=asked, store=MemoryStore(), **{**terms, **other})


def with_trials(store: OptunaStore, batches: int = 1, kind: str = DESIGN) -> OptunaStore:
    """Batches of 8 trials in the middle of the space."""
    middle = decoded(store.space, from_unit(store.space, np.full((1, len(store.space)), 0.5))[0])
    trial = Evaluation(middle, Score(0.0, (), ()), (), np.zeros(3, np.float32))
    for _ in range(batches):
        lease = store.lease(kind, -1, 256, 8)
        assert lease is not None
        assert len(store.commit(lease, [trial] * 8) or []) == 8
    return store


@pytest.mark.parametrize("name", ["mine", None])
def test_the_same_question_finds_its_study_again(tmp_path: Path, name: str | None) -> None:
    path = str(tmp_path / "studies.log")
    first = join_study(optimizer(), open_storage(path), name)
    again = join_study(optimizer(), open_storage(path), name)
    assert (first.name, first.study) == (again.name, again.study)
    assert study_names(open_storage(path)) == [first.name]


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "trials": ({"settings": {"seed": 2}}, "settings.seed = 1, and now it is 2"),
    "score": ({"settings": {"min_sharpe": 1.0}}, "settings.min_sharpe = not set, and now it is 1.0"),
    "strategy": ({"strategy": bt.StaticGrid(grid_levels=7)}, "parameters.grid_levels = "),
    "other strategy": ({"strategy": bt.AdaptiveGrid()}, "parameters."),
    "space": ({"space": search_space(bt.StaticGrid, {"step": (0.001, 0.002)})}, "space.step.high = "),
    "account": ({"account": bt.Account(leverage=2.0)}, "account.leverage = "),
    "execution": ({"execution": bt.Execution(fee_maker=0.0)}, "execution.fee_maker = 0.0002, and now it is 0.0"),
    "purge": ({"purge_hours": 48.0}, "purge = "),
    "bars": ({"markets": [market(seed=1)]}, "data.BTCUSDT.digest = "),
    "coin": ({"markets": [market(instrument=frames.ETH)]}, "data.BTCUSDT.bars = "),
}


@pytest.mark.parametrize("change", CHANGES)
def test_another_question_is_refused_and_named(change: str) -> None:
    storage = InMemoryStorage()
    join_study(optimizer(), storage, "mine")
    asked, sentence = CHANGES[change]
    with pytest.raises(bt.InputError, match="study = 'mine' is refused: it was begun with " + re.escape(sentence)):
        join_study(optimizer(**asked), storage, "mine")
    assert default_name(describe(optimizer(**asked))) != default_name(describe(optimizer()))


def test_the_default_name_can_be_read() -> None:
    both = [market(), market(instrument=frames.ETH, seed=1)]
    assert re.fullmatch(r"static-grid-BTC-ETH-15m-[0-9a-f]{6}", default_name(describe(optimizer(both))).replace("_", "-"))


def test_every_number_of_a_market_counts() -> None:
    one = market()
    prints = {fingerprint(one)["digest"]}
    for name in ("time", "open", "high", "low", "close", "volume", "kind", "missing", "funding_time", "funding_rate"):
        array = getattr(one, name).copy()
        array[5] = array[5] + 1 if array.dtype != bool else ~array[5]
        prints.add(fingerprint(replace(one, **{name: array}))["digest"])
    prints.add(fingerprint(replace(one, mark=one.close))["digest"])
    prints.add(fingerprint(replace(one, instrument=frames.ETH))["digest"])
    assert len(prints) == 13
    assert fingerprint(market())["digest"] in prints


def found_by(storage: BaseStorage, asking: Optimizer, name: str | None = None) -> tuple[int, int]:
    join_study(asking, storage, name)
    return asking.seen, asking.looks


def test_trials_and_looks_of_other_studies_are_counted() -> None:
    storage = InMemoryStorage()
    asking = optimizer()
    first = join_study(asking, storage, "first")
    assert (asking.seen, asking.looks) == (0, 0)
    with_trials(first, 3)
    assert first.leases.claim(DESIGN, -1, 256, 8) is not None  # still running: not counted
    assert found_by(storage, optimizer(), "first") == (0, 0)  # a study is not its own other
    assert found_by(storage, optimizer(settings={"seed": 2}), "second") == (24, 0)
    assert asking.split.holdout is not None
    asking.touch_holdout(asking.split.holdout)
    asking.touch_holdout(asking.split.holdout)
    part = asking.split.holdout
    assert first.attribute(HOLDOUT) == {"begin": part.begin, "end": part.end, "times": 2, "trials": [24]}
    assert found_by(storage, optimizer(settings={"seed": 2}), "second") == (24, 1)
    assert found_by(storage, optimizer(), "first") == (0, 1)  # it had not run all its trials when it looked
    again = optimizer(settings={"seed": 3, "mode": "rolling"})
    assert found_by(storage, again) == (24, 1)  # whatever the mode


def test_a_look_is_never_forgotten() -> None:
    """256 of the design and 8 more are asked for: whoever looked before that many were there went on knowing the holdout."""
    storage = InMemoryStorage()
    asking = optimizer()
    first = join_study(asking, storage, "first")
    assert asking.split.holdout is not None
    for earlier in range(3):
        with_trials(first)
        asking.touch_holdout(asking.split.holdout)
        assert found_by(storage, optimizer(), "first") == (0, earlier + 1)
    with_trials(with_trials(first, 29), 1, SEARCH)
    asking.touch_holdout(asking.split.holdout)  # with all 264
    assert found_by(storage, optimizer(), "first") == (0, 3)  # asked again, it still says so
    assert found_by(storage, optimizer(settings={"seed": 2}), "second") == (264, 4)


def test_a_study_that_searched_the_holdout_has_looked_at_it() -> None:
    storage = InMemoryStorage()
    join_study(optimizer(settings={"holdout": 0.0}), storage, "no trials")
    assert found_by(storage, optimizer()) == (0, 0)
    with_trials(join_study(optimizer(settings={"holdout": 0.0}), storage, "whole"))
    assert found_by(storage, optimizer()) == (8, 1)
    with_trials(join_study(optimizer(settings={"holdout": 0.0, "seed": 2}), storage, "whole too"))
    assert found_by(storage, optimizer()) == (16, 2)


def test_studies_of_other_coins_or_other_times_do_not_count() -> None:
    storage = InMemoryStorage()
    first = optimizer()
    with_trials(join_study(first, storage, "first"))
    assert first.split.holdout is not None
    first.touch_holdout(first.split.holdout)
    assert found_by(storage, optimizer([market(instrument=frames.ETH)])) == (0, 0)
    assert found_by(storage, optimizer([market(start=frames.START + 60 * DAY)])) == (0, 0)
    assert found_by(storage, optimizer([market(start=frames.START + 50 * DAY)])) == (0, 0)  # only holdout against train
    assert found_by(storage, optimizer([market(start=frames.START + 12 * DAY)])) == (8, 1)
    both = optimizer([market(), market(instrument=frames.ETH, seed=1)])
    assert found_by(storage, both) == (8, 1)


def test_a_study_is_read_without_its_markets() -> None:
    storage = InMemoryStorage()
    asking = optimizer(strategy=bt.AdaptiveGrid())
    join_study(asking, storage, "adaptive-btc")
    assert load_study(storage, "adaptive-btc").space == asking.space == space_of(describe(asking))
    with pytest.raises(bt.InputError, match=r"^study = 'adaptive' is not in the storage; did you mean adaptive-btc\?$"):
        load_study(storage, "adaptive")
    with pytest.raises(bt.InputError, match="the storage has no studies"):
        load_study(InMemoryStorage(), "any")


def test_names_of_what_was_seen() -> None:
    storage = InMemoryStorage()
    with_trials(join_study(optimizer(), storage, "first"))
    join_study(optimizer(settings={"seed": 2}), storage, "empty")
    assert other_studies(storage, "third", describe(optimizer())).names == ("first",)
