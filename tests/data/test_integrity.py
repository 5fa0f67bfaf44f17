"""The rules on rows: every broken row is found, named with its time, and the first of them is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtest.data.columns import BAR_FIELDS, Origin
from backtest.data.integrity import (
    check_grid,
    check_values,
    drop_duplicates,
    duplicate_violations,
    grid_violations,
    rate_violations,
    span_problem,
    value_violations,
)
from backtest.data.timeframe import Timeframe
from engine.errors import InputError
from tests.backtest.frames import QUARTER, START, bars

M15 = Timeframe.parse("15m")
FILE = Origin("btc.csv", "line", 2)


def rows(count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    frame = bars(count)
    return frame["timestamp"].to_numpy(np.int64, copy=True), np.stack([frame[field].to_numpy(np.float64) for field in BAR_FIELDS])


def test_sound_rows_break_nothing():
    time, values = rows()
    assert value_violations(time, values, FILE).rows.size == 0
    assert value_violations(time, values[:4], FILE).rows.size == 0
    assert grid_violations(time, M15, FILE).rows.size == 0
    assert duplicate_violations(time, values, FILE, BAR_FIELDS).rows.size == 0
    assert span_problem(time, M15, FILE) is None


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("open", math.nan, "line 5 of btc.csv (2024-01-01 00:45): open is missing"),
        ("low", -1.0, "line 5 of btc.csv (2024-01-01 00:45): low = -1 is refused: it must be a finite number above zero"),
        ("close", 0.0, "line 5 of btc.csv (2024-01-01 00:45): close = 0 is refused: it must be a finite number above zero"),
        ("high", math.inf, "line 5 of btc.csv (2024-01-01 00:45): high = inf is refused: it must be a finite number above zero"),
        ("volume", -2.0, "line 5 of btc.csv (2024-01-01 00:45): volume = -2 is refused: it must be a finite number zero or more"),
        ("volume", math.nan, "line 5 of btc.csv (2024-01-01 00:45): volume is missing"),
    ],
)
def test_a_value_that_is_none_is_named(field, value, sentence):
    time, values = rows()
    values[BAR_FIELDS.index(field), 3] = value
    found = value_violations(time, values, FILE)
    assert found.rows.tolist() == [3]
    assert found.sentences(20) == [sentence]
    with pytest.raises(InputError) as error:
        check_values(time, values, FILE)
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("bar", "words"),
    [
        ((10.0, 9.0, 11.0, 10.0), "the high is below the low (open 10, high 9, low 11, close 10)"),
        ((10.0, 12.0, 10.5, 11.0), "the low is above the open or the close (open 10, high 12, low 10.5, close 11)"),
        ((10.0, 10.5, 9.0, 11.0), "the high is below the open or the close (open 10, high 10.5, low 9, close 11)"),
    ],
)
def test_an_extreme_inside_the_bar_is_named(bar, words):
    time, values = rows()
    values[:4, 2] = bar
    for given_values in (values, values[:4]):  # bars of the mark price have no volume
        assert value_violations(time, given_values, FILE).sentences(20) == [f"line 4 of btc.csv (2024-01-01 00:30): {words}"]


def test_every_broken_row_is_found_and_the_first_is_refused():
    time, values = rows(9)
    values[4, 7] = math.nan
    values[1, 2] = values[2, 2] / 2
    values[0, 5] = 0.0
    found = value_violations(time, values, FILE)
    assert found.rows.tolist() == [2, 5, 7]
    assert [sentence.split(" (")[0] for sentence in found.sentences(2)] == ["line 4 of btc.csv", "line 7 of btc.csv"]
    with pytest.raises(InputError, match=r"^line 4 of btc.csv \(2024-01-01 00:30\): the high is below the low"):
        check_values(time, values, FILE)


def test_times_that_fall_or_leave_the_grid_are_named():
    time, _ = rows(8)
    time[3] = time[1]  # falls
    time[6] += 60_000  # between two bars
    found = grid_violations(time, M15, FILE)
    assert found.rows.tolist() == [3, 6]
    assert found.sentences(20) == [
        "line 5 of btc.csv (2024-01-01 00:15) comes after 2024-01-01 00:30: the times must rise",
        "line 8 of btc.csv (2024-01-01 01:31) is not on the 15m grid: no 15m bar opens at that time UTC",
    ]
    with pytest.raises(InputError, match="the times must rise"):
        check_grid(time, M15, FILE)


def test_a_span_that_cannot_be_right_is_told():
    time, _ = rows(5)
    assert span_problem(time, Timeframe.parse("5m"), FILE) == (
        "the rows of btc.csv are at least 15 minutes apart, so timeframe = 5m cannot be right for it"
    )
    time[-1] = START + 70_000_000 * QUARTER
    with pytest.raises(InputError, match="which is too long for 15m bars"):
        check_grid(time, M15, FILE)


def test_repeats_that_agree_are_dropped_and_others_named():
    time, values = rows(6)
    time[2], values[:, 2] = time[1], values[:, 1]
    kept, table, dropped = drop_duplicates(time, values, FILE, BAR_FIELDS)
    assert dropped == 1
    assert kept.tolist() == [time[0], time[1], *time[3:]]
    assert table.tolist() == values[:, [0, 1, 3, 4, 5]].tolist()
    values[3, 2] = 7.5
    values[3, 1] = 7.25
    found = duplicate_violations(time, values, FILE, BAR_FIELDS)
    sentence = "line 4 of btc.csv (2024-01-01 00:15) is there twice and the two differ: close is 7.25 and 7.5"
    assert found.sentences(20) == [sentence]
    moved = duplicate_violations(time, values, FILE, BAR_FIELDS, np.arange(6) + 10)
    assert moved.tell(2).startswith("line 14 of btc.csv (2024-01-01 00:15) is there twice")
    with pytest.raises(InputError) as error:
        drop_duplicates(time, values, FILE, BAR_FIELDS)
    assert str(error.value) == sentence


def test_settlements_that_break_a_rule_are_named():
    time = START + 28_800_000 * np.array([0, 2, 1, 3, 4])
    rates = np.array([1e-4, 1e-4, 1e-4, 1.5, math.nan])
    assert rate_violations(time, rates, FILE).sentences(20) == [
        "line 4 of btc.csv (2024-01-01 08:00): the settlement times must rise",
        "line 5 of btc.csv (2024-01-02 00:00): rate = 1.5 is refused: it must be a fraction, 0.0001 for 0.01 %",
        "line 6 of btc.csv (2024-01-02 08:00): rate = nan is refused: it must be a fraction, 0.0001 for 0.01 %",
    ]


def slow_broken(bar: list[float]) -> bool:
    """One bar against the rules as spec and person read them."""
    opened, high, low, close, volume = bar
    if not all(math.isfinite(value) for value in bar):
        return True
    if min(opened, high, low, close) <= 0 or volume < 0:
        return True
    return low > min(opened, close) or high < max(opened, close)


@given(st.lists(st.lists(st.sampled_from([-1.0, 0.0, 1.0, 2.0, 3.0, math.nan, math.inf]), min_size=5, max_size=5), min_size=1, max_size=12))
def test_the_rows_found_are_those_a_plain_reading_finds(table):
    values = np.array(table).T.copy()
    time = START + QUARTER * np.arange(len(table))
    broken = [number for number, bar in enumerate(table) if slow_broken(bar)]
    found = value_violations(time, values, FILE)
    assert found.rows.tolist() == broken
    assert all(f"line {number + 2} of" in sentence for number, sentence in zip(broken, found.sentences(99), strict=True))
