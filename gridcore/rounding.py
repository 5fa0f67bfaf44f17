"""Prices to ticks and quantities to steps, down or up."""

import numpy as np

from gridcore.compile import kernel
from gridcore.constants import ROUND_TOLERANCE


@kernel
def floor_to(value: float, unit: float) -> float:
    """Largest multiple of `unit` not above `value`: `floor(value/unit + 1e-9)*unit`. Same unit as `value`."""
    return np.floor(value / unit + ROUND_TOLERANCE) * unit


@kernel
def ceil_to(value: float, unit: float) -> float:
    """Smallest multiple of `unit` not below `value`: `ceil(value/unit - 1e-9)*unit`. Same unit as `value`."""
    return np.ceil(value / unit - ROUND_TOLERANCE) * unit


@kernel
def tick_above(price: float, tick: float) -> float:
    """The first tick strictly above `price`: `(floor(price/tick + 1e-9) + 1)*tick`."""
    return (np.floor(price / tick + ROUND_TOLERANCE) + 1.0) * tick


@kernel
def tick_below(price: float, tick: float) -> float:
    """The first tick strictly below `price`: `(ceil(price/tick - 1e-9) - 1)*tick`."""
    return (np.ceil(price / tick - ROUND_TOLERANCE) - 1.0) * tick
