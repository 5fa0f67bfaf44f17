"""The bar loop: decisions, exchange, close, one bar after the other. Each strategy compiles its own with its `decide`."""

from typing import Any

from engine.bar import after_walk, close_bar, exchange_single, exchange_together, flush_events
from engine.records import ABSENT, LOG_FULL, LONG, OK, SHORT
from engine.valuation import gross_notional, is_flat
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
def take_row(indicators, k, i, row):
    """Gather the indicator row of bar `i` of instrument `k` (stored by columns) into `row`."""
    for column in range(row.shape[0]):
        row[column] = indicators[k, column, i]


@machine_kernel
def exchange_bar(account, states, instruments, terms, journal, i, kinds, bars, sub_start, sub_count, sub_bars, column, traded):
    """The simulated exchange on bar `i` of every instrument."""
    if terms["instruments"] == 1:
        exchange_single(account, states, instruments, terms, journal, i, kinds[0, i], bars, sub_start, sub_count, sub_bars)
    else:
        exchange_together(
            account, states, instruments, terms, journal, i, kinds, bars, sub_start, sub_count, sub_bars, column, traded
        )


@machine_kernel
def finish_bar(account, states, instruments, terms, journal, i, kinds, funding_offsets, funding_rates, funding_marks, last_bars, bar_count):
    """Funding, delisting and marking at the close of bar `i`. Returns equity, quote currency."""
    after_walk(account, states, instruments, terms, journal, i, kinds, funding_offsets, funding_rates, funding_marks, last_bars, bar_count)
    return close_bar(account, states, instruments, terms)


def run_bars(arguments):
    """Run bars `start` to `stop - 1`. Returns (next bar, log cursor); stops early with a status when the log must grow.

    Records come as one-row arrays; `bars` has shape (instruments, 5, bars), `indicators` (instruments, columns, bars), `kinds`
    (instruments, bars), `equity` (bars,). `engine.machine` builds them.
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
        log,
        equity,
        cursor,
        start,
        stop,
    ) = arguments
    account = accounts[0]
    terms = all_terms[0]
    journal = journals[0]
    account["status"] = OK
    cursor = flush_events(account, journal, log, cursor)
    for i in range(start, stop):
        begin_bar(states, terms, i, time[i])
        if trades_on(account, states, terms):
            for k in range(terms["instruments"]):
                if ready_to_decide(account, states, instruments, terms, k, kinds, first_decisions, i):
                    take_row(indicators, k, i - 1, row)
                    decide(parameters[k], row, account, states[k], instruments[k], terms, journal, k, memory[k])
        exchange_bar(account, states, instruments, terms, journal, i, kinds, bars, sub_start, sub_count, sub_bars, column, traded)
        equity[i] = finish_bar(
            account, states, instruments, terms, journal, i, kinds, funding_offsets, funding_rates, funding_marks, last_bars, bars.shape[2]
        )
        if account["status"] != OK:
            return i + 1, cursor
        if journal["event_count"] > 0:
            if cursor + journal["event_count"] > log.shape[0]:
                account["status"] = LOG_FULL
                return i + 1, cursor
            cursor = flush_events(account, journal, log, cursor)
    return stop, cursor


def decide_bar(arguments):
    """One decision of instrument `k` for bar `i`, as the stepper makes it; `row` is the last closed bar's indicators."""
    parameters, memory, accounts, states, instruments, all_terms, journals, kinds, first_decisions, row, k, i = arguments
    account = accounts[0]
    terms = all_terms[0]
    if trades_on(account, states, terms) and ready_to_decide(account, states, instruments, terms, k, kinds, first_decisions, i):
        decide(parameters[k], row, account, states[k], instruments[k], terms, journals[0], k, memory[k])
