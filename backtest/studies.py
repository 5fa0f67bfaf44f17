"""What a page says of a result beyond the result: how it stands under other assumptions, and how much luck is in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from backtest.sensitivity.study import Scans, sensitivity
from backtest.uncertainty.estimate import uncertainty
from backtest.uncertainty.show import as_json as uncertainty_as_json
from engine.errors import InputError

if TYPE_CHECKING:
    from backtest.result import Result
    from backtest.sensitivity.table import Sensitivity
    from backtest.uncertainty.estimate import Uncertainty

SCANS: tuple[str, ...] = get_args(Scans)
DEFAULT_SCANS: Scans = "coarse"


@dataclass(frozen=True)
class Studies:
    """sensitivity: None where the result could not be run again, and `left_out` says why. uncertainty: None without bars."""

    sensitivity: Sensitivity | None = None
    uncertainty: Uncertainty | None = None
    left_out: str = ""

    @property
    def headline(self) -> str:
        """The sentence for the first screen when the result is fragile, else an empty text."""
        return "" if self.sensitivity is None else self.sensitivity.headline

    def as_json(self) -> dict[str, Any]:
        """Plain values for summary.json; null for a study that was not made."""
        from backtest.sensitivity.rendering import as_json

        return {
            "fragile": None if self.sensitivity is None else self.sensitivity.fragile,
            "sensitivity": None if self.sensitivity is None else as_json(self.sensitivity),
            "uncertainty": None if self.uncertainty is None else uncertainty_as_json(self.uncertainty),
        }


def study(result: Result, scans: Scans = DEFAULT_SCANS, watch: Callable[[int, int], None] | None = None) -> Studies:
    """Both studies of a result. A part that cannot be made is said, never an error: the result itself stands."""
    if result.time.size == 0:
        return Studies(left_out="No bar traded: there is nothing to vary.")
    luck = uncertainty(result)
    try:
        return Studies(sensitivity(result, scans=scans, watch=watch), luck)
    except InputError as error:
        return Studies(None, luck, f"The sensitivity table is missing: {error}.")
