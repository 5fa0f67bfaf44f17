"""How far a search space reaches: the most warm-up bars any of its sets asks for, and the longest life of a lot."""

from __future__ import annotations

from typing import Any, NamedTuple

from backtest.optimization.space import Space

AGE = "max_position_age_hours"
AGE_SWITCH = "prune_oldest"
# The gap between train and test for strategies that do not close lots by their age.
UNKNOWN_AGE_HOURS = 168.0


def longest_warmup(strategy: Any, space: Space) -> int:
    """The most bars that any set asks for before its first trade.

    Asked of the set itself, of the space's lowest and highest corner, and of the highest with one parameter low at a time:
    windows grow with their parameters. The corners need not keep the rules between parameters.
    """
    kind, own = type(strategy), strategy.model_dump()
    low = {dimension.name: dimension.decoded(dimension.low) for dimension in space}
    high = {dimension.name: dimension.decoded(dimension.high) for dimension in space}
    corners = [{}, low, high, *({**high, name: value} for name, value in low.items())]
    return max(int(kind.model_construct(**{**own, **corner}).warmup_bars()) for corner in corners)


class Purge(NamedTuple):
    """The gap that separates train from test by default, hours, and a sentence when lots may live longer than that."""

    hours: float
    note: str


def longest_lot_age(strategy: Any, space: Space) -> Purge:
    """The longest age that the space lets a lot reach before it is closed for its age."""
    searched = {dimension.name: dimension for dimension in space}
    hours = searched[AGE].high if AGE in searched else getattr(strategy, AGE, None)
    if hours is None:
        return Purge(
            UNKNOWN_AGE_HOURS, f"This strategy closes no lot for its age: lots may live longer than the gap of {UNKNOWN_AGE_HOURS:g} hours."
        )
    if AGE_SWITCH in searched or not getattr(strategy, AGE_SWITCH, True):
        return Purge(float(hours), f"{AGE_SWITCH} may be off: lots may then live longer than the gap of {hours:g} hours.")
    return Purge(float(hours), "")
