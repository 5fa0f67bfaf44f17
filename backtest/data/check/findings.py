"""What a check finds, as plain records. Times are int64 ms UTC, `end` is exclusive, shares and returns named `_pct` are in percent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """Rows of one file that break a rule: how many, and the sentences of the first of them; 0 rows: the file itself is unusable."""

    file: str
    rows: int
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Range:
    """`bars` consecutive bars that open in [begin, end)."""

    begin: int
    end: int
    bars: int


@dataclass(frozen=True)
class Gap(Range):
    """Missing bars. `venue`: every other coin of the exchange that could show it misses the same time; None: there is no other coin."""

    venue: bool | None = None


@dataclass(frozen=True)
class ExtremeBar:
    """A bar of unusual range: high / low - 1, and close / open - 1."""

    time: int
    range_pct: float
    return_pct: float


@dataclass(frozen=True)
class Jump:
    """An open far from the close before it; `missing`: bars that are missing between the two."""

    time: int
    before: float
    opened: float
    jump_pct: float
    missing: int


@dataclass(frozen=True)
class Spike:
    """A bar with a price that is a multiple (or a fraction) of its neighbours' closes."""

    time: int
    field: str
    price: float
    neighbours: float
    factor: float


@dataclass(frozen=True)
class VolumeBreak:
    """A block of bars whose median volume is a multiple (or a fraction) of that of the block before, as when its unit changes."""

    time: int
    before: float
    after: float
    factor: float


@dataclass(frozen=True)
class PriceStep:
    """The step that all prices are multiples of, quote currency, and how they fit the tick that orders are rounded to.

    `tick_origin` says which table the tick is of; `last_off_tick` is the last bar with a price off its grid. All four are None
    when no table has the coin.
    """

    step: float | None
    tick_size: float | None
    tick_origin: str | None
    on_tick_pct: float | None
    last_off_tick: int | None


@dataclass(frozen=True)
class OverlapDifference:
    """The same bar or settlement in two files of a series, with other values."""

    time: int
    field: str
    first_file: str
    first: float
    second_file: str
    second: float


@dataclass(frozen=True)
class Rows:
    """What every series has: where it comes from, its span, and the rules its rows break.

    `first` and `last` are the times of the first and last row that keep the rules; rows that break one are counted in
    `problems` and left out of everything else. `duplicates`: repeated rows of one file that agree. `overlap`: rows that two files
    of the series share and agree on.
    """

    exchange: str
    symbol: str
    content: str
    files: tuple[str, ...]
    rows: int
    first: int
    last: int
    duplicates: int
    overlap: int
    overlap_differs: tuple[OverlapDifference, ...]
    problems: tuple[Problem, ...]

    @property
    def name(self) -> str:
        """`binanceusdm BTCUSDT 15m`."""
        return f"{self.exchange} {self.symbol} {self.content}"

    @property
    def broken_rows(self) -> int:
        """Rows that break a rule, and rows of which two files disagree."""
        return sum(problem.rows for problem in self.problems) + len(self.overlap_differs)

    @property
    def is_broken(self) -> bool:
        """Whether anything breaks a rule, so that the series would be refused."""
        return bool(self.problems or self.overlap_differs)


@dataclass(frozen=True)
class SeriesFindings(Rows):
    """One unbroken stretch of bars. `silent`: bars without volume; `flat`: open = high = low = close.

    `median_range_pct`: median of high / low - 1 of the bars that are not flat. `extremes` by range, the widest first;
    `repeated`: bars that equal the bar before in every value, with volume; `longest_still`: the longest run of equal closes
    among bars with volume.
    """

    bar_ms: int
    gaps: tuple[Gap, ...]
    missing_pct: float
    silent: tuple[Range, ...]
    flat: tuple[Range, ...]
    flat_and_silent: int
    median_range_pct: float
    extremes: tuple[ExtremeBar, ...]
    jumps: tuple[Jump, ...]
    spikes: tuple[Spike, ...]
    repeated: tuple[Range, ...]
    longest_still: Range
    volume_breaks: tuple[VolumeBreak, ...]
    largest_volume: float
    largest_volume_time: int
    price_step: PriceStep

    @property
    def end(self) -> int:
        """Close of the last bar."""
        return self.last + self.bar_ms

    @property
    def missing(self) -> int:
        """Missing bars in all gaps."""
        return sum(gap.bars for gap in self.gaps)

    @property
    def largest_gap(self) -> int:
        """Missing bars of the largest gap; 0 without gaps."""
        return max((gap.bars for gap in self.gaps), default=0)

    @property
    def silent_bars(self) -> int:
        """Bars without volume."""
        return sum(run.bars for run in self.silent)

    @property
    def flat_bars(self) -> int:
        """Bars whose four prices are one."""
        return sum(run.bars for run in self.flat)


