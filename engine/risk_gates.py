"""The rules of a funded-account evaluation as gates above every strategy; `engine.evaluation` declares them.

Floors are tested wherever equity along the walked path is noted; what follows is done before and after a bar. A gate never
looks ahead: it knows the open time of the coming bar, and what has happened before it.
"""

import numpy as np

from engine.evaluation import Evaluation
from engine.exits import close_at_market
from engine.fills import stop_trading
from engine.journal import record_event
from engine.orders import cancel_all_orders, cancel_entries, refresh_triggers
from engine.records import (
    DAILY_LOSS_LABEL,
    DAILY_TARGET_LABEL,
    FAILED_LABEL,
    LONG,
    NO_SIDE,
    PASSED_LABEL,
    PROFIT_TARGET_LABEL,
    SESSION_END_LABEL,
    SHORT,
    f8,
    i8,
)
from engine.valuation import is_flat
from gridcore.compile import machine_kernel

# What a bar is for the sessions: rows of a sessions array are the number of the session and one of these codes.
SESSION, SESSION_CODE = 0, 1
CLOSED, OPEN_SESSION, LAST_OF_SESSION = 0, 1, 2
# `session` of an account that has seen no bar.
NO_SESSION = -2

# Outcomes of an evaluation, in the order of OUTCOMES.
UNDECIDED, PASSED, FAILED_DRAWDOWN, FAILED_DAILY_LOSS, FAILED_LIQUIDATION = 0, 1, 2, 3, 4
OUTCOMES = ("undecided", "passed", "trailing drawdown", "daily loss", "liquidation")

# Why a session takes no new entries.
BY_TARGET, BY_LOSS = 1, 2
# What equals a limit but for binary fractions has reached it; relative to the capital.
TOLERANCE = 1e-9

gates_dtype = np.dtype(
    [
        ("daily_loss_limit", f8),  # quote currency; infinite: off
        ("trailing_drawdown", f8),
        ("exposure_cap", f8),
        ("daily_target", f8),
        ("profit_target", f8),
        ("largest_day_share", f8),  # fraction; infinite: off
        ("daily_loss_fails", i8),
        ("intraday", i8),  # 1: the drawdown trails equity along the path
        ("locks_at_start", i8),
        ("flat_at_session_end", i8),
        ("minimum_days", i8),
        ("watches_exposure", i8),
    ],
    align=True,
)


def gates_record(evaluation: Evaluation | None) -> np.ndarray:
    """The rules as a one-row record; all off for None."""
    row = np.zeros(1, gates_dtype)
    for name in ("daily_loss_limit", "trailing_drawdown", "exposure_cap", "daily_target", "profit_target", "largest_day_share"):
        value = None if evaluation is None else getattr(evaluation, name)
        row[name] = np.inf if value is None else value
    if evaluation is not None:
        for name in ("daily_loss_fails", "locks_at_start", "flat_at_session_end", "minimum_days"):
            row[name] = getattr(evaluation, name)
        row["intraday"] = evaluation.trailing_basis == "intraday"
        row["watches_exposure"] = evaluation.exposure_cap is not None
    return row


def open_gates(account: np.ndarray, gates: np.ndarray) -> None:
    """Write into a new account (one row) what the gates start from."""
    rules, capital = gates[0], account["capital"][0]
    account["gated"] = 1
    account["session"] = NO_SESSION
    account["day_start"] = account["day_peak"] = capital
    account["daily_floor"] = account["trailing_floor"] = -np.inf
    account["trailing_distance"] = rules["trailing_drawdown"] if rules["intraday"] else np.inf
    account["floor_lock"] = capital if rules["locks_at_start"] else np.inf


@machine_kernel
def watch_floors(account, equity):
    """Test the equity at a point of the path, quote currency, after the path's peak has taken it up."""
    slack = TOLERANCE * account["capital"]
    if equity <= account["daily_floor"] + slack:
        account["daily_breached"] = 1
    floor = max(account["trailing_floor"], min(account["path_peak"] - account["trailing_distance"], account["floor_lock"]))
    if equity <= floor + slack:
        account["trailing_breached"] = 1


@machine_kernel
def begin_session(account, gates, session):
    """Close the books of the session before, and set the floors of the coming one from the equity at the last close."""
    equity = account["equity"]
    if account["session"] >= 0:
        account["best_day"] = max(account["best_day"], equity - account["day_start"])
        if account["turnover"] > account["day_turnover"]:
            account["trading_days"] += 1
    if session >= 0:
        account["session_count"] += 1
    account["session"] = session
    account["day_start"] = equity
    account["day_turnover"] = account["turnover"]
    account["day_over"] = 0
    account["daily_breached"] = 0
    account["daily_floor"] = equity - gates["daily_loss_limit"]
    account["day_peak"] = max(account["day_peak"], equity)
    if gates["intraday"] == 0:
        account["trailing_floor"] = min(account["day_peak"] - gates["trailing_drawdown"], account["floor_lock"])


