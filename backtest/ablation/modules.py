"""The modules of the adaptive grid that can be switched off, each by one parameter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.records import (
    HALT_LABEL,
    PRUNE_DEVIANCE,
    PRUNE_FUNDING,
    PRUNE_GAP,
    PRUNE_OFFSET,
    PRUNE_OLDEST,
    SHIFT_LABEL,
    STOP_LABEL,
)
from engine.strategies.adaptive_grid_parameters import AdaptiveGrid

if TYPE_CHECKING:
    from backtest.result import Result


@dataclass(frozen=True)
class Module:
    """One module: its name, the parameter that switches it off, the value that does, when it is on, and how often it acted.

    times: how often the module acted in a run, None where the engine does not count it.
    """

    name: str
    parameter: str
    off: float | bool
    is_on: Callable[[AdaptiveGrid], bool]
    times: Callable[[Result], int | None]

    def without(self, strategy: AdaptiveGrid) -> AdaptiveGrid:
        """The strategy with this module off."""
        changed: AdaptiveGrid = strategy.replace(**{self.parameter: self.off})
        return changed


def _events(*labels: int) -> Callable[[Result], int]:
    """How often events of these labels were counted, over all coins; needs no event log."""
    return lambda result: sum(int(state["label_counts"][label].sum()) for state in result.states for label in labels)


def _remembered(name: str) -> Callable[[Result], int]:
    """A counter of the strategy's own, over all coins."""
    return lambda result: sum(int(memory.get(name, 0)) for memory in result.memory)


def _uncounted(_result: Result) -> None:
    """The skew acts on every grid."""


def _prune(name: str, parameter: str, label: int) -> Module:
    return Module(name, parameter, False, lambda strategy: bool(getattr(strategy, parameter)), _events(label))


# In the order of the table. No efficiency ratio exceeds 1; a drop of 100 ATR below the mean and a value at risk of ten times the
# equity are the farthest the ranges allow, and the study says so if they are met. The skew goes by its cap, since `gamma` also
# sets the spread. Trailing is both halves of it: the grid that shifts and the lots that ride.
MODULES: tuple[Module, ...] = (
    Module("skew", "skew_cap", 0.0, lambda strategy: strategy.skew_cap > 0.0 and strategy.gamma > 0.0, _uncounted),
    Module("trailing", "trailing_activation_er", 1.0, lambda strategy: strategy.trailing_activation_er < 1.0, _events(SHIFT_LABEL)),
    _prune("prune by deviance", "prune_deviance", PRUNE_DEVIANCE),
    _prune("prune by age", "prune_oldest", PRUNE_OLDEST),
    _prune("prune by gap", "prune_gap", PRUNE_GAP),
    _prune("prune by funding", "prune_funding", PRUNE_FUNDING),
    _prune("prune by offset", "prune_offset", PRUNE_OFFSET),
    Module("stops", "atr_sl_mult", 0.0, lambda strategy: strategy.atr_sl_mult > 0.0, _events(STOP_LABEL, STOP_LABEL + 1)),
    Module("circuit breaker", "halt_z_threshold", -100.0, lambda strategy: strategy.halt_z_threshold > -100.0, _events(HALT_LABEL)),
    Module(
        "value-at-risk gate", "max_drawdown_pct", 10.0, lambda strategy: strategy.max_drawdown_pct < 10.0, _remembered("var_blocked_bars")
    ),
)
