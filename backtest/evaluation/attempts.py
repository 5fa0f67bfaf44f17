"""Attempts at an evaluation: one account after the other, each flat at the start of a session, on indicators that are warm."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from backtest.sweep import Combination, Prepared, build_machine
from engine.machine import Feed
from engine.risk_gates import OPEN_SESSION, SESSION, SESSION_CODE, UNDECIDED

# Sessions run before looking whether the attempt is decided; each look doubles them.
_FIRST_LOOK = 4


class Attempt(NamedTuple):
    """How one attempt ended (`engine.risk_gates.OUTCOMES`), and on which of its sessions; undecided: how many it has seen whole."""

    outcome: int
    days: int


def session_starts(feed: Feed, first: int) -> np.ndarray:
    """Bars that begin a session and do not lie before `first`, int64; a session that has begun before is not among them."""
    assert feed.sessions is not None
    number = feed.sessions[SESSION]
    begins = np.flatnonzero(np.diff(number, prepend=-1) > 0)
    if begins.size and begins[0] == 0:
        begins = begins[1:]  # who knows how much of it there was before
    return np.asarray(begins[begins >= first])


def attempt(combination: Combination, wallet: Prepared, start: int, horizon: int) -> Attempt:
    """Run an account from bar `start` until it is decided, has seen `horizon` sessions, or the bars end."""
    feed = wallet.feed
    assert feed.sessions is not None
    number, code = feed.sessions[SESSION], feed.sessions[SESSION_CODE]
    first = int(number[start])
    machine = build_machine(combination, wallet.aligned, wallet.weights)
    account = machine.accounts[0]
    bar, look = start, _FIRST_LOOK
    while bar < wallet.stop and int(number[bar]) - first < horizon:
        ahead = min(int(number[bar]) + look, first + horizon)
        stop = min(int(np.searchsorted(number, ahead)), wallet.stop)
        machine.run(feed, wallet.indicators, bar, stop)
        bar, look = stop, 2 * look
        if int(account["outcome"]) != UNDECIDED:
            decided = int(np.searchsorted(feed.time, int(account["outcome_time"])))
            return Attempt(int(account["outcome"]), int(number[decided]) - first + 1)
    in_hand = bar == wallet.stop and int(code[bar - 1]) == OPEN_SESSION
    return Attempt(UNDECIDED, int(account["session_count"]) - in_hand)


def attempts(found: list[Attempt]) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes and days of attempts, int64 (attempts,) each."""
    table = np.array(found, np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def jobs(combination: Combination, wallet: Prepared, starts: np.ndarray, horizon: int) -> list[Callable[[], Attempt]]:
    """One job a start, in order."""
    return [lambda start=int(start): attempt(combination, wallet, start, horizon) for start in starts]  # type: ignore[misc]
