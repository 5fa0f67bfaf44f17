"""What an exchange's answer or refusal means, in words a person reads; and whether asking again may help.

ccxt reads leniently: a web page, a cut-off body or rows without numbers come out of it as an empty list. So every answer
is looked at before ccxt turns it into rows: a body that is not JSON never gets that far.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from backtest.data.exchange.retry import PassingError
from engine.errors import SourceError

_BANNED, _THROTTLED = 418, 429
# Asking again does not change these: no permission, or no service for the country of this address.
_REFUSALS = {401: "asks for credentials", 403: "refuses to serve this address", 451: "does not serve the country of this address"}
# Seconds to wait when an exchange bans or throttles without saying for how long: Binance's shortest ban is two minutes.
_UNSAID = {_BANNED: 120.0, _THROTTLED: 10.0}
# What ccxt raises when the answer does not have the shape that it expects.
MISREAD = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


@dataclass
class Heard:
    """The last answer of an exchange as it came: HTTP status (None: none came), headers, body, and the JSON in it (None: none)."""

    status: int | None = None
    headers: Mapping[str, str] | None = None
    body: str = ""
    content: Any = None

    @property
    def date(self) -> int | None:
        """The exchange's time by the answer's Date header, ms UTC; None without one."""
        try:
            return round(parsedate_to_datetime((self.headers or {})["Date"]).timestamp() * 1000)
        except (KeyError, TypeError, ValueError):
            return None

    @property
    def retry_after(self) -> float | None:
        """Seconds that the exchange asks to wait; None when it does not say."""
        try:
            seconds = float((self.headers or {})["Retry-After"])
        except (KeyError, TypeError, ValueError):
            return None
        return seconds if 0.0 <= seconds < float("inf") else None

    @property
    def says_nothing_is_there(self) -> bool:
        """Whether the answer holds an empty list, which is how an exchange says so; anything else that yields no row is misread."""
        return _holds_empty_list(self.content)


def _holds_empty_list(content: Any) -> bool:
    if isinstance(content, list):
        return not content
    return isinstance(content, dict) and any(_holds_empty_list(value) for value in content.values())


def body_problem(body: str) -> str:
    """What came in place of JSON: "an empty body", "a web page", ..."""
    text = body.strip()
    if not text:
        return "an empty body"
    if text[:1] == "<":
        return "a web page in place of data"
    return "data that are cut off" if text[:1] in "[{" else "text in place of data"


def passing_or_final(name: str, error: Exception, heard: Heard, timeout: float, secret: bool) -> Exception:
    """The PassingError or SourceError for what ccxt raised while asking exchange `name`.

    `secret`: the question was signed; then nothing of the answer is quoted. Final errors are sentences without what was asked.
    """
    import ccxt  # here because it takes a second to import

    status = heard.status
    if status in _UNSAID:
        return _throttled(name, status, heard.retry_after)
    if status in _REFUSALS:
        return SourceError(f"{name} {_REFUSALS[status]} (HTTP {status})")
    if status is not None and status >= 500:
        return PassingError(f"{name} answered with its own failure (HTTP {status})", heard.retry_after)
    if isinstance(error, ccxt.AuthenticationError):
        return SourceError(f"{name} refuses the credentials or needs some ({type(error).__name__})")
    if isinstance(error, ccxt.RequestTimeout):
        return PassingError(f"{name} did not answer within {timeout:g} s")
    if isinstance(error, ccxt.RateLimitExceeded | ccxt.DDoSProtection):
        return _throttled(name, _THROTTLED, heard.retry_after)
    if isinstance(error, ccxt.OperationFailed):
        return PassingError(f"{name} cannot be reached ({_cause(error)})" if status is None else f"{name} failed ({_said(heard, secret)})")
    if isinstance(error, ccxt.BadResponse | ccxt.NullResponse):
        return PassingError(f"{name} answered something that cannot be read")
    if _is_garbled(error):
        return PassingError(f"{name} answered something that cannot be read ({_cause(error)})")
    if isinstance(error, ccxt.BaseError):
        return SourceError(f"{name} refuses ({_cause(error) if status is None else _said(heard, secret)})")
    return PassingError(f"{name} answered something that cannot be read ({type(error).__name__})")


def _throttled(name: str, status: int, wait: float | None) -> PassingError:
    verb = "has banned this address for now" if status == _BANNED else "asks for fewer requests"
    asked = "and does not say for how long" if wait is None else f"and asks to wait {wait:.0f} s"
    return PassingError(f"{name} {verb} (HTTP {status}) {asked}", _UNSAID[status] if wait is None else wait)


def _said(heard: Heard, secret: bool) -> str:
    """The exchange's own words, cut short; only the status when the question was signed."""
    if secret:
        return f"HTTP {heard.status}"
    content = heard.content if isinstance(heard.content, dict) else {}
    words = next((content[key] for key in ("msg", "message", "retMsg", "error") if isinstance(content.get(key), str)), None)
    text = " ".join((words or json.dumps(heard.content)).split()).rstrip(".")
    return f"HTTP {heard.status}, {text[:120]!r}"


def _cause(error: Exception) -> str:
    """What went wrong on the way, by the innermost error's kind."""
    cause: BaseException = error
    while cause.__cause__ is not None or cause.__context__ is not None:
        cause = cause.__cause__ or cause.__context__ or cause
    kinds = {
        "ConnectionResetError": "the connection was reset",
        "ConnectionRefusedError": "the connection was refused",
        "RemoteDisconnected": "the connection was closed without an answer",
        "gaierror": "its name cannot be looked up",
        "NameResolutionError": "its name cannot be looked up",
        "IncompleteRead": "the connection was closed within the answer",
        "SSLCertVerificationError": "its certificate is not trusted",
        "SSLError": "the secure connection failed",
        "TooManyRedirects": "it points to another address, which is not followed",
        "InvalidHeader": "the credentials hold characters that cannot be sent",
        "error": "its compression is broken",
        "DecodeError": "its compression is broken",
    }
    return kinds.get(type(cause).__name__, type(cause).__name__)


def _is_garbled(error: BaseException) -> bool:
    """Whether an answer came and could not be unpacked."""
    link: BaseException | None = error
    while link is not None:
        if type(link).__name__ in ("ContentDecodingError", "DecodeError"):
            return True
        link = link.__cause__ or link.__context__
    return False
