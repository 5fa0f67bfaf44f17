"""The engine on real bars: every settlement of a venue that shortened its interval, and finer bars beneath coarse ones."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import backtest as bt
from engine.records import LABELS, TRADED

pytestmark = pytest.mark.real_data

QUARTER = 900_000
HOUR = 3_600_000
FIRST, LAST = "2022-11-07", "2022-11-20"


def milliseconds(date: str) -> int:
    return int(np.datetime64(date, "ms").astype(np.int64))


def test_every_settlement_of_a_shortened_interval_is_charged(real_data: Path) -> None:
    """SOL settled every two hours from 2022-11-09 to 2022-11-18; a grid with far rungs holds one long lot through it."""
    file = pd.read_parquet(real_data / "binanceusdm_SOLUSDT_funding.parquet")
    begin, end = milliseconds(FIRST), milliseconds(LAST)
    inside = file[(file["timestamp"] > begin) & (file["timestamp"] <= end)]
    assert int((np.diff(inside["timestamp"]) == 2 * HOUR).sum()) > 90  # an interval of eight hours would miss most of them

    market = bt.load("SOL", FIRST, LAST, source="files", data_dir=real_data)
    assert market.synthetic_funding_share < 1.0
    result = bt.run(market, bt.StaticGrid(grid_levels=2, step=0.45, order_pct=0.2, allow_short=False))
    [ledger] = result.ledgers
    assert ledger.states["settlements"][0] == len(inside)

    labels = [LABELS[label] for label in ledger.events["label"]]
    assert labels[0] == "BUY_OPEN_LONG"
    assert set(labels[1:]) == {"FUNDING"}
    entry, charged = ledger.events[0], ledger.events[1:]
    held = inside[(inside["timestamp"] > entry["time"]) & (inside["rate"] != 0.0)]
    assert len(held) > 90
    # A settlement is charged in the bar in (open, close] of which it lies: on this clock, the bar that closes then.
    assert (charged["time"] + QUARTER).tolist() == held["timestamp"].tolist()
    closes = market.close[np.searchsorted(market.time, charged["time"])]
    np.testing.assert_allclose(charged["price"], closes, rtol=0.0)
    np.testing.assert_allclose(charged["funding"], -entry["qty"] * closes * held["rate"].to_numpy(), rtol=1e-12)
    assert ledger.states["funding"][0, 0] == pytest.approx(charged["funding"].sum(), rel=1e-9)


def told_to_differ(folder: Path, file: str) -> tuple[int, int]:
    """Coarse bars compared with a file of finer ones and how many differ, as the folder's README counts them."""
    found = re.search(rf"`{re.escape(file)}`: (\d+) / (\d+)", (folder / "README.md").read_text())
    assert found, f"the README says nothing of {file}"
    return int(found[1]), int(found[2])


@pytest.mark.parametrize(
    ("coin", "file", "first", "last"),
    [
        ("BTC", "binanceusdm_BTCUSDT_5m.parquet", "2023-01-01", "2026-02-19 16:45"),
        ("BTC", "binanceusdm_BTCUSDT_5m_20220601-20221124.parquet", "2022-06-01", "2022-11-24 17:00"),
        ("SOL", "binanceusdm_SOLUSDT_5m.parquet", "2023-11-01", "2026-04-30 10:15"),
    ],
)
def test_only_the_bars_that_differ_walk_their_own_path(real_data: Path, coin: str, file: str, first: str, last: str) -> None:
    compared, differing = told_to_differ(real_data, file)
    market = bt.load(coin, first, last, source="files", data_dir=real_data, sub_bars="5m", warmup=500)
    strategy, account = bt.AdaptiveGrid(), bt.Account(after_liquidation="continue")
    result = bt.run(market, strategy, account)
    notes = [note for note in result.notes if "walk their own path" in note]
    assert len(notes) == (1 if differing else 0)
    for note in notes:
        own, traded = (int(number.replace(",", "")) for number in re.findall(r"([\d,]+) of ([\d,]+) traded bars", note)[0])
        silent = int((market.kind[market.trade_from :] != TRADED).sum())
        assert (traded + silent, own) == (compared, differing)

    coarse = bt.run(bt.load(coin, first, last, source="files", data_dir=real_data, warmup=500), strategy, account)
    for one in (result, coarse):
        assert np.isfinite(one.ledgers[0].equity).all()
        assert (one.ledgers[0].equity >= 0.0).all()
        assert len(one.ledgers[0].events) > 1000
    assert result.ledgers[0].equity[-1] != coarse.ledgers[0].equity[-1]
    # Decisions are made on the coarse bars: until the first fill they are the same.
    assert result.ledgers[0].events[0]["time"] == coarse.ledgers[0].events[0]["time"]
