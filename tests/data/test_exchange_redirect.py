"""What is meant for one address goes to no other, a signature above all."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from backtest.data.exchange.client import API_KEY, API_SECRET
from backtest.data.exchange.retry import Patience
from backtest.data.exchange.venue import open_venue
from engine.errors import SourceError
from tests.data.fake_exchange import FakeExchange
from tests.data.fake_market import day


class Lure(ThreadingHTTPServer):
    """Points every question to another address, and counts those that it gets."""

    target = ""
    asked = 0


class Handler(BaseHTTPRequestHandler):
    server: Lure

    def do_GET(self) -> None:
        self.server.asked += 1
        self.send_response(302)
        self.send_header("Location", self.server.target + self.path)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def lure() -> Iterator[Lure]:
    with Lure(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_redirection_is_not_followed(lure: Lure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(API_KEY, "a-key-that-nobody-else-may-see")
    monkeypatch.setenv(API_SECRET, "a-secret")
    with FakeExchange(now=day("2024-03-01")) as other:
        lure.target = other.address
        address = f"http://127.0.0.1:{lure.server_address[1]}"
        with open_venue(address=address, patience=Patience(attempts=2), sleep=lambda _: None) as venue:
            with pytest.raises(SourceError, match="it points to another address, which is not followed"):
                venue.symbols()
            with pytest.raises(SourceError) as caught:
                venue.now()
        assert "nobody-else" not in str(caught.value)
        assert lure.asked > 0
        assert other.log == []
