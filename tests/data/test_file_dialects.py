"""The ways in which files of bars are written: each is read to the same numbers, and named."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pandas as pd
import pytest

from backtest.data.files import archives
from backtest.data.files.catalogue import recognised
from backtest.data.files.reading import describe, read_series
from backtest.data.timeframe import Timeframe
from engine.errors import InputError
from tests.backtest.frames import QUARTER, START, bars

NOW = START + 10**10
FRAME = bars(30)
DUMP = FRAME.rename(columns={"timestamp": "open_time"}).assign(
    close_time=FRAME["timestamp"] + QUARTER - 1, quote_volume=1.5, count=3, taker_buy_volume=0.5, taker_buy_quote_volume=0.7, ignore=0
)
ISO = FRAME.assign(timestamp=pd.to_datetime(FRAME["timestamp"], unit="ms", utc=True).map(lambda moment: moment.isoformat()))


def scaled(frame: pd.DataFrame, factor: int) -> pd.DataFrame:
    """Times in microseconds (1000), nanoseconds (1_000_000)."""
    return frame.assign(**{name: frame[name] * factor for name in ("open_time", "close_time")})


def capitals(frame: pd.DataFrame) -> pd.DataFrame:
    """As charting sites export: a date, capitals, one more column."""
    dates = pd.to_datetime(frame["timestamp"], unit="ms").dt.strftime("%Y-%m-%d %H:%M:%S")
    made = frame.rename(columns=str.capitalize).assign(Timestamp=dates, Adj=1.0)
    return made.rename(columns={"Timestamp": "Date", "Adj": "Adj Close"})


def csv(frame: pd.DataFrame, **options) -> bytes:
    return frame.to_csv(index=False, **options).encode(options.pop("encoding", "utf-8"))


ROWS = FRAME.to_numpy().tolist()
DIALECTS = [
    (".csv", csv(FRAME), "table with header, milliseconds"),
    (".csv", csv(DUMP), "exchange dump with header, milliseconds"),
    (".csv", csv(DUMP, header=False), "exchange dump without header, milliseconds"),
    (".csv", csv(scaled(DUMP, 1000), header=False), "exchange dump without header, microseconds"),
    (".csv", csv(scaled(DUMP, 1_000_000)), "exchange dump with header, nanoseconds"),
    (".csv", csv(FRAME.assign(timestamp=FRAME["timestamp"] // 1000)), "table with header, seconds"),
    (".csv", csv(FRAME, sep=";"), "table with header, semicolons, milliseconds"),
    (".csv", csv(DUMP, sep="\t", header=False), "exchange dump without header, tabs, milliseconds"),
    (".csv", csv(FRAME, sep="|"), "table with header, vertical bars, milliseconds"),
    (".csv", csv(ISO), "table with header, ISO times"),
    (".csv", csv(ISO, header=False), "exchange dump without header, ISO times"),
    (".csv", csv(capitals(FRAME)), "table with header, ISO times"),
    (".csv", b"\xef\xbb\xbf" + csv(FRAME, lineterminator="\r\n"), "table with header, milliseconds"),
    (".csv", b"\xef\xbb\xbf" + csv(DUMP, header=False), "exchange dump without header, milliseconds"),
    (".csv", csv(FRAME, quoting=1), "table with header, milliseconds"),
    (".csv", csv(FRAME.rename(columns={"timestamp": "Open time", "volume": "Vol"})), "table with header, milliseconds"),
    (".csv", csv(FRAME.iloc[::-1]), "table with header, milliseconds, newest first"),
    (".csv.gz", gzip.compress(csv(DUMP, header=False)), "gzip, exchange dump without header, milliseconds"),
    (".json", json.dumps(ROWS).encode(), "JSON list of rows, milliseconds"),
    (".json", json.dumps(FRAME.to_dict("records")).encode(), "JSON list of objects, milliseconds"),
]


@pytest.mark.parametrize(
    ("suffix", "content", "dialect"), DIALECTS, ids=[f"{dialect}{number}" for number, (_, _, dialect) in enumerate(DIALECTS)]
)
def test_every_dialect_is_read_to_the_same_numbers_and_named(tmp_path, suffix, content, dialect):
    name = f"binanceusdm_BTCUSDT_15m{suffix}"
    (tmp_path / name).write_bytes(content)
    file = recognised(tmp_path / name, name)
    rows = read_series(file, now=NOW)
    assert rows.time.tolist() == FRAME["timestamp"].tolist()
    assert rows.values.T.tolist() == [row[1:] for row in ROWS]
    assert rows.dialect == dialect == describe(file)


def test_parquet_is_named_with_the_form_of_its_times(tmp_path):
    for number, (frame, form) in enumerate(
        [
            (FRAME, "milliseconds"),
            (FRAME.assign(timestamp=pd.to_datetime(FRAME["timestamp"], unit="ms")), "datetimes"),
            (capitals(FRAME), "ISO times"),
        ]
    ):
        name = f"binanceusdm_BTCUSDT_15m_{number}-{number}.parquet"
        frame.to_parquet(tmp_path / name, index=False)
        rows = read_series(recognised(tmp_path / name, name), now=NOW)
        assert rows.dialect == f"Parquet, {form}"
        assert rows.time.tolist() == FRAME["timestamp"].tolist()


def test_numbers_are_read_to_the_last_digit(tmp_path):
    random = np.random.default_rng(5)
    frame = FRAME.assign(volume=random.lognormal(0.0, 20.0, len(FRAME)))
    for suffix in (".csv", ".json"):
        path = tmp_path / f"binanceusdm_BTCUSDT_15m{suffix}"
        path.write_bytes(csv(frame) if suffix == ".csv" else json.dumps(frame.to_numpy().tolist()).encode())
        assert read_series(recognised(path, path.name), now=NOW).values[4].tolist() == frame["volume"].tolist()


def test_milliseconds_that_turn_into_microseconds(tmp_path):
    mixed = pd.concat([DUMP.iloc[:10], scaled(DUMP, 1000).iloc[10:]])
    path = tmp_path / "BTCUSDT-15m-2024-01.csv"
    path.write_bytes(csv(mixed))
    rows = read_series(recognised(path, path.name), now=NOW)
    assert rows.time.tolist() == FRAME["timestamp"].tolist()
    assert rows.dialect == "exchange dump with header, milliseconds and microseconds"


def test_funding_is_read_with_and_without_header(tmp_path):
    hours = [START + number * 8 * 3_600_000 + 2 for number in range(4)]
    dump = pd.DataFrame({"calc_time": hours, "funding_interval_hours": 8, "last_funding_rate": [1e-4, -2e-4, 0.0, 3e-4]})
    forms = {"with header": csv(dump), "without header": csv(dump, header=False)}
    for words, content in forms.items():
        path = tmp_path / "BTCUSDT-fundingRate-2024-01.csv"
        path.write_bytes(content)
        rows = read_series(recognised(path, path.name), now=NOW)
        assert (rows.content, rows.fields, rows.timeframe) == ("funding", ("rate",), None)
        assert rows.time.tolist() == [time - 2 for time in hours]
        assert rows.values.tolist() == [[1e-4, -2e-4, 0.0, 3e-4]]
        assert rows.dialect == f"exchange dump {words}, milliseconds"


def test_lengths_of_finer_bars():
    assert (Timeframe.finer("1s").ms, str(Timeframe.finer("30s")), str(Timeframe.finer("90s"))) == (1000, "30s", "90s")
    assert Timeframe.finer("60s") == Timeframe.parse("1m")
    for text in ("7s", "0s", "2d", "s", "1w"):
        with pytest.raises(InputError, match=f"timeframe = '{text}' is refused: it must be 1s to 1d and divide the day"):
            Timeframe.finer(text)
    for value in ("1s", "30s", Timeframe.finer("1s")):
        with pytest.raises(InputError, match="is refused: it must be 1m to 1d and divide the day"):
            Timeframe.parse(value)


def change(row: int, column: str, value: object) -> pd.DataFrame:
    frame = FRAME.astype({column: object})
    frame.loc[row, column] = value
    return frame


@pytest.mark.parametrize(
    ("suffix", "content", "sentence"),
    [
        (".csv", csv(FRAME.rename(columns={"high": "low", "low": "high"})), r"line 2 of x .*: the high is below the low"),
        (
            ".csv",
            csv(DUMP[["open", "open_time", "high", "low", "close", "volume"]], header=False),
            r"line 1 of x: open_time = 40000 is no time",
        ),
        (".csv", csv(DUMP[["open_time", "volume", "open", "high", "low", "close"]], header=False), r"line \d+ of x .*: the (high|low) is"),
        (".csv", csv(FRAME.drop(columns="close")), r"x has no column close: its columns are timestamp, open, high, low, volume"),
        (".csv", csv(FRAME, sep=";", decimal=","), r"line 2 of x .*: open = '40000,0' is not a number"),
        (".csv", csv(change(4, "high", 1.0).iloc[::-1]), r"line 27 of x \(2024-01-01 01:00\): the high is below the low"),
        (
            ".csv",
            csv(FRAME.assign(close2=FRAME["close"]).rename(columns={"close2": "Close"})),
            r"x has 2 columns called close: there must be one",
        ),
        (".csv", csv(FRAME.assign(timestamp=FRAME["timestamp"] + 1)), r"line 2 of x .* is not on the 15m grid"),
        (".csv.gz", gzip.compress(csv(FRAME))[:-60], r"x is damaged and cannot be unpacked"),
        (".csv.gz", b"no gzip at all", r"x is damaged and cannot be unpacked"),
        (".csv.gz", b"", r"x is empty"),
        (".json", b"[[1, 2", r"x is not a readable JSON file"),
        (".json", b"{}", r"x is refused: a JSON file of bars must be a list of rows"),
        (".json", b"[]", r"x has no rows"),
        (".json", b"[[1704067200000, 1, 1, 1]]", r"row 0 of x is refused: it must be \[time, open, high, low, close, volume\]"),
        (".json", b"[[1704067200000, 1, null, 1, 1, 1]]", r"row 0 of x \(2024-01-01 00:00\): high is missing"),
        (".json", b'[{"time": 1704067200000}]', r"x has no column open"),
    ],
)
def test_what_is_wrong_is_told_in_one_sentence(tmp_path, suffix, content, sentence):
    name = f"binanceusdm_BTCUSDT_15m{suffix}"
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=sentence.replace("x", name)) as refused:
        read_series(recognised(tmp_path / name, name), now=NOW)
    assert "\n" not in str(refused.value)


def test_a_gzip_file_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("backtest.data.files.tables.MOST_TABLE_BYTES", 1000)
    path = tmp_path / "binanceusdm_BTCUSDT_15m.csv.gz"
    path.write_bytes(gzip.compress(csv(FRAME)))
    with pytest.raises(InputError, match="unpacks to more than 1,000 bytes, which is too much for market data"):
        read_series(recognised(path, path.name), now=NOW)
    assert archives.MOST_TABLE_BYTES > 10**8


def test_the_unfinished_last_bar_is_left_out(tmp_path):
    path = tmp_path / "binanceusdm_BTCUSDT_15m.csv"
    path.write_bytes(csv(FRAME))
    file = recognised(path, path.name)
    close = START + 30 * QUARTER
    assert read_series(file, now=close).time.size == 30
    rows = read_series(file, now=close - 1)
    assert (rows.time.size, rows.values.shape) == (29, (5, 29))
    assert rows.remarks == ("The last bar of binanceusdm_BTCUSDT_15m.csv, 2024-01-01 07:15 UTC, is unfinished and left out.",)
    with pytest.raises(
        InputError, match=r"line 31 of .* \(2024-01-01 07:15\) lies in the future: by the clock of this machine it is 2024-01-01 07:14"
    ):
        read_series(file, now=close - QUARTER - 1)
    path.write_bytes(csv(FRAME.iloc[:1]))
    with pytest.raises(InputError, match=r"has no finished bar: The last bar"):
        read_series(file, now=START + 1)
