"""One bar of the exchange for every instrument of a wallet: walk, funding, delisting, marking."""

from engine.fills import close_lot, settle_when_flat
from engine.journal import record_event
from engine.liquidation import liquidate_account
from engine.matching import high_comes_first, note_path_equity
from engine.orders import cancel_all_orders, refresh_triggers
from engine.positions import refresh_side
from engine.records import ABSENT, DELISTED_LABEL, END_OF_RUN_LABEL, FUNDING_LABEL, GAP, TRADED
from engine.valuation import account_equity, gross_notional, is_flat, maintenance
from engine.walking import begin_walk, walk_path, walk_phase, walk_quietly
from gridcore.compile import inlined_kernel, machine_kernel

# Rows of a bars array.
OPEN, HIGH, LOW, CLOSE, VOLUME = 0, 1, 2, 3, 4


@machine_kernel
def equity_less_maintenance(account, states, instruments, terms):
    """Equity less maintenance margin of the whole account at the marks."""
    total = account_equity(account, states, instruments, terms)
    for k in range(terms["instruments"]):
        total -= maintenance(states[k], instruments[k], states[k]["mark"])
    return total


@machine_kernel
def joint_breach(account, states, instruments, terms, journal, bars, column, traded, field):
    """Test the account with every traded instrument at one extreme of its bar (`field`); liquidate there. Returns 1 if so.

    Coins fall together, and a walk of one coin at a time would let the others stand still.
    """
    count = terms["instruments"]
    for k in range(count):
        state = states[k]
        state["mark_before"] = state["mark"]
        if traded[k] == 1:
            state["mark"] = bars[k, field, column[k]]
    if not is_flat(states, terms) and equity_less_maintenance(account, states, instruments, terms) <= 0.0:
        liquidate_account(account, states, instruments, terms, journal)
        return 1
    for k in range(count):
        states[k]["mark"] = states[k]["mark_before"]
    return 0


@machine_kernel
def walk_together(account, states, instruments, terms, journal, bars, column, traded):
    """One (sub-)bar of several instruments in lockstep by path segment. Returns 1 when a liquidation ended the bar for all.

    `bars` has shape (instruments, 5, columns); instrument k walks column[k] where traded[k] is 1. `traded` is changed: an
    instrument whose isolated side was liquidated walks no further in this bar.
    """
    count = terms["instruments"]
    if terms["joint_test"] == 1 and terms["isolated"] == 0:
        if joint_breach(account, states, instruments, terms, journal, bars, column, traded, LOW) == 1:
            return 1
        if joint_breach(account, states, instruments, terms, journal, bars, column, traded, HIGH) == 1:
            return 1
    for k in range(count):
        if traded[k] == 1:
            begin_walk(account, states[k], instruments[k], terms, bars[k, LOW, column[k]], bars[k, HIGH, column[k]])
    for phase in range(4):
        for k in range(count):
            if traded[k] == 0:
                continue
            i = column[k]
            volume = bars[k, VOLUME, i]
            target = bars[k, OPEN, i] if phase == 0 else bars[k, CLOSE, i]
            if phase == 1 or phase == 2:
                high_first = high_comes_first(terms, instruments[k], bars[k, OPEN, i], bars[k, HIGH, i], bars[k, LOW, i])
                target = bars[k, HIGH, i] if high_first == (phase == 1) else bars[k, LOW, i]
            ended = walk_phase(account, states, instruments, terms, journal, k, phase == 0, target, volume)
            if ended == 1:
                if terms["isolated"] == 0:
                    return 1
                traded[k] = 0
                states[k]["ended"] = 1
    return 0


@machine_kernel
def settle_funding(account, states, instruments, journal, k, first, last, rates, marks):
    """Charge the settlements first..last-1 of a bar at its close: longs pay a positive rate, shorts receive it."""
    state = states[k]
    multiplier = instruments[k]["multiplier"]
    for s in range(first, last):
        state["settlements"] += 1
        rate = rates[s]
        if rate == 0.0:
            continue
        for side in range(2):
            if state["lot_count"][side] == 0:
                continue
            sign = 1.0 - 2.0 * side
            qty = state["qty"][side]
            received = -sign * qty * multiplier * marks[s] * rate
            account["wallet"] += received
            if received >= 0.0:
                account["funding_received"] += received
            else:
                account["funding_paid"] -= received
            state["funding"][side] += received
            for j in range(state["lot_count"][side]):
                lot = state["lots"][side, j]
                lot["funding"] -= received * (lot["qty"] / qty)
            refresh_side(state, side)
            record_event(account, state, journal, FUNDING_LABEL, side, marks[s], qty, 0.0, 0.0, received, -1)


@machine_kernel
def close_at_last(account, states, instruments, terms, journal, k, slippage, label):
    """Close what an instrument still holds at its last close, for the taker fee and `slippage`, a fraction of the price."""
    state = states[k]
    instrument = instruments[k]
    for side in range(2):
        price = state["mark"] * (1.0 - (1.0 - 2.0 * side) * slippage)
        while state["lot_count"][side] > 0:
            index = state["lot_count"][side] - 1
            qty = state["lots"][side, index]["qty"]
            fee = price * qty * instrument["multiplier"] * terms["fee_taker"]
            account["turnover"] += price * qty * instrument["multiplier"]
            account["slippage_cost"] += abs(price - state["mark"]) * qty * instrument["multiplier"]
            close_lot(account, state, instrument, terms, journal, side, index, price, qty, fee, label)
    cancel_all_orders(state)
    settle_when_flat(account, states, terms, journal, k)