@machine_kernel
def within_exposure(states, instruments, terms, gates, ranges, i):
    """Whether quantity times average true range of both sides of every instrument stays within the cap; an unknown range does not."""
    total = 0.0
    for k in range(terms["instruments"]):
        qty = states[k]["qty"][LONG] + states[k]["qty"][SHORT]
        if qty > 0.0:
            total += qty * instruments[k]["multiplier"] * ranges[k, i - 1]
    return total <= gates["exposure_cap"] * (1.0 + TOLERANCE)


@machine_kernel
def pause_entries(account, states, terms, paused):
    """Begin or end a pause: entries are cancelled and refused, or quoted again. Exits and decisions go on."""
    account["paused"] = paused
    for k in range(terms["instruments"]):
        state = states[k]
        if paused == 1:
            cancel_entries(state)
            refresh_triggers(state)
        # What a strategy has quoted stands no more, so it quotes anew at its next decision.
        state["changed"] = 1
        state["rearmed"] = 1


@machine_kernel
def gates_before(account, states, instruments, terms, gates, ranges, sessions, i):
    """Before bar `i` is decided: a new session, its last bar, and whether entries are refused.

    `ranges` (instruments, bars) holds the average true range, `sessions` (2, bars) number and code of the session.
    """
    if sessions[SESSION, i] != account["session"]:
        begin_session(account, gates, sessions[SESSION, i])
    code = sessions[SESSION_CODE, i]
    if code == LAST_OF_SESSION and gates["flat_at_session_end"] == 1 and account["closing"] == 0:
        account["closing"] = SESSION_END_LABEL
    shut = code == CLOSED or account["closing"] != 0 or account["day_over"] != 0
    if not shut and gates["watches_exposure"] == 1:
        shut = not within_exposure(states, instruments, terms, gates, ranges, i)
    paused = 1 if shut else 0
    if paused != account["paused"]:
        pause_entries(account, states, terms, paused)


@machine_kernel
def queue_closes(account, states, terms):
    """Replace every order by market closes of all lots, best first, under the label of the gate that closes."""
    for k in range(terms["instruments"]):
        state = states[k]
        cancel_all_orders(state)
        for side in range(2):
            for j in range(state["lot_count"][side] - 1, -1, -1):
                state["lots"][side, j]["exits_waiting"] = 0
                close_at_market(account, state, side, j, account["closing"])


@machine_kernel
def mark_gate(account, states, journal, label):
    """Write down that a gate has fired: an event without lot and quantity."""
    record_event(account, states[0], journal, label, NO_SIDE, 0.0, 0.0, 0.0, 0.0, 0.0, -1)


@machine_kernel
def end_evaluation(account, states, terms, journal, outcome):
    """Decide the evaluation: the account takes no more entries, and what is left is closed."""
    account["outcome"] = outcome
    account["outcome_time"] = states[0]["time"]
    stop_trading(account, states, terms)
    if outcome == PASSED:
        mark_gate(account, states, journal, PASSED_LABEL)
        return
    mark_gate(account, states, journal, FAILED_LABEL)
    if not is_flat(states, terms):
        account["closing"] = FAILED_LABEL


@machine_kernel
def meet_targets(account, states, terms, journal, gates):
    """The profit target, which needs a flat account, days enough and no day too large; then the day's target."""
    equity = account["equity"]
    slack = TOLERANCE * account["capital"]
    gain = equity - account["capital"]
    of_day = equity - account["day_start"]
    days = account["trading_days"]
    if account["turnover"] > account["day_turnover"]:
        days += 1
    best = max(account["best_day"], of_day)
    if gain >= gates["profit_target"] - slack and days >= gates["minimum_days"] and best <= gates["largest_day_share"] * gain + slack:
        if is_flat(states, terms):
            end_evaluation(account, states, terms, journal, PASSED)
            return
        if account["closing"] == 0:
            account["closing"] = PROFIT_TARGET_LABEL
    if account["day_over"] == 0 and of_day >= gates["daily_target"] - slack:
        account["day_over"] = BY_TARGET
        mark_gate(account, states, journal, DAILY_TARGET_LABEL)


@machine_kernel
def gates_after(account, states, terms, journal, gates):
    """After a bar has closed: what its path has breached and its close has reached."""
    flat = is_flat(states, terms)
    if flat:
        account["closing"] = 0
    if account["outcome"] != UNDECIDED:
        return
    if account["trailing_breached"] == 1:
        end_evaluation(account, states, terms, journal, FAILED_DRAWDOWN)
    elif account["daily_breached"] == 1 and gates["daily_loss_fails"] == 1:
        end_evaluation(account, states, terms, journal, FAILED_DAILY_LOSS)
    elif account["stopped"] == 1:
        end_evaluation(account, states, terms, journal, FAILED_LIQUIDATION)
    elif account["daily_breached"] == 0:
        meet_targets(account, states, terms, journal, gates)
    elif account["day_over"] != BY_LOSS:
        account["day_over"] = BY_LOSS
        mark_gate(account, states, journal, DAILY_LOSS_LABEL)
        if not flat:
            account["closing"] = DAILY_LOSS_LABEL
