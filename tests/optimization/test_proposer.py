"""What a sampler is told of, and how long its memory grows."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from backtest.optimization import proposer, search
from backtest.optimization.covariance import CovarianceProposer
from backtest.optimization.evaluation import Evaluation
from backtest.optimization.proposer import SLACK, TPE_HISTORY, Proposer
from backtest.optimization.records import SEARCH, MemoryStore, Trial
from backtest.optimization.space import encoded, to_unit
from tests.optimization import fake_search


def test_the_history_of_tpe_stays_short_while_a_batch_is_always_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    history: list[int] = []
    ask = Proposer.ask

    def asked(self: Proposer, count: int) -> list[dict[str, object]]:
        history.append(len(self._study.trials))
        return ask(self, count)

    monkeypatch.setattr(proposer, "TPE_HISTORY", 40)
    monkeypatch.setattr(Proposer, "ask", asked)
    trials = fake_search.search(MemoryStore(), 120, sampler="tpe")
    assert len(trials) == fake_search.DESIGN + 120
    on_their_way = fake_search.BATCH
    assert max(history) <= SLACK * 40 + on_their_way
    assert min(history[6:]) >= 40  # cut, and not begun anew
    assert TPE_HISTORY == 400


def test_what_is_on_its_way_is_told_to_the_trial_that_was_asked() -> None:
    """A history that is cut keeps them, so that no set is learned twice."""
    store = MemoryStore()
    known = [trial for trial in fake_search.search(store, 16) if trial.kind == SEARCH]
    settings = fake_search.Optimization(trials=16, batch=8, sampler="tpe")
    mine = Proposer(fake_search.SPACE, settings, known)
    sets = mine.ask(8)
    mine._learn(list(known))
    assert [one.params for one in mine._asked] == sets
    lease = store.lease(SEARCH, -1, 100, 8)
    assert lease is not None
    mine.tell(store.commit(lease, [fake_search.evaluation(one) for one in sets]) or [])
    assert mine._asked == []
    assert len(mine._study.trials) == len(known) + 8


def test_the_score_of_a_set_that_breaks_a_constraint_is_never_the_best_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []
    run, evaluation = search.Search.run, fake_search.evaluation

    def watched(self: search.Search) -> list[Trial]:
        self.watch = lambda _done, _total, best: told.append(best)
        return run(self)

    def broken(parameters: dict[str, object]) -> Evaluation:
        found = evaluation(parameters)
        return replace(found, score=found.score._replace(violations=(1.0,)))

    monkeypatch.setattr(search.Search, "run", watched)
    monkeypatch.setattr(fake_search, "evaluation", broken)
    fake_search.search(MemoryStore(), 8)
    assert set(told) == {-math.inf}


def test_cma_es_finds_the_top_of_a_hill_and_repeats_itself() -> None:
    """Of 60 generations the later ones crowd round the top, which lies off the middle of every range."""

    def best_of(seed: int) -> tuple[list[dict[str, object]], float]:
        mine = CovarianceProposer(fake_search.SPACE, fake_search.Optimization(batch=8, sampler="cmaes"), (), seed)
        last: list[Trial] = []
        told = 0
        for _ in range(60):
            sets = mine.ask(8)
            places = to_unit(fake_search.SPACE, np.array([encoded(fake_search.SPACE, one) for one in sets]))
            heights = -np.sum((places - 0.8) ** 2, axis=1)
            last = [
                Trial(told + k, SEARCH, -1, -1, one, float(height), float(height), (0.0,), (), np.zeros(0, np.float32))
                for k, (one, height) in enumerate(zip(sets, heights, strict=True))
            ]
            told += 8
            mine.tell(last)
        return [dict(trial.parameters) for trial in last], max(trial.value for trial in last)

    sets, height = best_of(3)
    assert height > -0.02
    assert best_of(3) == (sets, height)
    assert best_of(4)[0] != sets


def test_cma_es_begins_at_the_best_set_and_replaces_one_that_cannot_be_run() -> None:
    store = MemoryStore()
    known = list(fake_search.search(store, 16))
    best = max(known, key=lambda trial: trial.guided)
    mine = CovarianceProposer(fake_search.SPACE, fake_search.Optimization(batch=200, sampler="cmaes"), known, 1)
    sets = mine.ask(200)
    places = to_unit(fake_search.SPACE, np.array([encoded(fake_search.SPACE, one) for one in sets]))
    start = to_unit(fake_search.SPACE, encoded(fake_search.SPACE, best.parameters)[np.newaxis, :])[0]
    inside = (start > 0.25) & (start < 0.75)  # at an edge of the cube the draws lie to one side
    assert np.abs(np.median(places, axis=0) - start)[inside].max(initial=0.0) < 0.1
    other = mine.instead_of(sets[0])
    assert other not in sets
