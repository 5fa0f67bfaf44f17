"""Ladders of limit prices and quantities: arithmetic, geometric, and in multiples of the ATR.

`sign` is +1 for a ladder of buys, which goes down and is rounded down to ticks, and -1 for one of sells, up and up.
Prices may come out at or below zero; such a rung is no order, which the caller decides.
"""

import numpy as np

from gridcore.compile import kernel
from gridcore.rounding import ceil_to, floor_to


@kernel
def _outward(price, sign, tick):
    """`price` rounded away from the centre of the ladder."""
    if sign > 0:
        return floor_to(price, tick)
    return ceil_to(price, tick)


@kernel
def grid_spacing(k, atr, floor, price):
    """Distance between rungs: `max(k*ATR, floor*price)`, unit of price; `floor` is a fraction of `price`."""
    return max(k * atr, floor * price)


@kernel
def arithmetic_level(center, half_spread, spacing, index, sign, tick):
    """Rung `index` (0 is the nearest): `floor_tick(center - half_spread - index*spacing)`; sells mirrored, rounded up.

    All but `index` and `sign` in the unit of price.
    """
    if sign > 0:
        return floor_to(center - half_spread - index * spacing, tick)
    return ceil_to(center + half_spread + index * spacing, tick)


@kernel
def arithmetic_ladder_into(center, half_spread, spacing, sign, tick, out):
    """Fill `out` (rungs,) with the rungs of `arithmetic_level`, nearest first."""
    for index in range(out.size):
        out[index] = arithmetic_level(center, half_spread, spacing, index, sign, tick)


@kernel
def geometric_level(center, step_bps, index, sign, tick):
    """Rung `index` (0 is the centre) of a ladder with a constant ratio, rounded outwards to ticks.

    `center*(1 + step_bps/1e4)^index` for sells, `center/(1 + step_bps/1e4)^index` for buys, so that both ladders are one.
    """
    ratio = (1.0 + step_bps / 1e4) ** index
    return _outward(center / ratio if sign > 0 else center * ratio, sign, tick)


@kernel
def proportional_level(center, step, index, sign, tick):
    """Rung `index` (0 is the centre) at a multiple of a fraction `step` of the centre.

    `floor_tick(center*(1 - index*step))` for buys, `ceil_tick(center*(1 + index*step))` for sells.
    """
    return _outward(center * (1.0 - sign * index * step), sign, tick)


@kernel
def geometric_ladder(center, step_bps, base_qty, qty_scale, count, sign, tick, step):
    """Prices and quantities, each (count,), of rungs 1 to `count` of `geometric_level`, nearest first.

    Quantities grow geometrically: `floor_step(base_qty*qty_scale^(j - 1))` at rung j, in multiples of `step`.
    """
    prices = np.empty(count)
    quantities = np.empty(count)
    for index in range(count):
        prices[index] = geometric_level(center, step_bps, index + 1, sign, tick)
        quantities[index] = floor_to(base_qty * qty_scale**index, step)
    return prices, quantities


@kernel
def atr_ladder(center, atr, multiple, base_qty, alpha, count, sign, tick, step):
    """Prices and quantities, each (count,), of rungs a multiple of the ATR apart, nearest first.

    Rung n = 0, 1, ... lies `(n + 1)*multiple*ATR` from the centre and has `floor_step(base_qty*(1 + alpha*n))`.
    """
    prices = np.empty(count)
    quantities = np.empty(count)
    for index in range(count):
        prices[index] = _outward(center - sign * ((index + 1) * multiple * atr), sign, tick)
        quantities[index] = floor_to(base_qty * (1.0 + alpha * index), step)
    return prices, quantities
