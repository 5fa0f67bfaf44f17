"""Words that the lines of a check report share: counts, lists, spans, names of series."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from backtest.data.check.findings import Gap, Range, SeriesFindings
from backtest.data.symbols import base_coin
from backtest.data.timeframe import DAY, HOUR, MINUTE, utc_text


def listed(items: Sequence[str], most: int) -> str:
    """`a, b, c and 4 more`."""
    if len(items) <= most:
        return ", ".join(items)
    return f"{', '.join(items[:most])} and {len(items) - most:,} more"


def counted(count: int, word: str) -> str:
    """`1 bar`, `1,234 bars`."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def differing(count: int, compared: int) -> str:
    """`1 of 3,333 bars differs`, `5 of 3,333 bars differ`."""
    return f"{count:,} of {counted(compared, 'bar')} {'differs' if count == 1 else 'differ'}"


def series_counted(count: int) -> str:
    """`1 series was checked`, `3 series were checked`, `no series could be checked`."""
    return f"{count:,} series {'was' if count == 1 else 'were'} checked" if count else "no series could be checked"


def percents(values: Iterable[float], decimals: int) -> str:
    """`0.046 %`, or from the least to the greatest: `0.046 to 0.076 %`."""
    texts = [f"{value:.{decimals}f}" for value in sorted(values)]
    return f"{texts[0]} %" if texts[0] == texts[-1] else f"{texts[0]} to {texts[-1]} %"


def duration(ms: int) -> str:
    """A length of time: `13 minutes`, `4.5 hours`, `2.8 days`."""
    for unit, word in ((DAY, "days"), (HOUR, "hours")):
        if ms >= 2 * unit:
            return f"{ms / unit:.3g} {word}"
    return counted(ms // MINUTE, "minute")


def span_words(run: Range) -> str:
    """`2024-10-28 20:00 (4 bars)`; a bar by itself has its time alone."""
    return utc_text(run.begin) if run.bars == 1 else f"{utc_text(run.begin)} ({run.bars:,} bars)"


def factor_words(factor: float) -> str:
    """`x 40`, `1/40`."""
    return f"x {factor:.3g}" if factor >= 1.0 else f"1/{1.0 / factor:.3g}"


def decimal_words(value: float | None) -> str:
    """A step or tick of prices without trailing zeros."""
    return "no decimal step" if value is None else f"{value:.10f}".rstrip("0").rstrip(".")


def gap_owner(gaps: Sequence[Gap]) -> str:
    """How many of the gaps the other coins share."""
    kinds = (
        (sum(gap.venue is True for gap in gaps), "the venue's"),
        (sum(gap.venue is False for gap in gaps), "of this series alone"),
        (sum(gap.venue is None for gap in gaps), "with no other coin to compare"),
    )
    present = [(count, words) for count, words in kinds if count]
    if len(present) == 1:
        count, words = present[0]
        return words if count == 1 else f"all {words}"
    return ", ".join(f"{count:,} {words}" for count, words in present)


def series_name(found: SeriesFindings) -> str:
    """`binanceusdm BTC 15m`."""
    return f"{coin_name(found)} {found.content}"


def coin_name(found: SeriesFindings) -> str:
    """`binanceusdm BTC`."""
    return f"{found.exchange} {base_coin(found.symbol)}"


def by_series(series: Sequence[SeriesFindings]) -> dict[str, list[SeriesFindings]]:
    """Stretches of one series together, under its name."""
    groups: dict[str, list[SeriesFindings]] = {}
    for found in series:
        groups.setdefault(series_name(found), []).append(found)
    return groups


def by_coin(series: Sequence[SeriesFindings]) -> dict[str, list[SeriesFindings]]:
    """All series of one coin of an exchange together, under its name."""
    groups: dict[str, list[SeriesFindings]] = {}
    for found in series:
        groups.setdefault(coin_name(found), []).append(found)
    return groups
