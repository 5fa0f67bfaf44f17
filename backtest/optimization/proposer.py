"""Who proposes the next sets: Optuna's samplers behind ask and tell, on a study in memory (CMA-ES: see `covariance`).

The study in memory holds what the sampler may learn from, no more: storing is done elsewhere, in batches, and TPE, whose time to
propose grows with its history, is given the best and the latest trials alone.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from backtest.optimization.covariance import CovarianceProposer
from backtest.optimization.records import Trial
from backtest.optimization.settings import Optimization
from backtest.optimization.space import Dimension
from engine.errors import InputError

if TYPE_CHECKING:
    import optuna

# TPE learns from so many trials when they grow too many: half the best, half the latest. At 20 microseconds a trial of history its
# proposal then costs about 8 ms.
TPE_HISTORY = 400
# The history is cut when it has grown beyond that by this share.
SLACK = 1.25


def distribution_of(dimension: Dimension) -> Any:
    """A dimension as Optuna knows it."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if dimension.values is not None:
        return CategoricalDistribution(dimension.values)
    if dimension.integer:
        return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log)


class Proposer:
    """Asks a sampler for sets and tells it what they were worth. `trials`: what is known already."""

    def __init__(self, space: Sequence[Dimension], settings: Optimization, trials: Sequence[Trial] = (), seed: int | None = None) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.name = settings.sampler_name
        self.seed = settings.seed if seed is None else seed
        self.distributions = {dimension.name: distribution_of(dimension) for dimension in space}
        self.objectives = 2 if self.name == "nsga2" else 1
        self._asked: list[optuna.trial.Trial] = []
        self._known: list[Trial] = []
        self._sampler: Any = None
        self._study: Any = None
        self._held = 0
        self._learn(list(trials))

    @property
    def ahead(self) -> int:
        """Batches that may be on their way at once: a sampler that breeds generations waits for the one before."""
        return 1 if self.name in ("genetic", "nsga2") else 2

    def ask(self, count: int) -> list[dict[str, Any]]:
        """`count` sets to run next; each must be told, or given up, before the sampler forgets it."""
        asked = [self._study.ask(self.distributions) for _ in range(count)]
        self._asked += asked
        return [dict(one.params) for one in asked]

    def instead_of(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Another set in place of one that cannot be run."""
        import optuna

        place = next(k for k, one in enumerate(self._asked) if one.params == dict(parameters))
        self._study.tell(self._asked.pop(place), state=optuna.trial.TrialState.FAIL)
        return self.ask(1)[0]

    def tell(self, trials: Sequence[Trial]) -> None:
        """What sets were worth: those asked for in the order they were asked, by their parameters; others are learned as well."""
        for trial in trials:
            place = next((k for k, one in enumerate(self._asked) if one.params == dict(trial.parameters)), None)
            if place is None:
                self._study.add_trial(self._frozen(trial))
            else:
                self._study.tell(self._asked.pop(place), self._values(trial))
        self._known += trials
        self._held += len(trials)
        if self.name == "tpe" and self._held > SLACK * TPE_HISTORY:
            self._learn(self._known)

    def give_up(self) -> None:
        """Forget what was asked for and will not be told."""
        import optuna

        for one in self._asked:
            self._study.tell(one, state=optuna.trial.TrialState.FAIL)
        self._asked = []

    def _values(self, trial: Trial) -> list[float]:
        if self.objectives == 1:
            return [trial.guided]
        return [trial.guided, -max(figures.drawdown for figures in trial.figures)]

    def _frozen(self, trial: Trial) -> Any:
        from optuna.trial import create_trial

        parameters = {name: trial.parameters[name] for name in self.distributions}
        return create_trial(params=parameters, distributions=self.distributions, values=self._values(trial))

    def _learn(self, trials: list[Trial]) -> None:
        """Begin a new study in memory from these trials, for TPE from the best and the latest of them, and those that are on their way."""
        import optuna

        self._known = trials
        kept = trials
        if self.name == "tpe" and len(trials) > TPE_HISTORY:
            best = sorted(trials, key=lambda trial: -trial.guided)[: TPE_HISTORY // 2]
            chosen = {id(trial) for trial in best}
            latest = [trial for trial in trials if id(trial) not in chosen][-(TPE_HISTORY - len(best)) :]
            kept = sorted([*best, *latest], key=lambda trial: trial.number)
        self._held = len(kept)
        if self._sampler is None:
            self._sampler = _sampler(self.name, self.seed, trials)
        self._study = optuna.create_study(directions=["maximize"] * self.objectives, sampler=self._sampler)
        self._study.add_trials([self._frozen(trial) for trial in kept])
        asked, self._asked = self._asked, []
        for one in asked:
            self._study.enqueue_trial(one.params)
            self._asked.append(self._study.ask(self.distributions))


def proposer_of(
    space: Sequence[Dimension], settings: Optimization, trials: Sequence[Trial] = (), seed: int | None = None
) -> Proposer | CovarianceProposer:
    """The proposer of the sampler that the settings name."""
    kind = CovarianceProposer if settings.sampler_name == "cmaes" else Proposer
    return kind(space, settings, trials, seed)


def check_sampler(name: str) -> None:
    """Raises InputError when a sampler's package is not installed."""
    if name == "gp" and importlib.util.find_spec("torch") is None:
        raise InputError("sampler = gp is refused: it needs the package torch; choose tpe, cmaes, genetic or random")


def _sampler(name: str, seed: int, trials: Sequence[Trial]) -> Any:
    import optuna

    if name == "tpe":
        return optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True, n_startup_trials=10 if not trials else 1)
    if name == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    if name == "gp":
        check_sampler(name)
        return optuna.samplers.GPSampler(seed=seed)
    return optuna.samplers.NSGAIISampler(seed=seed)
