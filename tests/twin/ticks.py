"""Prices to ticks, quantities to steps, and when two prices are the same price."""

from __future__ import annotations

import math

ROUNDING = 1e-9  # ticks or steps
SAME_PRICE = 1e-6  # ticks


def floor_to(value: float, unit: float) -> float:
    """`floor(x/tick + 1e-9)*tick`."""
    return math.floor(value / unit + ROUNDING) * unit


def ceil_to(value: float, unit: float) -> float:
    """`ceil(x/tick - 1e-9)*tick`."""
    return math.ceil(value / unit - ROUNDING) * unit


def one_tick_above(price: float, tick: float) -> float:
    """`(floor(c/tick + 1e-9) + 1)*tick`."""
    return (math.floor(price / tick + ROUNDING) + 1) * tick


def one_tick_below(price: float, tick: float) -> float:
    """The mirror image of `one_tick_above`."""
    return (math.ceil(price / tick - ROUNDING) - 1) * tick


def at_or_below(price: float, limit: float, tick: float) -> bool:
    """Price is at or below the limit, binary fractions forgiven."""
    return price <= limit + SAME_PRICE * tick


def at_or_above(price: float, limit: float, tick: float) -> bool:
    """Price is at or above the limit, binary fractions forgiven."""
    return price >= limit - SAME_PRICE * tick
