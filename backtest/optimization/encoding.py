"""A trial as Optuna keeps it, and back, to the bit.

Parameters and value are Optuna's own, so that its tools can read a study; the rest are user attributes: `origin` (kind, place,
window, lease and index in its batch), `violations`, `figures` (a list for each cell; null is not a number), `daily`.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, create_trial

from backtest.optimization.cells import Figures
from backtest.optimization.evaluation import Evaluation
from backtest.optimization.records import Lease, Trial
from backtest.optimization.scores import Score


def frozen_trials(lease: Lease, evaluations: Sequence[Evaluation], distributions: Mapping[str, BaseDistribution]) -> list[FrozenTrial]:
    """The results of a lease as complete trials."""
    places = lease.places or (-1,) * len(evaluations)
    return [
        create_trial(
            params={name: evaluation.parameters[name] for name in distributions},
            distributions=dict(distributions),
            value=evaluation.score.value,
            user_attrs={
                "origin": {"kind": lease.kind, "place": place, "window": lease.window, "lease": lease.number, "index": index},
                "violations": [_plain(one) for one in evaluation.score.violations],
                "figures": [[_plain(one) for one in figures] for figures in evaluation.figures],
                "daily": packed(evaluation.daily),
            },
        )
        for index, (place, evaluation) in enumerate(zip(places, evaluations, strict=True))
    ]


def trial_from(frozen: FrozenTrial, names: Sequence[str]) -> Trial:
    """A trial of this project out of Optuna's; parameters in the order of `names`."""
    kept = frozen.user_attrs
    origin = kept["origin"]
    violations = tuple(_number(one) for one in kept["violations"])
    value = float(frozen.value) if frozen.value is not None else math.nan
    return Trial(
        frozen.number,
        origin["kind"],
        origin["place"],
        origin["window"],
        {name: frozen.params[name] for name in names},
        value,
        Score(value, violations, ()).guided,
        violations,
        tuple(Figures(*map(_number, row)) for row in kept["figures"]),
        unpacked(kept["daily"]),
    )


def packed(daily: np.ndarray) -> str:
    """Daily returns, float32 [days], as text."""
    return base64.b64encode(zlib.compress(np.ascontiguousarray(daily, dtype="<f4").tobytes())).decode()


def unpacked(text: str) -> np.ndarray:
    """What `packed` was given."""
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype="<f4").astype(np.float32)


def _plain(value: float) -> Any:
    """A number as JSON has it: null for NaN, the text inf or -inf for infinity."""
    if isinstance(value, (int, np.integer)):
        return int(value)
    if math.isnan(value):
        return None
    return float(value) if math.isfinite(value) else str(float(value))


def _number(value: Any) -> Any:
    if value is None:
        return math.nan
    return float(value) if isinstance(value, str) else value
