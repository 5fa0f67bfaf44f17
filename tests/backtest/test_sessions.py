"""Sessions of local time: daylight saving, holidays, sessions over midnight, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.evaluation.sessions import session_codes
from engine.errors import InputError
from engine.evaluation import Evaluation

HOUR = 3_600_000


def hours(start: str, count: int, step: int = HOUR) -> np.ndarray:
    return int(pd.Timestamp(start, tz="UTC").timestamp() * 1000) + np.arange(count, dtype=np.int64) * step


def codes(start: str, count: int, step: int = HOUR, **rules: object) -> np.ndarray:
    return session_codes(hours(start, count, step), step, Evaluation(**rules))


def test_whole_days_of_utc() -> None:
    number, code = codes("2024-01-01 22:00", 28)
    assert number.tolist() == [0] * 2 + [1] * 24 + [2] * 2
    assert code.tolist() == [1, 2] + [1] * 23 + [2] + [1, 1]


def test_new_york_hours_move_with_daylight_saving() -> None:
    rules = {"session_time_zone": "America/New_York", "session_start": "09:30", "session_end": "16:00"}
    half = HOUR // 2
    for day, opens in (("2024-03-08", "14:30"), ("2024-03-11", "13:30"), ("2024-11-01", "13:30"), ("2024-11-04", "14:30")):
        _, code = codes(day, 48, half, **rules)
        inside = np.flatnonzero(code > 0)
        assert pd.Timestamp(int(hours(day, 48, half)[inside[0]]), unit="ms") == pd.Timestamp(f"{day} {opens}")
        assert len(inside) == 13
        assert code[inside[-1]] == 2
        assert (code == 2).sum() == 1


@pytest.mark.parametrize(("first", "bars"), [("2024-03-09 23:00", 22), ("2024-11-02 22:00", 24)])
def test_a_session_over_midnight_on_the_nights_the_clock_moves(first: str, bars: int) -> None:
    """17:00 to 16:00 in Chicago has 23 hours on the wall, 22 or 24 on the clock of UTC; its date is that of its end."""
    rules = {"session_time_zone": "America/Chicago", "session_start": "17:00", "session_end": "16:00"}
    number, code = codes(first, 30, **rules)
    assert (number == 0).sum() == bars + 1  # and the hour without a session after it, which belongs to none but still counts
    assert (code[:bars] > 0).all()
    assert code[bars - 1] == 2
    assert code[bars] == 0
    date = pd.Timestamp(first).normalize() + pd.Timedelta(days=1)
    closed = codes(first, 30, holidays=(str(date.date()),), **rules)
    assert (closed[1, :bars] == 0).all()
    assert (closed[1, bars + 1 :] > 0).all()


def test_a_clock_set_back_over_the_start_opens_no_session_again() -> None:
    number, code = codes("2024-11-03 04:00", 6, HOUR // 2, session_time_zone="America/New_York", session_start="01:30", session_end="01:30")
    assert number.tolist() == sorted(number.tolist())
    assert (code > 0).all()


def test_a_bar_counts_only_when_all_of_it_lies_in_the_session() -> None:
    _, code = codes("2024-01-01", 24, session_start="09:00", session_end="12:30")
    assert np.flatnonzero(code).tolist() == [9, 10, 11]
    assert code[11] == 2


def test_the_end_of_the_data_is_not_the_end_of_the_session() -> None:
    assert codes("2024-01-01", 5)[1].tolist() == [1] * 5


@given(
    st.integers(0, 400),
    st.sampled_from(["UTC", "America/Chicago", "Asia/Tokyo", "Australia/Lord_Howe"]),
    st.integers(0, 23),
    st.integers(0, 23),
)
@settings(deadline=None, max_examples=40)
def test_numbers_rise_and_each_session_has_one_last_bar(day: int, zone: str, start: int, end: int) -> None:
    time = hours("2024-01-01", 24 * 6) + day * 24 * HOUR
    rules = Evaluation(session_time_zone=zone, session_start=f"{start:02}:00", session_end=f"{end:02}:00", flat_at_session_end=False)
    try:
        number, code = session_codes(time, HOUR, rules)
    except InputError:
        return
    assert (np.diff(number) >= 0).all()
    assert (np.diff(number) <= 1).all()
    for one in range(number.max()):
        assert (code[number == one] == 2).sum() == 1
    shorter = session_codes(time[:-30], HOUR, rules)
    assert np.array_equal(shorter, np.stack([number, code])[:, :-30]), "a session depends on bars after it"


@pytest.mark.parametrize(
    ("rules", "step", "said"),
    [
        ({"session_start": "09:00", "session_end": "09:30"}, HOUR, "no bar lies in a session"),
        ({}, 24 * HOUR, "single bar of 1440 minutes"),
        ({"session_time_zone": "America/Chicago"}, 24 * HOUR, "no bar lies in a session"),
    ],
)
def test_sessions_without_bars_to_trade_are_refused(rules: dict[str, object], step: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        codes("2024-01-01", 10, step, **rules)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("session_time_zone", "Chicago", "time zone"),
        ("session_start", "25:00", "HH:MM"),
        ("session_end", "9", "HH:MM"),
        ("holidays", ("2024-13-01",), "YYYY-MM-DD"),
        ("daily_loss_limit", -1.0, "above 0"),
        ("trailing_basis", "weekly", "end_of_day"),
        ("largest_day_share", 1.5, "at most 1"),
    ],
)
def test_bad_rules_are_refused_in_a_sentence(name: str, value: object, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        Evaluation(**{name: value})
    assert name in str(caught.value)
