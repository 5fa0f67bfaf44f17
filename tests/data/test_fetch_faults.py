"""Every fault as the user of `fetch` meets it: recovered from, or one sentence; what had come stays, and the next fetch ends it."""

from __future__ import annotations

import functools
from math import inf
from pathlib import Path

import numpy as np
import pytest

from backtest.data import download
from backtest.data.cache.store import Cache
from backtest.data.commands import main
from backtest.data.exchange.client import ADDRESS
from backtest.data.exchange.retry import Patience
from backtest.data.exchange.venue import open_venue
from backtest.data.series import SeriesName
from tests.data.fake_exchange import FakeExchange
from tests.data.fake_faults import BODIES, CONNECTION, ROWS, STATUS, Fault
from tests.data.fake_market import all_coins, day

NOW = day("2024-03-01T12:07")
START = "2024-02-20"
SERIES = SeriesName("binanceusdm", "BTCUSDT", "15m")
PAGE_LIMIT = 300
# An exchange that refuses is not asked again, and one that changes its history is not believed either time.
NEVER_PASSING = ("bad symbol", "no permission", "no service", "revised overlap")


@pytest.mark.parametrize("times", [1, inf], ids=["once", "for ever"])
@pytest.mark.parametrize("kind", sorted({*STATUS, *BODIES, *ROWS, *CONNECTION}))
def test_nothing_is_lost(
    kind: str, times: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    patient = functools.partial(open_venue, sleep=lambda _: None, timeout=0.5 if kind == "hang" else 5.0, patience=Patience(attempts=3))
    monkeypatch.setattr(download, "open_venue", patient)
    fetch = ["fetch", "BTC", "--start", START, "--no-mark", "--no-funding", "--cache-dir", str(tmp_path)]
    time, values = all_coins()["BTCUSDT"].expected(900_000, day(START), NOW, NOW)
    with FakeExchange(now=NOW, coins=["BTCUSDT"], page_limit=PAGE_LIMIT) as server:
        monkeypatch.setenv(ADDRESS, server.address)
        server.faults = [Fault(kind, lambda request: request.number >= 1, times=times)]
        code = main(fetch)
        out, err = capsys.readouterr()
        stored_time, stored = Cache(tmp_path).read(SERIES)
        rows = stored_time.size
        assert np.array_equal(stored_time, time[:rows])
        assert np.array_equal(stored, values[:, :rows])
        if code == 0:
            assert rows == time.size
        else:
            assert code == 3
            assert times == inf or kind in NEVER_PASSING
            assert rows == PAGE_LIMIT  # the first page
            assert out == ""
            assert err.splitlines()[-1].startswith("error: binanceusdm ")
        server.set_up(NOW, PAGE_LIMIT)
        assert main(fetch) == 0
    stored_time, stored = Cache(tmp_path).read(SERIES)
    assert np.array_equal(stored_time, time)
    assert np.array_equal(stored, values)