@machine_kernel
def account_gross(states, instruments, terms):
    """Notional of all lots of the account at the marks, quote currency."""
    gross = 0.0
    for k in range(terms["instruments"]):
        gross += gross_notional(states[k], instruments[k], states[k]["mark"])
    return gross


@inlined_kernel
def close_bar(account, equity, gross):
    """Take up the account's equity and gross notional at the close, quote currency, and follow the statistics of a bar."""
    before = account["equity"]
    account["equity"] = equity
    note_path_equity(account, equity)
    account["bars"] += 1
    if equity >= account["peak"]:
        account["peak"] = equity
        account["under_water"] = 0
    else:
        account["under_water"] += 1
        account["under_water_max"] = max(account["under_water_max"], account["under_water"])
        if account["peak"] - equity > account["drawdown_max"] * account["peak"]:
            account["drawdown_max"] = (account["peak"] - equity) / account["peak"]
    if equity != before and before > 0.0:
        change = equity / before - 1.0
        account["return_sum"] += change
        account["return_square_sum"] += change * change
        if change < 0.0:
            account["downside_square_sum"] += change * change
    if gross > 0.0:
        account["bars_in_position"] += 1
        if equity > 0.0:
            leverage = gross / equity
            account["exposure_sum"] += leverage
            account["leverage_max"] = max(account["leverage_max"], leverage)


@machine_kernel
def exchange_single(account, states, instruments, terms, journal, i, bars, sub_start, sub_count, sub_bars):
    """Traded bar `i` of a wallet with one instrument: its own path, or its sub-bars one after the other."""
    state = states[0]
    table = bars
    first = i
    count = 1
    finer = sub_count > 0 and sub_start[0, i] >= 0
    if finer:
        table = sub_bars
        first = sub_start[0, i]
        count = sub_count
    for j in range(first, first + count):
        if finer:
            state["sub_bar"] = j - first
        open_, high, low, close = table[0, OPEN, j], table[0, HIGH, j], table[0, LOW, j], table[0, CLOSE, j]
        volume = table[0, VOLUME, j]
        if volume <= 0.0:
            state["mark"] = close
            continue
        if walk_quietly(account, state, instruments[0], terms, open_, high, low, close) == 1:
            continue
        if walk_path(account, states, instruments, terms, journal, open_, high, low, close, volume) == 1:
            break
    if finer:
        state["sub_bar"] = 0
    state["mark"] = bars[0, CLOSE, i]


@machine_kernel
def exchange_together(account, states, instruments, terms, journal, i, kinds, bars, sub_start, sub_count, sub_bars, column, traded):
    """Bar `i` of a wallet with several instruments. Sub-bars are walked only when every traded instrument has them."""
    count = terms["instruments"]
    finer = sub_count > 0
    any_traded = False
    for k in range(count):
        states[k]["ended"] = 0
        if kinds[k, i] == TRADED:
            any_traded = True
            if sub_start[k, i] < 0:
                finer = False
        elif kinds[k, i] == GAP:
            states[k]["gap_bars"] += 1
    if any_traded:
        for j in range(sub_count if finer else 1):
            walks = False
            for k in range(count):
                traded[k] = 0
                column[k] = i
                if finer:
                    states[k]["sub_bar"] = j
                if kinds[k, i] == TRADED and states[k]["ended"] == 0:
                    traded[k] = 1
                    if finer:
                        column[k] = sub_start[k, i] + j
                        if sub_bars[k, VOLUME, column[k]] <= 0.0:
                            traded[k] = 0
                    walks = walks or traded[k] == 1
            ended = 0
            if walks and finer:
                ended = walk_together(account, states, instruments, terms, journal, sub_bars, column, traded)
            elif walks:
                ended = walk_together(account, states, instruments, terms, journal, bars, column, traded)
            if ended == 1:
                break
            if finer:
                for k in range(count):
                    if kinds[k, i] == TRADED:
                        states[k]["mark"] = sub_bars[k, CLOSE, sub_start[k, i] + j]
                        refresh_triggers(states[k])
    for k in range(count):
        if finer:
            states[k]["sub_bar"] = 0
        if kinds[k, i] != ABSENT:
            refresh_triggers(states[k])
            states[k]["mark"] = bars[k, CLOSE, i]


@machine_kernel
def after_walk(account, states, instruments, terms, journal, i, kinds, funding_offsets, funding_rates, funding_marks, last_bars, bar_count):
    """Funding and delisting at the close of bar `i`, instruments in order."""
    for k in range(terms["instruments"]):
        first = funding_offsets[k, i]
        last = funding_offsets[k, i + 1]
        if last > first and kinds[k, i] > 0:
            settle_funding(account, states, instruments, journal, k, first, last, funding_rates, funding_marks)
        if i == last_bars[k] and i + 1 < bar_count:
            if terms["close_at_end"] == 1 and i + 2 == bar_count:
                close_at_last(account, states, instruments, terms, journal, k, terms["slippage_stop"], END_OF_RUN_LABEL)
            else:
                close_at_last(account, states, instruments, terms, journal, k, 0.0, DELISTED_LABEL)
