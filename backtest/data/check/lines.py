"""What a check found as lines of text, grouped: only what a person should look at, the least surprising last."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backtest.data.check import full_lines, short_lines
from backtest.data.check.findings import CheckReport, FundingFindings, Problem, SeriesFindings, VenueFindings
from backtest.data.check.odd import EXTREME_PCT, EXTREME_TIMES, JUMP_TIMES, VOLUME_FACTOR
from backtest.data.check.wording import by_coin, by_series, counted, factor_words, listed, span_words
from backtest.data.settlements import INTERVAL_HOURS
from backtest.data.symbols import base_coin
from backtest.data.timeframe import utc_text

# Items of a list that the short text shows; --details shows all.
FEW = 3
# A run of equal closes longer than this is worth a line: the quietest minutes of large coins stay below it.
LONG_STILL = 30


@dataclass(frozen=True)
class Section:
    """Lines on one subject. `broken`: they name what would be refused."""

    title: str
    lines: tuple[str, ...]
    broken: bool = False


def sections(report: CheckReport, details: bool = False) -> list[Section]:
    """Everything in a report that needs a person's eye. `details` gives every finding in place of the first of each kind."""
    most = sys.maxsize if details else FEW
    write = full_lines if details else short_lines
    ticks = full_lines.tick_lines(by_series(report.series) if details else by_coin(report.series))
    found = [
        Section("Broken", tuple(_broken(report, most)), broken=True),
        Section("Missing bars; a gap is the venue's when its other coins miss the same time", tuple(write.gap_lines(report.series))),
        Section("Bars without volume, and flat bars", tuple(write.silent_lines(report.series))),
        Section(
            f"Extreme bars: range of {EXTREME_PCT:g} % or {EXTREME_TIMES:g} times the median (range, open to close)",
            tuple(write.extreme_lines(report.series)),
        ),
        Section("Odd bars: jumps, spikes, repeats, breaks of volume", tuple(_odd_lines(report.series, most))),
        Section("Prices off the tick to which orders are rounded", tuple(ticks)),
        Section("Finer bars added up, against the coarser ones: prices", tuple(write.sum_lines(report.sums))),
        Section("Finer bars added up, against the coarser ones: volumes", tuple(write.volume_lines(report.sums))),
        Section("Funding", tuple(_funding_lines(report, most))),
        Section("The same coin on two exchanges", (*write.venue_lines(report.venues), *_venue_clocks(report.venues))),
        Section("Clocks", tuple(_clock_lines(report))),
        Section("Repeated rows", tuple(_repeat_lines(report))),
        Section("Margin tiers", tuple(_tier_lines(report))),
        Section("How files were read", report.remarks),
        Section("Not recognised", tuple(_unrecognised_lines(report, most))),
    ]
    return [section for section in found if section.lines]


def _broken(report: CheckReport, most: int) -> Iterable[str]:
    for problem in report.unreadable:
        yield from (sentence if problem.file in sentence else f"{problem.file}: {sentence}" for sentence in problem.sentences[:most])
    for rows in (*report.series, *report.funding):
        for problem in rows.problems:
            yield f"{problem.file}: {counted(problem.rows, 'row')} left out" if problem.rows else f"{problem.file} is left out"
            yield from _sentences(problem, most)
        if rows.overlap_differs:
            differ = "differs" if len(rows.overlap_differs) == 1 else "differ"
            yield f"{rows.name}: {counted(len(rows.overlap_differs), 'row')} {differ} between files that overlap"
            yield from (
                f"  {utc_text(one.time)} {one.field} {one.first:.12g} in {one.first_file}, {one.second:.12g} in {one.second_file}"
                for one in rows.overlap_differs[:most]
            )
            if len(rows.overlap_differs) > most:
                yield f"  and {len(rows.overlap_differs) - most:,} more"
    for tiers in report.tiers:
        yield from tiers.problems


def _sentences(problem: Problem, most: int) -> Iterable[str]:
    """The first sentences of a file's problem, and how many rows have none."""
    shown = problem.sentences[:most]
    yield from (f"  {sentence}" for sentence in shown)
    if problem.rows > len(shown):
        yield f"  and {problem.rows - len(shown):,} more"


def _odd_lines(series: Sequence[SeriesFindings], most: int) -> Iterable[str]:
    for name, stretches in by_series(series).items():
        for words, items in _odd_items(stretches):
            if items:
                yield f"{name}: {words}: {listed(items, most)}"


