"""Zips as the exchange's public archive ships them: read, held against their checksums, refused when broken."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from backtest.data.files import reading, tables
from backtest.data.files.catalogue import recognised
from backtest.data.files.reading import read_series
from backtest.data.load import load
from engine.errors import InputError, SourceError
from tests.backtest.frames import QUARTER, START, bars

DAY = 86_400_000
NOW = START + 10**11


def dump(frame: pd.DataFrame) -> pd.DataFrame:
    step = int(frame["timestamp"].iloc[1] - frame["timestamp"].iloc[0])
    extra = {"quote_volume": 1.0, "count": 2, "taker_buy_volume": 0.5, "taker_buy_quote_volume": 0.5, "ignore": 0}
    return frame.rename(columns={"timestamp": "open_time"}).assign(close_time=frame["timestamp"] + step - 1, **extra)


def put_zip(folder: Path, name: str, frame: pd.DataFrame, header: bool = True, member: str | None = None) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    frame.to_csv(text, index=False, header=header)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member or path.stem + ".csv", text.getvalue())
    return path


def read(path: Path):
    return read_series(recognised(path, path.name), now=NOW)


def test_months_and_days_are_joined_and_the_source_says_what_was_taken_for_granted(tmp_path):
    frame = bars(96 * 33)
    put_zip(tmp_path, "BTCUSDT-15m-2024-01.zip", dump(frame.iloc[: 96 * 31]))
    put_zip(tmp_path, "BTCUSDT-15m-2024-02-01.zip", dump(frame.iloc[96 * 31 : 96 * 32]), header=False)
    later = dump(frame.iloc[96 * 32 :])
    later[["open_time", "close_time"]] *= 1000
    put_zip(tmp_path, "BTCUSDT-15m-2024-02-02.zip", later, header=False)
    made = load("BTC", data_dir=tmp_path, warmup=0)
    assert made.close.tolist() == frame["close"].tolist()
    names = "BTCUSDT-15m-2024-01.zip, BTCUSDT-15m-2024-02-01.zip, BTCUSDT-15m-2024-02-02.zip"
    assert made.source.startswith(f"files taken as binanceusdm ({names}): BTCUSDT 15m, 3,168 bars")
    assert f"Archive names hold no exchange: {names} taken as binanceusdm, the exchange asked for." in made.notes
    assert "Read as zip, exchange dump with header, milliseconds: BTCUSDT-15m-2024-01.zip." in made.notes
    assert "Read as zip, exchange dump without header, microseconds: BTCUSDT-15m-2024-02-02.zip." in made.notes


def test_the_archives_own_tree_tells_the_exchange_and_mark_prices_from_bars(tmp_path):
    frame, spot, mark = bars(96, seed=1), bars(96, seed=2), bars(96, seed=3)
    put_zip(tmp_path, "data/futures/um/daily/klines/BTCUSDT/15m/BTCUSDT-15m-2024-01-01.zip", dump(frame))
    put_zip(
        tmp_path, "data/futures/um/daily/markPriceKlines/BTCUSDT/15m/BTCUSDT-15m-2024-01-01.zip", dump(mark.assign(volume=0.0)).iloc[5:]
    )
    put_zip(tmp_path, "data/futures/um/daily/premiumIndexKlines/BTCUSDT/15m/BTCUSDT-15m-2024-01-01.zip", dump(frame.assign(low=-1.0)))
    put_zip(tmp_path, "data/spot/daily/klines/BTCUSDT/15m/BTCUSDT-15m-2024-01-01.zip", dump(spot))
    hours = [0, 8, 16]
    funding = pd.DataFrame(
        {"calc_time": [START + hour * 3_600_000 + 3 for hour in hours], "funding_interval_hours": 8, "last_funding_rate": 1e-4}
    )
    put_zip(tmp_path, "data/futures/um/monthly/fundingRate/BTCUSDT/BTCUSDT-fundingRate-2024-01.zip", funding)
    made = load("BTC", data_dir=tmp_path, warmup=0)
    assert made.close.tolist() == frame["close"].tolist()
    assert np.isnan(made.mark[:5]).all()
    assert made.mark[5:].tolist() == mark["close"].iloc[5:].tolist()
    assert made.funding_rate[:2].tolist() == [1e-4, 1e-4]
    assert made.funding_is_synthetic.tolist() == [False, False, True]
    assert made.source.startswith("files of binanceusdm (data/futures/um/daily/klines/BTCUSDT/15m/BTCUSDT-15m-2024-01-01.zip): ")
    assert any(note.startswith("Mark prices are those of data/futures/um/daily/markPriceKlines/") for note in made.notes)
    for name in ("binance_spot", "binance"):
        other = load("BTC", data_dir=tmp_path, warmup=0, exchange=name)
        assert other.close.tolist() == spot["close"].tolist()
        assert other.mark is None


def test_one_archive_may_be_given_in_place_of_a_folder(tmp_path):
    frame = bars(96)
    path = put_zip(tmp_path, "BTCUSDT-15m-2024-01-01.zip", dump(frame))
    assert load("BTC", data_dir=path, warmup=0).close.tolist() == frame["close"].tolist()
    with pytest.raises(
        SourceError, match=r"BTCUSDT-15m-2024-01-01.zip has no binanceusdm_ETHUSDT_15m.parquet or .csv; it has 15m bars of BTCUSDT"
    ):
        load("ETH", data_dir=path, warmup=0)
    other = path.rename(tmp_path / "BTCUSDT-15m-2024-13.zip")
    with pytest.raises(SourceError, match=r"BTCUSDT-15m-2024-13.zip is not recognised: 2024-13 is no month or day"):
        load("BTC", data_dir=other, warmup=0)


def test_a_checksum_beside_an_archive_is_verified(tmp_path):
    path = put_zip(tmp_path, "BTCUSDT-15m-2024-01-01.zip", dump(bars(96)))
    beside = tmp_path / "BTCUSDT-15m-2024-01-01.zip.CHECKSUM"
    beside.write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")
    assert read(path).time.size == 96
    beside.write_text(f"{hashlib.sha256(b'other').hexdigest()}  {path.name}\n")
    with pytest.raises(
        InputError, match=r"BTCUSDT-15m-2024-01-01.zip does not have the SHA-256 sum of its .CHECKSUM file: it is damaged or incomplete"
    ):
        read(path)
    beside.write_text("not found")
    with pytest.raises(InputError, match=r"zip.CHECKSUM is refused: it must begin with a SHA-256 sum of 64 digits"):
        read(path)


def damaged(content: bytes) -> bytes:
    middle = len(content) // 3
    return content[:middle] + bytes(255 - byte for byte in content[middle : middle + 40]) + content[middle + 40 :]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda content: b"", "is empty"),
        (lambda content: content[:-40], "is damaged and cannot be unpacked: File is not a zip file"),
        (lambda content: b"PK none", "is damaged and cannot be unpacked: File is not a zip file"),
        (damaged, "is damaged and cannot be unpacked"),
    ],
)
def test_a_damaged_archive_is_refused(tmp_path, spoil, sentence):
    path = put_zip(tmp_path, "BTCUSDT-15m-2024-01-01.zip", dump(bars(96)))
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(InputError, match=f"BTCUSDT-15m-2024-01-01.zip {sentence}") as refused:
        read(path)
    assert "\n" not in str(refused.value)


def test_an_archive_must_hold_one_csv_file_and_junk_beside_it_does_not_count(tmp_path):
    path = tmp_path / "BTCUSDT-15m-2024-01-01.zip"
    text = dump(bars(96)).to_csv(index=False)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "none")
    with pytest.raises(InputError, match="holds 0 CSV files: there must be one"):
        read(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "none")
        archive.writestr("__MACOSX/._a.csv", "none")
        # A name that points elsewhere does no harm: nothing is unpacked to disk.
        archive.writestr("../../a.csv", text)
    assert read(path).time.size == 96
    assert sorted(found.name for found in tmp_path.iterdir()) == [path.name]
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("b.csv", text)
    with pytest.raises(InputError, match="holds 2 CSV files: there must be one"):
        read(path)


def test_an_encrypted_archive_and_an_unknown_packing_are_refused(tmp_path):
    path = put_zip(tmp_path, "BTCUSDT-15m-2024-01-01.zip", dump(bars(96)))
    content = path.read_bytes()
    # The flags and the packing method stand at fixed places of the local and of the central header.
    central = content.index(b"PK\x01\x02")
    for offset, sentence in ((6, "is encrypted: it must be an ordinary zip"), (8, "is packed in a way that cannot be unpacked")):
        changed = bytearray(content)
        changed[offset] = changed[central + offset + 2] = 1 if offset == 6 else 97
        path.write_bytes(changed)
        with pytest.raises(InputError, match=sentence):
            read(path)


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MOST_TABLE_BYTES", 1000)
    path = put_zip(tmp_path, "BTCUSDT-15m-2024-01-01.zip", dump(bars(96)))
    # The size it states is enough: nothing of it is unpacked.
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("it was unpacked"))
    with pytest.raises(InputError, match="unpacks to more than 1,000 bytes"):
        read(path)


@pytest.mark.parametrize(
    ("name", "frame", "header", "sentence"),
    [
        (
            "BTCUSDT-15m-2024-01.zip",
            dump(bars(20)).iloc[:, :4],
            False,
            "has no header and 4 columns: a dump must have open_time, open, high",
        ),
        (
            "BTCUSDT-15m-2024-01.zip",
            dump(bars(20)).drop(columns="low"),
            True,
            "has no column low: its columns are open_time, open, high, close",
        ),
        ("BTCUSDT-5m-2024-01.zip", dump(bars(20)), True, "at least 15 minutes apart, so timeframe = 5m cannot be right"),
        ("BTCUSDT-1h-2024-01.zip", dump(bars(20)), True, r"line 3 of .* is not on the 1h grid"),
        ("BTCUSDT-fundingRate-2024-01.zip", dump(bars(20)), True, "has no column rate"),
        ("BTCUSDT-trades-2024-01.zip", dump(bars(20)), True, "has no column time"),
    ],
)
def test_what_an_archive_should_hold_and_does_not(tmp_path, name, frame, header, sentence):
    path = put_zip(tmp_path, name, frame, header)
    with pytest.raises(InputError, match=sentence):
        read(path)


def test_only_the_days_asked_for_are_read(tmp_path):
    frame = bars(96 * 4)
    for number in range(4):
        put_zip(tmp_path, f"BTCUSDT-15m-2024-01-0{number + 1}.zip", dump(frame.iloc[96 * number : 96 * (number + 1)]))
    (tmp_path / "BTCUSDT-15m-2024-01-01.zip").write_bytes(b"broken")
    made = load("BTC", data_dir=tmp_path, warmup=10, start="2024-01-03", end="2024-01-04")
    assert (made.time[0], made.end_time) == (START + 2 * DAY - 10 * QUARTER, START + 3 * DAY)
    with pytest.raises(InputError, match="is damaged"):
        load("BTC", data_dir=tmp_path, warmup=10)


def test_bars_and_finer_bars_are_made_from_trades_where_there_are_no_bars(tmp_path, monkeypatch):
    random = np.random.default_rng(3)
    time = START + np.sort(random.integers(0, DAY, 20_000))
    price = np.round(40_000 + np.cumsum(random.normal(0, 1, time.size)), 1)
    trades = pd.DataFrame({"id": range(time.size), "price": price, "qty": 0.5, "quote_qty": 1.0, "time": time, "is_buyer_maker": True})
    put_zip(tmp_path, "BTCUSDT-trades-2024-01-01.zip", trades)
    read_once = []
    read_trades = reading.bars_of_trades
    monkeypatch.setattr(reading, "bars_of_trades", lambda file, length: read_once.append(file.name) or read_trades(file, length))
    made = load("BTC", data_dir=tmp_path, warmup=0, timeframe="1h", sub_bars="1m")
    assert len(made) == 24
    assert made.close[-1] == price[-1]
    assert made.volume.sum() == pytest.approx(0.5 * time.size)
    assert len(made.sub_bars) == 1440
    assert sum(note.startswith("Read as zip, exchange dump with header") for note in made.notes) == 1
    assert read_once == ["BTCUSDT-trades-2024-01-01.zip"]
    assert made.source.startswith("files taken as binanceusdm (BTCUSDT-trades-2024-01-01.zip; made from trades): BTCUSDT 1h, 24 bars")
    # Bars of the exchange go before bars made from its trades.
    put_zip(tmp_path, "BTCUSDT-15m-2024-01-01.zip", dump(bars(96)))
    assert "resampled from 15m" in load("BTC", data_dir=tmp_path, warmup=0, timeframe="1h").source
    assert "made from trades" in load("BTC", data_dir=tmp_path, warmup=0, timeframe="1h", bars_from="1m").source


def test_the_present_time_is_that_of_the_machine(tmp_path, monkeypatch):
    put_zip(tmp_path, "BTCUSDT-15m-2024-01-01.zip", dump(bars(96)))
    monkeypatch.setattr(reading, "now_ms", lambda: START + DAY - 1)
    made = load("BTC", data_dir=tmp_path, warmup=0)
    assert len(made) == 95
    assert "The last bar of BTCUSDT-15m-2024-01-01.zip, 2024-01-01 23:45 UTC, is unfinished and left out." in made.notes
