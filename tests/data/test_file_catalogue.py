"""What the names of files say, and which files of a folder serve a request."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from backtest.align import align
from backtest.data.files.catalogue import catalogue, recognised
from backtest.data.files.reading import read_rows
from backtest.data.load import load
from engine.errors import InputError, SourceError
from tests.backtest.frames import QUARTER, START, bars, grouped

MINUTE, DAY = 60_000, 86_400_000
NOW = START + 10**11


@pytest.mark.parametrize(
    ("name", "exchange", "symbol", "content", "span"),
    [
        ("binanceusdm_BTCUSDT_15m.parquet", "binanceusdm", "BTCUSDT", "15m", None),
        ("binance_spot_BTCUSDT_1m_20210326-20210430.csv", "binance_spot", "BTCUSDT", "1m", "20210326-20210430"),
        ("binanceusdm_1000PEPEUSDT_1s.csv.gz", "binanceusdm", "1000PEPEUSDT", "1s", None),
        ("cme_ES_5m_202602-202604.zip", "cme", "ES", "5m", "202602-202604"),
        ("binanceusdm_BTCUSDT_240329_1h.json", "binanceusdm", "BTCUSDT_240329", "1h", None),
        ("binanceusdm_BTCUSDT_mark-15m.parquet", "binanceusdm", "BTCUSDT", "mark-15m", None),
        ("binanceusdm_BTCUSDT_funding.csv", "binanceusdm", "BTCUSDT", "funding", None),
        ("okx_BTCUSDT_trades.parquet", "okx", "BTCUSDT", "trades", None),
        ("binanceusdm_leverage_brackets.json", "binanceusdm", None, "tiers", None),
        ("BTCUSDT-15m-2024-01.zip", None, "BTCUSDT", "15m", "2024-01"),
        ("BTCUSDT-1d-2024-02-29.csv", None, "BTCUSDT", "1d", "2024-02-29"),
        ("BTCUSDT-fundingRate-2024-01.zip", None, "BTCUSDT", "funding", "2024-01"),
        ("BTCUSDT-aggTrades-2024-01-05.zip", None, "BTCUSDT", "aggTrades", "2024-01-05"),
        ("BTCUSDT-trades-2024-01.zip", None, "BTCUSDT", "trades", "2024-01"),
        ("BTCUSDT_240329-15m-2024-01.zip", None, "BTCUSDT_240329", "15m", "2024-01"),
        ("BTCUSDT-markPriceKlines-1h-2024-01.zip", None, "BTCUSDT", "mark-1h", "2024-01"),
        ("markPriceKlines/BTCUSDT/15m/BTCUSDT-15m-2024-01.zip", None, "BTCUSDT", "mark-15m", "2024-01"),
        ("data/futures/um/daily/trades/BTCUSDT/BTCUSDT-trades-2024-01-05.zip", "binanceusdm", "BTCUSDT", "trades", "2024-01-05"),
        ("data/futures/cm/daily/klines/BTCUSD_PERP/1h/BTCUSD_PERP-1h-2024-01-05.zip", "binancecoinm", "BTCUSD_PERP", "1h", "2024-01-05"),
        ("data/spot/monthly/klines/BTCUSDT/1s/BTCUSDT-1s-2024-01.zip", "binance_spot", "BTCUSDT", "1s", "2024-01"),
        ("okx/BTCUSDT/15m/2024-01.parquet", "okx", "BTCUSDT", "15m", "2024-01"),
        ("okx/BTCUSDT/mark-1h/2024-01.parquet", "okx", "BTCUSDT", "mark-1h", "2024-01"),
        ("okx/BTCUSDT/funding/2024-01.parquet", "okx", "BTCUSDT", "funding", "2024-01"),
    ],
)
def test_a_name_is_recognised(tmp_path, name, exchange, symbol, content, span):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    (file,) = catalogue(tmp_path)
    assert (file.path, file.name, file.reason) == (path, name, "")
    assert (file.exchange, file.symbol, file.content, file.span) == (exchange, symbol, content, span)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("notes.txt", "its name does not end in .parquet, .csv, .csv.gz, .json, .zip"),
        ("bars.csv", "its name is neither <exchange>_<SYMBOL>_<timeframe> nor <SYMBOL>-<timeframe>-<YYYY-MM>"),
        ("binanceusdm_BTCUSDT_7m.csv", "7m is no timeframe: bars are 1m to 1d long (1s for finer ones) and divide the day"),
        ("binanceusdm_BTCUSDT_1w.csv", "1w is no timeframe: bars are 1m to 1d long (1s for finer ones) and divide the day"),
        ("BTCUSDT-1mo-2024-01.zip", "1mo is no timeframe: bars are 1m to 1d long (1s for finer ones) and divide the day"),
        ("BTCUSDT-15m-2024-13.zip", "2024-13 is no month or day"),
        ("BTCUSDT-15m-2023-02-29.zip", "2023-02-29 is no month or day"),
        ("indexPriceKlines/BTCUSDT/15m/BTCUSDT-15m-2024-01.zip", "index prices are not used"),
        ("premiumIndexKlines/BTCUSDT/15m/BTCUSDT-15m-2024-01.zip", "premium indices are not used"),
        ("a/b/c/2024-01.parquet", "its name is neither <exchange>_<SYMBOL>_<timeframe> nor <SYMBOL>-<timeframe>-<YYYY-MM>"),
        ("okx/BTCUSDT/15m/2024-01.parquet.unreadable", "its name does not end in .parquet, .csv, .csv.gz, .json, .zip"),
    ],
)
def test_a_name_that_is_not_recognised_is_listed_with_a_reason(tmp_path, name, reason):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    (file,) = catalogue(tmp_path)
    assert (file.name, file.content, file.reason) == (name, None, reason)
    with pytest.raises(InputError, match=r"holds no bars, settlements or trades: "):
        read_rows(file)


def test_the_folder_is_listed_in_order_and_hidden_things_are_left_out(tmp_path):
    for name in ("b.csv", "a/c.csv", ".hidden.csv", ".git/x.csv", "b.csv.CHECKSUM"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [file.name for file in catalogue(tmp_path)] == ["a/c.csv", "b.csv"]
    assert [file.name for file in catalogue(tmp_path / "b.csv")] == ["b.csv"]
    with pytest.raises(SourceError, match="is not a folder or a file that can be read"):
        catalogue(tmp_path / "none")


def test_the_days_of_an_archives_name():
    month = recognised(Path("BTCUSDT-15m-2024-02.zip"), "x")
    assert ((month.begin - START) / DAY, (month.stop - START) / DAY) == (31.0, 60.0)
    assert month.within(START, START + 32 * DAY)
    assert not month.within(START, START + 31 * DAY)
    assert not month.within(START + 60 * DAY, START + 61 * DAY)
    assert recognised(Path("binanceusdm_BTCUSDT_15m_1-2.csv"), "x").within(0, 1)


def test_a_name_without_an_exchange_counts_for_any():
    archive, own = recognised(Path("BTCUSDT-15m-2024-02.zip"), "x"), recognised(Path("okx_BTCUSDT_15m.csv"), "x")
    assert archive.serves("okx", "BTCUSDT")
    assert not archive.serves("okx", "ETHUSDT")
    assert own.serves("okx", "BTCUSDT")
    assert not own.serves("bybit", "BTCUSDT")


# --- which files serve ----------------------------------------------------------------------------------------------


def put(folder: Path, name: str, frame: pd.DataFrame) -> None:
    frame.to_parquet(folder / name, index=False)


def fetch(folder: Path, **options):
    return load("BTC", data_dir=folder, **{"warmup": 0, **options})


def test_bars_are_made_from_finer_ones_where_there_are_no_others(tmp_path):
    fine = bars(1440, step=MINUTE)
    put(tmp_path, "binanceusdm_BTCUSDT_1m.parquet", fine)
    for timeframe, members in (("5m", 5), ("15m", 15), ("1h", 60), ("4h", 240), ("1d", 1440)):
        made = fetch(tmp_path, timeframe=timeframe)
        wanted = grouped(fine, members)
        for field in ("open", "high", "low", "close"):
            assert getattr(made, field).tolist() == wanted[field].tolist()
        assert made.volume == pytest.approx(wanted["volume"].to_numpy(), rel=1e-12)
        assert made.source.startswith(f"files of binanceusdm (binanceusdm_BTCUSDT_1m.parquet; resampled from 1m): BTCUSDT {timeframe}, ")
    assert "resampled" not in fetch(tmp_path, timeframe="1m").source
    with pytest.raises(SourceError, match=r"has no binanceusdm_BTCUSDT_5m.parquet or .csv; it has BTCUSDT in 1m"):
        fetch(tmp_path, bars_from="5m")


def test_groups_at_the_ends_are_cut_and_those_inside_are_gaps(tmp_path):
    fine = bars(1440, step=MINUTE).iloc[7:1433].drop(index=700)
    put(tmp_path, "binanceusdm_BTCUSDT_1m.parquet", fine)
    made = fetch(tmp_path, max_gap_pct=2.0)
    assert (made.time[0], made.end_time) == (START + QUARTER, START + 95 * QUARTER)
    assert made.time[made.missing].tolist() == [START + 700 * MINUTE // QUARTER * QUARTER]
    assert made.gaps.missing == 1
    assert any(
        note.startswith("The 15m bars are made from 1m bars; 3 groups of them are not whole and are left out") for note in made.notes
    )
    with pytest.raises(InputError, match="max_gap_pct = 1 allows no more"):
        fetch(tmp_path)


def test_files_of_the_timeframe_go_first_then_those_that_cover_most_then_the_coarsest(tmp_path):
    minutes, fives, quarters = bars(1440 * 2, step=MINUTE), bars(288, step=5 * MINUTE, seed=1), bars(96, seed=2)
    put(tmp_path, "binanceusdm_BTCUSDT_1m.parquet", minutes)
    put(tmp_path, "binanceusdm_BTCUSDT_5m.parquet", fives)
    put(tmp_path, "binanceusdm_BTCUSDT_15m.parquet", quarters)
    assert fetch(tmp_path).close.tolist() == quarters["close"].tolist()
    hours = fetch(tmp_path, timeframe="1h")
    assert "resampled from 1m" in hours.source
    assert len(hours) == 48
    short = fetch(tmp_path, timeframe="1h", end="2024-01-02")
    assert "resampled from 15m" in short.source
    forced = fetch(tmp_path, timeframe="1h", end="2024-01-02", bars_from="5m")
    assert forced.close.tolist() == grouped(fives, 12)["close"].tolist()
    # Dates that the files of the timeframe do not have.
    later = fetch(tmp_path, start="2024-01-02")
    assert later.time[0] == START + DAY
    assert "resampled from 1m" in later.source
    with pytest.raises(InputError, match=r"leaves no bar: BTCUSDT 15m is available from 2024-01-01 00:00 to 2024-01-02 00:00 UTC"):
        fetch(tmp_path, start="2025-01-01")
    with pytest.raises(InputError, match="bars_from = 1h is refused"):
        fetch(tmp_path, bars_from="1h")


def test_finer_bars_beneath_may_be_resampled_too(tmp_path):
    fine = bars(1440, step=MINUTE)
    put(tmp_path, "binanceusdm_BTCUSDT_1m.parquet", fine)
    made = fetch(tmp_path, sub_bars="5m")
    assert made.sub_bars.close.tolist() == grouped(fine, 5)["close"].tolist()
    assert align(made).own_path_bars.tolist() == [0]


def test_bars_of_a_second_lie_beneath_bars_of_a_minute(tmp_path):
    fine = bars(7200, step=1000)
    put(tmp_path, "binanceusdm_BTCUSDT_1s.parquet", fine)
    made = fetch(tmp_path, timeframe="1m", sub_bars="1s")
    assert made.close.tolist() == grouped(fine, 60)["close"].tolist()
    assert align(made).own_path_bars.tolist() == [0]


def test_mark_price_files_give_the_mark_price_and_where_they_have_none_it_is_unknown(tmp_path):
    frame, mark = bars(96), bars(96, seed=4)
    put(tmp_path, "binanceusdm_BTCUSDT_15m.parquet", frame)
    assert fetch(tmp_path).mark is None
    put(tmp_path, "binanceusdm_BTCUSDT_mark-15m.parquet", mark.drop(columns="volume").iloc[4:])
    made = fetch(tmp_path)
    assert np.isnan(made.mark[:4]).all()
    assert made.mark[4:].tolist() == mark["close"].iloc[4:].tolist()
    sentence = "Mark prices are those of binanceusdm_BTCUSDT_mark-15m.parquet; where one is missing the close stands in."
    assert sentence in made.notes
    hours = fetch(tmp_path, timeframe="1h")
    assert hours.mark[1:].tolist() == grouped(mark, 4)["close"].iloc[1:].tolist()
    assert any("binanceusdm_BTCUSDT_mark-15m.parquet, resampled from 15m;" in note for note in hours.notes)
    put(tmp_path, "binanceusdm_BTCUSDT_mark-15m.parquet", mark.assign(timestamp=mark["timestamp"] + 10 * DAY))
    assert fetch(tmp_path).mark is None
    put(tmp_path, "binanceusdm_BTCUSDT_mark-15m.parquet", mark.assign(high=1.0))
    with pytest.raises(InputError, match=r"row 0 of binanceusdm_BTCUSDT_mark-15m.parquet .*: the high is below the low"):
        fetch(tmp_path)


def test_files_of_several_dialects_are_joined_and_named(tmp_path):
    frame = bars(90)
    put(tmp_path, "binanceusdm_BTCUSDT_15m_1-2.parquet", frame.iloc[:40])
    frame.iloc[30:60].to_csv(tmp_path / "binanceusdm_BTCUSDT_15m_2-3.csv", index=False, sep=";")
    (tmp_path / "more").mkdir()
    frame.iloc[60:].to_csv(tmp_path / "more" / "binanceusdm_BTCUSDT_15m.csv.gz", index=False)
    made = fetch(tmp_path)
    assert made.close.tolist() == frame["close"].tolist()
    assert "Read as table with header, semicolons, milliseconds: binanceusdm_BTCUSDT_15m_2-3.csv." in made.notes
    assert "Read as gzip, table with header, milliseconds: more/binanceusdm_BTCUSDT_15m.csv.gz." in made.notes
    assert not any("Parquet" in note for note in made.notes)
    (frame.iloc[30:60] + 1.0).assign(timestamp=frame["timestamp"]).to_csv(tmp_path / "binanceusdm_BTCUSDT_15m_2-3.csv", index=False)
    with pytest.raises(
        InputError, match=r"15m_1-2.parquet and binanceusdm_BTCUSDT_15m_2-3.csv overlap and differ at 2024-01-01 07:30 UTC: open"
    ):
        fetch(tmp_path)


def test_the_months_of_a_cache_are_read_as_files(tmp_path):
    frame = bars(96 * 40)
    folder = tmp_path / "binanceusdm" / "BTCUSDT" / "15m"
    folder.mkdir(parents=True)
    put(folder, "2024-01.parquet", frame.iloc[: 31 * 96])
    put(folder, "2024-02.parquet", frame.iloc[31 * 96 :])
    assert fetch(tmp_path).close.tolist() == frame["close"].tolist()


@pytest.mark.real_data
def test_every_real_file_is_recognised_but_the_notes_and_the_feed(real_data):
    unknown = [file.name for file in catalogue(real_data) if file.content is None]
    assert unknown == ["README.md", "binanceusdm_btcusdt_depth_trades_20240808.jsonl.gz"]


@pytest.mark.real_data
def test_real_minutes_make_all_longer_bars(real_data):
    for timeframe, count in (("1m", 73_138), ("5m", 14_627), ("15m", 4875), ("1h", 1218), ("4h", 304)):
        finer = None if timeframe == "1m" else "1m"
        made = load("BTC", data_dir=real_data, start="2025-05-04", end="2025-06-25", timeframe=timeframe, bars_from=finer, warmup=0)
        assert len(made) == count
        assert made.gaps.missing == 0
        assert ("resampled from 1m" in made.source) == (timeframe != "1m")
