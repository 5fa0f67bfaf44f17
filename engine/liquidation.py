"""When an account, or one isolated side, falls to its maintenance margin, it is closed there."""

from engine.fills import finish_liquidation, liquidate_side
from engine.records import LONG, SHORT
from engine.valuation import excess, is_flat
from gridcore.compile import machine_kernel
from gridcore.margin import cross_breach_price, isolated_breach_price, isolated_excess


@machine_kernel
def liquidate_account(account, states, instruments, terms, journal):
    """Close every position of the account, each instrument at its mark, and end trading for this bar."""
    last = 0
    for j in range(terms["instruments"]):
        for side in range(2):
            if states[j]["lot_count"][side] > 0:
                last = j
                liquidate_side(account, states, instruments, terms, journal, j, side, states[j]["mark"])
    finish_liquidation(account, states, terms, journal, last)


@machine_kernel
def liquidate_isolated(account, states, instruments, terms, journal, k, side):
    """Close one isolated side at the instrument's mark."""
    liquidate_side(account, states, instruments, terms, journal, k, side, states[k]["mark"])
    finish_liquidation(account, states, terms, journal, k)


@machine_kernel
def side_excess(state, instrument, side, price):
    """Isolated margin plus unrealized PnL less maintenance margin of one side at `price`."""
    scale = instrument["multiplier"]
    return isolated_excess(
        price,
        state["margin"][side],
        1.0 - 2.0 * side,
        scale * state["qty"][side],
        scale * state["cost"][side],
        instrument["tiers"],
        instrument["tier_count"],
    )


@machine_kernel
def liquidated_here(account, states, instruments, terms, journal, k, rest):
    """Test the account where the price stands and liquidate it there. Returns 1 when the bar has ended for the instrument.

    `rest` is what the other instruments add: their unrealized PnL less their maintenance margin.
    """
    state = states[k]
    instrument = instruments[k]
    price = state["mark"]
    if terms["isolated"] == 1:
        for side in range(2):
            if state["lot_count"][side] > 0 and side_excess(state, instrument, side, price) <= 0.0:
                liquidate_isolated(account, states, instruments, terms, journal, k, side)
                return 1
        return 0
    if excess(account["wallet"] + rest, state, instrument, price) <= 0.0 and not is_flat(states, terms):
        liquidate_account(account, states, instruments, terms, journal)
        return 1
    return 0


@machine_kernel
def liquidated_on_the_way(account, states, instruments, terms, journal, k, rest, target):
    """Test the way from where the price stands to `target`; liquidate at the liquidation price. Returns 1 when that ended the bar."""
    state = states[k]
    instrument = instruments[k]
    start = state["mark"]
    scale = instrument["multiplier"]
    if terms["isolated"] == 1:
        side = LONG if target < start else SHORT
        if state["lot_count"][side] == 0 or side_excess(state, instrument, side, target) > 0.0:
            return 0
        state["mark"] = isolated_breach_price(
            start,
            target,
            state["margin"][side],
            1.0 - 2.0 * side,
            scale * state["qty"][side],
            scale * state["cost"][side],
            instrument["tiers"],
            instrument["tier_count"],
        )
        liquidate_isolated(account, states, instruments, terms, journal, k, side)
        return 1
    wallet = account["wallet"] + rest
    if state["lot_count"][LONG] + state["lot_count"][SHORT] == 0 or excess(wallet, state, instrument, target) > 0.0:
        return 0
    state["mark"] = cross_breach_price(
        start,
        target,
        wallet,
        scale * state["qty"][LONG],
        scale * state["cost"][LONG],
        scale * state["qty"][SHORT],
        scale * state["cost"][SHORT],
        instrument["tiers"],
        instrument["tier_count"],
    )
    liquidate_account(account, states, instruments, terms, journal)
    return 1
