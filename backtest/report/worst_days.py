"""The market's worst days in a run's range, what the run made of them, and the known ones that the range does not hold."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from backtest.ledger import Ledger, closes_on
from backtest.metrics.equity import DAY_MS
from backtest.metrics.months import period_returns
from backtest.report.study_tables import StudyRow, plain, study_table
from backtest.sensitivity.table import signed
from backtest.whole_numbers import whole_number

if TYPE_CHECKING:
    from rich.table import Table

    from backtest.result import Result

SCHEMA = 1
MOST_DAYS = 1000
# Days that those who traded crypto remember, and why.
KNOWN_DAYS = {
    "2020-03-12": "the pandemic crash",
    "2021-05-19": "the sell-off after China's ban",
    "2022-11-09": "the fall of FTX",
    "2024-08-05": "the unwinding of the yen carry trade",
    "2025-10-10": "the tariff liquidations",
}


@dataclass(frozen=True)
class WorstDay:
    """One UTC day of one coin.

    day: ISO date. market_return: of the coin, from the close before the day (the first open on the first day) to its last close.
    strategy_return: of the coin's own wallet, or of its share of a shared one, NaN without the event log there.
    portfolio_return: of the whole run. All are fractions. whole: whether the run has all bars of the day.
    """

    symbol: str
    day: str
    market_return: float
    strategy_return: float
    portfolio_return: float
    whole: bool


@dataclass(frozen=True)
class WorstDays:
    """The worst days of each coin, the worst first, and the known ones.

    rows: at most `n` a coin, in the order of the coins. known: the rows of known days within the range, each coin in the order of
    days. outside: known days the range does not hold. simulated: made-up days; then none of the known ones are named.
    """

    rows: tuple[WorstDay, ...]
    known: tuple[WorstDay, ...]
    outside: tuple[str, ...]
    simulated: bool

    def sentences(self) -> list[str]:
        """What the days say in words."""
        return sentences(self)

    @property
    def frame(self) -> pd.DataFrame:
        """The rows as a table; the columns are the fields of `WorstDay`."""
        return pd.DataFrame([asdict(row) for row in self.rows], columns=list(WorstDay.__dataclass_fields__))


def _coins(result: Result) -> Iterator[tuple[str, Any, Ledger, np.ndarray | None]]:
    """Symbol, market, wallet and the coin's own equity [bars] of each coin; None where that needs an event log."""
    places = [(ledger, symbol) for ledger in result.ledgers for symbol in ledger.symbols]
    for (ledger, symbol), market in zip(places, result.markets, strict=True):
        alone = len(ledger.symbols) == 1
        own = ledger.equity if alone else result[symbol].ledgers[0].equity if result.has_log else None
        yield symbol, market, ledger, own


