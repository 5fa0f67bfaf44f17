"""The rules of a funded-account evaluation: limits, targets and trading hours that stand above any strategy."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Any, Literal

from pydantic import field_validator

from engine.parameters import Parameters, parameter

_MOST = 1e15


def minutes_of(text: str) -> int:
    """Minutes since midnight of a local time `HH:MM`. Raises ValueError for anything else."""
    moment = dt.time.fromisoformat(text)
    if moment.second or moment.microsecond or moment.tzinfo is not None or len(text) != 5:
        raise ValueError("not HH:MM")
    return moment.hour * 60 + moment.minute


class Evaluation(Parameters):
    """Rules of a funded-account evaluation, in quote currency; none switches a rule off. Without the table no rule stands."""

    daily_loss_limit: float | None = parameter(
        900.0, "equity this far below the session's start closes everything until the next session", unit="quote", gt=0.0, le=_MOST
    )
    daily_loss_fails: bool = parameter(False, "whether the daily loss limit also fails the account")
    trailing_drawdown: float | None = parameter(
        1800.0, "equity this far below the highest balance fails the account", unit="quote", gt=0.0, le=_MOST
    )
    trailing_basis: Literal["end_of_day", "intraday"] = parameter(
        "end_of_day", "what the trailing drawdown trails: equity at the end of sessions, or at any moment"
    )
    locks_at_start: bool = parameter(False, "whether the level of the trailing drawdown stops rising at the capital")
    exposure_cap: float | None = parameter(
        1200.0, "no new entries while the sum of quantity*ATR*contract multiplier is above it", unit="quote", gt=0.0, le=_MOST
    )
    atr_period: int = parameter(14, "period of Wilder's average true range in the exposure", unit="bars", ge=1, le=10_000)
    daily_target: float | None = parameter(
        500.0, "no new entries until the next session once the session has gained this much", unit="quote", gt=0.0, le=_MOST
    )
    profit_target: float | None = parameter(
        3000.0, "gain on the capital that passes, with everything closed", unit="quote", gt=0.0, le=_MOST
    )
    minimum_days: int = parameter(0, "sessions with a fill that passing needs", unit="sessions", ge=0, le=10_000)
    largest_day_share: float | None = parameter(
        None, "passing needs that no session made more than this share of the gain", unit="fraction", gt=0.0, le=1.0
    )
    session_time_zone: str = parameter("UTC", "time zone of the sessions, by its IANA name such as America/Chicago")
    session_start: str = parameter("00:00", "local time at which a session begins, HH:MM")
    session_end: str = parameter("00:00", "local time at which it ends, HH:MM; at or before the start: on the next day")
    flat_at_session_end: bool = parameter(True, "whether everything is closed at the open of a session's last bar")
    holidays: tuple[str, ...] = parameter((), "dates (of the session's end) on which there is no session")
    fee: float = parameter(0.0, "price of the first attempt; for the expected value", unit="quote", ge=0.0, le=_MOST)
    reset_fee: float = parameter(0.0, "price of every further attempt", unit="quote", ge=0.0, le=_MOST)
    resets: int = parameter(0, "further attempts after a failed one", ge=0, le=1000)
    payout: float = parameter(0.0, "what a passed evaluation is worth", unit="quote", ge=0.0, le=_MOST)

    @field_validator("session_time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("there is no such time zone; a name is like UTC, America/Chicago or Europe/Berlin") from None
        return value

    @field_validator("session_start", "session_end", mode="before")
    @classmethod
    def _local_time(cls, value: Any) -> Any:
        text = value.strftime("%H:%M") if isinstance(value, dt.time) else value
        try:
            minutes_of(text)
        except (TypeError, ValueError):
            raise ValueError("it must be a time of day, HH:MM") from None
        return text

    @field_validator("holidays", mode="before")
    @classmethod
    def _dates(cls, value: Any) -> Any:
        listed = value.replace(",", " ").split() if isinstance(value, str) else list(value)
        try:
            return tuple(dt.date.fromisoformat(str(one)).isoformat() for one in listed)
        except ValueError:
            raise ValueError("it must be a list of dates, YYYY-MM-DD") from None
