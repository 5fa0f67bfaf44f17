"""Which parameters moved the score."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from backtest.optimization.records import DESIGN, Trial
from backtest.optimization.space import Space, encoded

# Fewer sets than this say nothing of single parameters.
LEAST_TRIALS = 32
METHOD = (
    "PED-ANOVA of Optuna (Watanabe and others 2023) over the unguided design: how far the values of the best tenth of the sets differ from "
    "those of all sets, parameter by parameter. Shares sum to one."
)


def importances(space: Space, trials: Sequence[Trial]) -> dict[str, float]:
    """Share of each parameter, largest first; empty with too few sets, or when they are all worth the same.

    Of the design alone: a sampler visits what it thinks is good, so that among its trials a parameter looks important or not by
    where it looked.
    """
    import optuna

    from backtest.optimization.proposer import distribution_of

    design = [trial for trial in trials if trial.kind == DESIGN]
    scores = np.array([trial.guided for trial in design])
    if len(design) < LEAST_TRIALS or np.ptp(scores) == 0.0:
        return {}
    if len(space) == 1:
        return {space[0].name: 1.0}
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    distributions = {dimension.name: distribution_of(dimension) for dimension in space}
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=1))
    study.add_trials(
        [
            optuna.trial.create_trial(
                params={name: trial.parameters[name] for name in distributions}, distributions=distributions, value=trial.guided
            )
            for trial in design
        ]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library calls this method of its own experimental
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        found = optuna.importance.get_param_importances(study, evaluator=evaluator, params=list(distributions))
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def extent(space: Space, trials: Sequence[Trial], name: str) -> np.ndarray:
    """The numbers of one parameter over trials, float64 [trials]."""
    place = next(k for k, dimension in enumerate(space) if dimension.name == name)
    return np.array([encoded(space, trial.parameters)[place] for trial in trials])
