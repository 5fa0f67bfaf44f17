"""Findings as few lines of text: all timeframes of a coin together, with the one thing of each kind to look at first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from backtest.data.check.findings import BarDifference, Gap, Range, SeriesFindings, SumFindings, VenueFindings
from backtest.data.check.full_lines import silent_oddities
from backtest.data.check.wording import by_coin, counted, differing, duration, gap_owner, percents
from backtest.data.symbols import base_coin
from backtest.data.timeframe import utc_text


def gap_lines(series: Sequence[SeriesFindings]) -> Iterable[str]:
    """The gaps of each coin: how many in each timeframe, and the longest."""
    return _shared(series, _gaps)


def _gaps(members: Sequence[SeriesFindings]) -> str:
    gaps: list[Gap] = [gap for found in members for gap in found.gaps]
    return f"{_per_content(members, 'gaps', 'gap')}, {gap_owner(gaps)}{_longest(gaps)}" if gaps else ""


def silent_lines(series: Sequence[SeriesFindings]) -> Iterable[str]:
    """Times without a trade of each coin, and how many bars are odd in that."""
    return _shared(series, _silent)


def _silent(members: Sequence[SeriesFindings]) -> str:
    times = _merged([run for found in members for run in found.silent])
    silence = [f"no volume at {counted(len(times), 'time')}{_longest(times)}"] if times else []
    return "; ".join([*silence, *silent_oddities(members)])


def _shared(series: Sequence[SeriesFindings], words: Callable[[Sequence[SeriesFindings]], str]) -> Iterable[str]:
    """What `words` says of all series of a coin; coins of an exchange of which it says the same share a line, empty ones have none."""
    alike: dict[tuple[str, str], list[str]] = {}
    for members in by_coin(series).values():
        text = words(members)
        if text:
            alike.setdefault((members[0].exchange, text), []).append(base_coin(members[0].symbol))
    return [f"{exchange} {', '.join(coins)}: {text}" for (exchange, text), coins in alike.items()]


def _longest(runs: Sequence[Range]) -> str:
    """When the longest of some ranges began, and how long it was."""
    longest = max(runs, key=lambda run: (run.end - run.begin, -run.begin))
    which = "" if len(runs) == 1 else "the longest "
    return f", {which}{utc_text(longest.begin)} ({duration(longest.end - longest.begin)})"


def _merged(runs: Sequence[Range]) -> tuple[Range, ...]:
    """Runs of bars of several timeframes as times: what overlaps or touches is one, its `bars` are not counted."""
    merged: list[Range] = []
    for run in sorted(runs, key=lambda run: run.begin):
        if merged and run.begin <= merged[-1].end:
            merged[-1] = Range(merged[-1].begin, max(merged[-1].end, run.end), 0)
        else:
            merged.append(Range(run.begin, run.end, 0))
    return tuple(merged)


def extreme_lines(series: Sequence[SeriesFindings]) -> Iterable[str]:
    """The extreme bars of each coin: how many in each timeframe, and the widest."""
    return _shared(series, _extremes)


def _extremes(members: Sequence[SeriesFindings]) -> str:
    bars = [bar for found in members for bar in found.extremes]
    if not bars:
        return ""
    widest = max(bars, key=lambda bar: bar.range_pct)
    which = "" if len(bars) == 1 else "the widest "
    counts = _per_content(members, "extremes", "bar")
    return f"{counts}, {which}{utc_text(widest.time)} {widest.range_pct:.1f} % ({widest.return_pct:+.1f} %)"


def _per_content(members: Sequence[SeriesFindings], field: str, word: str) -> str:
    """`34 bars of 5m, 22 of 1m`: how many findings there are in `field`, by timeframe."""
    counts: dict[str, int] = {}
    for found in members:
        counts[found.content] = counts.get(found.content, 0) + len(getattr(found, field))
    (first, number), *others = ((content, count) for content, count in counts.items() if count)
    return ", ".join([f"{counted(number, word)} of {first}", *(f"{count:,} of {content}" for content, count in others)])


def sum_lines(sums: Sequence[SumFindings]) -> Iterable[str]:
    """How many coarse bars of each coin have a price that differs from the finer bars', and the worst of them."""
    compared = 0
    for name, members in _by_coin(sums).items():
        bars = sum(found.bars for found in members)
        compared += 0 if bars else sum(found.compared for found in members)
        if bars:
            yield f"{name}: {_differing(members, bars)}{_worst([one for found in members for one in found.prices], bars)}"
    if compared:
        alike = [name for name, members in _by_coin(sums).items() if not any(found.bars for found in members)]
        yield f"no difference: {', '.join(alike)} ({counted(compared, 'bar')})"


def volume_lines(sums: Sequence[SumFindings]) -> Iterable[str]:
    """How many coarse bars of each coin have a volume that differs from the finer bars', and the worst of them."""
    for name, members in _by_coin(sums).items():
        bars = sum(found.volume_bars for found in members)
        if bars:
            yield f"{name}: {_differing(members, bars)}{_worst([one for found in members for one in found.volumes], bars)}"


def _by_coin(sums: Sequence[SumFindings]) -> dict[str, list[SumFindings]]:
    groups: dict[str, list[SumFindings]] = {}
    for found in sums:
        groups.setdefault(f"{found.exchange} {base_coin(found.symbol)}", []).append(found)
    return groups


def _differing(members: Sequence[SumFindings], bars: int) -> str:
    pairs = ", ".join(dict.fromkeys(f"{found.finer} to {found.coarse}" for found in members))
    return f"{differing(bars, sum(found.compared for found in members))} ({pairs})"


def _worst(differences: Sequence[BarDifference], bars: int) -> str:
    worst = max(differences, key=lambda one: abs(one.difference_pct))
    which = "" if bars == 1 else "the worst "
    return f", {which}{utc_text(worst.time)} {worst.field} {worst.difference_pct:+.2g} %"


def venue_lines(venues: Sequence[VenueFindings]) -> Iterable[str]:
    """Each coin on one exchange against the other, all stretches together."""
    groups: dict[tuple[str, str, str], list[VenueFindings]] = {}
    for found in venues:
        groups.setdefault((found.symbol, found.first.split()[0], found.second.split()[0]), []).append(found)
    for (symbol, first, second), members in groups.items():
        worst = max(members, key=lambda found: found.largest_pct)
        volumes = [found.volume_pct for found in members if found.volume_pct == found.volume_pct]
        yield (
            f"{base_coin(symbol)} {first} against {second}: {counted(sum(found.compared for found in members), 'close')}, "
            f"{percents((found.median_pct for found in members), 3)} apart in the median, "
            f"{worst.largest_pct:.2f} % at most ({utc_text(worst.largest_time)})"
            + (f"; volume {percents(volumes, 1)} of the second's" if volumes else "")
        )
