"""One file whose name tells nothing, and folders in which nothing serves."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from backtest.data.load import load, load_markets
from engine.errors import InputError, SourceError
from tests.backtest.frames import bars, grouped

HOUR = 3_600_000


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mybars.csv"
    bars(96).to_csv(path, index=False)
    return path


def test_one_file_is_taken_as_bars_of_what_is_asked_for_and_it_is_said(mine):
    made = load("BTC", data_dir=mine, warmup=0)
    assert made.close.tolist() == bars(96)["close"].tolist()
    assert made.source.startswith("files taken as binanceusdm (mybars.csv): BTCUSDT 15m, 96 bars")
    assert "mybars.csv is taken as 15m bars of BTCUSDT on binanceusdm: its name does not tell." in made.notes
    assert not any("Archive names" in note for note in made.notes)
    other = load("ETH", data_dir=mine, warmup=0, exchange="okx")
    assert "mybars.csv is taken as 15m bars of ETHUSDT on okx: its name does not tell." in other.notes


def test_one_file_is_taken_as_the_finer_bars_asked_for(tmp_path):
    fine = bars(480, step=60_000)
    fine.to_parquet(tmp_path / "fine.parquet", index=False)
    made = load("BTC", data_dir=tmp_path / "fine.parquet", warmup=0, bars_from="1m")
    assert made.close.tolist() == grouped(fine, 15)["close"].tolist()
    assert "fine.parquet is taken as 1m bars of BTCUSDT on binanceusdm: its name does not tell." in made.notes
    with pytest.raises(
        InputError, match=r"not on the 15m grid.*; fine.parquet is taken as 15m bars of BTCUSDT on binanceusdm: its name does not tell$"
    ):
        load("BTC", data_dir=tmp_path / "fine.parquet", warmup=0)


def test_one_file_for_several_coins_is_refused(mine):
    with pytest.raises(InputError) as refused:
        load_markets(["BTC", "ETH"], data_dir=mine, warmup=0)
    assert str(refused.value) == (
        f"data_dir = {mine} is refused for 2 coins: the name of a single file must tell which coin it holds, "
        "binanceusdm_BTCUSDT_15m.csv for instance"
    )
    assert load_markets(["BTC"], data_dir=mine, warmup=0)[0].symbol == "BTCUSDT"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("binanceusdm_BTCUSDT_7m.csv", "7m is no timeframe"),
        ("BTCUSDT-15m-2024-13.csv", "2024-13 is no month or day"),
        ("indexPriceKlines/BTCUSDT-15m-2024-01.csv", "index prices are not used"),
        ("mybars.txt", "its name does not end in .parquet, .csv"),
    ],
)
def test_one_file_whose_name_tells_that_it_cannot_serve_is_refused(tmp_path, name, reason):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    bars(96).to_csv(path, index=False)
    with pytest.raises(SourceError, match=f"{path.name} is not recognised: {reason}"):
        load("BTC", data_dir=path, warmup=0)


def test_one_file_of_another_coin_is_not_taken(tmp_path):
    path = tmp_path / "binanceusdm_ETHUSDT_15m.csv"
    bars(96).to_csv(path, index=False)
    with pytest.raises(SourceError, match=r"has no binanceusdm_BTCUSDT_15m.parquet or .csv; it has 15m bars of ETHUSDT$"):
        load("BTC", data_dir=path, warmup=0)


def test_a_folder_in_which_nothing_serves_names_what_was_passed_over(tmp_path, mine):
    hint = "a file is known by a name such as binanceusdm_BTCUSDT_15m.csv or BTCUSDT-15m-2024-01.zip"
    with pytest.raises(SourceError) as refused:
        load("BTC", data_dir=tmp_path, warmup=0)
    assert str(refused.value) == f"{tmp_path} has no binanceusdm_BTCUSDT_15m.parquet or .csv; not recognised: mybars.csv; {hint}"
    for name in ("a.txt", "zeros.zip", "old.json"):
        (tmp_path / name).touch()
    with pytest.raises(SourceError) as refused:
        load("BTC", data_dir=tmp_path, warmup=0)
    assert str(refused.value).endswith(f"; not recognised: mybars.csv, old.json, zeros.zip and 1 more; {hint}")
    with pytest.raises(SourceError, match=r"such as binanceusdm_BTCUSDT_5m.csv or BTCUSDT-5m-2024-01.zip$"):
        load("BTC", data_dir=tmp_path, warmup=0, bars_from="5m")


def test_files_that_were_passed_over_are_not_named_where_something_serves(tmp_path, mine):
    hours = bars(96, step=HOUR)
    hours.to_csv(tmp_path / "binanceusdm_BTCUSDT_1h.csv", index=False)
    made = load("BTC", data_dir=tmp_path, warmup=0, timeframe="1h")
    assert made.time.tolist() == hours["timestamp"].tolist()
    assert "mybars.csv" not in made.source + " ".join(made.notes)


def test_dates_of_day_and_month_and_decimal_commas_are_refused(tmp_path):
    """Nothing guesses between 01/02 and 02/01, nor what a comma means."""
    frame = bars(20)
    path = tmp_path / "mybars.csv"
    times = pd.to_datetime(frame["timestamp"], unit="ms")
    frame.assign(timestamp=times.dt.strftime("%m/%d/%Y %H:%M")).to_csv(path, index=False)
    with pytest.raises(InputError, match=r"line 2 of mybars.csv: timestamp = '01/01/2024 00:00' is not a time"):
        load("BTC", data_dir=path, warmup=0)
    frame.to_csv(path, index=False, sep=";", decimal=",")
    with pytest.raises(InputError, match=r"line 2 of mybars.csv \(2024-01-01 00:00\): open = '40000,0' is not a number"):
        load("BTC", data_dir=path, warmup=0)
