"""Findings as lines of text, every one of them: a line for each series, for --details."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from backtest.data.check.findings import BarDifference, SeriesFindings, SumFindings, VenueFindings
from backtest.data.check.wording import (
    by_series,
    counted,
    decimal_words,
    differing,
    gap_owner,
    span_words,
)
from backtest.data.symbols import base_coin
from backtest.data.timeframe import utc_text


def _alike(series: Sequence[SeriesFindings], field: str) -> Iterable[tuple[str, list[SeriesFindings], tuple[Any, ...]]]:
    """Series of one exchange and timeframe with the same ranges in `field`, under one name; stretches joined, empty ones left out."""
    groups: dict[tuple[Any, ...], list[list[SeriesFindings]]] = {}
    for stretches in by_series(series).values():
        ranges = tuple(run for found in stretches for run in getattr(found, field))
        if ranges:
            groups.setdefault((stretches[0].exchange, stretches[0].content, ranges), []).append(stretches)
    for (exchange, content, ranges), members in groups.items():
        coins = ", ".join(base_coin(stretches[0].symbol) for stretches in members)
        yield f"{exchange} {coins} {content}", members[0], ranges


def gap_lines(series: Sequence[SeriesFindings]) -> Iterable[str]:
    """Every gap, the largest first."""
    for name, stretches, gaps in _alike(series, "gaps"):
        missing = sum(gap.bars for gap in gaps)
        percent = 100.0 * missing / (missing + sum(found.rows for found in stretches))
        widest = sorted(gaps, key=lambda gap: (-gap.bars, gap.begin))
        yield (
            f"{name}: {counted(missing, 'bar')} ({percent:.3g} %) in {counted(len(gaps), 'gap')}, {gap_owner(gaps)}: "
            f"{', '.join(span_words(gap) for gap in widest)}"
        )


def silent_lines(series: Sequence[SeriesFindings]) -> Iterable[str]:
    """Every run of bars without volume, and how many bars are odd in that."""
    for name, _, silent in _alike(series, "silent"):
        yield f"{name}: {counted(sum(run.bars for run in silent), 'bar')} without volume: {', '.join(span_words(run) for run in silent)}"
    for name, stretches in by_series(series).items():
        yield from (f"{name}: {words}" for words in silent_oddities(stretches))


def silent_oddities(stretches: Sequence[SeriesFindings]) -> Iterable[str]:
    """Bars without volume that move, and flat bars with volume, in words."""
    moving = sum(found.silent_bars - found.flat_and_silent for found in stretches)
    trading = sum(found.flat_bars - found.flat_and_silent for found in stretches)
    if moving:
        yield f"{counted(moving, 'bar')} without volume although the price moves"
    if trading:
        yield f"{counted(trading, 'flat bar')} with volume"


def extreme_lines(series: Sequence[SeriesFindings]) -> Iterable[str]:
    """Every extreme bar, the widest first."""
    for name, stretches in by_series(series).items():
        bars = sorted((bar for found in stretches for bar in found.extremes), key=lambda bar: -bar.range_pct)
        if bars:
            shown = [f"{utc_text(bar.time)} {bar.range_pct:.1f} % ({bar.return_pct:+.1f} %)" for bar in bars]
            yield f"{name}: {counted(len(bars), 'bar')}: {', '.join(shown)}"


def tick_lines(groups: dict[str, list[SeriesFindings]]) -> Iterable[str]:
    """Series with prices off their tick, under the names of `groups`."""
    for name, stretches in groups.items():
        off = [found for found in stretches if found.price_step.last_off_tick is not None]
        rows = sum(found.rows for found in stretches)
        share = sum(found.rows * (100.0 - (found.price_step.on_tick_pct or 0.0)) for found in off) / rows
        if off:
            steps = " and ".join(dict.fromkeys(decimal_words(found.price_step.step) for found in off))
            last = max(found.price_step.last_off_tick or 0 for found in off)
            yield (
                f"{name}: {share:.3g} % of the prices are no multiple of the tick {decimal_words(off[0].price_step.tick_size)} "
                f"({off[0].price_step.tick_origin}), the last at {utc_text(last)}; they come in steps of {steps}"
            )


def _by_pair(sums: Sequence[SumFindings]) -> dict[str, list[SumFindings]]:
    """Comparisons of one pair of timeframes of one coin together, under their name."""
    groups: dict[str, list[SumFindings]] = {}
    for found in sums:
        groups.setdefault(f"{found.exchange} {base_coin(found.symbol)} {found.finer} to {found.coarse}", []).append(found)
    return groups


def sum_lines(sums: Sequence[SumFindings]) -> Iterable[str]:
    """Every coarse bar of which a price differs from the finer bars'."""
    alike = []
    for name, members in _by_pair(sums).items():
        bars, compared = sum(found.bars for found in members), sum(found.compared for found in members)
        if bars:
            shown = [text for found in members for text in _worst(found.prices)]
            yield f"{name}: {differing(bars, compared)}: {', '.join(shown)}"
        else:
            alike.append(f"{name} ({compared:,} bars)")
    if alike:
        yield f"no difference: {', '.join(alike)}"


def volume_lines(sums: Sequence[SumFindings]) -> Iterable[str]:
    """Every coarse bar of which the volume differs from the finer bars'."""
    for name, members in _by_pair(sums).items():
        bars = sum(found.volume_bars for found in members)
        if bars:
            shown = [f"{utc_text(one.time)} ({one.difference_pct:+.2g} %)" for found in members for one in found.volumes]
            yield f"{name}: {differing(bars, sum(found.compared for found in members))}: {', '.join(shown)}"


def _worst(differences: Sequence[BarDifference]) -> list[str]:
    """Each differing bar once, in order of time, by the field that is furthest off: its value in the coarse bar and as added up."""
    bars: dict[int, BarDifference] = {}
    for one in differences:
        if one.time not in bars or abs(one.difference_pct) > abs(bars[one.time].difference_pct):
            bars[one.time] = one
    return [
        f"{utc_text(time)} {one.field} {one.coarse:.10g}, added up {one.finer:.10g} ({one.difference_pct:+.2g} %)"
        for time, one in sorted(bars.items())
    ]


def venue_lines(venues: Sequence[VenueFindings]) -> Iterable[str]:
    """Every stretch of a coin against the same coin on another exchange."""
    for found in venues:
        volume = "" if found.volume_pct != found.volume_pct else f"; volume {found.volume_pct:.1f} % of the second's"
        yield (
            f"{base_coin(found.symbol)} {found.first} against {found.second} from {utc_text(found.begin)}: "
            f"{counted(found.compared, 'close')}, {found.median_pct:.3f} % apart in the median, "
            f"{found.largest_pct:.2f} % at most ({utc_text(found.largest_time)}){volume}"
        )