def _market_returns(market: Any, time: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Days that have bars of the market among `time`, each day's return, and how many bars it has; each [days]."""
    rows = np.flatnonzero((time >= market.time[0]) & (time <= market.time[-1]))
    if rows.size == 0:
        return rows, np.zeros(0), rows
    start = min(int(np.searchsorted(market.time, time[rows[0]])), market.time.size - 1)
    days, returns = period_returns(time[rows] // DAY_MS, closes_on(time[rows], market), float(market.open[start]))
    return days, returns, np.unique(time[rows] // DAY_MS, return_counts=True)[1]


def _strategy_returns(days: np.ndarray, time: np.ndarray, equity: np.ndarray | None, capital: float) -> np.ndarray:
    """The wallet's return on each of `days`; NaN when it has no equity of its own."""
    if equity is None:
        return np.full(days.size, math.nan)
    own, returns = period_returns(time // DAY_MS, equity, capital)
    return np.asarray(returns[np.searchsorted(own, days)])


def _days_of(result: Result) -> Iterator[list[WorstDay]]:
    """Every day of each coin, in order of time."""
    full = max(1, DAY_MS // result.timeframe.ms)
    for symbol, market, ledger, own in _coins(result):
        days, moved, bars = _market_returns(market, ledger.time)
        capital = ledger.capital if len(ledger.symbols) == 1 else _capital_of(result, symbol)
        earned = _strategy_returns(days, ledger.time, own, capital)
        together = _strategy_returns(days, result.time, result.equity_values, result.capital)
        names = days.astype("datetime64[D]").astype(str)
        columns = zip(names, moved, earned, together, bars, strict=True)
        yield [WorstDay(symbol, str(day), float(a), float(b), float(c), bool(count >= full)) for day, a, b, c, count in columns]


def _capital_of(result: Result, symbol: str) -> float:
    return float(result[symbol].capital) if result.has_log else math.nan


def worst_days(result: Result, n: int = 5) -> WorstDays:
    """The `n` worst UTC days of each coin by its own return within the run, with what the run earned on them.

    n: 1 to 1,000. Days without a loss are not among them, so that there may be fewer. The first and last day may be in part.
    Works on saved results too. Raises InputError for another `n`.
    """
    n = whole_number("n", n, 1, MOST_DAYS)
    rows: list[WorstDay] = []
    known: list[WorstDay] = []
    for days in _days_of(result) if result.time.size else ():
        falls = [day for day in days if day.market_return < 0.0]
        rows += sorted(falls, key=lambda day: (day.market_return, day.day))[:n]
        known += [day for day in days if day.day in KNOWN_DAYS and not result.simulated]
    within = set((np.unique(result.time // DAY_MS)).astype("datetime64[D]").astype(str).tolist())
    outside = () if result.simulated else tuple(day for day in KNOWN_DAYS if day not in within)
    return WorstDays(tuple(rows), tuple(known), outside, result.simulated)


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else signed(value * 100.0)


def _named(day: str) -> str:
    return f"{day} ({KNOWN_DAYS[day]})"


def _moved(row: WorstDay) -> str:
    """What a coin and the strategy on it made of a day."""
    earned = "" if math.isnan(row.strategy_return) else f" (strategy {_percent(row.strategy_return)} %)"
    return f"{row.symbol} {_percent(row.market_return)} %{earned}"


def sentences(found: WorstDays) -> list[str]:
    """The known days within the range and what they came to, those outside of it, and days in part."""
    lines = []
    if found.simulated:
        lines.append("These days are SIMULATED: none of the known crashes is among them.")
    for day in sorted({row.day for row in found.known}):
        coins = ", ".join(_moved(row) for row in found.known if row.day == day)
        lines.append(f"{_named(day)} is in the range: {coins}.")
    if not found.rows:
        lines.append("No day of the range closed lower than it began.")
    if found.outside:
        days = ", ".join(map(_named, found.outside))
        one = len(found.outside) == 1
        lines.append(
            f"Outside of the range {'lies' if one else 'lie'} {days}: "
            f"the run does not tell how the strategy would have come through {'it' if one else 'them'}."
        )
    part = sorted({row.day for row in found.rows if not row.whole})
    if part:
        lines.append(f"The run has only a part of {', '.join(part)}.")
    return lines


def worst_days_table(found: WorstDays) -> Table:
    """The worst days in percent, marked * where they are known ones; the words are those of `WorstDays.sentences`."""
    title = "SIMULATED: the market's worst days, in percent" if found.simulated else "The market's worst days in the range, in percent"
    several = len({row.symbol for row in found.rows}) > 1
    headings = ("coin", "day, UTC", "market", "strategy", *(("portfolio",) if several else ()))
    rows = []
    for row in found.rows:
        mark = "*" if row.day in KNOWN_DAYS and not found.simulated else ""
        cells = [row.symbol, row.day + mark, _percent(row.market_return), _percent(row.strategy_return)]
        rows.append(StudyRow(cells + ([_percent(row.portfolio_return)] if several else [])))
    return study_table(title, headings, rows, words=2, remarks=False)


def _plain(row: WorstDay) -> dict[str, Any]:
    return {name: plain(value) for name, value in asdict(row).items()}


def as_json(found: WorstDays) -> dict[str, Any]:
    """Plain values in a stable order; null where a number is not known. `schema` counts up when a name or meaning changes."""
    return {
        "schema": SCHEMA,
        "simulated": found.simulated,
        "rows": [_plain(row) for row in found.rows],
        "known": [_plain(row) for row in found.known],
        "outside": list(found.outside),
        "sentences": sentences(found),
    }
