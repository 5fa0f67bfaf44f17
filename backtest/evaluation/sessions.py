"""Sessions of an exchange's local time: which bars belong to which, and which is the last one."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd

from backtest.data.timeframe import utc_text
from engine.errors import InputError
from engine.evaluation import Evaluation, minutes_of
from engine.machine import Feed, average_ranges
from engine.risk_gates import CLOSED, LAST_OF_SESSION, OPEN_SESSION

_DAY = 1440  # minutes


def local_minutes(time: np.ndarray, zone: str) -> np.ndarray:
    """Wall-clock time in a zone as whole minutes since 1970-01-01 00:00 local, int64; `time` is ms UTC."""
    index = pd.DatetimeIndex(time.astype("datetime64[ms]"), tz="UTC").tz_convert(zone).tz_localize(None)
    return np.asarray(index.to_numpy().astype("datetime64[m]").astype(np.int64))


def session_days(time: np.ndarray, timeframe_ms: int, evaluation: Evaluation) -> np.ndarray:
    """The date of the session that each bar lies in, as days since 1970-01-01, -1 where it lies in none; int64 (bars,).

    time: open times, ms UTC, rising. A bar lies in a session when all of it does. A session is named by the local date of its last
    moment, so that one from 17:00 to 16:00 has the date of its end. Clocks that are set back never reopen a session.
    """
    start, end = minutes_of(evaluation.session_start), minutes_of(evaluation.session_end)
    length = end - start if end > start else end - start + _DAY
    since = local_minutes(time, evaluation.session_time_zone) - start
    day, inside = since // _DAY, since % _DAY
    day = np.maximum.accumulate(day) if day.size else day
    named = day + (start + length - 1) // _DAY
    epoch = dt.date(1970, 1, 1)
    closed = np.array([(dt.date.fromisoformat(one) - epoch).days for one in evaluation.holidays], np.int64)
    open_ = (inside + timeframe_ms / 60_000 <= length) & ~np.isin(named, closed)
    return np.where(open_, named, -1)


def session_codes(time: np.ndarray, timeframe_ms: int, evaluation: Evaluation) -> np.ndarray:
    """Number of the session in hand (0, 1, ..., -1 before the first) and code of each bar, int64 (2, bars).

    The codes are those of `engine.risk_gates`. The last bar of a session follows from the clock alone, not from the bars there are.
    Raises InputError when no bar lies in a session, or when sessions that end flat have no bar to trade in.
    """
    # One bar more than there are: whether the last one ends its session is a matter of the clock.
    days = session_days(np.append(time, time[-1:] + timeframe_ms), timeframe_ms, evaluation)
    here, following = days[:-1], days[1:]
    inside = here >= 0
    last = inside & (following != here)
    hours = f"from {evaluation.session_start} to {evaluation.session_end} {evaluation.session_time_zone}"
    if time.size and not inside.any():
        raise InputError(f"no bar lies in a session {hours}: bars from {utc_text(time[0])} UTC, {timeframe_ms // 60_000} minutes each")
    if evaluation.flat_at_session_end and inside.sum() > 0 and not (inside & ~last).any():
        raise InputError(
            f"flat_at_session_end is refused for sessions {hours}: they have a single bar of {timeframe_ms // 60_000} minutes, and "
            "everything is closed at the open of the last one; use shorter bars, or flat_at_session_end = false"
        )
    number = np.cumsum(inside & (np.concatenate([[-1], np.maximum.accumulate(here)[:-1]]) != here)) - 1 if time.size else here
    code = np.where(last, LAST_OF_SESSION, np.where(inside, OPEN_SESSION, CLOSED))
    return np.ascontiguousarray(np.stack([number, code]).astype(np.int64))


def with_gates(feed: Feed, timeframe_ms: int, evaluation: Evaluation | None) -> Feed:
    """The feed with what an evaluation's gates need beside the bars; the same feed without an evaluation."""
    if evaluation is None:
        return feed
    return replace(feed, sessions=session_codes(feed.time, timeframe_ms, evaluation), ranges=average_ranges(feed, evaluation.atr_period))
