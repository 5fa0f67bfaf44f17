"""Folders of files: names, forms, joins, broken files, dates, and `load` on them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from backtest.align import align
from backtest.data.built_in import built_in_tiers
from backtest.data.instrument import Instrument
from backtest.data.load import load
from backtest.data.market import Market
from engine.errors import InputError, SourceError
from tests.backtest.frames import BTC, QUARTER, START, bars, grouped

DAY = 86_400_000
REAL = os.environ.get("GRIDCORE_TEST_DATA")


def day(number: int) -> str:
    """The date `number` days after the first bar."""
    return pd.Timestamp(START + number * DAY, unit="ms").strftime("%Y-%m-%d")


def put(folder: Path, name: str, frame: pd.DataFrame, **options) -> Path:
    path = folder / name
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(path, index=False, **options)
    return path


def fetch(folder: Path, **options) -> Market:
    return load("BTC", data_dir=folder, **{"warmup": 0, **options})


@pytest.mark.parametrize(
    "name", ["binanceusdm_BTCUSDT_15m.parquet", "binanceusdm_BTCUSDT_15m.csv", "binanceusdm_BTCUSDT_15m_20240101-20240102.csv"]
)
def test_a_file_is_found_by_its_name_and_read(tmp_path, name):
    frame = bars(96)
    put(tmp_path, name, frame)
    made = fetch(tmp_path)
    assert made.instrument == BTC.replace(tiers=built_in_tiers("BTCUSDT"))
    assert made.time.tolist() == frame["timestamp"].tolist()
    assert made.close.tolist() == frame["close"].tolist()
    assert made.source == f"files of binanceusdm ({name}): BTCUSDT 15m, 96 bars from 2024-01-01 00:00 to 2024-01-02 00:00 UTC"
    assert str(tmp_path) not in made.source + " ".join(made.notes)
    assert not made.simulated


@pytest.mark.parametrize(
    "write",
    [
        lambda frame, path: frame.assign(timestamp=frame["timestamp"] // 1000).to_csv(path, index=False),
        lambda frame, path: frame.assign(timestamp=frame["timestamp"] * 1000).to_csv(path, index=False),
        lambda frame, path: frame.assign(timestamp=pd.to_datetime(frame["timestamp"], unit="ms", utc=True)).to_csv(path, index=False),
        lambda frame, path: frame.rename(columns={"timestamp": "Date", "close": "Close"}).to_csv(path, index=False),
        lambda frame, path: frame.to_csv(path, index=False, encoding="utf-8-sig", lineterminator="\r\n"),
        lambda frame, path: frame.assign(close_time=1, quote=2.0, trades=3, base=4, taker=5, ignore=0).to_csv(
            path, index=False, header=False
        ),
        lambda frame, path: path.write_text(frame.to_csv(index=False) + "\n\n"),
    ],
    ids=["seconds", "microseconds", "ISO", "capitals", "byte order mark", "dump without header", "blank end"],
)
def test_forms_of_csv(tmp_path, write):
    frame = bars(30)
    write(frame, tmp_path / "binanceusdm_BTCUSDT_15m.csv")
    made = fetch(tmp_path)
    assert made.time.tolist() == frame["timestamp"].tolist()
    assert made.volume.tolist() == frame["volume"].tolist()


def lines(change) -> str:
    """Twenty bars as CSV text with one change to its lines (line 1 is the header)."""
    text = bars(20).to_csv(index=False).splitlines()
    change(text)
    return "\n".join(text) + "\n"


def field(line: int, column: int, value: str):
    def change(text: list[str]) -> None:
        parts = text[line - 1].split(",")
        parts[column] = value
        text[line - 1] = ",".join(parts)

    return change


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", r"x.csv is empty"),
        ("timestamp,open,high,low,close,volume\n", r"x.csv has no rows"),
        ("timestamp,open\n1704067200000,5\n", r"x.csv has no column high"),
        ("1704067200000,5,6\n", r"x.csv has no header and 3 columns"),
        (lines(field(9, 2, "dear")), r"line 9 of x.csv \(2024-01-01 01:45\): high = 'dear' is not a number"),
        (lines(field(9, 2, "1")), r"line 9 of x.csv \(2024-01-01 01:45\): the high is below the low"),
        (lines(field(9, 4, "")), r"line 9 of x.csv \(2024-01-01 01:45\): close is missing"),
        (lines(field(9, 4, "-5")), r"line 9 of x.csv \(2024-01-01 01:45\): close = -5 is refused"),
        (lines(field(9, 0, "noon")), r"line 9 of x.csv: timestamp = 'noon' is not a time"),
        (lines(field(9, 0, str(START + 6 * QUARTER))), r"line 9 of x.csv \(2024-01-01 01:30\) is there twice and the two differ: open is"),
        (
            lines(field(9, 0, str(START))),
            r"line 9 of x.csv \(2024-01-01 00:00\) is there twice and the two differ: open is 40000 and 40149.8, first in line 2$",
        ),
        (lines(field(9, 0, str(START - QUARTER))), r"line 9 of x.csv \(2023-12-31 23:45\) comes after 2024-01-01 01:30"),
        (
            lines(lambda text: text.__setitem__(slice(1, None), [line + ",7" for line in text[1:]])),
            "its rows have more values than its header",
        ),
        (lines(lambda text: text.insert(8, "")), r"line 9 of x.csv has no time"),
        (lines(lambda text: text.insert(8, text[8] + ",1,2")), r"x.csv is not a readable CSV file: Expected 6 fields in line 9, saw 8"),
    ],
)
def test_a_broken_csv_is_named_with_line_and_time(tmp_path, text, sentence):
    (tmp_path / "binanceusdm_BTCUSDT_15m.csv").write_text(text)
    with pytest.raises(InputError, match=sentence.replace("x.csv", "binanceusdm_BTCUSDT_15m.csv")) as refused:
        fetch(tmp_path)
    assert "\n" not in str(refused.value)


def test_a_dump_without_header_counts_lines_from_its_first(tmp_path):
    frame = bars(20).astype({"low": object})
    frame.loc[4, "low"] = "?"
    put(tmp_path, "binanceusdm_BTCUSDT_15m.csv", frame, header=False)
    with pytest.raises(InputError, match=r"line 5 of .*\(2024-01-01 01:00\): low = '\?' is not a number"):
        fetch(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PAR1 this is none PAR1", b"\x00" * 100])
def test_a_broken_parquet_file_is_refused(tmp_path, content):
    (tmp_path / "binanceusdm_BTCUSDT_15m.parquet").write_bytes(content)
    with pytest.raises(InputError, match=r"binanceusdm_BTCUSDT_15m.parquet is (empty|not a readable Parquet file)") as refused:
        fetch(tmp_path)
    assert "\n" not in str(refused.value)


def test_a_csv_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "binanceusdm_BTCUSDT_15m.csv").write_bytes(b"\xff\xfe\x00\x01" * 50)
    with pytest.raises(InputError, match=r"binanceusdm_BTCUSDT_15m.csv is not a readable CSV file"):
        fetch(tmp_path)


def test_a_broken_row_of_parquet_is_named(tmp_path):
    frame = bars(20)
    frame.loc[9, "high"] = 1.0
    put(tmp_path, "binanceusdm_BTCUSDT_15m.parquet", frame)
    with pytest.raises(InputError, match=r"row 9 of binanceusdm_BTCUSDT_15m.parquet \(2024-01-01 02:15\): the high is below the low"):
        fetch(tmp_path)


def test_files_are_joined_and_overlaps_must_agree(tmp_path):
    frame = bars(100)
    put(tmp_path, "binanceusdm_BTCUSDT_15m_20240102-20240103.csv", frame.iloc[30:])
    put(tmp_path, "binanceusdm_BTCUSDT_15m_20240101-20240102.parquet", frame.iloc[:50])
    put(tmp_path, "binanceusdm_BTCUSDT_15m.parquet", frame.iloc[40:45])
    made = fetch(tmp_path)
    assert made.close.tolist() == frame["close"].tolist()
    assert made.gaps.missing == 0
    frame.loc[42, "volume"] += 1.0
    put(tmp_path, "binanceusdm_BTCUSDT_15m.parquet", frame.iloc[40:45])
    with pytest.raises(InputError, match=r"overlap and differ at 2024-01-01 10:30 UTC: volume is .* and "):
        fetch(tmp_path)


def test_the_longest_unbroken_stretch_is_used_and_named(tmp_path):
    frame = bars(96 * 20)
    for first, last in ((0, 3), (5, 11), (13, 17)):
        put(tmp_path, f"binanceusdm_BTCUSDT_15m_{first}-{last}.parquet", frame.iloc[96 * first : 96 * last])
    made = fetch(tmp_path)
    assert (made.time[0], made.end_time) == (START + 5 * DAY, START + 11 * DAY)
    assert any(
        note.startswith(
            "The longest unbroken stretch of the files is used, 2024-01-06 00:00 to 2024-01-12 00:00 UTC; left out: 2024-01-01 00:00"
        )
        for note in made.notes
    )
    # Within these dates the last one is the longest.
    later = fetch(tmp_path, start=day(9))
    assert (later.time[0], later.end_time) == (START + 13 * DAY, START + 17 * DAY)
    # And here there is no choice, so nothing is said.
    assert not any("stretch" in note for note in fetch(tmp_path, start=day(6), end=day(9)).notes)


def test_a_short_hole_between_files_is_a_gap(tmp_path):
    frame = bars(96 * 20)
    put(tmp_path, "binanceusdm_BTCUSDT_15m_1-2.parquet", frame.iloc[:500])
    put(tmp_path, "binanceusdm_BTCUSDT_15m_2-3.parquet", frame.iloc[510:])
    made = fetch(tmp_path)
    assert (len(made), made.gaps.missing, made.gaps.holes) == (96 * 20, 10, 1)


def test_too_many_missing_bars_are_refused(tmp_path):
    put(tmp_path, "binanceusdm_BTCUSDT_15m.parquet", bars(100).drop(index=[5, 6]))
    with pytest.raises(
        InputError, match=r"2 % of the 15m bars of BTCUSDT are missing .*\(1 gaps, the largest of 2 bars\): max_gap_pct = 1"
    ):
        fetch(tmp_path)
    assert fetch(tmp_path, max_gap_pct=2.0).gaps.missing == 2


def test_dates_inside_a_gap_leave_no_bar(tmp_path):
    put(tmp_path, "binanceusdm_BTCUSDT_15m.parquet", bars(96 * 20).drop(index=range(300, 600)))
    hole = {"start": START + 350 * QUARTER, "end": START + 500 * QUARTER, "max_gap_pct": 100}
    for warmup in (0, 100):
        with pytest.raises(InputError, match=r"leaves? no bar"):
            fetch(tmp_path, warmup=warmup, **hole)


def test_repeated_rows_of_a_file_are_noted(tmp_path):
    frame = bars(96)
    put(tmp_path, "binanceusdm_BTCUSDT_15m.parquet", pd.concat([frame.iloc[:9], frame.iloc[8:]]))
    made = fetch(tmp_path)
    assert made.close.tolist() == frame["close"].tolist()
    assert "1 repeated rows that agree with the first were dropped." in made.notes


def test_many_files_are_named_by_the_first_and_the_last(tmp_path):
    frame = bars(96 * 5)
    for part in range(5):
        put(tmp_path, f"binanceusdm_BTCUSDT_15m_{part}-{part + 1}.csv", frame.iloc[96 * part : 96 * (part + 1)])
    assert "(5 files, binanceusdm_BTCUSDT_15m_0-1.csv to binanceusdm_BTCUSDT_15m_4-5.csv)" in fetch(tmp_path).source


def test_start_end_and_warm_up(tmp_path):
    put(tmp_path, "binanceusdm_BTCUSDT_15m.parquet", bars(96 * 20))
    made = fetch(tmp_path, start=day(5), end=day(8), warmup=100)
    assert (made.trade_from, len(made)) == (100, 100 + 3 * 96)
    assert made.time[made.trade_from] == START + 5 * DAY
    assert made.end_time == START + 8 * DAY
    assert not any("warm-up" in note for note in made.notes)
    # A start between two bars: the next bar is the first that trades.
    assert fetch(tmp_path, start="2024-01-06T00:07", warmup=10).time[10] == START + 5 * DAY + QUARTER


def test_missing_warm_up_bars_delay_trading_and_are_noted(tmp_path):
    put(tmp_path, "binanceusdm_BTCUSDT_15m.parquet", bars(96 * 20))
    made = fetch(tmp_path, start=day(1), warmup=196)
    assert (made.time[0], made.trade_from) == (START, 196)
    assert "96 of the 196 warm-up bars stand before 2024-01-02 00:00: trading starts at 2024-01-03 01:00 UTC." in made.notes
    assert fetch(tmp_path, warmup=300).trade_from == 300
    assert fetch(tmp_path, warmup=None).trade_from == 1000


def test_warm_up_counts_bars_of_the_grid_where_some_are_missing(tmp_path):
    frame = bars(96 * 20)
    put(tmp_path, "binanceusdm_BTCUSDT_15m.parquet", frame.drop(index=[480 - 100, 480 - 99, 470]))
    made = fetch(tmp_path, start=day(5), warmup=100)
    assert made.time[made.trade_from] == START + 5 * DAY
    assert made.trade_from == 98


def test_no_bar_left_to_trade_is_refused(tmp_path):
    put(tmp_path, "binanceusdm_BTCUSDT_15m.parquet", bars(200))
    with pytest.raises(InputError, match="BTCUSDT has 200 15m bars up to 2024-01-03 02:00 UTC, and warmup = 200 of them may not trade"):
        fetch(tmp_path, warmup=200)
    assert fetch(tmp_path, warmup=199).trade_from == 199


def test_dates_outside_the_data_are_refused_and_partly_outside_noted(tmp_path):
    put(tmp_path, "binanceusdm_BTCUSDT_15m.parquet", bars(96 * 5))
    for dates in ({"start": "2025-01-01"}, {"end": "2024-01-01"}, {"start": "2020-01-01", "end": "2021-01-01"}):
        with pytest.raises(InputError, match=r"leaves? no bar: BTCUSDT 15m is available from 2024-01-01 00:00 to 2024-01-06 00:00 UTC"):
            fetch(tmp_path, **dates)
    made = fetch(tmp_path, start="2023-12-01", end="2024-02-01")
    assert len(made) == 96 * 5
    assert "The bars begin at 2024-01-01 00:00 UTC, after the start asked for, 2023-12-01 00:00." in made.notes
    assert "The bars end at 2024-01-06 00:00 UTC, before the end asked for, 2024-02-01 00:00." in made.notes


def test_funding_files_are_history(tmp_path):
    put(tmp_path, "binanceusdm_BTCUSDT_15m.parquet", bars(96 * 2))
    hours = [8, 16, 24, 32, 40, 48]
    history = pd.DataFrame({"timestamp": [START + hour * 3_600_000 + 2 for hour in hours], "rate": [0.001 * hour for hour in hours]})
    put(tmp_path, "binanceusdm_BTCUSDT_funding_1-2.parquet", history.iloc[:4])
    put(tmp_path, "binanceusdm_BTCUSDT_funding_2-3.csv", history.iloc[3:])
    made = fetch(tmp_path)
    assert made.funding_rate.tolist() == history["rate"].tolist()
    assert not made.funding_is_synthetic.any()
    put(tmp_path, "binanceusdm_BTCUSDT_funding_2-3.csv", history.iloc[3:].assign(rate=0.5))
    with pytest.raises(InputError, match=r"joined funding files of BTCUSDT \(2024-01-02 08:00\) is there twice and the two differ"):
        fetch(tmp_path)
    put(tmp_path, "binanceusdm_BTCUSDT_funding_2-3.csv", history.iloc[3:].assign(rate="high"))
    with pytest.raises(InputError, match=r"line 2 of binanceusdm_BTCUSDT_funding_2-3.csv \(2024-01-02 08:00:00.002\): rate = 'high'"):
        fetch(tmp_path)


def test_brackets_beside_the_bars_fill_the_tiers(tmp_path):
    put(tmp_path, "binanceusdm_ETHUSDT_15m.parquet", bars(96))
    assert any("margin tiers (built-in table of 20" in note for note in load("ETH", data_dir=tmp_path, warmup=0).notes)
    rows = [{"notional_floor": 0, "notional_cap": 1e6, "maint_margin_rate": 0.01, "cum": 0, "max_leverage": 40}]
    (tmp_path / "binanceusdm_leverage_brackets.json").write_text(json.dumps({"brackets": {"ETH/USDT:USDT": rows}}))
    made = load("ETH", data_dir=tmp_path, warmup=0)
    assert made.instrument.tier_table["max_leverage"].tolist() == [40.0]
    assert not any("BTC-style" in note for note in made.notes)
    assert any("margin tiers (binanceusdm_leverage_brackets.json) held at the time of all bars" in note for note in made.notes)
    # Tiers that come with the instrument stay.
    own = made.instrument.replace(tiers=[{**rows[0], "max_leverage": 7}])
    given = load("ETH", data_dir=tmp_path, warmup=0, instrument=own)
    assert given.instrument == own
    assert any("margin tiers (as given) held" in note for note in given.notes)


def test_a_coin_without_built_in_filters_needs_them_given(tmp_path):
    put(tmp_path, "binanceusdm_XMRUSDT_15m.parquet", bars(96))
    with pytest.raises(InputError, match="coin = 'XMR' is unknown"):
        load("XMR", data_dir=tmp_path)
    monero = Instrument("XMRUSDT", 0.01, 0.001, 0.001, 5.0)
    assert load("XMR", data_dir=tmp_path, warmup=0, instrument=monero).symbol == "XMRUSDT"
    with pytest.raises(InputError, match="coin = 'BTC' is refused: the instrument given is XMRUSDT"):
        load("BTC", data_dir=tmp_path, instrument=monero)


def test_a_folder_never_falls_back(tmp_path):
    put(tmp_path, "binanceusdm_BTCUSDT_15m.parquet", bars(96))
    put(tmp_path, "binanceusdm_ETHUSDT_1h.parquet", bars(96, step=3_600_000))
    with pytest.raises(SourceError, match=r"has no binanceusdm_ETHUSDT_15m.parquet or .csv; it has ETHUSDT in 1h and 15m bars of BTCUSDT"):
        load("ETH", data_dir=tmp_path)
    with pytest.raises(SourceError, match=r"has no binance_spot_BTCUSDT_15m.parquet or .csv"):
        load("BTC", data_dir=tmp_path, exchange="binance_spot")
    with pytest.raises(SourceError, match="is not a folder"):
        load("BTC", data_dir=tmp_path / "nowhere")
    with pytest.raises(SourceError, match="has no 5m bars of BTCUSDT on binanceusdm for sub_bars = 5m"):
        load("BTC", data_dir=tmp_path, warmup=0, sub_bars="5m")
    # Names are checked first, whatever the folder.
    with pytest.raises(InputError, match=r"'ETC.*' is unknown .*did you mean ETH"):
        load("ETC", data_dir=tmp_path / "nowhere")


def test_another_exchange_is_another_market(tmp_path):
    perpetual, spot = bars(96, seed=1), bars(96, seed=2)
    put(tmp_path, "binanceusdm_BTCUSDT_15m.parquet", perpetual)
    put(tmp_path, "binance_spot_BTCUSDT_15m.parquet", spot)
    assert fetch(tmp_path).close.tolist() == perpetual["close"].tolist()
    made = fetch(tmp_path, exchange="binance_spot")
    assert made.close.tolist() == spot["close"].tolist()
    assert any("funding and margin of a perpetual are assumed on spot prices" in note for note in made.notes)


def test_finer_files_become_sub_bars_where_they_cover(tmp_path):
    fine = bars(96 * 3 * 4, step=300_000)
    put(tmp_path, "binanceusdm_BTCUSDT_15m.parquet", grouped(fine, 3))
    put(tmp_path, "binanceusdm_BTCUSDT_5m_1-2.parquet", fine.iloc[:300])
    put(tmp_path, "binanceusdm_BTCUSDT_5m_3-4.parquet", fine.iloc[900:])
    made = fetch(tmp_path, sub_bars="5m")
    joined = align(made)
    assert np.flatnonzero(joined.sub_rows[0] >= 0).tolist() == [*range(100), *range(300, 384)]
    assert joined.own_path_bars.tolist() == [200]
    assert fetch(tmp_path).sub_bars is None


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"source": "cloud"}, "source = 'cloud' is refused: it must be auto, .*files or simulated"),
        ({"source": "files"}, "source = 'files' needs data_dir"),
        ({"start": "2024-02-01", "end": "2024-01-01"}, "start = 2024-02-01 00:00 is refused: it must be before end"),
        ({"warmup": -1}, "warmup = -1 is refused"),
        ({"warmup": 1.5}, "warmup = 1.5 is refused"),
        ({"seed": -3}, "seed = -3 is refused"),
        ({"sub_bars": "30m"}, "sub_bars = 30m is refused: it must be finer than timeframe = 15m"),
        ({"sub_bars": "2m"}, "sub_bars = 2m is refused"),
        ({"max_gap_pct": 101}, "max_gap_pct = 101 is refused"),
        ({"max_gap_pct": float("nan")}, "max_gap_pct = nan is refused"),
        ({"data_dir": 5}, "data_dir = 5 is refused"),
        ({"data_dir": ""}, "data_dir = '' is refused"),
        ({"exchange": ""}, "exchange = '' is refused"),
        ({"timeframe": "7m"}, "timeframe = '7m' is refused"),
        ({"instrument": "BTC"}, "instrument = 'BTC' is refused"),
    ],
)
def test_bad_arguments_are_refused(options, sentence):
    with pytest.raises(InputError, match=sentence):
        load("BTC", **options)


# --- real files -----------------------------------------------------------------------------------------------------

real = pytest.mark.real_data


@real
@pytest.mark.parametrize("coin", ["BTC", "ETH", "SOL"])
def test_real_perpetuals_load_whole(coin):
    made = load(coin, data_dir=REAL, start="2024-01-01", end="2025-01-01")
    assert made.time[made.trade_from] == START
    assert len(made) - made.trade_from == 366 * 96
    assert made.gaps.missing == 0
    # Four bars of 2024-10-28 without a trade: the venue stood still.
    assert made.gaps.silent == 4
    assert not made.funding_is_synthetic.any()
    assert made.instrument.tiers is not None
    assert not any("BTC-style" in note for note in made.notes)


@real
def test_real_funding_before_the_history_is_synthetic():
    made = load("SOL", data_dir=REAL, start="2022-02-01", end="2022-12-31")
    first = pd.Timestamp("2022-06-25", tz="UTC").value // 10**6
    assert np.array_equal(made.funding_is_synthetic, made.funding_time < first)
    # The venue shortened the interval in November 2022.
    assert np.diff(made.funding_time).min() == 2 * 3_600_000
    assert made.funding_rate.min() == pytest.approx(-0.02, abs=0.001)


@real
def test_real_spot_gaps_are_filled_and_counted():
    made = load("BTC", data_dir=REAL, exchange="binance_spot")
    assert (made.gaps.holes, made.gaps.largest) == (4, 18)
    assert len(made) == 13_842 + made.gaps.missing


@real
def test_real_finer_bars_add_up():
    made = load("BTC", data_dir=REAL, start="2023-07-19", end="2023-08-17", sub_bars="1m")
    assert align(made).own_path_bars.tolist() == [0]
    made = load("BTC", data_dir=REAL, start="2023-01-12", end="2026-02-01", sub_bars="5m")
    # Four bars differ from their finer ones; the four without a trade need none.
    assert align(made).own_path_bars.tolist() == [4]


@real
def test_real_minutes_lie_in_stretches_and_the_longest_is_used():
    made = load("BTC", data_dir=REAL, exchange="binance_spot", timeframe="1m")
    assert made.time[0] == pd.Timestamp("2026-03-01", tz="UTC").value // 10**6
    assert any("left out: 2021-03-26 03:00 to 2021-04-30 03:34" in note for note in made.notes)


@real
def test_real_index_futures_are_refused_for_their_gaps_unless_allowed():
    future = Instrument("ES", 0.25, 1.0, 1.0, 0.0, contract_multiplier=50.0)
    put_name = Path(REAL or "") / "cme_ES_5m_202602-202604.parquet"
    assert put_name.is_file()
    with pytest.raises(InputError, match="of the 5m bars of ES are missing"):
        load("ES", data_dir=REAL, exchange="cme", timeframe="5m", instrument=future)
    made = load("ES", data_dir=REAL, exchange="cme", timeframe="5m", instrument=future, max_gap_pct=40.0)
    assert (made.gaps.holes, made.gaps.largest) == (94, 792)
