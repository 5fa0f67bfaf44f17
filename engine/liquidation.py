"""When an account, or one isolated side, falls to its maintenance margin, it is closed there.

The tests look at one instrument, its price and what the rest of the account adds. They answer with a code; closing needs all
instruments and is done by `liquidate`.
"""

from engine.fills import finish_liquidation, liquidate_side
from engine.records import LONG, SHORT
from engine.valuation import clearly_above_maintenance, excess
from gridcore.compile import inlined_kernel, machine_kernel
from gridcore.margin import cross_breach_price, isolated_breach_price, isolated_excess

# Answers of the tests: the whole account, or one isolated side.
NO_BREACH, ACCOUNT_BREACH, LONG_BREACH, SHORT_BREACH = 0, 1, 2, 3


@machine_kernel
def liquidate_account(account, states, instruments, terms, journal):
    """Close every position of the account, each instrument at its mark, and end trading for this bar."""
    last = 0
    for j in range(terms["instruments"]):
        for side in range(2):
            if states[j]["lot_count"][side] > 0:
                last = j
                liquidate_side(account, states[j], instruments[j], terms, journal, side, states[j]["mark"])
    finish_liquidation(account, states, terms, journal, last)


@machine_kernel
def liquidate(account, states, instruments, terms, journal, k, breach):
    """Close what a breach at instrument `k`'s mark closes."""
    if breach == ACCOUNT_BREACH:
        liquidate_account(account, states, instruments, terms, journal)
    else:
        liquidate_side(account, states[k], instruments[k], terms, journal, breach - LONG_BREACH, states[k]["mark"])
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


@inlined_kernel
def breach_here(account, state, instrument, terms, rest, others_hold):
    """The breach where the price stands, NO_BREACH for none.

    `rest` is what the other instruments add, their unrealized PnL less their maintenance margin; `others_hold` whether they hold
    anything: an account without positions is not liquidated.
    """
    if terms["isolated"] == 1:
        for side in range(2):
            if state["lot_count"][side] > 0 and side_excess(state, instrument, side, state["mark"]) <= 0.0:
                return LONG_BREACH + side
        return NO_BREACH
    if state["lot_count"][LONG] + state["lot_count"][SHORT] == 0 and not others_hold:
        return NO_BREACH
    wallet = account["wallet"] + rest
    if clearly_above_maintenance(wallet, state, instrument, state["mark"]) or excess(wallet, state, instrument, state["mark"]) > 0.0:
        return NO_BREACH
    return ACCOUNT_BREACH


@machine_kernel
def breach_on_the_way(account, state, instrument, terms, rest, target):
    """The breach between where the price stands and `target`, NO_BREACH for none; moves the mark to the liquidation price."""
    start = state["mark"]
    scale = instrument["multiplier"]
    if terms["isolated"] == 1:
        side = LONG if target < start else SHORT
        if state["lot_count"][side] == 0 or side_excess(state, instrument, side, target) > 0.0:
            return NO_BREACH
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
        return LONG_BREACH + side
    wallet = account["wallet"] + rest
    if state["lot_count"][LONG] + state["lot_count"][SHORT] == 0:
        return NO_BREACH
    if clearly_above_maintenance(wallet, state, instrument, target) or excess(wallet, state, instrument, target) > 0.0:
        return NO_BREACH
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
    return ACCOUNT_BREACH
