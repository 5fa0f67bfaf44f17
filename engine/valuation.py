"""What positions are worth at a price: unrealized PnL, notional, maintenance margin, equity."""

from engine.records import LONG, SHORT
from gridcore.compile import inlined_kernel, machine_kernel
from gridcore.margin import cross_excess, maintenance_margin

# Share of wallet and cost within which the sum of binary fractions surely stays.
CLEAR = 1e-9


@inlined_kernel
def unrealized(state, instrument, price):
    """Unrealized PnL of both sides at `price`, quote currency."""
    net_qty = state["qty"][LONG] - state["qty"][SHORT]
    return instrument["multiplier"] * (price * net_qty - (state["cost"][LONG] - state["cost"][SHORT]))


@inlined_kernel
def gross_notional(state, instrument, price):
    """Notional of both sides together at `price`, quote currency; hedge legs are never netted."""
    return instrument["multiplier"] * price * (state["qty"][LONG] + state["qty"][SHORT])


@machine_kernel
def maintenance(state, instrument, price):
    """Maintenance margin of both sides at `price`, quote currency; the tier goes by the notional of a side."""
    scale = instrument["multiplier"] * price
    return maintenance_margin(scale * state["qty"][LONG], instrument["tiers"], instrument["tier_count"]) + maintenance_margin(
        scale * state["qty"][SHORT], instrument["tiers"], instrument["tier_count"]
    )


@machine_kernel
def is_flat(states, terms):
    """Whether no instrument holds a lot."""
    for k in range(terms["instruments"]):
        if states[k]["lot_count"][LONG] + states[k]["lot_count"][SHORT] > 0:
            return False
    return True


@machine_kernel
def account_equity(account, states, instruments, terms):
    """Wallet plus the unrealized PnL of every instrument at its mark, quote currency."""
    equity = account["wallet"]
    for k in range(terms["instruments"]):
        if states[k]["lot_count"][LONG] + states[k]["lot_count"][SHORT] > 0:
            equity += unrealized(states[k], instruments[k], states[k]["mark"])
    return equity


@machine_kernel
def rest_of_account(states, instruments, terms, k):
    """Unrealized PnL and maintenance margin of all instruments but `k`, each at its mark."""
    value = 0.0
    margin = 0.0
    for j in range(terms["instruments"]):
        if j != k and states[j]["lot_count"][LONG] + states[j]["lot_count"][SHORT] > 0:
            value += unrealized(states[j], instruments[j], states[j]["mark"])
            margin += maintenance(states[j], instruments[j], states[j]["mark"])
    return value, margin


@machine_kernel
def excess(wallet, state, instrument, price):
    """Equity less maintenance margin at `price`; `wallet` includes what the rest of the account adds (spec's W')."""
    scale = instrument["multiplier"]
    return cross_excess(
        price,
        wallet,
        scale * state["qty"][LONG],
        scale * state["cost"][LONG],
        scale * state["qty"][SHORT],
        scale * state["cost"][SHORT],
        instrument["tiers"],
        instrument["tier_count"],
    )


@inlined_kernel
def surely_above_maintenance(wallet, state, instrument, price):
    """Whether equity surely exceeds maintenance margin at `price`; false when it takes the tiers to tell.

    Charges the highest rate of the tiers on the whole notional, which bounds maintenance from above and is linear in the price:
    what holds at both ends of a way holds on all of it.
    """
    scale = instrument["multiplier"]
    long_qty = state["qty"][LONG]
    short_qty = state["qty"][SHORT]
    slope = scale * ((long_qty - short_qty) - instrument["top_rate"] * (long_qty + short_qty))
    return wallet - scale * (state["cost"][LONG] - state["cost"][SHORT]) + slope * price > 0.0


@inlined_kernel
def clearly_above_maintenance(wallet, state, instrument, price):
    """The same with room for binary fractions, so that the tiers decide every close case."""
    room = CLEAR * (abs(wallet) + instrument["multiplier"] * (state["cost"][LONG] + state["cost"][SHORT]))
    return surely_above_maintenance(wallet - room, state, instrument, price)


@inlined_kernel
def cannot_breach(wallet, state, instrument, low, high):
    """Whether equity surely stays above maintenance margin everywhere between `low` and `high`."""
    return surely_above_maintenance(wallet, state, instrument, low) and surely_above_maintenance(wallet, state, instrument, high)
