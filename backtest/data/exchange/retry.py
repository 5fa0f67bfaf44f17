"""Asking an exchange again: when, how long to wait before it, and when to give up."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from engine.errors import SourceError

T = TypeVar("T")

# Retry-After is in whole seconds, and the exchange's clock may be a little behind.
_GRACE = 1.0


class PassingError(Exception):
    """Something that may be gone when the exchange is asked again: no answer, a throttle, an answer that makes no sense.

    The text is a clause that begins with the exchange's name; `wait` is how many seconds the exchange asks for, None: it does not say.
    """

    def __init__(self, clause: str, wait: float | None = None) -> None:
        super().__init__(clause)
        self.wait = wait


@dataclass(frozen=True)
class Patience:
    """How long one question may take before it is given up.

    attempts: questions asked in all. longest: seconds waited between them in all. first, cap: seconds of the shortest and the
    longest wait where the exchange does not say how long; it doubles from one to the other, and a random part spreads it.
    """

    attempts: int = 8
    longest: float = 300.0
    first: float = 1.0
    cap: float = 60.0

    def pause(self, attempt: int, asked: float | None) -> float:
        """Seconds to wait after attempt number `attempt` (from 1); `asked`: what the exchange asks for, None: nothing."""
        if asked is not None:
            return asked + _GRACE
        longest = min(self.cap, self.first * 2.0 ** (attempt - 1))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311  spreads retries, protects nothing


# The automatic choice of a source asks once.
ONE_ATTEMPT = Patience(attempts=1, longest=0.0)


def persist(
    function: Callable[[], T],
    what: str,
    patience: Patience,
    sleep: Callable[[float], None],
    on_wait: Callable[[str], None] | None = None,
) -> T:
    """What `function` returns, asked again after every PassingError as long as `patience` lasts.

    `what` names the question in the error: "15m bars of BTCUSDT". `sleep` takes seconds. `on_wait` is told before each wait
    what happened and how long the wait is. Raises SourceError, one sentence, when patience ends.
    """

    def pause(state: RetryCallState) -> float:
        return patience.pause(state.attempt_number, _error(state).wait)

    def enough(state: RetryCallState) -> bool:
        return state.attempt_number >= patience.attempts or state.idle_for + state.upcoming_sleep > patience.longest

    def tell(state: RetryCallState) -> None:
        if on_wait is not None:
            on_wait(f"{_error(state)}: asking again for {what} in {state.upcoming_sleep:.0f} s.")

    attempts = 0

    def counted() -> T:
        nonlocal attempts
        attempts += 1
        return function()

    retrying = Retrying(retry=retry_if_exception_type(PassingError), wait=pause, stop=enough, sleep=sleep, before_sleep=tell, reraise=True)
    try:
        return retrying(counted)
    except PassingError as error:
        tries = "" if attempts == 1 else f"; {attempts} attempts were made"
        too_long = error.wait is not None and error.wait + _GRACE > patience.longest > 0.0
        reason = f"; waits of up to {patience.longest:.0f} s are allowed" if too_long else ""
        raise SourceError(f"{error} when asked for {what}{tries}{reason}") from None


def _error(state: RetryCallState) -> PassingError:
    assert state.outcome is not None
    error = state.outcome.exception()
    assert isinstance(error, PassingError)
    return error
