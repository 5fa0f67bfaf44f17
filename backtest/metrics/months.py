"""Returns by calendar month (UTC)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from backtest.metrics.equity import returns_per_bar

if TYPE_CHECKING:
    from backtest.result import Result

MONTHS = tuple(range(1, 13))
YEAR = "year"


def month_of(time: np.ndarray) -> np.ndarray:
    """Months since January 1970 of int64 ms [bars]; a bar belongs to the month it opens in."""
    return np.asarray(time, dtype=np.int64).astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)


def period_returns(period: np.ndarray, equity: np.ndarray, capital: float) -> tuple[np.ndarray, np.ndarray]:
    """Each period that has bars, and its return from the last close of the one before (the capital for the first).

    period: int64 [bars], ascending. equity: float64 [bars], quote currency, at closes. Both results have shape [periods].
    """
    if equity.size == 0:
        return period[:0], np.zeros(0)
    last = np.append(period[1:] != period[:-1], True)
    return period[last], returns_per_bar(equity[last], capital)


def monthly_returns(result: Result) -> pd.DataFrame:
    """Returns as fractions: a row a year, columns 1 to 12 and `year`. The first and last month may be in part.

    NaN in months without bars. The months of a row compound to `year`, and the years to the total return.
    """
    month, returns = period_returns(month_of(result.time), result.equity_values, result.capital)
    year = month // 12
    years, yearly = period_returns(month_of(result.time) // 12, result.equity_values, result.capital)
    rows = pd.Index(years + 1970, name="year", dtype=np.int64)
    values = np.full((years.size, len(MONTHS)), np.nan)
    values[np.searchsorted(years, year), month % 12] = returns
    table = pd.DataFrame(values, index=rows, columns=list(MONTHS))
    table[YEAR] = yearly
    return table
