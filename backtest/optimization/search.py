"""The search: leases are taken, sets proposed, run in batches, kept and told, the proposing beside the running."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from backtest.optimization.covariance import CovarianceProposer
from backtest.optimization.evaluation import Evaluation, Evaluator
from backtest.optimization.proposer import Proposer, proposer_of
from backtest.optimization.records import DESIGN, SEARCH, Lease, Store, Trial
from backtest.optimization.settings import Optimization
from backtest.optimization.space import Dimension
from engine.errors import InputError

# A lease is renewed while its batch runs, this often.
RENEW_SECONDS = 10.0
# How often a sampler is asked again for a set that breaks a rule between parameters.
ASK_AGAIN = 50

# Told after every batch: trials done, trials in all, the best score so far.
Watch = Callable[[int, int, float], None]


@dataclass
class Search:
    """One search: robust mode has one over all windows (`window` -1), rolling mode one for each window.

    design: the points of the Sobol design, in order. What the store holds already is learned from and not run again.
    """

    evaluator: Evaluator
    space: Sequence[Dimension]
    design: Sequence[Mapping[str, Any]]
    settings: Optimization
    store: Store
    window: int = -1
    watch: Watch | None = None

    def run(self) -> list[Trial]:
        """Run what is missing of the design and of the trials. Returns all trials of the window that the store then holds."""
        with ThreadPoolExecutor(1, thread_name_prefix="batches") as runner:
            try:
                self._design(runner)
                self._search(runner)
            except BaseException:
                runner.shutdown(wait=True, cancel_futures=True)
                self.store.release()
                raise
        return self.store.trials(self.window)

    @property
    def total(self) -> int:
        """Trials when all is done."""
        return len(self.design) + self.settings.trials

    def _design(self, runner: ThreadPoolExecutor) -> None:
        waiting: list[tuple[Lease, Future[list[Evaluation]]]] = []
        while True:
            lease = self._lease(DESIGN, len(self.design))
            if lease is not None:
                waiting.append((lease, runner.submit(self.evaluator.evaluate, [self.design[place] for place in lease.places])))
            if not waiting:
                return
            if lease is None or len(waiting) > 1:
                self._finish(*waiting.pop(0))

    def _search(self, runner: ThreadPoolExecutor) -> None:
        if self.settings.trials == 0:
            return
        lease = self._lease(SEARCH, self.settings.trials)
        if lease is None:
            return
        known = self.store.trials(self.window)
        # A search that goes on must not propose what it proposed before, nor what another worker proposes: no two have the same lease.
        proposer = proposer_of(self.space, self.settings, known, self.settings.seed + lease.number)
        told = {trial.number for trial in known}
        waiting: list[tuple[Lease, Future[list[Evaluation]]]] = []
        while True:
            if lease is not None:
                began = perf_counter()
                sets = [self._whole(proposer, one) for one in proposer.ask(lease.size)]
                self.evaluator.clock.proposing += perf_counter() - began
                waiting.append((lease, runner.submit(self.evaluator.evaluate, sets)))
            if lease is None or len(waiting) >= proposer.ahead:
                if not waiting:
                    return
                self._finish(*waiting.pop(0))
                news = [trial for trial in self.store.trials(self.window) if trial.number not in told]
                told.update(trial.number for trial in news)
                began = perf_counter()
                proposer.tell(news)
                self.evaluator.clock.proposing += perf_counter() - began
            lease = self._lease(SEARCH, self.settings.trials)

    def _whole(self, proposer: Proposer | CovarianceProposer, parameters: dict[str, Any]) -> dict[str, Any]:
        """The set, or another one when it breaks a rule between parameters."""
        for _ in range(ASK_AGAIN):
            try:
                self.evaluator.with_parameters(parameters)
                return parameters
            except InputError:
                parameters = proposer.instead_of(parameters)
        return dict(self.design[0])

    def _lease(self, kind: str, total: int) -> Lease | None:
        began = perf_counter()
        lease = self.store.lease(kind, self.window, total, self.settings.batch)
        self.evaluator.clock.storing += perf_counter() - began
        return lease

    def _finish(self, lease: Lease, answer: Future[list[Evaluation]]) -> list[Trial]:
        """Wait for a batch, keep it and say so. Nothing when the lease ran out meanwhile."""
        while not wait([answer], timeout=RENEW_SECONDS).done:
            self.store.renew(lease)
        evaluations = answer.result()
        began = perf_counter()
        made = self.store.commit(lease, evaluations)
        self.evaluator.clock.storing += perf_counter() - began
        if self.watch is not None:
            trials = self.store.trials(self.window)
            best = max((trial.value for trial in trials if trial.feasible), default=float("-inf"))
            self.watch(len(trials), self.total, best)
        return made or []
