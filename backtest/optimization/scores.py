"""What a set of parameters is worth on its train parts: one number, and how far it breaks the hard constraints.

No figure here depends on another trial: every squash has a fixed scale, which stands beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from backtest.optimization.cells import Figures
from backtest.optimization.settings import Optimization

DRAWDOWN_FLOOR = 0.03  # a drawdown below this says more of the length of the part than of its risk
CALMAR_SCALE = 3.0
SHARPE_SCALE = 3.0
SORTINO_SCALE = 4.0
PROFIT_FACTOR_SCALE = 1.0  # of the factor less 1
DRAWDOWN_SCALE = 0.3
# Shares of the objective `weighted`.
WEIGHTS = {"sharpe": 0.35, "profit_factor": 0.30, "calmar": 0.35, "drawdown": -0.20}
# A ratio without a denominator (no losing exit, no variation) counts as this many scales at most.
MOST = 10.0


class Score(NamedTuple):
    """value: higher is better. violations: one a hard constraint, 0 or less is kept; feasible when none is above 0."""

    value: float
    violations: tuple[float, ...]
    cells: tuple[float, ...]

    @property
    def feasible(self) -> bool:
        """Whether every hard constraint is kept."""
        return all(one <= 0.0 for one in self.violations)

    @property
    def guided(self) -> float:
        """The value for samplers that know no constraints: below every feasible score, and lower the more is broken."""
        broken = sum(max(0.0, one) for one in self.violations)
        return self.value if broken == 0.0 else min(self.value, -2.0) - broken


def squashed(value: float, scale: float) -> float:
    """`tanh(value/scale)`, in (-1, 1). NaN is 0; an infinite ratio counts as MOST scales."""
    if math.isnan(value):
        return 0.0
    return math.tanh(max(-MOST, min(MOST, value / scale)))


def growth_over_drawdown(figures: Figures) -> float:
    """Growth a year over the drawdown inside bars, the latter at least DRAWDOWN_FLOOR."""
    return figures.growth / max(figures.drawdown, DRAWDOWN_FLOOR)


def cell_score(figures: Figures, objective: str) -> float:
    """The score of one coin in one part, between -1.2 and 1."""
    parts = {
        "calmar": squashed(growth_over_drawdown(figures), CALMAR_SCALE),
        "sharpe": squashed(figures.sharpe, SHARPE_SCALE),
        "sortino": squashed(figures.sortino, SORTINO_SCALE),
        "profit_factor": squashed(figures.profit_factor - 1.0, PROFIT_FACTOR_SCALE),
        "drawdown": squashed(figures.drawdown, DRAWDOWN_SCALE),
    }
    if objective == "weighted":
        return sum(share * parts[name] for name, share in WEIGHTS.items())
    return parts[objective]


def complexity(round_trips: int, days: float, settings: Optimization) -> float:
    """`complexity_penalty*log2(max(1, round_trips/limit))`, the limit being `trade_limit` for every 30 days."""
    return settings.complexity_penalty * math.log2(max(1.0, round_trips / (settings.trade_limit * days / 30.0)))


def score(figures: Sequence[Figures], days: Sequence[float], settings: Optimization) -> Score:
    """The score of a set over its cells: figures and length in days of each.

    Median of the cells' scores, less `stability_penalty` times their standard deviation (over all cells, ddof 0), less the mean of
    the cells' complexity penalties.
    """
    cells = tuple(cell_score(one, settings.objective) for one in figures)
    penalty = float(np.mean([complexity(one.round_trips, length, settings) for one, length in zip(figures, days, strict=True)]))
    value = float(np.median(cells)) - settings.stability_penalty * float(np.std(cells)) - penalty
    return Score(value, violations(figures, settings), cells)


def violations(figures: Sequence[Figures], settings: Optimization) -> tuple[float, ...]:
    """How far each hard constraint is broken, as a share of its limit; 0 or less is kept.

    In order: liquidations (always on), least round trips (of the worst cell), and those that the settings switch on: Sharpe, win rate,
    profit factor and Calmar of the median cell, drawdown and trades of the worst.
    """
    trips = min(one.round_trips for one in figures)
    found = [float(sum(one.liquidations for one in figures)), _short(trips, settings.min_round_trips)]
    medians = {
        "min_sharpe": [one.sharpe for one in figures],
        "min_win_rate": [one.win_rate for one in figures],
        "min_profit_factor": [min(one.profit_factor, 1e6) for one in figures],
        "min_calmar": [growth_over_drawdown(one) for one in figures],
    }
    for name, values in medians.items():
        limit = getattr(settings, name)
        if limit is not None:
            middle = float(np.median(np.nan_to_num(np.array(values), nan=-1.0)))
            found.append(_short(middle, limit))
    if settings.max_drawdown is not None:
        worst = max(one.drawdown for one in figures)
        found.append((worst - settings.max_drawdown) / settings.max_drawdown)
    if settings.min_trades is not None:
        found.append(_short(trips, settings.min_trades))
    return tuple(found)


def _short(value: float, limit: float) -> float:
    return (limit - value) / max(1.0, abs(limit))
