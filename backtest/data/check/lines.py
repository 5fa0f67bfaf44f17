"""What a check found as lines of text, grouped: only what a person should look at, the least surprising last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from backtest.data.check.findings import BarDifference, CheckReport, FundingFindings, Gap, Range, SeriesFindings, SumFindings
from backtest.data.check.odd import EXTREME_PCT, EXTREME_TIMES, JUMP_TIMES, VOLUME_FACTOR
from backtest.data.settlements import INTERVAL_HOURS
from backtest.data.symbols import base_coin
from backtest.data.timeframe import utc_text

# Items of a list that the short text shows, and what --details shows.
FEW, MANY = 3, 20
# A run of equal closes longer than this is worth a line: the quietest minutes of large coins stay below it.
LONG_STILL = 30


@dataclass(frozen=True)
class Section:
    """Lines on one subject. `broken`: they name what would be refused."""

    title: str
    lines: tuple[str, ...]
    broken: bool = False


def sections(report: CheckReport, details: bool = False) -> list[Section]:
    """Everything in a report that needs a person's eye. `details` gives lists up to 20 items in place of 3."""
    most = MANY if details else FEW
    found = [
        Section("Broken", tuple(_broken(report, most)), broken=True),
        Section("Missing bars; a gap is the venue's when its other coins miss the same time", tuple(_gap_lines(report.series, most))),
        Section("Bars without volume, and flat bars", tuple(_silent_lines(report.series, most))),
        Section(
            f"Extreme bars: range of {EXTREME_PCT:g} % or {EXTREME_TIMES:g} times the median (range, open to close)",
            tuple(_extreme_lines(report.series, most)),
        ),
        Section("Odd bars: jumps, spikes, repeats, breaks of volume", tuple(_odd_lines(report.series, most))),
        Section("Prices off the tick of the built-in table, to which orders are rounded", tuple(_tick_lines(report.series))),
        Section("Finer bars added up, against the coarser ones: prices", tuple(_sum_lines(report.sums, max(most, 6)))),
        Section("Finer bars added up, against the coarser ones: volumes", tuple(_volume_lines(report.sums, most))),
        Section("Funding", tuple(_funding_lines(report, most))),
        Section("The same coin on two exchanges", tuple(_venue_lines(report))),
        Section("Clocks", tuple(_clock_lines(report))),
        Section("Repeated rows", tuple(_repeat_lines(report))),
        Section("Margin tiers", tuple(_tier_lines(report))),
        Section("How files were read", report.remarks),
        Section("Not recognised", tuple(_unrecognised_lines(report, most))),
    ]
    return [section for section in found if section.lines]


def listed(items: Sequence[str], most: int) -> str:
    """`a, b, c and 4 more`."""
    if len(items) <= most:
        return ", ".join(items)
    return f"{', '.join(items[:most])} and {len(items) - most:,} more"


