"""Longer bars from shorter ones, against a plain twin, and on the real bars."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.data.files.catalogue import catalogue
from backtest.data.files.reading import read_series
from backtest.data.resample import resample
from backtest.data.timeframe import Timeframe
from engine.errors import InputError
from tests.backtest.frames import START, bars

MINUTE, QUARTER = Timeframe.parse("1m"), Timeframe.parse("15m")


def plain(time: list[int], rows: list[list[float]], members: int, length: int) -> tuple[list[int], list[list[float]], int]:
    """Groups by a dictionary, one row after the other."""
    groups: dict[int, list[list[float]]] = {}
    for stamp, row in zip(time, rows, strict=True):
        groups.setdefault(stamp - stamp % length, []).append(row)
    whole = {stamp: group for stamp, group in groups.items() if len(group) == members}
    made = []
    for group in whole.values():
        volume = 0.0
        for row in group:
            volume += row[4]
        made.append([group[0][0], max(row[1] for row in group), min(row[2] for row in group), group[-1][3], volume])
    return list(whole), made, len(groups) - len(whole)


@given(
    seed=st.integers(0, 1000),
    offset=st.integers(0, 40),
    keep=st.lists(st.booleans(), min_size=1, max_size=90),
    pair=st.sampled_from([("1m", "5m"), ("1m", "15m"), ("5m", "1h"), ("15m", "1h"), ("1h", "4h"), ("1h", "1d"), ("1s", "1m")]),
)
@settings(max_examples=40)
def test_resampling_is_that_of_the_plain_twin(seed, offset, keep, pair):
    fine, coarse = Timeframe.finer(pair[0]), Timeframe.finer(pair[1])
    frame = bars(len(keep), step=fine.ms, start=START + offset * fine.ms, seed=seed)[keep]
    time, values = frame["timestamp"].to_numpy(), frame.drop(columns="timestamp").to_numpy().T
    found_time, found, left_out = resample(time, values, fine, coarse)
    wanted_time, wanted, wanted_out = plain(time.tolist(), values.T.tolist(), coarse.ms // fine.ms, coarse.ms)
    assert found_time.tolist() == wanted_time
    assert left_out == wanted_out
    assert found.shape == (5, len(wanted))
    assert found[:4].T.tolist() == [row[:4] for row in wanted]
    assert found[4] == pytest.approx([row[4] for row in wanted], rel=1e-13)


@given(seed=st.integers(0, 100), offset=st.integers(0, 70))
@settings(max_examples=10)
def test_in_two_steps_as_in_one(seed, offset):
    frame = bars(200, step=MINUTE.ms, start=START + offset * MINUTE.ms, seed=seed)
    time, values = frame["timestamp"].to_numpy(), frame.drop(columns="timestamp").to_numpy().T
    five, hour = Timeframe.parse("5m"), Timeframe.parse("1h")
    direct = resample(time, values, MINUTE, hour)
    twice = resample(*resample(time, values, MINUTE, five)[:2], five, hour)
    assert twice[0].tolist() == direct[0].tolist()
    assert np.array_equal(twice[1][:4], direct[1][:4])
    assert twice[1][4] == pytest.approx(direct[1][4], rel=1e-13)


def test_a_missing_member_leaves_its_group_out_and_no_other():
    frame = bars(45, step=MINUTE.ms).drop(index=20)
    time, values = frame["timestamp"].to_numpy(), frame.drop(columns="timestamp").to_numpy().T
    made, _, left_out = resample(time, values, MINUTE, QUARTER)
    assert made.tolist() == [START, START + 2 * QUARTER.ms]
    assert left_out == 1


def test_bars_without_volume_are_resampled_too():
    frame = bars(30, step=MINUTE.ms)
    prices = frame[["open", "high", "low", "close"]].to_numpy().T
    made = resample(frame["timestamp"].to_numpy(), prices, MINUTE, QUARTER)[1]
    assert made.shape == (4, 2)
    assert made[3].tolist() == [prices[3, 14], prices[3, 29]]


def test_no_whole_group_and_the_same_timeframe():
    frame = bars(10, step=MINUTE.ms)
    time, values = frame["timestamp"].to_numpy(), frame.drop(columns="timestamp").to_numpy().T
    made_time, made, left_out = resample(time, values, MINUTE, QUARTER)
    assert (made_time.size, made.shape, left_out) == (0, (5, 0), 1)
    assert resample(time, values, MINUTE, MINUTE)[0] is time


@pytest.mark.parametrize(("fine", "coarse"), [("15m", "1m"), ("2m", "15m"), ("1h", "90m")])
def test_a_timeframe_that_does_not_divide_is_refused(fine, coarse):
    lengths = {"1m": 60_000, "2m": 120_000, "15m": 900_000, "1h": 3_600_000, "90m": 5_400_000}
    with pytest.raises(InputError, match=rf"^\S+ bars cannot be made from {fine} bars: {fine} does not divide"):
        resample(np.zeros(10, np.int64), np.ones((5, 10)), Timeframe(lengths[fine]), Timeframe(lengths[coarse]))


# Bars compared and bars that differ, as the notes beside the real files count them.
ADD_UP = {
    "binanceusdm_BTCUSDT_1m_20230718-20230817.parquet": (2879, 0),
    "binanceusdm_BTCUSDT_1m_20250127-20250226.parquet": (2879, 1),
    "binanceusdm_BTCUSDT_1m_20250504-20250624.parquet": (4875, 0),
    "binanceusdm_BTCUSDT_1m_20250706-20250713.parquet": (714, 0),
    "binanceusdm_BTCUSDT_5m.parquet": (109_987, 4),
    "binanceusdm_BTCUSDT_5m_20220601-20221124.parquet": (16_964, 0),
    "binanceusdm_ETHUSDT_1m_20230703-20230817.parquet": (4270, 0),
    "binanceusdm_ETHUSDT_1m_20250127-20250226.parquet": (2879, 1),
    "binanceusdm_ETHUSDT_1m_20250504-20250624.parquet": (4875, 0),
    "binanceusdm_ETHUSDT_1m_20250706-20250713.parquet": (714, 0),
    "binanceusdm_ETHUSDT_5m_20220601-20221124.parquet": (16_964, 0),
    "binanceusdm_ETHUSDT_5m_20230101-20240514.parquet": (47_966, 3),
    "binanceusdm_ETHUSDT_5m_20241231-20260219.parquet": (39_907, 2),
    "binanceusdm_SOLUSDT_1m_20230718-20230817.parquet": (2879, 0),
    "binanceusdm_SOLUSDT_1m_20250127-20250226.parquet": (2879, 1),
    "binanceusdm_SOLUSDT_1m_20250504-20250624.parquet": (4875, 0),
    "binanceusdm_SOLUSDT_5m.parquet": (87_497, 3),
}


@pytest.mark.real_data
def test_real_finer_bars_make_the_real_quarter_hours(real_data):
    files = {file.name: file for file in catalogue(real_data)}
    coarse = {symbol: read_series(files[f"binanceusdm_{symbol}_15m.parquet"]) for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT")}
    found = {}
    for name in ADD_UP:
        rows = read_series(files[name])
        time, values, _ = resample(rows.time, rows.values, rows.timeframe, QUARTER)
        whole = coarse[rows.file.symbol]
        _, mine, theirs = np.intersect1d(time, whole.time, return_indices=True)
        found[name] = (mine.size, int((values[:4, mine] != whole.values[:4, theirs]).any(axis=0).sum()))
    assert found == ADD_UP
