"""What is known of single exchanges and cannot be asked of ccxt."""

from __future__ import annotations

from typing import Any

# These answer a question for rows from a time on with the first rows there are from then on, however much later they come.
# An empty answer therefore means that nothing follows at all. Others answer for a window after that time only.
OPEN_ENDED = frozenset({"binance", "binanceus", "binanceusdm", "binancecoinm"})

# Rows to ask for in one question. ccxt's own figure for Binance is half of what it lets through.
_BINANCE_ROWS = 1000
_BAR_ROWS, _FUNDING_ROWS = 1000, 100
# Every exchange that offers a history hands over at least so many rows at once, where it has them.
LEAST_ROWS = 100


def rows_to_ask_for(exchange: Any, symbol: str, method: str) -> int:
    """How many rows to ask for in one question by the ccxt method fetchOHLCV or fetchFundingRateHistory."""
    if exchange.id in OPEN_ENDED:
        return _BINANCE_ROWS
    limit = exchange.feature_value(symbol, method, "limit")
    default = _BAR_ROWS if method == "fetchOHLCV" else _FUNDING_ROWS
    return limit if isinstance(limit, int) and limit > 0 else default
