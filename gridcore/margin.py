"""Maintenance margin by tiers, and the price at which a margin account is liquidated.

Everything here rests on one fact. With maintenance amounts derived from floors and rates, the maintenance margin of a
side is the largest of the lines `notional*rate - cum`, hence convex in the price; equity is a straight line. So the
excess `f(p) = equity(p) - MM_long(p) - MM_short(p)` is concave and made of straight pieces: an account is safe on one
interval of prices, and Newton's method, which on such a function steps from piece to piece and never back, finds
either end of it in a few rounds and cannot cycle. One Newton step is the exchange's own formula for given tiers,
`p = (W' - costL + costS + cumL + cumS) / (qL*(mL - 1) + qS*(mS + 1))`.

Quantities include the contract multiplier; a cost is the sum of entry price times quantity over a side's lots.

Source: Binance, "Liquidation Price of USD-M Futures Contracts" and "Leverage and Margin of USD-M Futures".
"""

from __future__ import annotations

import numpy as np

from gridcore.compile import kernel
from gridcore.constants import MAX_TIERS, tier_dtype

# Maintenance amounts in a table are compared with the derived ones to this relative tolerance.
AMOUNT_TOLERANCE = 1e-6


def derive_maintenance_amounts(floors: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Maintenance amounts (quote currency) that make the maintenance margin continuous from tier to tier.

    `cum[0] = 0`, `cum[i] = cum[i-1] + floors[i]*(rates[i] - rates[i-1])`. `floors` in quote currency and `rates` as
    fractions have shape (tiers,), and so has the result.
    """
    floors = np.asarray(floors, np.float64)
    rates = np.asarray(rates, np.float64)
    amounts = np.zeros(floors.size)
    amounts[1:] = np.cumsum(floors[1:] * np.diff(rates))
    return amounts


def default_tiers() -> np.ndarray:
    """The built-in tier table, USD-M BTC style: seven rows of `tier_dtype`, the last without an upper end.

    On any other instrument than BTC it is an assumption.
    """
    tiers = np.zeros(7, tier_dtype)
    tiers["floor"] = [0.0, 50e3, 250e3, 1e6, 10e6, 20e6, 50e6]
    tiers["cap"] = [50e3, 250e3, 1e6, 10e6, 20e6, 50e6, np.inf]
    tiers["rate"] = [0.004, 0.005, 0.01, 0.025, 0.05, 0.10, 0.125]
    tiers["cum"] = [0.0, 50.0, 1_300.0, 16_300.0, 266_300.0, 1_266_300.0, 2_516_300.0]
    tiers["max_leverage"] = [125.0, 100.0, 50.0, 20.0, 10.0, 5.0, 4.0]
    return tiers


def validate_tiers(tiers: np.ndarray) -> None:
    """Refuse a tier table that is not one: the kernels rely on every rule tested here.

    `tiers` has shape (tiers,) and dtype `tier_dtype`. Raises ValueError, one sentence that names row, field and value.
    """
    tiers = np.asarray(tiers)
    if tiers.dtype != tier_dtype or tiers.ndim != 1:
        raise ValueError(f"tiers has shape {tiers.shape} and type {tiers.dtype}; it must be one row of tier_dtype a tier")
    if not 1 <= tiers.size <= MAX_TIERS:
        raise ValueError(f"tiers has {tiers.size} rows; it must have 1 to {MAX_TIERS}")
    floors, caps, rates, leverages = tiers["floor"], tiers["cap"], tiers["rate"], tiers["max_leverage"]
    if floors[0] != 0.0:
        raise ValueError(f"tiers row 0: floor = {floors[0]:g}; the first tier must begin at 0")
    for row in range(tiers.size):
        if not caps[row] > floors[row]:
            raise ValueError(f"tiers row {row}: cap = {caps[row]:g}; it must be above the floor, {floors[row]:g}")
        if row and floors[row] != caps[row - 1]:
            raise ValueError(f"tiers row {row}: floor = {floors[row]:g}; it must be the cap of the row before, {caps[row - 1]:g}")
        if not 0.0 < rates[row] < 1.0:
            raise ValueError(f"tiers row {row}: rate = {rates[row]:g}; it must be a fraction above 0 and below 1")
        if row and rates[row] < rates[row - 1]:
            raise ValueError(f"tiers row {row}: rate = {rates[row]:g}; it must not be below that of the row before, {rates[row - 1]:g}")
        if not 1.0 <= leverages[row] < np.inf:
            raise ValueError(f"tiers row {row}: max_leverage = {leverages[row]:g}; it must be a finite number of at least 1")
        if row and leverages[row] > leverages[row - 1]:
            raise ValueError(
                f"tiers row {row}: max_leverage = {leverages[row]:g}; it must not be above that of the row before, {leverages[row - 1]:g}"
            )
    derived = derive_maintenance_amounts(floors, rates)
    for row in range(tiers.size):
        if not abs(tiers["cum"][row] - derived[row]) <= AMOUNT_TOLERANCE * max(1.0, derived[row]):
            raise ValueError(f"tiers row {row}: cum = {tiers['cum'][row]:.10g}; floors and rates make it {derived[row]:.10g}")


@kernel
def tier_index(notional, tiers, count):
    """Row of the tier that `notional` (quote currency) falls in: floor <= notional < cap, the last one beyond all caps.

    `tiers` has shape (>= count,) of which the first `count` rows are used. NaN and negative notionals get row 0.
    """
    row = 0
    while row + 1 < count and notional >= tiers[row + 1]["floor"]:
        row += 1
    return row


@kernel
def maintenance_margin(notional, tiers, count):
    """Maintenance margin of one side (quote currency): `notional*rate - cum` of its tier, 0 for no notional.

    `notional` in quote currency, not negative. The two sides of a hedge are never netted.
    """
    if notional == 0.0:
        return 0.0
    row = tier_index(notional, tiers, count)
    return notional * tiers[row]["rate"] - tiers[row]["cum"]


@kernel
def cross_excess(price, wallet, long_qty, long_cost, short_qty, short_cost, tiers, count):
    """Equity less the maintenance margin of both sides at `price`, quote currency; a cross account with <= 0 is liquidated.

    `wallet` is W': wallet balance plus the other instruments' unrealized PnL less their maintenance margin. Quantities
    include the contract multiplier and are not negative; costs are sum(entry*quantity) of the side.
    """
    long_notional = price * long_qty
    short_notional = price * short_qty
    equity = wallet + (long_notional - long_cost) + (short_cost - short_notional)
    return equity - maintenance_margin(long_notional, tiers, count) - maintenance_margin(short_notional, tiers, count)


@kernel
def _slope(long_qty, short_qty, long_row, short_row, tiers):
    """Change of the excess per unit of price within the given tiers."""
    return long_qty * (1.0 - tiers[long_row]["rate"]) - short_qty * (1.0 + tiers[short_row]["rate"])


@kernel
def _tangent_root(wallet, long_qty, long_cost, short_qty, short_cost, long_row, short_row, tiers):
    """Price where the excess would be zero if the given tiers held everywhere (the exchange's formula)."""
    # A side without quantity has notional 0 and therefore tier 0, whose maintenance amount is 0.
    value = wallet - long_cost + short_cost + tiers[long_row]["cum"] + tiers[short_row]["cum"]
    return -value / _slope(long_qty, short_qty, long_row, short_row, tiers)


@kernel
def cross_breach_price(start, end, wallet, long_qty, long_cost, short_qty, short_cost, tiers, count):
    """Price between `start` and `end` at which a cross account is liquidated, given excess(start) > 0 >= excess(end).

    `start` and `end` in either order; the result lies between them. Arguments as in `cross_excess`. Newton's method from
    `end`, where the excess is not positive: every step stays on that side of the root and moves towards `start`.
    """
    low = min(start, end)
    high = max(start, end)
    price = end
    long_row = tier_index(price * long_qty, tiers, count)
    short_row = tier_index(price * short_qty, tiers, count)
    for _ in range(2 * count + 4):
        if _slope(long_qty, short_qty, long_row, short_row, tiers) == 0.0:
            return end  # only a caller whose excess does not change sign gets here
        price = min(max(_tangent_root(wallet, long_qty, long_cost, short_qty, short_cost, long_row, short_row, tiers), low), high)
        next_long = tier_index(price * long_qty, tiers, count)
        next_short = tier_index(price * short_qty, tiers, count)
        if next_long == long_row and next_short == short_row:
            break
        long_row = next_long
        short_row = next_short
    return price


@kernel
def _outer_root(direction, wallet, long_qty, long_cost, short_qty, short_cost, mark, tiers, count):
    """Root of the excess where it rises (direction +1: lower end of the safe prices) or falls (-1: the upper end).

    The tangent of whatever tiers lies on or above the excess everywhere, so its root is a point outside the safe
    interval; from there Newton walks inwards. NaN when no price is safe or the root is not positive.
    """
    long_row = tier_index(mark * long_qty, tiers, count)
    short_row = tier_index(mark * short_qty, tiers, count)
    if direction * _slope(long_qty, short_qty, long_row, short_row, tiers) <= 0.0:
        # The mark lies beyond the top of the excess, seen from this end: begin at price zero, or at infinity.
        last = count - 1
        long_row = last if direction < 0.0 and long_qty > 0.0 else 0
        short_row = last if direction < 0.0 and short_qty > 0.0 else 0
    for _ in range(2 * count + 4):
        if direction * _slope(long_qty, short_qty, long_row, short_row, tiers) <= 0.0:
            return np.nan
        price = _tangent_root(wallet, long_qty, long_cost, short_qty, short_cost, long_row, short_row, tiers)
        if direction > 0.0:
            price = max(price, 0.0)
        elif price <= 0.0:
            return np.nan
        next_long = tier_index(price * long_qty, tiers, count)
        next_short = tier_index(price * short_qty, tiers, count)
        if next_long == long_row and next_short == short_row:
            break
        long_row = next_long
        short_row = next_short
    return price


@kernel
def cross_liquidation_prices(wallet, long_qty, long_cost, short_qty, short_cost, mark, tiers, count):
    """Both ends (lower, upper) of the prices at which a cross account is safe; NaN where there is no such end.

    A long side alone has a lower end, a short side alone an upper one, a hedge may have both. Both are NaN without a
    position and when no price at all is safe. Arguments as in `cross_excess`; `mark` (a price) is only where the search
    begins, which makes it end in one or two rounds. The ends are roots of the excess also when the mark lies outside.
    """
    lower = np.nan
    if wallet - long_cost + short_cost < 0.0:  # not safe at price zero
        lower = _outer_root(1.0, wallet, long_qty, long_cost, short_qty, short_cost, mark, tiers, count)
    upper = _outer_root(-1.0, wallet, long_qty, long_cost, short_qty, short_cost, mark, tiers, count)
    return lower, upper


@kernel
def cross_liquidation_price(wallet, long_qty, long_cost, short_qty, short_cost, mark, tiers, count):
    """The liquidation price on the adverse side: below when net long, above when net short.

    Where that end does not exist the other one, which a nearly balanced hedge may have (both maintenance margins grow
    with the price); NaN when there is none. Equal quantities have an upper end only. Arguments as in
    `cross_liquidation_prices`.
    """
    lower, upper = cross_liquidation_prices(wallet, long_qty, long_cost, short_qty, short_cost, mark, tiers, count)
    if long_qty > short_qty:
        return upper if np.isnan(lower) else lower
    return lower if np.isnan(upper) else upper


@kernel
def isolated_excess(price, margin, sign, qty, cost, tiers, count):
    """Margin plus unrealized PnL less maintenance margin of one isolated side at `price`; with <= 0 the side is liquidated.

    `margin` in quote currency, `sign` +1 long and -1 short, `qty` with the contract multiplier, `cost` = sum(entry*qty).
    """
    notional = price * qty
    return margin + sign * (notional - cost) - maintenance_margin(notional, tiers, count)


@kernel
def isolated_breach_price(start, end, margin, sign, qty, cost, tiers, count):
    """Price between `start` and `end` at which an isolated side is liquidated, given excess(start) > 0 >= excess(end)."""
    if sign > 0:
        return cross_breach_price(start, end, margin, qty, cost, 0.0, 0.0, tiers, count)
    return cross_breach_price(start, end, margin, 0.0, 0.0, qty, cost, tiers, count)


@kernel
def isolated_liquidation_price(margin, sign, qty, cost, tiers, count):
    """Liquidation price of one isolated side, NaN when there is no position or no positive price liquidates it."""
    if qty <= 0.0:
        return np.nan
    entry = cost / qty
    if sign > 0:
        return cross_liquidation_prices(margin, qty, cost, 0.0, 0.0, entry, tiers, count)[0]
    return cross_liquidation_prices(margin, 0.0, 0.0, qty, cost, entry, tiers, count)[1]