def _odd_items(stretches: Sequence[SeriesFindings]) -> Iterable[tuple[str, list[str]]]:
    """Each kind of odd bar in words, and its bars."""
    yield (
        "a price of another order of magnitude than the closes around it",
        [
            f"{utc_text(spike.time)} {spike.field} {spike.price:.10g} beside {spike.neighbours:.6g} ({factor_words(spike.factor)})"
            for found in stretches
            for spike in found.spikes
        ],
    )
    yield (
        f"an open over {JUMP_TIMES:g} median ranges from the close before",
        [
            f"{utc_text(jump.time)} {jump.jump_pct:+.2f} %" + (f" over {counted(jump.missing, 'missing bar')}" if jump.missing else "")
            for found in stretches
            for jump in found.jumps
        ],
    )
    yield "bars that repeat the one before in every value, volume too", [span_words(run) for found in stretches for run in found.repeated]
    yield (
        f"over {LONG_STILL} bars with one and the same close",
        [span_words(found.longest_still) for found in stretches if found.longest_still.bars > LONG_STILL],
    )
    yield (
        f"volume changes by a factor of {VOLUME_FACTOR:g} or more, as when its unit does",
        [f"{utc_text(one.time)} ({factor_words(one.factor)})" for found in stretches for one in found.volume_breaks],
    )


def _funding_lines(report: CheckReport, most: int) -> Iterable[str]:
    for found in report.funding:
        name = f"{found.exchange} {base_coin(found.symbol)}"
        usual = INTERVAL_HOURS * 60
        odd = [interval for interval in found.intervals if interval.minutes != usual and interval.minutes <= usual]
        for interval in odd:
            when = f"between {utc_text(interval.first)} and {utc_text(interval.last)}"
            if interval.count == 1:
                when = f"before {utc_text(interval.last)}"
            yield f"{name}: {counted(interval.count, 'interval')} of {_hours(interval.minutes)} {when}"
        if found.gaps:
            shown = [f"{utc_text(gap.begin)} to {utc_text(gap.end)}" for gap in found.gaps]
            yield f"{name}: {counted(len(shown), 'gap')} of more than {INTERVAL_HOURS} h: {listed(shown, most)}"
    bare: dict[tuple[str, int, int], list[str]] = {}
    for span in report.uncovered:
        bare.setdefault((span.exchange, span.begin, span.end), []).append(base_coin(span.symbol))
    for (exchange, begin, end), coins in bare.items():
        yield f"{exchange} {', '.join(coins)}: bars but no settlements from {utc_text(begin)} to {utc_text(end)}"


def usual_interval(found: FundingFindings) -> tuple[str, int]:
    """The commonest interval between settlements, such as `8 h`, and how many are others."""
    if not found.intervals:
        return "-", 0
    usual = max(found.intervals, key=lambda interval: interval.count)
    return _hours(usual.minutes), sum(interval.count for interval in found.intervals) - usual.count


def _hours(minutes: int) -> str:
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} minutes"


def _venue_clocks(venues: Sequence[VenueFindings]) -> Iterable[str]:
    for found in venues:
        if found.offset_minutes:
            yield (
                f"the clocks of {base_coin(found.symbol)} {found.first} and {found.second} differ from {utc_text(found.begin)} on: "
                f"returns fit best with the first moved by {found.offset_minutes:+} minutes"
            )


def _clock_lines(report: CheckReport) -> Iterable[str]:
    off = [found for found in report.clocks if found.offset_minutes]
    for found in off:
        yield (
            f"{found.exchange} {found.first} against {found.second}: returns fit best with the first moved by "
            f"{found.offset_minutes:+} minutes (correlation {found.correlation:.2f}, as stored {found.as_stored:.2f})"
        )
    if report.clocks and not off:
        yield f"{counted(len(report.clocks), 'comparison')} with another coin of the same exchange: every clock agrees."


def _repeat_lines(report: CheckReport) -> Iterable[str]:
    for found in (*report.series, *report.funding):
        if found.duplicates:
            agree = "row that agrees" if found.duplicates == 1 else "rows that agree"
            yield f"{found.name}: {found.duplicates:,} repeated {agree} with the first"
        if found.overlap:
            agree = "row in two files, and both agree" if found.overlap == 1 else "rows in two files, and they agree"
            yield f"{found.name}: {found.overlap:,} {agree}"


def _unrecognised_lines(report: CheckReport, most: int) -> Iterable[str]:
    by_reason: dict[str, list[str]] = {}
    for file in report.unrecognised:
        by_reason.setdefault(file.reason, []).append(file.file)
    for reason, files in by_reason.items():
        yield f"{listed(files, most)}: {reason}"


def _tier_lines(report: CheckReport) -> Iterable[str]:
    for tiers in report.tiers:
        if tiers.symbols:
            yield f"{tiers.file}: {counted(len(tiers.symbols), 'table')} without a gap between tiers or a step in the margin"
