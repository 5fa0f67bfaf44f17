"""Rows outside the days in an archive's name, and rows that a file has twice."""

from __future__ import annotations

import random
from pathlib import Path

import pandas as pd
import pytest

from backtest.data.files.catalogue import recognised
from backtest.data.files.reading import FileRows, read_series
from backtest.data.load import load
from backtest.data.market import Market
from engine.errors import InputError
from tests.backtest.frames import BTC, START, bars

HOUR, DAY = 3_600_000, 86_400_000
NOW = START + 10**12
MINE = "binanceusdm_BTCUSDT_15m.csv"


def put(folder: Path, name: str, frame: pd.DataFrame) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, index=False)
    return path


def read(folder: Path, name: str, frame: pd.DataFrame) -> FileRows:
    return read_series(recognised(put(folder, name, frame), name), now=NOW)


def settlements(*hours: int, late: int = 0) -> pd.DataFrame:
    return pd.DataFrame({"calc_time": [START + hour * HOUR + late for hour in hours], "last_funding_rate": [1e-6 * hour for hour in hours]})


# --- the days in the name -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["BTCUSDT-15m-{}.csv", "BTCUSDT-markPriceKlines-15m-{}.csv"])
def test_bars_of_other_days_than_the_name_promises_are_refused(tmp_path, name):
    day = bars(96)
    assert read(tmp_path, name.format("2024-01-01"), day).time.size == 96
    assert read(tmp_path, name.format("2024-01"), day).time.size == 96
    other = name.format("2025-01")
    with pytest.raises(InputError) as refused:
        read(tmp_path, other, day)
    assert str(refused.value) == f"{other} holds 2024-01-01 00:00, which is not in 2025-01 (line 2)"
    # The next day's first bar is not of the day.
    with pytest.raises(InputError, match=r"holds 2024-01-02 00:00, which is not in 2024-01-01 \(line 98\)$"):
        read(tmp_path, name.format("2024-01-01"), bars(97))


def test_the_line_is_that_of_the_file_when_the_newest_row_comes_first(tmp_path):
    with pytest.raises(InputError, match=r"holds 2024-01-02 00:00, which is not in 2024-01-01 \(line 2\)$"):
        read(tmp_path, "BTCUSDT-15m-2024-01-01.csv", bars(97).iloc[::-1])


def test_a_settlement_may_stand_at_the_very_end_of_the_month(tmp_path):
    month = settlements(0, 8, 31 * 24 - 8, 31 * 24, late=3)
    assert read(tmp_path, "BTCUSDT-fundingRate-2024-01.csv", month).time[-1] == START + 31 * DAY
    for hours, when, line in (((0, 31 * 24, 31 * 24 + 8), "2024-02-01 08:00", 4), ((-8, 0, 8), "2023-12-31 16:00", 2)):
        with pytest.raises(InputError, match=rf"holds {when}, which is not in 2024-01 \(line {line}\)$"):
            read(tmp_path, "BTCUSDT-fundingRate-2024-01.csv", settlements(*hours))


def test_the_dates_in_a_name_of_ones_own_promise_nothing(tmp_path):
    assert read(tmp_path, "binanceusdm_BTCUSDT_15m_20250101-20250201.csv", bars(96)).time.size == 96


# --- rows that are there twice --------------------------------------------------------------------------------------


def test_two_downloads_put_together_are_read_once_and_counted(tmp_path):
    frame = bars(96)
    put(tmp_path, MINE, pd.concat([frame.iloc[:50], frame.iloc[41:]]))
    made = load("BTC", data_dir=tmp_path, warmup=0)
    assert made.time.tolist() == frame["timestamp"].tolist()
    assert made.close.tolist() == frame["close"].tolist()
    assert "9 repeated rows that agree with the first were dropped." in made.notes


def test_repeats_may_stand_anywhere(tmp_path):
    frame = bars(60)
    draw = random.Random(3)
    rows = list(range(60))
    for _ in range(40):
        # A row again, somewhere behind its first.
        place = draw.randrange(1, len(rows) + 1)
        rows.insert(place, draw.choice(rows[:place]))
    found = read(tmp_path, MINE, frame.iloc[rows])
    assert found.time.tolist() == frame["timestamp"].tolist()
    assert found.values[3].tolist() == frame["close"].tolist()
    assert found.duplicates == 40


