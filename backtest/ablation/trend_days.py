"""What a run earned on the days the market ran, for the move of those days and the exposure it had."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from backtest.metrics.equity import daily_returns

if TYPE_CHECKING:
    from backtest.result import Result

TREND_QUANTILE = 0.90
LEAST_DAYS = 30  # fewer have less than three trend days

DEFINITION = (
    "Share of trends caught: the profit of the tenth of UTC days on which buy and hold moved most, up or down, "
    "over the size of those moves times the run's average gross exposure; 100 % would have been on the right side of all of them."
)


def average_exposure(result: Result) -> float:
    """Gross notional over equity, the mean over bars, wallets weighted by their capital; needs no event log."""
    parts = [
        float(ledger.account["exposure_sum"]) / float(ledger.account["bars"]) * ledger.capital
        for ledger in result.ledgers
        if ledger.account["bars"] > 0
    ]
    return sum(parts) / result.capital


def share_caught(returns: np.ndarray, market: np.ndarray, exposure: float) -> float:
    """`sum(returns)/(exposure*sum(abs(market)))` over the days on which abs(market) is at or above its 90th percentile.

    returns, market: float64 [days], daily returns of the run and of buy and hold, fractions. exposure: the run's average gross
    one. The result is negative for a run that stood on the wrong side, NaN with fewer than 30 days, no moves, or no exposure.
    """
    if market.size < LEAST_DAYS or not exposure > 0.0:
        return math.nan
    moves = np.abs(market)
    trending = (moves >= np.quantile(moves, TREND_QUANTILE)) & (moves > 0.0)
    total = float(moves[trending].sum())
    return float(returns[trending].sum()) / (exposure * total) if total > 0.0 else math.nan


def trend_capture(result: Result) -> float:
    """`share_caught` of a result, its coins taken together; see `DEFINITION`."""
    market = daily_returns(result.time, result.buy_and_hold_values, result.capital)
    return share_caught(daily_returns(result.time, result.equity_values, result.capital), market, average_exposure(result))
