"""The bar loop: decisions, exchange, close, one bar after the other. Each strategy compiles its own with its `decide`."""

from typing import Any

import numpy as np

from engine.bar import CLOSE, HIGH, LOW, OPEN, VOLUME, account_gross, after_walk, close_bar, exchange_single, exchange_together
from engine.exits import write_all_exits
from engine.journal import flush_events
from engine.orders import refresh_triggers, write_all_rungs
from engine.records import ABSENT, GAP, LOG_FULL, LONG, OK, SHORT, TRADED
from engine.risk_gates import gates_after, gates_before, queue_closes
from engine.stops import write_planned_stops
from engine.valuation import account_equity, gross_notional, is_flat, unrealized
from engine.walking import walk_path, walk_quietly
from gridcore.compile import inlined_kernel, machine_kernel

# Stands for a strategy's compiled decision in the two templates below (`gridcore.compile.kernel_with` puts it in).
decide: Any = None


@machine_kernel
def begin_bar(states, terms, i, time):
    """Tell every instrument which bar is in hand. `time` is the bar's open time, ms."""
    for k in range(terms["instruments"]):
        states[k]["time"] = time
        states[k]["bar"] = i


@machine_kernel
def trades_on(account, states, terms):
    """Whether anything is left to decide: an account that has stopped and holds nothing runs on flat."""
    return account["stopped"] == 0 or not is_flat(states, terms)


@machine_kernel
def ready_to_decide(account, states, instruments, terms, k, kinds, first_decisions, i):
    """Whether instrument `k` decides on bar `i`; sets what the others hold and rest, which counts in its margin test."""
    if kinds[k, i] == ABSENT or i < first_decisions[k]:
        return False
    others = 0.0
    for j in range(terms["instruments"]):
        if j != k:
            state = states[j]
            others += gross_notional(state, instruments[j], state["mark"])
            others += state["resting_notional"][LONG] + state["resting_notional"][SHORT]
    account["others_notional"] = others
    return True


@machine_kernel
def exchange_bar(account, states, instruments, terms, journal, i, kinds, bars, sub_start, sub_count, sub_bars, column, traded):
    """The simulated exchange on bar `i` of every instrument."""
    if terms["instruments"] > 1:
        exchange_together(account, states, instruments, terms, journal, i, kinds, bars, sub_start, sub_count, sub_bars, column, traded)
    elif kinds[0, i] == TRADED:
        exchange_single(account, states, instruments, terms, journal, i, bars, sub_start, sub_count, sub_bars)
    elif kinds[0, i] == GAP:
        states[0]["gap_bars"] += 1
        states[0]["mark"] = bars[0, CLOSE, i]


@machine_kernel
def finish_bar(account, states, instruments, terms, journal, i, kinds, funding_offsets, funding_rates, funding_marks, last_bars, bar_count):
    """Funding, delisting and marking at the close of bar `i`. Returns equity, quote currency."""
    after_walk(account, states, instruments, terms, journal, i, kinds, funding_offsets, funding_rates, funding_marks, last_bars, bar_count)
    equity = account_equity(account, states, instruments, terms)
    close_bar(account, equity, account_gross(states, instruments, terms))
    return equity


@inlined_kernel
def finish_plain_bar(account, state, instrument):
    """Marking at the close of a bar of a single instrument that settles no funding. Returns equity, quote currency."""
    equity = account["wallet"]
    gross = 0.0
    if state["lot_count"][LONG] + state["lot_count"][SHORT] > 0:
        equity += unrealized(state, instrument, state["mark"])
        gross = gross_notional(state, instrument, state["mark"])
    close_bar(account, equity, gross)
    return equity


@inlined_kernel
def lay_rows(indicators, first, rows):
    """Lay out the indicators of bars `first` on, a row a bar: `indicators` (columns, bars) to `rows` (bars, columns)."""
    for field in range(rows.shape[1]):
        column = indicators[field, first : first + rows.shape[0]]
        for j in range(column.size):
            rows[j, field] = column[j]


@machine_kernel
def write_everything(account, state, instrument, terms):
    """Write every order that is quoted and not yet in its book, for somebody who looks at the books."""
    write_planned_stops(account, state, instrument)
    write_all_rungs(state, instrument, terms)
    write_all_exits(account, state, instrument, terms)
    refresh_triggers(state)


