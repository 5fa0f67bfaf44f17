"""One exchange through ccxt: chosen by name, its address if another is wanted, and every question asked with patience.

Nothing private is asked of it: currencies and margin pairs, which ccxt would fetch along with the markets when it has
credentials, are switched off, and credentials are given to ccxt only for the one question that needs them.
"""

from __future__ import annotations

import difflib
import importlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

from backtest.data.exchange.answers import MISREAD, Heard, body_problem, passing_or_final
from backtest.data.exchange.retry import PassingError, Patience, persist
from engine.errors import InputError, SourceError

T = TypeVar("T")

ADDRESS = "GRIDCORE_EXCHANGE_URL"
OFFLINE_SWITCH = "GRIDCORE_OFFLINE"
API_KEY, API_SECRET = "GRIDCORE_API_KEY", "GRIDCORE_API_SECRET"
OFFLINE = f"{OFFLINE_SWITCH} is set, so no exchange is asked"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_HOST = re.compile(r"^[a-z]+://[^/]*")


class Client:
    """A ccxt exchange whose answers are looked at before they are believed.

    exchange: the ccxt object. heard: its last answer as it came. patience, timeout (seconds): may be changed between questions.
    """

    def __init__(
        self,
        name: str,
        address: str | None,
        patience: Patience,
        timeout: float,
        sleep: Callable[[float], None] = time.sleep,
        on_wait: Callable[[str], None] | None = None,
    ) -> None:
        self.name = name
        self.heard = Heard()
        self.patience = patience
        self._sleep, self._on_wait = sleep, on_wait
        kind = _listening(exchange_class(name), self.heard, sleep)
        self.exchange = kind({"enableRateLimit": True})
        # What is meant for this address, a signature above all, goes to no other.
        self.exchange.session.max_redirects = 0
        self.timeout = timeout
        self._quieten()
        if address is not None:
            self.exchange.urls["api"] = _moved(self.exchange.urls["api"], address)

    @property
    def timeout(self) -> float:
        """Seconds that the exchange has to begin its answer, and to go on with it."""
        return float(self.exchange.timeout) / 1000.0

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        self.exchange.timeout = round(seconds * 1000)

    def ask(self, what: str, function: Callable[[], T], secret: bool = False) -> T:
        """What `function`, which asks the exchange by ccxt and reads the answer, returns.

        `what` names the question in a sentence. `secret`: it is signed, so nothing of the answer is quoted. `function` may
        raise PassingError for an answer that makes no sense. Raises SourceError when the exchange cannot be read.
        """
        import ccxt  # here because it takes a second to import

        def once() -> T:
            try:
                return function()
            except (PassingError, SourceError, InputError):
                raise
            except (ccxt.BaseError, *MISREAD) as error:
                known = passing_or_final(self.name, error, self.heard, self.timeout, secret)
            if isinstance(known, SourceError):
                raise SourceError(f"{known} when asked for {what}")
            raise known

        return persist(once, what, self.patience, self._sleep, self._on_wait)

    def within(self, seconds: float, function: Callable[[], T]) -> T:
        """What `function` returns or raises; SourceError when that takes longer, for instance because no name can be looked up."""
        outcome: Future[T] = Future()

        def run() -> None:
            try:
                outcome.set_result(function())
            except Exception as error:  # noqa: BLE001  raised again below, whatever it is
                outcome.set_exception(error)

        # A daemon, so that a program that has gone on without the answer can end before it comes.
        threading.Thread(target=run, daemon=True).start()
        try:
            return outcome.result(seconds)
        except TimeoutError:
            raise SourceError(f"{self.name} did not answer within {seconds:g} s") from None

    @contextmanager
    def credentials(self) -> Iterator[bool]:
        """Gives ccxt the credentials of the environment for as long as the block lasts; yields whether there are any."""
        key, secret = os.environ.get(API_KEY), os.environ.get(API_SECRET)
        try:
            if key and secret:
                self.exchange.apiKey, self.exchange.secret = key, secret
            yield bool(key and secret)
        finally:
            self.exchange.apiKey = self.exchange.secret = ""

    def close(self) -> None:
        """Closes the connection."""
        self.exchange.session.close()

    def _quieten(self) -> None:
        """Switch off what ccxt asks on its own account beside the public list of markets."""
        exchange = self.exchange
        exchange.enableLastJsonResponse = True
        exchange.has["fetchCurrencies"] = False
        exchange.options.update({"fetchCurrencies": False, "fetchMargins": False, "adjustForTimeDifference": False})
        markets = exchange.options.get("fetchMarkets")
        if isinstance(markets, dict) and "types" in markets:
            wanted = [kind for kind in ("linear", "swap") if kind in markets["types"]]
            exchange.options["fetchMarkets"] = {**markets, "types": wanted or markets["types"]}


