"""How far prices have to move at once until an account is liquidated, for many moments at a time.

The excess of an account (equity less maintenance margin) along such a move is concave and made of straight pieces, since the
maintenance margin of a side is the largest of the lines `notional*rate - cum`. From a point beyond its root Newton's method steps from
piece to piece towards it and cannot pass it, so a few rounds give the root itself and no tolerance is needed.

Source of the margin rules: `gridcore.margin`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

# A step that changes a root by no more than this is the rounding of one that has been reached.
_NO_STEP = 1.0 - 1e-14
# A slope of the excess below this share of the notional is the rounding of none.
_DUST = 1e-12


@dataclass(frozen=True, eq=False)
class Holding:
    """What an account holds of one coin at several moments [moments].

    down, up: prices from which a fall and a rise are measured (the same, or the extremes of a bar), quote currency.
    long_qty, short_qty: base units, contract multiplier included. entry_value: cost of the longs less that of the shorts, quote
    currency. floors, rates, amounts: the tiers (floor of notional, maintenance rate, maintenance amount), each [tiers].
    """

    down: np.ndarray
    up: np.ndarray
    long_qty: np.ndarray
    short_qty: np.ndarray
    entry_value: np.ndarray
    floors: np.ndarray
    rates: np.ndarray
    amounts: np.ndarray

    def at(self, rows: np.ndarray) -> Holding:
        """The same at some of the moments."""
        names = ("down", "up", "long_qty", "short_qty", "entry_value")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def excess(self, price: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Unrealized PnL less maintenance margin at prices [moments], quote currency, and its change per unit of price."""
        value, slope = price * (self.long_qty - self.short_qty) - self.entry_value, self.long_qty - self.short_qty
        for qty in (self.long_qty, self.short_qty):
            tier = np.searchsorted(self.floors, price * qty, side="right") - 1
            value = value - (price * qty * self.rates[tier] - self.amounts[tier])
            slope = slope - qty * self.rates[tier]
        return value, slope

    def falls_when_rising(self, price: np.ndarray) -> np.ndarray:
        """Whether a rise from these prices lowers the excess, bool [moments]."""
        return self.excess(price)[1] <= 0.0

    def last_line(self) -> tuple[np.ndarray, np.ndarray]:
        """Value at price zero and slope of the excess as the last tier has it: where it goes when the price rises for ever."""
        gross = self.long_qty + self.short_qty
        sides = (self.long_qty > 0.0).astype(np.float64) + (self.short_qty > 0.0)
        return sides * self.amounts[-1] - self.entry_value, self.long_qty - self.short_qty - gross * self.rates[-1]


@dataclass(frozen=True, eq=False)
class Move:
    """A move of all prices of an account: each coin rises or falls by the same fraction. rising: bool [moments], by coin."""

    balance: np.ndarray
    holdings: tuple[Holding, ...]
    rising: tuple[np.ndarray, ...]

    def at(self, rows: np.ndarray) -> Move:
        """The same at some of the moments."""
        return Move(self.balance[rows], tuple(one.at(rows) for one in self.holdings), tuple(up[rows] for up in self.rising))

    def excess(self, fraction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Excess after a move by `fraction` [moments], quote currency, and its change per unit of it. A price stops falling at zero."""
        value, slope = self.balance, np.zeros(self.balance.size)
        for one, rising in zip(self.holdings, self.rising, strict=True):
            start = np.where(rising, one.up, one.down)
            step = np.where(rising, start, np.where(fraction <= 1.0, -start, 0.0))
            own, change = one.excess(np.where(rising, start * (1.0 + fraction), start * np.maximum(1.0 - fraction, 0.0)))
            value, slope = value + own, slope + change * step
        return value, slope

    def far_side(self) -> np.ndarray:
        """A fraction above 1 that lies on or beyond the root [moments], infinite where the excess never falls to zero."""
        value, slope, gross = self.balance, np.zeros(self.balance.size), np.zeros(self.balance.size)
        for one, rising in zip(self.holdings, self.rising, strict=True):
            at_zero, per_price = one.last_line()
            value = value + np.where(rising, at_zero + one.up * per_price, -one.entry_value)
            slope = slope + np.where(rising, one.up * per_price, 0.0)
            gross = gross + one.up * (one.long_qty + one.short_qty)
        with np.errstate(divide="ignore", invalid="ignore"):
            # Gains and maintenance margin may grow alike (a rate of one half, half as many shorts as longs); what is left is rounding.
            return np.where(slope < -_DUST * gross, np.maximum(-value / slope, 1.0), np.inf)

    def to_liquidation(self) -> np.ndarray:
        """Smallest fraction at which the excess is zero or less [moments]; 0 where it is so already, infinite where it never is."""
        found = np.zeros(self.balance.size)
        safe = np.flatnonzero(self.excess(found)[0] > 0.0)
        if safe.size == 0:
            return found
        found[safe] = 1.0
        beyond = safe[self.at(safe).excess(found[safe])[0] > 0.0]
        found[beyond] = self.at(beyond).far_side()
        rows = safe[np.isfinite(found[safe])]
        while rows.size:
            value, slope = self.at(rows).excess(found[rows])
            nearer = found[rows] - np.divide(value, slope, out=np.zeros(rows.size), where=(value < 0.0) & (slope < 0.0))
            moves = nearer < found[rows] * _NO_STEP
            rows = rows[moves]
            found[rows] = np.maximum(nearer[moves], 0.0)
        return found


def distance_to_liquidation(balance: np.ndarray, holdings: tuple[Holding, ...], price: tuple[np.ndarray, ...]) -> np.ndarray:
    """Smallest fraction by which all prices have to move at once to bring equity to the maintenance margin [moments].

    balance: wallet balance, quote currency [moments]. holdings: a coin each. price: of each coin, where the direction that hurts
    is read off [moments]. Each coin moves against its position; where it is nearer, each the other way, which a nearly balanced hedge may
    not survive either. 0: there already. Infinite: no such move gets there.
    """
    against = tuple(one.falls_when_rising(at) for one, at in zip(holdings, price, strict=True))
    found = Move(balance, holdings, against).to_liquidation()
    # Where no coin holds both sides, the other way round is nothing but gain.
    hedged = np.flatnonzero(np.any([(one.long_qty > 0.0) & (one.short_qty > 0.0) for one in holdings], axis=0))
    other = Move(balance, holdings, tuple(~rising for rising in against)).at(hedged)
    found[hedged] = np.minimum(found[hedged], other.to_liquidation())
    return found
