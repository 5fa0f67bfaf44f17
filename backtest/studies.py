"""What a page says of a result beyond the result: how it stands under other assumptions, and how much luck is in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, get_args

from backtest.sensitivity.study import Scans, sensitivity
from backtest.uncertainty.estimate import uncertainty
from engine.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from backtest.ablation import Ablation
    from backtest.evaluation.study import EvaluationStudy
    from backtest.exposure_ladder import ExposureLadder
    from backtest.report.worst_days import WorstDays
    from backtest.result import Result
    from backtest.sensitivity.table import Sensitivity
    from backtest.uncertainty.estimate import Uncertainty

# Where each study becomes plain values; only what was made is imported.
RENDERINGS = {
    "sensitivity": "backtest.sensitivity.rendering",
    "uncertainty": "backtest.uncertainty.show",
    "worst_days": "backtest.report.worst_days",
    "ablation": "backtest.ablation.rendering",
    "exposure_ladder": "backtest.exposure_ladder.rendering",
    "evaluation": "backtest.evaluation.rendering",
}

SCANS: tuple[str, ...] = get_args(Scans)
DEFAULT_SCANS: Scans = "coarse"


def as_json_of(home: str) -> Callable[[Any], Any]:
    """The function of a module that makes plain values of a study."""
    found: Callable[[Any], Any] = import_module(home).as_json
    return found


@dataclass(frozen=True)
class Studies:
    """sensitivity: None where the result could not be run again, and `left_out` says why. uncertainty, worst_days: None without bars.

    ablation, exposure_ladder, evaluation: only when they were asked for.
    """

    sensitivity: Sensitivity | None = None
    uncertainty: Uncertainty | None = None
    left_out: str = ""
    worst_days: WorstDays | None = None
    ablation: Ablation | None = None
    exposure_ladder: ExposureLadder | None = None
    evaluation: EvaluationStudy | None = None

    @property
    def headline(self) -> str:
        """The sentence for the first screen when the result is fragile, else an empty text."""
        return "" if self.sensitivity is None else self.sensitivity.headline

    def as_json(self) -> dict[str, Any]:
        """Plain values for summary.json; null for a study that was not made."""
        return {
            "fragile": None if self.sensitivity is None else self.sensitivity.fragile,
            **{name: None if getattr(self, name) is None else as_json_of(home)(getattr(self, name)) for name, home in RENDERINGS.items()},
        }

    def tables(self) -> list[tuple[Table, list[str]]]:
        """Those made beside the sensitivity table and the interval: a table for the terminal and its sentences."""
        from backtest.ablation import ablation_table
        from backtest.evaluation.rendering import evaluation_table
        from backtest.exposure_ladder import exposure_ladder_table
        from backtest.report.worst_days import worst_days_table

        made: list[tuple[Table, list[str]]] = []
        if self.worst_days is not None:
            made.append((worst_days_table(self.worst_days), self.worst_days.sentences()))
        if self.ablation is not None:
            made.append((ablation_table(self.ablation), self.ablation.sentences()))
        if self.exposure_ladder is not None:
            made.append((exposure_ladder_table(self.exposure_ladder), self.exposure_ladder.sentences()))
        if self.evaluation is not None:
            made.append((evaluation_table(self.evaluation), self.evaluation.sentences()))
        return made


def study(
    result: Result,
    scans: Scans = DEFAULT_SCANS,
    watch: Callable[[int, int], None] | None = None,
    ablate: bool = False,
    ladder: bool = False,
    evaluation: bool = False,
) -> Studies:
    """The studies of a result; ablate, ladder, evaluation: those too. What cannot be varied is said, never an error: the result stands.

    Raises InputError when an ablation, a ladder or an evaluation is asked for and cannot be made.
    """
    from backtest.report.worst_days import worst_days

    if result.time.size == 0:
        return Studies(left_out="No bar traded: there is nothing to vary.")
    made = Studies(
        None,
        uncertainty(result),
        "",
        worst_days(result),
        _ablation(result) if ablate else None,
        _exposure_ladder(result) if ladder else None,
        _evaluation(result) if evaluation else None,
    )
    try:
        return replace(made, sensitivity=sensitivity(result, scans=scans, watch=watch))
    except InputError as error:
        return replace(made, left_out=f"The sensitivity table is missing: {error}.")


def _ablation(result: Result) -> Ablation:
    from backtest.ablation.study import ablation

    return ablation(result)


def _exposure_ladder(result: Result) -> ExposureLadder:
    from backtest.exposure_ladder.study import exposure_ladder

    return exposure_ladder(result)


def _evaluation(result: Result) -> EvaluationStudy:
    from backtest.evaluation.study import evaluation_study

    return evaluation_study(result)