def exchange_class(name: str) -> Any:
    """The ccxt class of an exchange that offers bars. Raises InputError with the nearest names for another."""
    import ccxt  # here because it takes a second to import

    known = ccxt.exchanges
    if not isinstance(name, str) or name not in known:
        near = difflib.get_close_matches(str(name).lower(), known, n=3, cutoff=0.5)
        hint = f": did you mean {' or '.join(near)}?" if near else ", such as binanceusdm, bybit or okx"
        raise InputError(f"exchange = {name!r} is refused: it must be the name of an exchange in ccxt{hint}")
    kind = getattr(importlib.import_module("ccxt"), name)
    if kind().has.get("fetchOHLCV") is not True:
        raise InputError(f"exchange = {name!r} is refused: it offers no history of bars")
    return kind


def wanted_address(address: str | None) -> str | None:
    """The address to use in place of the exchange's own: the one given, else that of the environment, else None.

    Raises InputError for one that is no http address, and SourceError (`OFFLINE`) when the machine is to stay offline and
    the address is not its own.
    """
    chosen = address if address is not None else os.environ.get(ADDRESS) or None
    host: str | None = None
    if chosen is not None:
        try:
            parts = urlsplit(chosen)
            host, _ = parts.hostname, parts.port
        except (ValueError, AttributeError, TypeError):
            host = None
        if host is None or parts.scheme not in ("http", "https"):
            named = "address" if address is not None else ADDRESS
            raise InputError(f"{named} = {chosen!r} is refused: it must begin with http:// or https://, such as http://127.0.0.1:8899")
    if os.environ.get(OFFLINE_SWITCH, "") not in ("", "0") and host not in _LOOPBACK:
        raise SourceError(OFFLINE)
    return None if chosen is None else chosen.rstrip("/")


def _moved(urls: Any, address: str) -> Any:
    """The addresses of ccxt with another host, whatever their nesting; the paths stay."""
    if isinstance(urls, dict):
        return {key: _moved(value, address) for key, value in urls.items()}
    if isinstance(urls, list):
        return [_moved(value, address) for value in urls]
    return _HOST.sub(lambda _: address, urls) if isinstance(urls, str) else urls


def _listening(base: Any, heard: Heard, sleep: Callable[[float], None]) -> Any:
    """A ccxt class that notes every answer, refuses bodies that are not JSON, and hands over all rows of an answer.

    ccxt itself sorts the rows, drops those before `since` and cuts them to `limit`, which hides an exchange that goes in
    circles.
    """

    class Listening(base):  # type: ignore[misc]
        def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
            heard.status, heard.headers, heard.body, heard.content = None, None, "", None
            self.last_json_response = None
            answer = super().fetch(url, method, headers, body)
            heard.content = self.last_json_response
            if heard.content is None:
                raise PassingError(f"{self.id} answered with {body_problem(heard.body)} (HTTP {heard.status})")
            return answer

        def on_rest_response(self, code: Any, reason: Any, url: Any, method: Any, headers: Any, body: Any, *rest: Any) -> Any:
            heard.status, heard.headers, heard.body = code, headers, body
            heard.content = self.parse_json(body.strip())
            return super().on_rest_response(code, reason, url, method, headers, body, *rest)

        def throttle(self, cost: Any = None) -> None:
            """The limit of the rate of requests as ccxt has it, with a wait that can be replaced."""
            due = self.lastRestRequestTimestamp + self.rateLimit * (1 if cost is None else cost)
            ahead = due - self.milliseconds()
            if ahead > 0:
                sleep(ahead / 1000.0)

        def parse_ohlcvs(self, ohlcvs: Any, market: Any = None, *_: Any, **__: Any) -> list[Any]:
            if not isinstance(ohlcvs, list) or not all(isinstance(row, (list, dict)) and row for row in ohlcvs):
                raise PassingError(f"{self.id} answered with rows that are no bars")
            return [self.parse_ohlcv(row, market) for row in ohlcvs]

        def filter_by_symbol_since_limit(self, array: Any, *_: Any, **__: Any) -> Any:
            return array

    Listening.__name__ = base.__name__
    return Listening
