"""Series that should tell the same story: one symbol on two exchanges, two coins of one, settlements and their bars."""

from __future__ import annotations

import numpy as np

from backtest.data.check.bars import Table
from backtest.data.check.clocks import Closes, best_fit, closes_of
from backtest.data.check.findings import ClockFindings, FundingFindings, SeriesFindings, Uncovered, VenueFindings
from backtest.data.settlements import INTERVAL_HOURS
from backtest.data.timeframe import HOUR, MINUTE

# Clocks are told from closes this far apart, or a bar.
CLOCK_STEP = 15 * MINUTE
# Two coins tell each other's clock when their returns are correlated this much; a shift must improve that by as much as it says.
LEAST_CORRELATION, LEAST_IMPROVEMENT = 0.3, 0.1


def compare_venues(one: Table, one_ms: int, other: Table, other_ms: int) -> VenueFindings | None:
    """Two series of one symbol at the times where a bar of both closes; None when there is no such time.

    `one_ms` and `other_ms` are the lengths of the bars, which may differ.
    """
    time, first, second = np.intersect1d(one.time + one_ms, other.time + other_ms, assume_unique=True, return_indices=True)
    if time.size == 0:
        return None
    a, b = one.values[3, first], other.values[3, second]
    apart = 100.0 * np.abs(a / b - 1.0)
    begin, end = int(max(one.time[0], other.time[0])), int(min(one.time[-1] + one_ms, other.time[-1] + other_ms))
    worst = int(np.argmax(apart))
    step = max(one_ms, other_ms)
    fit = best_fit(closes_of(one, one_ms, step), closes_of(other, other_ms, step))
    return VenueFindings(
        one.name.symbol,
        f"{one.name.exchange} {one.name.content}",
        f"{other.name.exchange} {other.name.content}",
        begin,
        end,
        int(time.size),
        float(np.median(apart)),
        float(apart[worst]),
        int(time[worst]),
        _volume_pct(one, other, begin, end),
        float("nan") if fit is None else fit.as_stored,
        None if fit is None else fit.offset // MINUTE,
    )


def _volume_pct(one: Table, other: Table, begin: int, end: int) -> float:
    """Volume of the first series in [begin, end) as a percentage of the second's; NaN without volume."""
    sums = []
    for table in (one, other):
        rows = slice(*np.searchsorted(table.time, [begin, end]))
        sums.append(float(table.values[4, rows].sum()) if len(table.values) > 4 else 0.0)
    return 100.0 * sums[0] / sums[1] if sums[1] > 0 else float("nan")


def compare_clocks(findings: list[SeriesFindings], closes: list[Closes]) -> list[ClockFindings]:
    """Every series against the coin of its exchange with which it shares most closes; those that tell nothing are left out.

    `closes` belong to `findings`, on the grid of CLOCK_STEP or of the series' own bars.
    """
    found = []
    for one, own in zip(findings, closes, strict=True):
        others = [
            (other, its)
            for other, its in zip(findings, closes, strict=True)
            if other.exchange == one.exchange and other.symbol != one.symbol and its.step == own.step
        ]
        if not others:
            continue
        other, its = max(others, key=lambda pair: min(own.time[-1], pair[1].time[-1]) - max(own.time[0], pair[1].time[0]))
        fit = best_fit(own, its)
        if fit is None or fit.correlation < LEAST_CORRELATION:
            continue
        offset = fit.offset if fit.correlation - fit.as_stored > LEAST_IMPROVEMENT else 0
        correlation = fit.correlation if offset else fit.as_stored
        first, second = f"{one.symbol} {one.content}", f"{other.symbol} {other.content}"
        found.append(ClockFindings(one.exchange, first, second, fit.compared, offset // MINUTE, correlation, fit.as_stored))
    return found


def uncovered_spans(series: list[SeriesFindings], funding: list[FundingFindings]) -> list[Uncovered]:
    """Spans of bars before the first and after the last settlement, of symbols that have settlements at all.

    The exchange's eight hours are allowed at the end; bars of all timeframes of a symbol count together.
    """
    found = []
    for settled in funding:
        bars = [one for one in series if (one.exchange, one.symbol) == (settled.exchange, settled.symbol)]
        if not bars:
            continue
        first, end = min(one.first for one in bars), max(one.end for one in bars)
        if settled.first - first > INTERVAL_HOURS * HOUR:
            found.append(Uncovered(settled.exchange, settled.symbol, first, settled.first))
        if end - settled.last > INTERVAL_HOURS * HOUR:
            found.append(Uncovered(settled.exchange, settled.symbol, settled.last, end))
    return found
