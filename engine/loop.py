"""The bar loop: decisions, exchange, close, one bar after the other. Each strategy compiles its own with its `decide`."""

from typing import Any

from engine.bar import CLOSE, HIGH, LOW, OPEN, VOLUME, account_gross, after_walk, close_bar, exchange_single, exchange_together
from engine.journal import flush_events
from engine.matching import walk_path, walk_quietly
from engine.orders import refresh_triggers, write_all_rungs
from engine.quoting import write_planned_stops
from engine.records import ABSENT, GAP, LOG_FULL, LONG, OK, SHORT, TRADED
from engine.risk_gates import gates_after, gates_before, queue_closes
from engine.valuation import account_equity, gross_notional, is_flat, unrealized
from gridcore.compile import machine_kernel

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


@machine_kernel
def finish_quiet_bar(account, state, instrument):
    """Marking at the close of a bar of a single instrument that settles no funding. Returns equity, quote currency."""
    equity = account["wallet"]
    gross = 0.0
    if state["lot_count"][LONG] + state["lot_count"][SHORT] > 0:
        equity += unrealized(state, instrument, state["mark"])
        gross = gross_notional(state, instrument, state["mark"])
    close_bar(account, equity, gross)
    return equity


def run_bars(arguments):
    """Run bars `start` to `stop - 1`. Returns (next bar, log cursor); stops early with a status when the log must grow.

    Records come as one-row arrays; `bars` has shape (instruments, 5, bars), `indicators` (instruments, columns, bars), `kinds`
    (instruments, bars), `equity` (bars,); `ranges` (instruments, bars) and `sessions` (2, bars) are empty where no gate needs them.
    `engine.machine` builds them.
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
        row,
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
    single = terms["instruments"] == 1
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
                    for field in range(row.shape[0]):
                        row[field] = indicators[k, field, i - 1]
                    decide(parameters[k], row, account, states[k], instruments[k], terms, journal, memory[k])
        if gated and account["closing"] != 0:
            # After the decisions, which must not keep what a rule closes.
            queue_closes(account, states, terms)
        if single and sub_count == 0 and kinds[0, i] == TRADED:
            # The same as exchange_bar, without its detours: most bars of a single instrument touch nothing.
            open_, high, low, close = bars[0, OPEN, i], bars[0, HIGH, i], bars[0, LOW, i], bars[0, CLOSE, i]
            if walk_quietly(account, states[0], instruments[0], terms, open_, high, low, close) == 0:
                walk_path(account, states, instruments, terms, journal, open_, high, low, close, bars[0, VOLUME, i])
        else:
            exchange_bar(account, states, instruments, terms, journal, i, kinds, bars, sub_start, sub_count, sub_bars, column, traded)
        if single and funding_offsets[0, i] == funding_offsets[0, i + 1] and (i < last_bars[0] or i + 1 == bar_count):
            equity[i] = finish_quiet_bar(account, states[0], instruments[0])
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


def decide_bar(arguments):
    """One decision of instrument `k` for bar `i`, as the stepper makes it; `row` is the last closed bar's indicators."""
    parameters, memory, accounts, states, instruments, all_terms, journals, kinds, first_decisions, row, k, i = arguments
    account = accounts[0]
    terms = all_terms[0]
    if trades_on(account, states, terms) and ready_to_decide(account, states, instruments, terms, k, kinds, first_decisions, i):
        decide(parameters[k], row, account, states[k], instruments[k], terms, journals[0], memory[k])
        # The caller looks at the books, so what the loop would write only when a bar comes near it is written now.
        write_planned_stops(account, states[k], instruments[k])
        write_all_rungs(states[k], instruments[k], terms)
        refresh_triggers(states[k])
