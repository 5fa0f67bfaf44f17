"""What can go wrong with one answer of the fake exchange: each fault by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

HTML = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>checking your browser</body></html>"


@dataclass(frozen=True)
class Request:
    """One request as the server saw it. number: counts, from 0, the requests for rows (bars, settlements); -1 for others."""

    number: int
    method: str
    path: str
    params: dict[str, str]
    signed: bool

    def since(self) -> int:
        return int(self.params.get("startTime") or self.params.get("start") or 0)


@dataclass
class Fault:
    """A fault of the table below, met by the next `times` requests for which `when` holds."""

    kind: str
    when: Callable[[Request], bool] = field(default=lambda request: request.number >= 0)
    times: float = 1
    wait: float | None = 3.0

    def __post_init__(self) -> None:
        if self.kind not in (*STATUS, *BODIES, *ROWS, *CONNECTION):
            raise ValueError(self.kind)

    def meets(self, request: Request) -> bool:
        if self.times <= 0 or not self.when(request):
            return False
        self.times -= 1
        return True


def at(*numbers: int) -> Callable[[Request], bool]:
    """The requests for rows of these numbers."""
    return lambda request: request.number in numbers


def _changed(row: list[Any], place: int, value: Any) -> list[Any]:
    return [*row[:place], value, *row[place + 1 :]]


def _in_middle(rows: list[Any], change: Callable[[list[Any]], Any]) -> list[Any]:
    middle = len(rows) // 2
    return [*rows[:middle], change(rows[middle]), *rows[middle + 1 :]] if rows else rows


# HTTP status, body.
STATUS = {
    "throttled": (429, '{"code":-1003,"msg":"Too many requests."}'),
    "banned": (418, '{"code":-1003,"msg":"Way too many requests; IP banned."}'),
    "server error": (500, "Internal Server Error"),
    "bad gateway": (502, HTML),
    "bad symbol": (400, '{"code":-1121,"msg":"Invalid symbol."}'),
    "no permission": (401, '{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}'),
    "no service": (451, '{"code":0,"msg":"Service unavailable from a restricted location."}'),
    "error with status 200": (200, '{"code":-1000,"msg":"An unknown error occurred while processing the request."}'),
}
# What becomes of the body, status 200.
BODIES: dict[str, Callable[[str], str]] = {
    "web page": lambda body: HTML,
    "truncated": lambda body: body[: len(body) * 2 // 3],
    "no body": lambda body: "",
    "null": lambda body: "null",
    "an object": lambda body: "{}",
    "empty list": lambda body: "[]",
    "text": lambda body: '"maintenance"',
}
# What becomes of the rows of Binance's bars.
ROWS: dict[str, Callable[[list[Any]], list[Any]]] = {
    "rows of null": lambda rows: [None] * len(rows),
    "one row of null": lambda rows: _in_middle(rows, lambda row: None),
    "values of null": lambda rows: [_changed(row, 4, None) for row in rows],
    "time of null": lambda rows: _in_middle(rows, lambda row: _changed(row, 0, None)),
    "short rows": lambda rows: [row[:3] for row in rows],
    "text values": lambda rows: _in_middle(rows, lambda row: _changed(row, 1, "n/a")),
    "not a number": lambda rows: _in_middle(rows, lambda row: _changed(row, 1, "NaN")),
    "repeated rows": lambda rows: [row for row in rows for _ in range(2)],
    "repeated rows that differ": lambda rows: rows + [_changed(row, 5, "0.001") for row in rows[:3]],
    "hole": lambda rows: rows[: len(rows) // 3] + rows[len(rows) // 2 :],
    "hole at the beginning": lambda rows: rows[len(rows) // 3 :],
    "short page": lambda rows: rows[: max(1, len(rows) // 4)],
    "out of order": lambda rows: rows[1::2] + rows[::2],
    "newest first": lambda rows: rows[::-1],
    "high below low": lambda rows: _in_middle(rows, lambda row: _changed(_changed(row, 2, row[3]), 3, row[2])),
    "price of zero": lambda rows: _in_middle(rows, lambda row: _changed(row, 3, "0")),
    "off the grid": lambda rows: _in_middle(rows, lambda row: _changed(row, 0, row[0] + 1)),
}
# What becomes of the connection, or of which rows are asked for.
CONNECTION = ("hang", "reset", "cut", "no advance", "overlap", "revised overlap")
