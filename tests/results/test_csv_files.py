"""CSV files written by pyarrow have the bytes that pandas would write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtest.csv_files import floats_as_text, write_csv

EDGES = [0.0, -0.0, 1.0, -3.0, 1e-4, 9.999e-5, 1e15, 999999999999999.9, 1e16, 1e22, 5e-324, 0.1 + 0.2, 69522.2, np.inf, -np.inf]


@given(st.lists(st.floats(allow_nan=False) | st.integers(-(10**17), 10**17).map(float) | st.sampled_from(EDGES), max_size=40))
def test_floats_read_as_python_writes_them(values: list[float]) -> None:
    assert floats_as_text(np.array(values, np.float64)).to_pylist() == [repr(value) for value in values]


def table(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"symbol": ["BTCUSDT", "ETHUSDT", None], "lot": [1, -1, 3], **columns})


def by_pandas(made: pd.DataFrame, folder: Path) -> bytes:
    made.to_csv(folder / "pandas.csv", index=False, lineterminator="\n")
    return (folder / "pandas.csv").read_bytes()


@pytest.mark.parametrize(
    "made",
    [
        table(price=[69522.2, 1e-7, np.nan], pnl=[0.0, -2.0, 1e18]),
        table().iloc[:0],
        table(price=[1.0, 2.0, 3.0]).iloc[:0],
        table(how=['with a "quote"', "with, a comma", "plain"]),
        table(won=[True, False, True]),
        pd.DataFrame({"with, a comma": [1.5]}),
    ],
    ids=["numbers", "no rows", "no floats", "texts in quotes", "a kind of its own", "a heading in quotes"],
)
def test_the_bytes_are_those_of_pandas(made: pd.DataFrame, tmp_path: Path) -> None:
    write_csv(made, (), tmp_path / "made.csv")
    assert (tmp_path / "made.csv").read_bytes() == by_pandas(made, tmp_path)


def test_times_are_utc_to_the_second_and_missing_ones_empty(tmp_path: Path) -> None:
    times = pd.to_datetime(pd.Series(["2024-01-01T00:15:00Z", None]), utc=True)
    write_csv(pd.DataFrame({"lot": [1, 2], "closed": times, "net": [1.0, np.nan]}), ("closed",), tmp_path / "made.csv")
    assert (tmp_path / "made.csv").read_text() == "lot,closed,net\n1,2024-01-01T00:15:00Z,1.0\n2,,\n"
