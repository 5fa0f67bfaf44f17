"""Inventory skew and spread after Avellaneda and Stoikov, in the paper's units and in the dimensionless form for bars.

In the form for bars one `gamma` serves every coin, but it is a heuristic there: it acts per price in the shift and per
ATR in the spread, so a larger `gamma` skews more and also narrows the grid, and `kappa` sets the distance of rung 0.

Source: Avellaneda, Stoikov, "High-frequency trading in a limit order book", Quantitative Finance 8 (2008), equations
(3.17) and (3.18).
"""

import numpy as np

from gridcore.compile import kernel


@kernel
def _arrival_term(gamma, kappa):
    """`(2/gamma)*ln(1 + gamma/kappa)`, and its limit `2/kappa` for `gamma` 0, without cancellation in between."""
    x = gamma / kappa
    if x == 0.0:
        return 2.0 / kappa
    return 2.0 / kappa * (np.log1p(x) / x)


@kernel
def reservation_price(price, inventory, gamma, sigma, time_left):
    """The price at which the market maker is indifferent: `s - q*gamma*sigma^2*(T - t)`, unit of price.

    `inventory` in units, `gamma` risk aversion, `sigma` in price per square root of time, `time_left` in the same time.
    """
    return price - inventory * gamma * sigma * sigma * time_left


@kernel
def optimal_spread(gamma, sigma, time_left, kappa):
    """The whole spread round the reservation price: `gamma*sigma^2*(T - t) + (2/gamma)*ln(1 + gamma/kappa)`, unit of price.

    `kappa` > 0 is the decay of the order arrival per unit of price; for `gamma` 0 the second term is its limit 2/kappa.
    """
    return gamma * sigma * sigma * time_left + _arrival_term(gamma, kappa)


@kernel
def bar_reservation_shift(price, inventory, gamma, sigma, horizon):
    """How far the reservation price lies below `price`: `s*q*gamma*sigma^2*T`, unit of price, not clipped.

    `inventory` q: net, in units of one order's notional; `sigma`: volatility of log returns per bar; `horizon` T: bars.
    """
    return price * inventory * gamma * sigma * sigma * horizon


@kernel
def bar_spread(price, atr, gamma, kappa, sigma, horizon):
    """The whole spread of rung 0: `s*gamma*sigma^2*T + ATR*(2/gamma)*ln(1 + gamma/kappa)`, unit of price.

    `kappa` > 0 is the decay of the order arrival per ATR of distance; `gamma` 0 is the limit, `ATR*2/kappa`. Others as
    in `bar_reservation_shift`.
    """
    return price * gamma * sigma * sigma * horizon + atr * _arrival_term(gamma, kappa)