def counted(count: int, word: str) -> str:
    """`1 bar`, `1,234 bars`."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _broken(report: CheckReport, most: int) -> Iterable[str]:
    for problem in report.unreadable:
        yield from (sentence if problem.file in sentence else f"{problem.file}: {sentence}" for sentence in problem.sentences[:most])
    for rows in (*report.series, *report.funding):
        for problem in rows.problems:
            yield f"{problem.file}: {counted(problem.rows, 'row')} left out" if problem.rows else f"{problem.file} is left out"
            yield from (f"  {sentence}" for sentence in problem.sentences[:most])
            if problem.rows > most:
                yield f"  and {problem.rows - min(most, len(problem.sentences)):,} more"
        if rows.overlap_differs:
            yield f"{rows.name}: {counted(len(rows.overlap_differs), 'row')} differ between files that overlap"
            yield from (
                f"  {utc_text(one.time)} {one.field} {one.first:.12g} in {one.first_file}, {one.second:.12g} in {one.second_file}"
                for one in rows.overlap_differs[:most]
            )
            if len(rows.overlap_differs) > most:
                yield f"  and {len(rows.overlap_differs) - most:,} more"
    for tiers in report.tiers:
        yield from tiers.problems


def _span(run: Range) -> str:
    return utc_text(run.begin) if run.bars == 1 else f"{utc_text(run.begin)} ({run.bars:,} bars)"


def _series(found: SeriesFindings) -> str:
    return f"{found.exchange} {base_coin(found.symbol)} {found.content}"


def _joined(series: Sequence[SeriesFindings]) -> dict[str, list[SeriesFindings]]:
    """Stretches of one series together, under its name."""
    groups: dict[str, list[SeriesFindings]] = {}
    for found in series:
        groups.setdefault(_series(found), []).append(found)
    return groups


def _alike(series: Sequence[SeriesFindings], field: str) -> Iterable[tuple[str, list[SeriesFindings], tuple[Any, ...]]]:
    """Series of one exchange and timeframe with the same ranges in `field`, under one name; stretches joined, empty ones left out."""
    groups: dict[tuple[Any, ...], list[list[SeriesFindings]]] = {}
    for stretches in _joined(series).values():
        ranges = tuple(run for found in stretches for run in getattr(found, field))
        if ranges:
            groups.setdefault((stretches[0].exchange, stretches[0].content, ranges), []).append(stretches)
    for (exchange, content, ranges), members in groups.items():
        coins = ", ".join(base_coin(stretches[0].symbol) for stretches in members)
        yield f"{exchange} {coins} {content}", members[0], ranges


def _gap_lines(series: Sequence[SeriesFindings], most: int) -> Iterable[str]:
    for name, stretches, gaps in _alike(series, "gaps"):
        missing = sum(gap.bars for gap in gaps)
        percent = 100.0 * missing / (missing + sum(found.rows for found in stretches))
        widest = sorted(gaps, key=lambda gap: (-gap.bars, gap.begin))
        yield (
            f"{name}: {counted(missing, 'bar')} ({percent:.3g} %) in {counted(len(gaps), 'gap')}, {_venue_words(gaps)}: "
            f"{listed([_span(gap) for gap in widest], most)}"
        )


def _venue_words(gaps: Sequence[Gap]) -> str:
    """How many of the gaps the other coins share."""
    shared, alone = sum(gap.venue is True for gap in gaps), sum(gap.venue is False for gap in gaps)
    if shared == len(gaps):
        return "the venue's" if shared == 1 else "all the venue's"
    parts = [(shared, "the venue's"), (alone, "of this series alone"), (len(gaps) - shared - alone, "that no other coin can tell")]
    return ", ".join(f"{count} {words}" for count, words in parts if count)


def _silent_lines(series: Sequence[SeriesFindings], most: int) -> Iterable[str]:
    """Series of one exchange with the same bars without volume share a line."""
    for name, _, silent in _alike(series, "silent"):
        yield f"{name}: {counted(sum(run.bars for run in silent), 'bar')} without volume: {listed([_span(run) for run in silent], most)}"
    for name, stretches in _joined(series).items():
        moving = sum(found.silent_bars - found.flat_and_silent for found in stretches)
        trading = sum(found.flat_bars - found.flat_and_silent for found in stretches)
        if moving:
            yield f"{name}: {counted(moving, 'bar')} without volume although the price moves"
        if trading:
            yield f"{name}: {counted(trading, 'flat bar')} with volume"


def _extreme_lines(series: Sequence[SeriesFindings], most: int) -> Iterable[str]:
    for name, stretches in _joined(series).items():
        bars = sorted((bar for found in stretches for bar in found.extremes), key=lambda bar: -bar.range_pct)
        if bars:
            shown = [f"{utc_text(bar.time)} {bar.range_pct:.1f} % ({bar.return_pct:+.1f} %)" for bar in bars]
            yield f"{name}: {counted(len(bars), 'bar')}: {listed(shown, min(most, 10))}"


def _odd_lines(series: Sequence[SeriesFindings], most: int) -> Iterable[str]:
    for name, stretches in _joined(series).items():
        for words, items in _odd_items(stretches):
            if items:
                yield f"{name}: {words}: {listed(items, most)}"


def _odd_items(stretches: Sequence[SeriesFindings]) -> Iterable[tuple[str, list[str]]]:
    """Each kind of odd bar in words, and its bars."""
    yield (
        "a price of another order of magnitude than the closes around it",
        [
            f"{utc_text(spike.time)} {spike.field} {spike.price:.10g} beside {spike.neighbours:.6g} ({_factor(spike.factor)})"
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
    yield "bars that repeat the one before in every value, volume too", [_span(run) for found in stretches for run in found.repeated]
    yield (
        f"over {LONG_STILL} bars with one and the same close",
        [_span(found.longest_still) for found in stretches if found.longest_still.bars > LONG_STILL],
    )
    yield (
        f"volume changes by a factor of {VOLUME_FACTOR:g} or more, as when its unit does",
        [f"{utc_text(one.time)} ({_factor(one.factor)})" for found in stretches for one in found.volume_breaks],
    )


def _factor(factor: float) -> str:
    return f"x {factor:.3g}" if factor >= 1.0 else f"1/{1.0 / factor:.3g}"


def _tick_lines(series: Sequence[SeriesFindings]) -> Iterable[str]:
    for name, stretches in _joined(series).items():
        off = [found for found in stretches if found.price_step.last_off_tick is not None]
        rows = sum(found.rows for found in stretches)
        share = sum(found.rows * (100.0 - (found.price_step.on_tick_pct or 0.0)) for found in off) / rows
        if off and share > 0.0:
            steps = ", ".join(dict.fromkeys(_number(found.price_step.step) for found in off))
            last = max(found.price_step.last_off_tick or 0 for found in off)
            yield (
                f"{name}: {share:.3g} % of the prices are no multiple of the tick {_number(off[0].price_step.tick_size)}, "
                f"the last at {utc_text(last)}; they come in steps of {steps}"
            )


def _number(value: float | None) -> str:
    return "no decimal step" if value is None else f"{value:.10f}".rstrip("0").rstrip(".")


def _by_pair(sums: Sequence[SumFindings]) -> dict[str, list[SumFindings]]:
    """Comparisons of one pair of timeframes of one coin together, under their name."""
    groups: dict[str, list[SumFindings]] = {}
    for found in sums:
        groups.setdefault(f"{found.exchange} {base_coin(found.symbol)} {found.finer} to {found.coarse}", []).append(found)
    return groups


def _sum_lines(sums: Sequence[SumFindings], most: int) -> Iterable[str]:
    alike = []
    for name, members in _by_pair(sums).items():
        bars, compared = sum(found.bars for found in members), sum(found.compared for found in members)
        if bars:
            differing = [text for found in members for text in _worst(found.prices)]
            yield f"{name}: {bars} of {counted(compared, 'bar')} differ: {listed(differing, most)}"
        else:
            alike.append(f"{name} ({compared:,} bars)")
    if alike:
        yield f"no difference: {', '.join(alike)}"


def _volume_lines(sums: Sequence[SumFindings], most: int) -> Iterable[str]:
    for name, members in _by_pair(sums).items():
        bars = sum(found.volume_bars for found in members)
        if bars:
            differing = [f"{utc_text(one.time)} ({one.difference_pct:+.2g} %)" for found in members for one in found.volumes]
            yield f"{name}: {bars} of {counted(sum(found.compared for found in members), 'bar')} differ: {listed(differing, most)}"


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


def _funding_lines(report: CheckReport, most: int) -> Iterable[str]:
    for found in report.funding:
        name = f"{found.exchange} {base_coin(found.symbol)}"
        usual = INTERVAL_HOURS * 60
        odd = [interval for interval in found.intervals if interval.minutes != usual and interval.minutes <= usual]
        for interval in odd:
            yield (
                f"{name}: {counted(interval.count, 'interval')} of {_hours(interval.minutes)} "
                f"between {utc_text(interval.first)} and {utc_text(interval.last)}"
            )
        if found.gaps:
            shown = [f"{utc_text(gap.begin)} to {utc_text(gap.end)}" for gap in found.gaps]
            yield f"{name}: {counted(len(shown), 'gap')} of more than {INTERVAL_HOURS} h: {listed(shown, most)}"
    for span in report.uncovered:
        yield f"{span.exchange} {base_coin(span.symbol)}: bars but no settlements from {utc_text(span.begin)} to {utc_text(span.end)}"


def usual_interval(found: FundingFindings) -> tuple[str, int]:
    """The commonest interval between settlements, such as `8 h`, and how many are others."""
    if not found.intervals:
        return "-", 0
    usual = max(found.intervals, key=lambda interval: interval.count)
    return _hours(usual.minutes), sum(interval.count for interval in found.intervals) - usual.count


def _hours(minutes: int) -> str:
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} minutes"


def _venue_lines(report: CheckReport) -> Iterable[str]:
    for found in report.venues:
        volume = "" if found.volume_pct != found.volume_pct else f"; volume {found.volume_pct:.1f} % of the second's"
        yield (
            f"{base_coin(found.symbol)} {found.first} against {found.second} from {utc_text(found.begin)}: "
            f"{counted(found.compared, 'close')}, {found.median_pct:.3f} % apart in the median, "
            f"{found.largest_pct:.2f} % at most ({utc_text(found.largest_time)}){volume}"
        )
        if found.offset_minutes:
            yield f"  the clocks differ: returns fit best with the first moved by {found.offset_minutes:+} minutes"


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
            yield f"{found.name}: {counted(found.duplicates, 'repeated row')} that agree with the first"
        if found.overlap:
            yield f"{found.name}: {counted(found.overlap, 'row')} in two files, and they agree"


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
