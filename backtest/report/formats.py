"""How figures are written in tables, the same on the terminal, in a notebook and on the page. NaN is a dash."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backtest.result import Result


def known(value: float, show: Callable[[float], str]) -> str:
    """A number written by `show`; a dash when there is none."""
    return "-" if math.isnan(value) else show(value)


def percent(value: float) -> str:
    """0.0512 as `5.12 %`."""
    return known(value * 100.0, "{:,.2f} %".format)


def money(value: float) -> str:
    """1234.5 as `1,234.50`; what rounds to nothing is no loss."""
    return known(value + 0.0, "{:,.2f}".format).replace("-0.00", "0.00")


def ratio(value: float) -> str:
    """1234.5 as `1,234.50`, infinity as `inf`."""
    return known(value, "{:,.2f}".format)


def count(value: float) -> str:
    """1234.0 as `1,234`."""
    return known(value, "{:,.0f}".format)


def result_columns(result: Result) -> list[tuple[str, Result]]:
    """Heading and result of each column of a table: the whole first when there are several coins."""
    if len(result.symbols) == 1:
        return [(result.symbols[0], result)]
    coins = [(symbol, result[symbol]) for symbol in result.symbols] if result.has_log or not result.is_shared else []
    return [("PORTFOLIO", result), *coins]