@dataclass(frozen=True)
class Interval:
    """Settlements that came `minutes` after the one before: how many, the first and the last time of them."""

    minutes: int
    count: int
    first: int
    last: int


@dataclass(frozen=True)
class SettlementGap:
    """More than eight hours without a settlement between two of them."""

    begin: int
    end: int


@dataclass(frozen=True)
class FundingFindings(Rows):
    """Settlements of one symbol; rates are fractions per settlement. `intervals` are sorted by length."""

    intervals: tuple[Interval, ...]
    gaps: tuple[SettlementGap, ...]
    lowest: float
    lowest_time: int
    highest: float
    highest_time: int
    median: float


@dataclass(frozen=True)
class BarDifference:
    """A coarse bar that is not what its finer bars add up to, in one field."""

    time: int
    field: str
    coarse: float
    finer: float
    difference_pct: float


@dataclass(frozen=True)
class SumFindings:
    """Finer bars of a stretch against the coarse bars they make up; only whole groups are compared.

    `bars` have a differing price (compared exactly), `volume_bars` a differing volume (compared to one part in a million);
    `prices` and `volumes` list every difference.
    """

    exchange: str
    symbol: str
    finer: str
    coarse: str
    finer_files: tuple[str, ...]
    compared: int
    bars: int
    volume_bars: int
    prices: tuple[BarDifference, ...]
    volumes: tuple[BarDifference, ...]


@dataclass(frozen=True)
class VenueFindings:
    """Closes of one symbol on two exchanges at equal closing times.

    `median_pct`, `largest_pct`: absolute difference of the closes. `volume_pct`: volume of the first as a share of the second's in
    the span both cover. `correlation`: of returns between the common closes, NaN when there are too few. `offset_minutes`: the shift of the
    first exchange's clock at which the returns fit best, 0 when the clocks agree, None when there are too few.
    """

    symbol: str
    first: str
    second: str
    begin: int
    end: int
    compared: int
    median_pct: float
    largest_pct: float
    largest_time: int
    volume_pct: float
    correlation: float
    offset_minutes: int | None


@dataclass(frozen=True)
class ClockFindings:
    """Returns of two coins of an exchange, which move together: the shift of the first one's clock at which they fit best.

    `correlation` is that at `offset_minutes`, `as_stored` that without a shift.
    """

    exchange: str
    first: str
    second: str
    compared: int
    offset_minutes: int
    correlation: float
    as_stored: float


@dataclass(frozen=True)
class Uncovered:
    """A span of bars, of [begin, end), for which there are no settlements although the symbol has funding."""

    exchange: str
    symbol: str
    begin: int
    end: int


@dataclass(frozen=True)
class TierFindings:
    """A file of margin tiers: the symbols whose table keeps every rule, and the sentences of those that do not."""

    file: str
    symbols: tuple[str, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Unrecognised:
    """A file that is no market data by its name, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class CheckReport:
    """Everything a check of `place` found. `remarks`: how files are written that are not this project's own, rows left out."""

    place: str
    series: tuple[SeriesFindings, ...] = ()
    funding: tuple[FundingFindings, ...] = ()
    sums: tuple[SumFindings, ...] = ()
    venues: tuple[VenueFindings, ...] = ()
    clocks: tuple[ClockFindings, ...] = ()
    uncovered: tuple[Uncovered, ...] = ()
    tiers: tuple[TierFindings, ...] = ()
    unreadable: tuple[Problem, ...] = ()
    unrecognised: tuple[Unrecognised, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def broken(self) -> tuple[str, ...]:
        """One sentence for everything that breaks a rule; empty: nothing would be refused."""
        found = [sentence for problem in self.unreadable for sentence in problem.sentences]
        for rows in (*self.series, *self.funding):
            found += [f"{problem.file}: {_rows(problem.rows)} a rule" for problem in rows.problems]
            if rows.overlap_differs:
                count = len(rows.overlap_differs)
                found.append(f"{rows.name}: files overlap and differ in {count:,} row{'' if count == 1 else 's'}")
        return (*found, *(sentence for tiers in self.tiers for sentence in tiers.problems))


def _rows(count: int) -> str:
    return "the file as a whole breaks" if count == 0 else f"{count:,} row breaks" if count == 1 else f"{count:,} rows break"
