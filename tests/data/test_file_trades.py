"""Bars from single trades, against a slow twin; what is refused."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.data.files import trades
from backtest.data.files.catalogue import recognised
from backtest.data.files.reading import read_series
from backtest.data.files.trades import bars_of_trades
from backtest.data.timeframe import Timeframe
from engine.errors import InputError
from tests.backtest.frames import START

MINUTE, SECOND = Timeframe.parse("1m"), Timeframe.finer("1s")
NOW = START + 10**10


def some_trades(count: int, seconds: int, seed: int = 0, start: int = START) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    time = start + np.sort(random.integers(0, seconds * 1000, count))
    price = np.round(40_000.0 + np.cumsum(random.normal(0.0, 5.0, count)), 1)
    qty = np.round(random.exponential(0.1, count) + 0.001, 3)
    return pd.DataFrame(
        {
            "id": np.arange(count),
            "price": price,
            "qty": qty,
            "quote_qty": price * qty,
            "time": time,
            "is_buyer_maker": random.random(count) < 0.5,
        }
    )


def aggregated(frame: pd.DataFrame) -> pd.DataFrame:
    columns = ["agg_trade_id", "price", "quantity", "first_trade_id", "last_trade_id", "transact_time", "is_buyer_maker"]
    made = frame.rename(columns={"id": "agg_trade_id", "qty": "quantity", "time": "transact_time"})
    return made.assign(first_trade_id=0, last_trade_id=0)[columns]


def plain(frame: pd.DataFrame, length: int) -> dict[int, list[float]]:
    """One trade after the other; bars nobody traded in are flat at the close before."""
    bars: dict[int, list[float]] = {}
    last = 0
    for stamp, price, qty in zip(frame["time"].tolist(), frame["price"].tolist(), frame["qty"].tolist(), strict=True):
        begin = stamp - stamp % length
        while bars and last + length < begin:
            close = bars[last][3]
            last += length
            bars[last] = [close, close, close, close, 0.0]
        bar = bars.setdefault(begin, [price, price, price, price, 0.0])
        bars[begin] = [bar[0], max(bar[1], price), min(bar[2], price), price, bar[4] + qty]
        last = begin
    return bars


def put_zip(folder, name, frame, header=True):
    path = folder / name
    text = io.StringIO()
    frame.to_csv(text, index=False, header=header)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(path.stem + ".csv", text.getvalue())
    return recognised(path, name)


@given(
    count=st.integers(1, 300),
    seed=st.integers(0, 1000),
    length=st.sampled_from([MINUTE, SECOND]),
    chunk=st.sampled_from([200, 1000, 10**6]),
)
@settings(max_examples=25)
def test_bars_are_those_of_the_plain_twin_however_the_file_is_cut(tmp_path_factory, count, seed, length, chunk):
    frame = some_trades(count, 600, seed)
    file = put_zip(tmp_path_factory.mktemp("trades"), "BTCUSDT-trades-2024-01-01.zip", frame, header=seed % 2 == 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trades, "_CHUNK_BYTES", chunk)
        made = bars_of_trades(file, length)
    wanted = plain(frame, length.ms)
    assert made.time.tolist() == list(wanted)
    rows = list(wanted.values())
    assert made.values[:4].T.tolist() == [row[:4] for row in rows]
    assert made.values[4] == pytest.approx([row[4] for row in rows], rel=1e-12)
    assert made.trades == count
    assert made.silent == sum(row[4] == 0.0 for row in rows)


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("content", ["trades", "aggTrades"])
@pytest.mark.parametrize(("factor", "unit"), [(1, "milliseconds"), (1000, "microseconds")])
def test_both_kinds_of_archive_with_and_without_header(tmp_path, header, content, factor, unit):
    frame = some_trades(500, 300)
    scaled = frame.assign(time=frame["time"] * factor)
    file = put_zip(tmp_path, f"BTCUSDT-{content}-2024-01.zip", scaled if content == "trades" else aggregated(scaled), header)
    rows = read_series(file, now=NOW)
    assert rows.time.tolist() == [START + number * 60_000 for number in range(5)]
    assert rows.values[:4].T.tolist() == [row[:4] for row in plain(frame, 60_000).values()]
    assert rows.content == "1m"
    written = "with header" if header else "without header"
    assert rows.dialect == f"zip, exchange dump {written}, {unit}; 500 trades made into 1m bars"
    assert str(read_series(file, now=NOW, trade_bars=SECOND).timeframe) == "1s"


def test_a_file_that_promises_no_whole_days_loses_its_first_and_last_bar(tmp_path):
    frame = some_trades(500, 300, start=START + 7_000)
    for name, write in (
        ("binanceusdm_BTCUSDT_trades.parquet", lambda path: frame.to_parquet(path, index=False)),
        ("binanceusdm_BTCUSDT_trades.csv", lambda path: frame.to_csv(path, index=False, sep=";")),
        ("binanceusdm_BTCUSDT_trades.csv.gz", lambda path: frame.to_csv(path, index=False)),
        (
            "binanceusdm_BTCUSDT_trades_1-2.parquet",
            lambda path: frame.assign(time=pd.to_datetime(frame["time"], unit="ms")).to_parquet(path),
        ),
    ):
        write(tmp_path / name)
        rows = read_series(recognised(tmp_path / name, name), now=NOW)
        assert rows.time.tolist() == [START + number * 60_000 for number in range(1, 5)], name
        assert rows.values[3].tolist() == [row[3] for row in plain(frame, 60_000).values()][1:-1]


def test_minutes_without_a_trade_are_flat_and_named(tmp_path):
    frame = some_trades(50, 60)
    late = some_trades(50, 60, start=START + 300_000)
    file = put_zip(tmp_path, "BTCUSDT-trades-2024-01-01.zip", pd.concat([frame, late]))
    rows = read_series(file, now=NOW)
    assert rows.time.size == 6
    assert rows.values[4, 1:5].tolist() == [0.0] * 4
    assert (rows.values[:4, 1:5] == frame["price"].iloc[-1]).all()
    assert rows.remarks == ("4 1m bars of BTCUSDT-trades-2024-01-01.zip saw no trade: they are flat, with volume 0.",)


def change(row, column, value):
    def apply(frame):
        frame = frame.astype({column: object})
        frame.loc[row, column] = value
        return frame

    return apply


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (change(7, "price", -1.0), r"line 9 of x: price = -1 is refused: it must be a finite number above zero"),
        (change(7, "price", None), r"line 9 of x: price is missing"),
        (change(7, "qty", -0.5), r"line 9 of x: quantity = -0.5 is refused: it must be a finite number, zero or more"),
        (change(7, "price", "dear"), r"x is not a readable file of trades .*'dear'"),
        (change(7, "time", 12), r"line 9 of x: time = 12 is no time"),
        (
            change(90, "time", START),
            r"line 92 of x \(2024-01-01 00:00\) comes after trades of the 1m bar of 2024-01-01 00:0\d: the times must rise",
        ),
        (change(99, "time", START + 86_400_000), r"^x holds 2024-01-02 00:00, which is not in 2024-01-01 \(line 101\)$"),
        (change(0, "time", START - 1), r"^x holds 2023-12-31 23:59:59.999, which is not in 2024-01-01 \(line 2\)$"),
        (lambda frame: frame.drop(columns="price"), r"x has no column price: its columns are id, qty"),
        (lambda frame: frame.iloc[:0], r"x has no rows"),
    ],
)
def test_broken_trades_are_named(tmp_path, spoil, sentence):
    file = put_zip(tmp_path, "BTCUSDT-trades-2024-01-01.zip", spoil(some_trades(100, 300)))
    with pytest.raises(InputError, match=sentence) as refused:
        read_series(replace(file, name="x"), now=NOW)
    assert "\n" not in str(refused.value)


def test_lines_and_rows_are_counted_over_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(trades, "_CHUNK_BYTES", 500)
    monkeypatch.setattr(trades, "_CHUNK_ROWS", 7)
    frame = some_trades(100, 300)
    frame.loc[70, "price"] = -1.0
    file = put_zip(tmp_path, "BTCUSDT-trades-2024-01-01.zip", frame)
    with pytest.raises(InputError, match=r"^line 72 of BTCUSDT-trades-2024-01-01.zip: price = -1 is refused"):
        bars_of_trades(file, MINUTE)
    frame.to_parquet(tmp_path / "binanceusdm_BTCUSDT_trades.parquet")
    with pytest.raises(InputError, match=r"^row 70 of x: price = -1 is refused"):
        bars_of_trades(recognised(tmp_path / "binanceusdm_BTCUSDT_trades.parquet", "x"), MINUTE)


def test_too_few_trades_for_a_whole_bar(tmp_path):
    some_trades(9, 100).to_csv(tmp_path / "binanceusdm_BTCUSDT_trades.csv", index=False)
    with pytest.raises(InputError, match="has no whole 1m bar: its first and its last may lack trades, and there is none between"):
        read_series(recognised(tmp_path / "binanceusdm_BTCUSDT_trades.csv", "x.csv"), now=NOW)


def test_a_stray_time_does_not_fill_memory(tmp_path):
    frame = pd.concat([some_trades(50, 300), some_trades(50, 300, start=START + 86_400_000 * 5000)])
    frame.to_csv(tmp_path / "binanceusdm_BTCUSDT_trades.csv", index=False)
    with pytest.raises(InputError, match="which is too long for 1s bars of trades"):
        bars_of_trades(recognised(tmp_path / "binanceusdm_BTCUSDT_trades.csv", "x.csv"), SECOND)


def test_a_broken_parquet_file_of_trades(tmp_path):
    (tmp_path / "binanceusdm_BTCUSDT_trades.parquet").write_bytes(b"PAR1 none PAR1")
    with pytest.raises(InputError, match="x is not a readable Parquet file"):
        read_series(recognised(tmp_path / "binanceusdm_BTCUSDT_trades.parquet", "x"), now=NOW)
