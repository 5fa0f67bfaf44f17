"""Series of one exchange against each other: finer bars against coarser ones, gaps against the other coins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backtest.data.check.bars import Table
from backtest.data.check.findings import BarDifference, Gap, SeriesFindings, SumFindings
from backtest.data.columns import BAR_FIELDS
from backtest.data.timeframe import Timeframe

# Volumes are sums of many decimal numbers, so they are the same when they differ by less than this, relatively.
SAME_VOLUME = 1e-6


def compare_sums(finer: Table, finer_frame: Timeframe, coarse: Table, coarse_frame: Timeframe) -> SumFindings | None:
    """The finer bars added up against the coarse bars of the same market; None when they share no whole group.

    Added up: first open, greatest high, least low, last close, sum of volumes, of groups of which no finer bar is missing.
    """
    size = coarse_frame.ms // finer_frame.ms
    firsts = _whole_groups(finer.time, finer_frame.ms, coarse_frame.ms, size)
    place = np.searchsorted(coarse.time, finer.time[firsts])
    place = np.minimum(place, coarse.time.size - 1)
    there = coarse.time[place] == finer.time[firsts]
    firsts, place = firsts[there], place[there]
    if firsts.size == 0:
        return None
    made = _added_up(finer.values, firsts, size)
    bars = coarse.values[: len(made), place]
    time = coarse.time[place]
    wrong = made[:4] != bars[:4]
    off = np.zeros((0, time.size), bool)
    if len(made) > 4:
        off = np.abs(made[4:] - bars[4:]) > SAME_VOLUME * np.maximum(made[4:], bars[4:])
    return SumFindings(
        finer.name.exchange,
        finer.name.symbol,
        finer.name.content,
        coarse.name.content,
        finer.files,
        int(firsts.size),
        int(wrong.any(axis=0).sum()),
        int(off.any(axis=0).sum()),
        _differences(time, wrong, bars, made, 0),
        _differences(time, off, bars[4:], made[4:], 4),
    )


def _whole_groups(time: np.ndarray, step: int, coarse: int, size: int) -> np.ndarray:
    """Rows of the first finer bar of every group of which all bars are there."""
    firsts = np.flatnonzero(time % coarse == 0)
    firsts = firsts[firsts + size <= time.size]
    # Times are unique and on the grid, so the right last time leaves no room for a hole.
    return firsts[time[firsts + size - 1] == time[firsts] + coarse - step]


def _added_up(values: np.ndarray, firsts: np.ndarray, size: int) -> np.ndarray:
    """The coarse bars that groups of `size` rows from each of `firsts` on make, shape (4 or 5, groups)."""
    members = firsts[:, np.newaxis] + np.arange(size)
    rows = [values[0, firsts], values[1][members].max(axis=1), values[2][members].min(axis=1), values[3, firsts + size - 1]]
    rows += [row[members].sum(axis=1) for row in values[4:]]
    return np.stack(rows)


def _differences(time: np.ndarray, wrong: np.ndarray, coarse: np.ndarray, finer: np.ndarray, offset: int) -> tuple[BarDifference, ...]:
    found = []
    for row, field in np.argwhere(wrong.T):
        one, other = float(coarse[field, row]), float(finer[field, row])
        pct = 100.0 * (other - one) / one if one else float("inf")
        found.append(BarDifference(int(time[row]), BAR_FIELDS[field + offset], one, other, pct))
    return tuple(found)


def name_venue_gaps(findings: list[SeriesFindings], times: list[np.ndarray]) -> list[SeriesFindings]:
    """The same findings, each gap told whether the other coins of the exchange miss the same time too.

    `times` are the open times (int64 ms) of the bars of each of `findings`.
    """
    series = list(zip(findings, times, strict=True))
    return [replace(found, gaps=tuple(replace(gap, venue=_is_venue(gap, found, series)) for gap in found.gaps)) for found in findings]


def _is_venue(gap: Gap, found: SeriesFindings, series: list[tuple[SeriesFindings, np.ndarray]]) -> bool | None:
    """Whether no other coin of the exchange has a bar within the gap; None when there is none that could have one."""
    asked = False
    for other, time in series:
        if other.exchange != found.exchange or other.symbol == found.symbol:
            continue
        first_open = -(-gap.begin // other.bar_ms) * other.bar_ms
        if first_open + other.bar_ms > gap.end or not (other.first <= first_open and gap.end <= other.end):
            continue
        asked = True
        row = int(np.searchsorted(time, first_open))
        if row < time.size and time[row] + other.bar_ms <= gap.end:
            return False
    return True if asked else None
