"""A made-up exchange on this machine that speaks Binance USD-M's language (and, for bars, Bybit's), for real ccxt to talk to.

In a test: `with FakeExchange(now=day("2024-03-01")) as server: open_venue("binanceusdm", address=server.address)`.
By hand: `python tests/data/fake_exchange.py --port 8899 --now 2024-03-01`, then `curl -X POST '127.0.0.1:8899/fake/clock?now=2024-03-02'`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import struct
import sys
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

if not __package__:  # started as a program
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.data.fake_faults import BODIES, ROWS, STATUS, Fault, Request
from tests.data.fake_market import all_coins, day
from tests.data.fake_wire import LeftOut, binance_answer, bybit_answer

# Paths that serve rows; their requests are counted, and faults are meant for them unless they say otherwise.
_ROW_PATHS = ("/fapi/v1/klines", "/fapi/v1/markPriceKlines", "/fapi/v1/fundingRate", "/v5/market/kline", "/v5/market/funding/history")
PRIVATE_PATHS = ("/fapi/v1/leverageBracket",)


class FakeExchange:
    """The server. `now` (ms UTC) is its clock and may be set; `log` holds the requests so far; `faults` are met in their order.

    page_limit: most rows of an answer. left_out: bars that the exchange does not have, by symbol, as [begin, stop) in ms UTC.
    """

    def __init__(
        self,
        now: int,
        coins: Iterable[str] | None = None,
        page_limit: int = 1500,
        faults: Iterable[Fault] = (),
        left_out: LeftOut | None = None,
        port: int = 0,
    ) -> None:
        known = all_coins()
        self.coins = known if coins is None else {symbol: known[symbol] for symbol in coins}
        self.now, self.page_limit = now, page_limit
        self.faults, self.left_out = list(faults), left_out or {}
        self.log: list[Request] = []
        self.closing = threading.Event()
        self._rows_asked_for = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.exchange = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.end_connections()
        self._server.server_close()
        self._thread.join()

    @property
    def row_requests(self) -> list[Request]:
        """The requests for rows so far."""
        return [request for request in self.log if request.number >= 0]

    def set_up(self, now: int, page_limit: int = 1500, faults: Iterable[Fault] = (), left_out: LeftOut | None = None) -> None:
        """Another clock, other limits and faults, an empty log: as good as new."""
        with self._lock:
            self.now, self.page_limit, self.left_out = now, page_limit, left_out or {}
            self.faults, self.log, self._rows_asked_for = list(faults), [], 0

    def noted(self, method: str, target: str, signed: bool) -> tuple[Request, Fault | None]:
        """The request in the log, and the fault it meets."""
        parts = urlsplit(target)
        with self._lock:
            number = self._rows_asked_for if parts.path in _ROW_PATHS else -1
            self._rows_asked_for += number >= 0
            request = Request(number, method, parts.path, dict(parse_qsl(parts.query)), signed)
            self.log.append(request)
            return request, next((fault for fault in self.faults if fault.meets(request)), None)

    def answer(self, request: Request, fault: Fault | None) -> tuple[int, str]:
        """HTTP status and body."""
        kind = "" if fault is None else fault.kind
        if kind in STATUS:
            return STATUS[kind]
        if request.path == "/fake/clock":
            self.now = day(request.params["now"]) if "now" in request.params else self.now
            return 200, json.dumps({"now": self.now})
        params = dict(request.params)
        if kind == "no advance":
            first = next((earlier for earlier in self.row_requests if earlier.since()), request)
            params["startTime"] = str(first.since() - 50 * 86_400_000)
        if kind.endswith("overlap"):
            params["startTime"] = str(request.since() - 3 * 900_000)
        speak = bybit_answer if request.path.startswith("/v5/") else binance_answer
        status, content = speak(self, request.path, params)
        if kind in ROWS:
            content = ROWS[kind](content)
        if kind == "revised overlap":
            content = [[*row[:5], "0.001", *row[6:]] for row in content[:2]] + content[2:]
        body = json.dumps(content)
        return status, BODIES[kind](body) if kind in BODIES else body


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # joined on closing, so that none outlives its test
    exchange: FakeExchange

    def __init__(self, *args: Any) -> None:
        self._connections: set[socket.socket] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        """Wake the threads that wait for another request of a kept connection."""
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a client that has gone away is no news
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        exchange = self.server.exchange
        request, fault = exchange.noted(self.command, self.path, "X-MBX-APIKEY" in self.headers)
        if fault is not None and fault.kind == "hang":
            exchange.closing.wait(30.0)
            self.close_connection = True
            return
        if fault is not None and fault.kind == "reset":
            # With no time to linger, closing sends a reset in place of an orderly end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        status, body = exchange.answer(request, fault)
        self._send(status, body.encode(), fault)

    do_POST = do_GET  # noqa: N815

    def _send(self, status: int, body: bytes, fault: Fault | None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if body[:1] == b"<" else "application/json;charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        if fault is not None and status in (418, 429) and fault.wait is not None:
            self.send_header("Retry-After", f"{fault.wait:.0f}")
        self.end_headers()
        if fault is not None and fault.kind == "cut":
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
            return
        self.wfile.write(body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(self.server.exchange.now / 1000.0)

    def log_message(self, *_: Any) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description="A made-up exchange on this machine, for demonstrations and by hand.")
    parser.add_argument("--port", type=int, default=8899)
    parser.add_argument("--now", default="2024-03-01", help="the exchange's clock, UTC; it stands still until it is set")
    parser.add_argument("--coins", nargs="+", help="such as BTC ETH; default all")
    parser.add_argument("--page-limit", type=int, default=1500, help="most rows of an answer")
    arguments = parser.parse_args()
    coins = None if arguments.coins is None else [f"{coin}USDT" for coin in arguments.coins]
    with FakeExchange(day(arguments.now), coins, arguments.page_limit, port=arguments.port) as server:
        print(f"{server.address} serves {', '.join(server.coins)}; its clock says {arguments.now} UTC", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
