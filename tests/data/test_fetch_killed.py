"""`python -m backtest.data fetch`, killed at every page it asks for: in the end the cache is what it would have been."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data.fake_exchange import FakeExchange
from tests.data.fake_faults import Request
from tests.data.fake_market import day

ROOT = Path(__file__).resolve().parents[2]
NOW = day("2024-03-01T12:07")
# Three pages of bars over a month's border, three of mark prices, two of settlements; a page is 200 rows at most.
FETCH = ["fetch", "BTC", "--start", "2024-02-24T00:00", "--timeframe", "15m"]
PAGE_LIMIT = 200


def started(server: FakeExchange, cache: Path) -> subprocess.Popen[bytes]:
    """The command as a user starts it."""
    environment = {**os.environ, "GRIDCORE_EXCHANGE_URL": server.address, "GRIDCORE_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "backtest.data", *FETCH, "--cache-dir", str(cache)]
    return subprocess.Popen(command, cwd=cache.parent, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def stored(cache: Path) -> dict[str, bytes]:
    """Every file of the cache but the locks."""
    return {path.relative_to(cache).as_posix(): path.read_bytes() for path in cache.rglob("*") if path.is_file() and path.name != ".lock"}


class Killer:
    """Ends a process with SIGKILL when it asks for its n-th page, before it gets an answer."""

    number = -1

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.victims = 0

    def meets(self, request: Request) -> bool:
        if self.process is not None and request.number == self.number:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.victims += 1
        return False


@pytest.mark.parametrize("pages", [(1, 6), pytest.param(tuple(range(12)), marks=pytest.mark.slow)], ids=["some", "every"])
def test_killed_at_pages_and_started_again_the_bytes_are_the_same(pages: tuple[int, ...], tmp_path: Path) -> None:
    """A fresh cache for each page: killed when it asks for it, started again, and compared with a download left in peace."""
    killer = Killer()
    with FakeExchange(now=NOW, coins=["BTCUSDT"], page_limit=PAGE_LIMIT) as server:
        peace = started(server, tmp_path / "peace")
        out, err = peace.communicate(timeout=120)
        assert peace.returncode == 0, err
        whole, total = stored(tmp_path / "peace"), len(server.row_requests)
        assert out.count(b" new rows in ") == 3
        assert len([name for name in whole if name.endswith(".parquet")]) == 6  # two months of three series
        for page in pages:
            if page >= total:
                continue
            cache = tmp_path / f"killed-{page}"
            killer.number = page
            server.set_up(NOW, PAGE_LIMIT, [killer])  # type: ignore[list-item]
            killer.process = started(server, cache)
            killer.process.communicate(timeout=120)
            assert killer.process.returncode == -signal.SIGKILL
            killer.process = None
            before = stored(cache)
            server.set_up(NOW, PAGE_LIMIT)
            again = started(server, cache)
            _, err = again.communicate(timeout=120)
            assert again.returncode == 0, err
            assert stored(cache) == whole
            # What had come is not asked for again, but for the rows that are compared at its end, two questions at most.
            assert len(server.row_requests) <= total - page + 3
            assert not [name for name in before if name.endswith(".unreadable")]
    assert killer.victims == len([page for page in pages if page < total])
