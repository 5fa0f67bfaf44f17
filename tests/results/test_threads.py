"""The files of a run do not depend on how many threads made them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backtest import cli

DAYS = ("--coins", "BTC", "ETH", "--source", "simulated", "--start", "2024-03-01", "--end", "2024-03-06")
COMMAND = (*DAYS, "--html", "--no-charts", "--quiet")


def files_made_on(threads: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The files of a run on a machine of so many processors."""
    monkeypatch.setattr(os, "cpu_count", lambda: threads)
    assert cli.main([*COMMAND, "--output", str(folder)]) == 0
    (run,) = folder.iterdir()
    return {str(path.relative_to(run)): path.read_bytes() for path in run.rglob("*") if path.is_file()}


def test_one_thread_and_two_write_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (files_made_on(threads, tmp_path / str(threads), monkeypatch) for threads in (1, 2))
    assert {"summary.json", "trades.csv", "equity.parquet", "report.html"} <= set(one)
    assert [name for name in one if one[name] != two.get(name)] == []
    assert set(one) == set(two)
    assert b'"draws": 32' in one["summary.json"]