def run_alone(arguments):
    """Run bars `start` to `stop - 1` of a wallet with one instrument and no finer bars; see `run_together`.

    It does the same, but for what one instrument cannot need.
    """
    (
        parameters,
        memory,
        accounts,
        states,
        instruments,
        all_terms,
        journals,
        time,
        bars,
        kinds,
        first_decisions,
        last_bars,
        indicators,
        rows,
        funding_offsets,
        funding_rates,
        funding_marks,
        _sub_start,
        _sub_count,
        _sub_bars,
        _column,
        _traded,
        all_gates,
        ranges,
        sessions,
        log,
        equity,
        cursor,
        start,
        stop,
    ) = arguments
    account = accounts[0]
    state = states[0]
    instrument = instruments[0]
    terms = all_terms[0]
    journal = journals[0]
    gates = all_gates[0]
    gated = account["gated"] == 1
    opens, highs, lows, closes, volumes = bars[0, OPEN], bars[0, HIGH], bars[0, LOW], bars[0, CLOSE], bars[0, VOLUME]
    own_kinds, settlements, own_indicators = kinds[0], funding_offsets[0], indicators[0]
    bar_count = closes.size
    # An instrument that is gone before the end is closed at its last bar.
    plain_stop = bar_count if last_bars[0] + 1 == bar_count else last_bars[0]
    laid = start - 1 - rows.shape[0]
    account["others_notional"] = 0.0
    account["status"] = OK
    cursor = flush_events(journal, log, cursor)
    for i in range(start, stop):
        state["time"] = time[i]
        state["bar"] = i
        if gated:
            gates_before(account, states, instruments, terms, gates, ranges, sessions, i)
        trades = account["stopped"] == 0 or state["lot_count"][LONG] + state["lot_count"][SHORT] > 0
        if trades and own_kinds[i] != ABSENT and i >= first_decisions[0]:
            place = i - 1 - laid
            if place >= rows.shape[0]:
                laid = i - 1
                place = 0
                lay_rows(own_indicators, laid, rows)
            decide(parameters[0], rows[place], account, state, instrument, terms, journal, memory[0])
        if gated and account["closing"] != 0:
            # After the decisions, which must not keep what a rule closes.
            queue_closes(account, states, terms)
        # An index that cannot be negative saves the compiled code from testing whether it counts from the end.
        bar = np.uint32(i)
        kind = own_kinds[bar]
        if kind == TRADED:
            open_, high, low, close = opens[bar], highs[bar], lows[bar], closes[bar]
            if walk_quietly(account, state, instrument, terms, open_, high, low, close) == 0:
                walk_path(account, states, instruments, terms, journal, open_, high, low, close, volumes[bar])
        elif kind == GAP:
            state["gap_bars"] += 1
            state["mark"] = closes[bar]
        if settlements[bar] == settlements[np.uint32(i + 1)] and i < plain_stop:
            equity[bar] = finish_plain_bar(account, state, instrument)
        else:
            equity[i] = finish_bar(
                account, states, instruments, terms, journal, i, kinds, funding_offsets, funding_rates, funding_marks, last_bars, bar_count
            )
        if gated:
            gates_after(account, states, terms, journal, gates)
        if account["status"] != OK:
            return i + 1, cursor
        if journal["event_count"] > 0:
            if cursor + journal["event_count"] > log.shape[0]:
                account["status"] = LOG_FULL
                return i + 1, cursor
            cursor = flush_events(journal, log, cursor)
    return stop, cursor


def run_together(arguments):
    """Run bars `start` to `stop - 1`. Returns (next bar, log cursor); stops early with a status when the log must grow.

    Records come as one-row arrays; `bars` has shape (instruments, 5, bars), `indicators` (instruments, columns, bars), `kinds`
    (instruments, bars), `equity` (bars,), `rows` (bars laid out at a time, columns); `ranges` (instruments, bars) and `sessions`
    (2, bars) are empty where no gate needs them. `engine.machine` builds them.
    """
    (
        parameters,
        memory,
        accounts,
        states,
        instruments,
        all_terms,
        journals,
        time,
        bars,
        kinds,
        first_decisions,
        last_bars,
        indicators,
        rows,
        funding_offsets,
        funding_rates,
        funding_marks,
        sub_start,
        sub_count,
        sub_bars,
        column,
        traded,
        all_gates,
        ranges,
        sessions,
        log,
        equity,
        cursor,
        start,
        stop,
    ) = arguments
    account = accounts[0]
    terms = all_terms[0]
    journal = journals[0]
    gates = all_gates[0]
    gated = account["gated"] == 1
    row = rows[0]
    bar_count = bars.shape[2]
    account["status"] = OK
    cursor = flush_events(journal, log, cursor)
    for i in range(start, stop):
        begin_bar(states, terms, i, time[i])
        if gated:
            gates_before(account, states, instruments, terms, gates, ranges, sessions, i)
        if trades_on(account, states, terms):
            for k in range(terms["instruments"]):
                if ready_to_decide(account, states, instruments, terms, k, kinds, first_decisions, i):
                    lay_rows(indicators[k], i - 1, rows[:1])
                    decide(parameters[k], row, account, states[k], instruments[k], terms, journal, memory[k])
        if gated and account["closing"] != 0:
            # After the decisions, which must not keep what a rule closes.
            queue_closes(account, states, terms)
        exchange_bar(account, states, instruments, terms, journal, i, kinds, bars, sub_start, sub_count, sub_bars, column, traded)
        equity[i] = finish_bar(
            account, states, instruments, terms, journal, i, kinds, funding_offsets, funding_rates, funding_marks, last_bars, bar_count
        )
        if gated:
            gates_after(account, states, terms, journal, gates)
        if account["status"] != OK:
            return i + 1, cursor
        if journal["event_count"] > 0:
            if cursor + journal["event_count"] > log.shape[0]:
                account["status"] = LOG_FULL
                return i + 1, cursor
            cursor = flush_events(journal, log, cursor)
    return stop, cursor


def decide_bar(arguments):
    """One decision of instrument `k` for bar `i`, as the stepper makes it; `row` is the last closed bar's indicators."""
    parameters, memory, accounts, states, instruments, all_terms, journals, kinds, first_decisions, row, k, i = arguments
    account = accounts[0]
    terms = all_terms[0]
    if trades_on(account, states, terms) and ready_to_decide(account, states, instruments, terms, k, kinds, first_decisions, i):
        decide(parameters[k], row, account, states[k], instruments[k], terms, journals[0], memory[k])
        write_everything(account, states[k], instruments[k], terms)