def test_repeats_with_the_newest_row_first(tmp_path):
    frame = bars(96)
    newest_first = frame.iloc[::-1]
    found = read(tmp_path, MINE, pd.concat([newest_first.iloc[:50], newest_first.iloc[41:]]))
    assert found.values.T.tolist() == frame.drop(columns="timestamp").to_numpy().tolist()
    assert (found.duplicates, found.dialect) == (9, "table with header, milliseconds, newest first")
    broken = pd.concat([newest_first.iloc[:50], newest_first.iloc[41:]])
    broken["high"] = broken["high"].mask(broken["timestamp"] == START, 1.0)
    with pytest.raises(InputError, match=r"^line 106 of .* \(2024-01-01 00:00\): the high is below the low"):
        read(tmp_path, MINE, broken)


def test_a_repeat_that_differs_is_refused_with_both_lines_and_values(tmp_path):
    frame = bars(96)
    again = frame.iloc[41:].copy()
    again.loc[45, "volume"] = 7.5
    with pytest.raises(InputError) as refused:
        read(tmp_path, MINE, pd.concat([frame.iloc[:50], again]))
    volume = f"{frame['volume'][45]:.12g}"
    assert str(refused.value) == (
        f"line 56 of {MINE} (2024-01-01 11:15) is there twice and the two differ: volume is {volume} and 7.5, first in line 47"
    )


def test_a_repeat_that_differs_in_a_file_with_the_newest_row_first(tmp_path):
    frame = bars(30).iloc[::-1]
    frame = pd.concat([frame.iloc[:10], frame.iloc[9:10].assign(volume=7.5), frame.iloc[10:]])
    with pytest.raises(InputError, match=r"^line 12 of .* is there twice and the two differ: volume is [0-9.]+ and 7.5, first in line 11$"):
        read(tmp_path, MINE, frame)


def test_rows_out_of_order_that_are_no_repeats_stay_refused_by_their_line(tmp_path):
    frame = bars(40)
    rows = [*range(20), *range(15, 20), *range(25, 40), *range(20, 25)]
    with pytest.raises(InputError, match=r"^line 42 of .* \(2024-01-01 05:00\) comes after 2024-01-01 09:45: the times must rise$"):
        read(tmp_path, MINE, frame.iloc[rows])


def test_a_broken_row_behind_dropped_ones_has_its_own_line(tmp_path):
    frame = bars(40)
    frame.loc[30, "close"] = -1.0
    with pytest.raises(InputError, match=r"^line 37 of .* \(2024-01-01 07:30\): close = -1 is refused"):
        read(tmp_path, MINE, frame.iloc[[*range(20), *range(15, 40)]])


def test_a_missing_number_that_is_there_twice_is_named_as_missing(tmp_path):
    frame = bars(20)
    frame.loc[4, "close"] = None
    with pytest.raises(InputError, match=r"^line 6 of .*: close is missing$"):
        read(tmp_path, MINE, frame.iloc[[*range(10), *range(3, 20)]])


def test_repeated_settlements_are_dropped_and_counted_or_refused(tmp_path):
    funding = "binanceusdm_BTCUSDT_funding.csv"
    hours = [8, 16, 24, 8, 16, 24, 32]
    found = read(tmp_path, funding, settlements(*hours))
    assert found.time.tolist() == [START + hour * HOUR for hour in (8, 16, 24, 32)]
    assert found.duplicates == 3
    put(tmp_path, MINE, bars(96))
    assert f"3 repeated rows of {funding} that agree were dropped." in load("BTC", data_dir=tmp_path, warmup=0).notes
    frame = settlements(*hours)
    frame.loc[4, "last_funding_rate"] = 0.5
    with pytest.raises(
        InputError, match=r"^line 6 of .* \(2024-01-01 16:00\) is there twice and the two differ: rate is 1.6e-05 and 0.5, first in line 3$"
    ):
        read(tmp_path, funding, frame)
    with pytest.raises(InputError, match=r"^line 7 of .* \(2024-01-01 16:00\): the settlement times must rise$"):
        read(tmp_path, funding, settlements(8, 24, 32, 8, 24, 16))


def test_frames_are_not_mended(tmp_path):
    frame = bars(96)
    with pytest.raises(InputError, match="comes after"):
        Market.from_frame(pd.concat([frame.iloc[:50], frame.iloc[41:]]), BTC, "15m")
