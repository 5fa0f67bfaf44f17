"""A whole (sub-)bar of the simulated exchange: made ready, walked phase by phase, what it stopped for resolved, brought to its end."""

import numpy as np

from engine.fills import settle_when_flat
from engine.liquidation import NO_BREACH, breach_here, liquidate
from engine.matching import ARRIVED, UNSETTLED, high_comes_first, note_path_equity, walk_open, walk_to
from engine.orders import next_living, place_own_exits, planned_edge, sum_up_triggers
from engine.records import BOOKS, MARKET_BOOK
from engine.stops import write_planned_stops
from engine.valuation import cannot_breach, rest_of_account, unrealized
from gridcore.compile import inlined_kernel, machine_kernel
from gridcore.constants import PRICE_TOLERANCE


@inlined_kernel
def begin_walk(account, state, instrument, terms, low, high):
    """Make an instrument ready for a (sub-)bar between `low` and `high`: own exits go live, every order may be tried once."""
    if state["exits_waiting"] == 1:
        place_own_exits(account, state, terms, instrument)
    tick = instrument["tick_size"]
    if low <= planned_edge(state, 0, tick) or high >= planned_edge(state, 1, tick):
        write_planned_stops(account, state, instrument)
    for book in range(BOOKS):
        state["cursor"][book] = state["head"][book]


@machine_kernel
def resolve(account, states, instruments, terms, journal, k, value, margin, code, opening):
    """Do what a walk of instrument `k` stopped for. Returns ARRIVED when the walk may go on, else the code of what ended the bar."""
    if code == UNSETTLED:
        settle_when_flat(account, states, terms, journal, k)
        if not opening:
            note_path_equity(account, account["wallet"] + value + unrealized(states[k], instruments[k], states[k]["mark"]))
        code = breach_here(account, states[k], instruments[k], terms, value - margin, margin > 0.0)
        if code == NO_BREACH:
            return ARRIVED
    liquidate(account, states, instruments, terms, journal, k, code)
    return code


@machine_kernel
def walk_phase(account, states, instruments, terms, journal, k, opening, target, volume):
    """Walk instrument `k` of an account through its open, or on to `target`. Returns 1 when that ended the bar."""
    value, margin = rest_of_account(states, instruments, terms, k)
    start = states[k]["mark"]
    while True:
        if opening:
            code = walk_open(account, states[k], instruments[k], terms, journal, value, margin, target, volume)
        else:
            code = walk_to(account, states[k], instruments[k], terms, journal, value, margin, start, target, volume)
        if code == ARRIVED:
            return 0
        if resolve(account, states, instruments, terms, journal, k, value, margin, code, opening) != ARRIVED:
            return 1


@inlined_kernel
def nothing_can_happen(account, state, instrument, terms, high, low):
    """Whether a single instrument's bar reaches no trigger and cannot liquidate: the quiet path."""
    tolerance = PRICE_TOLERANCE * instrument["tick_size"]
    if high >= state["up_trigger"] - tolerance or low <= state["down_trigger"] + tolerance:
        return False
    if state["order_count"][MARKET_BOOK] + state["order_count"][MARKET_BOOK + 1] + state["exits_waiting"] > 0:
        return False
    if state["lot_count"][0] + state["lot_count"][1] == 0:
        return True
    if terms["isolated"] == 1:
        return False
    return cannot_breach(account["wallet"], state, instrument, low, high)


@inlined_kernel
def walk_quietly(account, state, instrument, terms, open_, high, low, close):
    """Pass a (sub-)bar of a wallet with a single instrument in which nothing can happen. Returns 0 when something may."""
    if not nothing_can_happen(account, state, instrument, terms, high, low):
        tick = instrument["tick_size"]
        if low > planned_edge(state, 0, tick) and high < planned_edge(state, 1, tick):
            return 0
        # It came near a planned stop and may still miss it: once written, the stop tells.
        write_planned_stops(account, state, instrument)
        sum_up_triggers(state, tick)
        if not nothing_can_happen(account, state, instrument, terms, high, low):
            return 0
    if state["lot_count"][0] + state["lot_count"][1] > 0:
        at_high = account["wallet"] + unrealized(state, instrument, high)
        at_low = account["wallet"] + unrealized(state, instrument, low)
        if account["gated"] == 1:
            note_path_equity(account, account["wallet"] + unrealized(state, instrument, open_))
        if high_comes_first(terms, instrument, open_, high, low):
            note_path_equity(account, at_high)
            note_path_equity(account, at_low)
        else:
            note_path_equity(account, at_low)
            note_path_equity(account, at_high)
    state["mark"] = close
    return 1


@inlined_kernel
def walk_phases(account, state, instrument, terms, journal, open_, high, low, close, volume, phase):
    """Walk one (sub-)bar of a wallet with a single instrument from `phase` on: 0 the open, 1 and 2 the extremes, 3 the close.

    Returns (ARRIVED or why the walk stopped, the phase it stopped in).
    """
    if phase == 0:
        code = walk_open(account, state, instrument, terms, journal, 0.0, 0.0, open_, volume)
        if code != ARRIVED:
            return code, phase
        phase += 1
    first, second = low, high
    if high_comes_first(terms, instrument, open_, high, low):
        first, second = high, low
    while phase < 4:
        start, target = open_, first
        if phase == 2:
            start, target = first, second
        elif phase == 3:
            start, target = second, close
        code = walk_to(account, state, instrument, terms, journal, 0.0, 0.0, start, target, volume)
        if code != ARRIVED:
            return code, phase
        phase += 1
    return ARRIVED, phase


@inlined_kernel
def end_walk(state, tick):
    """Bring the nearest triggers back to where each book begins; an order that was tried and not filled is tried again."""
    for book in range(MARKET_BOOK):
        if state["cursor"][book] != state["head"][book]:
            state["head"][book] = next_living(state, book, state["head"][book])
    sum_up_triggers(state, tick)


@machine_kernel
def walk_path(account, states, instruments, terms, journal, open_, high, low, close, volume):
    """Walk one (sub-)bar of a wallet with a single instrument. Returns 1 when a liquidation ended the bar."""
    state = states[0]
    begin_walk(account, state, instruments[0], terms, low, high)
    code, phase = walk_phases(account, state, instruments[0], terms, journal, open_, high, low, close, volume, np.int64(0))
    while code != ARRIVED:
        code = resolve(account, states, instruments, terms, journal, 0, 0.0, 0.0, code, phase == 0)
        if code != ARRIVED:
            break
        code, phase = walk_phases(account, state, instruments[0], terms, journal, open_, high, low, close, volume, phase)
    end_walk(state, instruments[0]["tick_size"])
    state["mark"] = close
    return 0 if code == ARRIVED else 1
