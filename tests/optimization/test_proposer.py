"""What a sampler is told of, and how long its memory grows."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from backtest.optimization import proposer, search
from backtest.optimization.evaluation import Evaluation
from backtest.optimization.proposer import SLACK, TPE_HISTORY, Proposer
from backtest.optimization.records import SEARCH, MemoryStore, Trial
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
