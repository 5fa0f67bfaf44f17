"""Findings about one series of bars, and about the settlements of one symbol."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backtest.data.check import odd
from backtest.data.check.findings import (
    FundingFindings,
    Gap,
    Interval,
    OverlapDifference,
    Problem,
    SeriesFindings,
    SettlementGap,
)
from backtest.data.check.sift import Sifted, sift_bars, sift_settlements
from backtest.data.check.ticks import Tick, built_in_tick
from backtest.data.columns import Origin
from backtest.data.series import SeriesName
from backtest.data.settlements import INTERVAL_HOURS
from backtest.data.timeframe import HOUR, MINUTE, Timeframe
from engine.errors import InputError


@dataclass(frozen=True, eq=False)
class Table:
    """The rows of one stretch that keep the rules, and what was found on the way to them.

    `time` int64 ms (rows,), unique and rising; `values` float64 (fields, rows) as `SeriesName.fields` has them.
    """

    name: SeriesName
    files: tuple[str, ...]
    time: np.ndarray
    values: np.ndarray
    duplicates: int = 0
    overlap: int = 0
    overlap_differs: tuple[OverlapDifference, ...] = ()
    problems: tuple[Problem, ...] = ()

    def common(self) -> dict[str, object]:
        """The fields of `findings.Rows`."""
        return {
            "exchange": self.name.exchange,
            "symbol": self.name.symbol,
            "content": self.name.content,
            "files": self.files,
            "rows": int(self.time.size),
            "first": int(self.time[0]),
            "last": int(self.time[-1]),
            "duplicates": self.duplicates,
            "overlap": self.overlap,
            "overlap_differs": self.overlap_differs,
            "problems": self.problems,
        }


def check_series(name: SeriesName, time: np.ndarray, values: np.ndarray, timeframe: Timeframe | None = None) -> SeriesFindings:
    """Everything there is to say about one series of bars by itself.

    `time` int64 ms UTC (rows,), in any order; `values` float64 open, high, low, close and, but for mark prices, volume, shape
    (4 or 5, rows). `timeframe`: that of `name` unless given. Rows that break a rule are listed and left out of all else.
    Prices are measured against the tick of the built-in table. Raises InputError when no row keeps the rules.
    """
    timeframe = name.timeframe if timeframe is None else timeframe
    if timeframe is None:
        raise InputError(f"{name} is refused: settlements are checked by check_settlements")
    table = table_of(name, sift_bars(*_arrays(name, time, values), timeframe, Origin(str(name))))
    return describe_bars(table, timeframe, built_in_tick(name.symbol))


def check_settlements(name: SeriesName, time: np.ndarray, rates: np.ndarray) -> FundingFindings:
    """Everything there is to say about the settlements of one symbol: times int64 ms UTC and rates (fractions), shape (rows,).

    Raises InputError when no row keeps the rules.
    """
    return describe_settlements(table_of(name, sift_settlements(*_arrays(name, time, rates), Origin(str(name)))))


def table_of(name: SeriesName, sifted: Sifted, file: str | None = None) -> Table:
    """The sifted rows of one file as a table. Raises InputError with the first sentence when no row is left."""
    if sifted.time.size == 0:
        raise InputError(sifted.problem.sentences[0] if sifted.problem else f"{name} has no rows")
    problems = () if sifted.problem is None else (sifted.problem,)
    return Table(name, () if file is None else (file,), sifted.time, sifted.values, sifted.duplicates, problems=problems)


def describe_bars(table: Table, timeframe: Timeframe, tick: Tick | None) -> SeriesFindings:
    """Findings about bars that keep the rules; `tick`: what prices are measured against, None: nothing."""
    time, values, step = table.time, table.values, timeframe.ms
    gaps = _gaps(time, step)
    volume = values[4] if len(values) > 4 else np.ones(time.size)
    silent, flat = volume == 0.0, values[1] == values[2]
    median_pct = odd.median_range(values)
    top = int(np.argmax(volume))
    missing = sum(gap.bars for gap in gaps)
    return SeriesFindings(
        **table.common(),  # type: ignore[arg-type]  # the fields of Rows, by name
        bar_ms=step,
        gaps=gaps,
        missing_pct=100.0 * missing / (time.size + missing),
        silent=odd.runs(silent, time, step),
        flat=odd.runs(flat, time, step),
        flat_and_silent=int((flat & silent).sum()),
        median_range_pct=median_pct,
        extremes=odd.extreme_bars(time, values, median_pct),
        jumps=odd.jumps(time, values, median_pct, step),
        spikes=odd.spikes(time, values),
        repeated=odd.repeated_bars(time, values, step),
        longest_still=odd.longest_still(time, values, step),
        volume_breaks=odd.volume_breaks(time, volume),
        largest_volume=float(volume[top]) if len(values) > 4 else float("nan"),
        largest_volume_time=int(time[top]),
        price_step=odd.price_step(tick, time, values),
    )


def describe_settlements(table: Table) -> FundingFindings:
    """Findings about settlements that keep the rules."""
    time, rates = table.time, table.values[0]
    lowest, highest = int(np.argmin(rates)), int(np.argmax(rates))
    steps = np.diff(time)
    late = np.flatnonzero(steps > INTERVAL_HOURS * HOUR)
    return FundingFindings(
        **table.common(),  # type: ignore[arg-type]  # the fields of Rows, by name
        intervals=_intervals(time, steps),
        gaps=tuple(SettlementGap(int(time[row]), int(time[row + 1])) for row in late),
        lowest=float(rates[lowest]),
        lowest_time=int(time[lowest]),
        highest=float(rates[highest]),
        highest_time=int(time[highest]),
        median=float(np.median(rates)),
    )


def _arrays(name: SeriesName, time: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    time, values = np.asarray(time, np.int64), np.asarray(values, np.float64)
    if time.ndim != 1 or time.size == 0:
        raise InputError(f"time of {name} has shape {time.shape}: it must be (rows,), with at least one row")
    allowed = ((time.size,),) if name.timeframe is None else ((4, time.size), (5, time.size))
    if values.shape not in allowed:
        raise InputError(f"values of {name} have shape {values.shape}: it must be {' or '.join(map(str, allowed))}")
    return time, values


def _gaps(time: np.ndarray, step: int) -> tuple[Gap, ...]:
    lengths = np.diff(time) // step - 1
    return tuple(Gap(int(time[row]) + step, int(time[row + 1]), int(lengths[row])) for row in np.flatnonzero(lengths))


def _intervals(time: np.ndarray, steps: np.ndarray) -> tuple[Interval, ...]:
    found = []
    for length in np.unique(steps):
        ends = time[1:][steps == length]
        found.append(Interval(int(length) // MINUTE, int(ends.size), int(ends[0]), int(ends[-1])))
    return tuple(found)
