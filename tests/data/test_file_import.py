"""What `import` says of a file that it cannot store: the path as given, and how many files before it are stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from backtest.data.cache.store import Cache
from backtest.data.commands import main
from backtest.data.series import SeriesName
from tests.backtest.frames import bars

BARS = SeriesName("binanceusdm", "BTCUSDT", "15m")
NAME = "binanceusdm_BTCUSDT_15m"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRIDCORE_DATA_DIR", raising=False)
    (tmp_path / "down" / "load").mkdir(parents=True)
    return tmp_path


def put(name: str, frame: pd.DataFrame) -> str:
    frame.to_csv(name, index=False)
    return name


def broken(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(high=1.0)


@pytest.mark.parametrize("given", ["down/load", f"down/load/{NAME}.csv", "./down/../down"])
def test_an_error_names_the_path_as_given(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    put(f"down/load/{NAME}.csv", broken(bars(20)))
    assert main(["import", given]) == 2
    path = {"./down/../down": f"down/../down/load/{NAME}.csv"}.get(given, f"down/load/{NAME}.csv")
    error = capsys.readouterr().err
    assert f"line 2 of {path} (2024-01-01 00:00): the high is below the low" in error
    assert "before it" not in error


def test_a_file_that_fails_says_how_many_before_it_are_stored(capsys: pytest.CaptureFixture[str]) -> None:
    frame = bars(80)
    files = [put(f"down/{NAME}_{part}-{part}.csv", frame.iloc[20 * part : 20 * part + 20]) for part in range(3)]
    bad = put(f"down/load/{NAME}.csv", broken(frame.iloc[60:]))
    assert main(["import", "--quiet", files[0], bad]) == 2
    assert f"(2024-01-01 15:00): the high is below the low (open {frame['open'][60]:g}" in (error := capsys.readouterr().err)
    assert error.rstrip().endswith("; 1 file before it is stored")
    assert main(["import", "--quiet", *files, bad]) == 2
    assert capsys.readouterr().err.rstrip().endswith("; 3 files before it are stored")
    time, _ = Cache().read(BARS)
    assert np.array_equal(time, frame["timestamp"][:60])


def test_rows_that_contradict_the_cache_name_the_path_too(capsys: pytest.CaptureFixture[str]) -> None:
    first = put(f"{NAME}.csv", bars(20))
    other = put(f"down/load/{NAME}.csv", bars(20, seed=1))
    assert main(["import", "--quiet", first, other]) == 2
    error = capsys.readouterr().err
    assert f"down/load/{NAME}.csv contradicts what is stored of binanceusdm BTCUSDT 15m" in error
    assert "import:" not in error
    assert error.rstrip().endswith("; 1 file before it is stored")


def test_an_archive_of_other_days_is_not_imported(capsys: pytest.CaptureFixture[str]) -> None:
    put("down/BTCUSDT-15m-2025-01.csv", bars(96))
    assert main(["import", "--quiet", "down"]) == 2
    assert "down/BTCUSDT-15m-2025-01.csv holds 2024-01-01 00:00, which is not in 2025-01 (line 2)" in capsys.readouterr().err
    assert Cache().read(BARS)[0].size == 0


def test_repeated_rows_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    frame = bars(96)
    put(f"{NAME}.csv", pd.concat([frame.iloc[:50], frame.iloc[41:]]))
    assert main(["import", f"{NAME}.csv"]) == 0
    assert "96 of them new; read as table with header, milliseconds. 9 repeated rows that agree were dropped." in capsys.readouterr().out
