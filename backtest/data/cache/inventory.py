"""What the cache holds, series by series."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backtest.data.cache.layout import SET_ASIDE, stored_months, stored_series
from backtest.data.cache.locks import told_in_one_sentence
from backtest.data.cache.month_file import Month, UnreadableError
from backtest.data.cache.ranges import Piece, Span, spans
from backtest.data.cache.store import Cache
from backtest.data.series import SeriesName


@dataclass(frozen=True)
class StoredSeries:
    """One series of the cache. Times are ms UTC.

    first, last: times of the first and the last row, None without rows. rows: how many. known: the stretches of which
    everything is known. gaps: bars missing within them between first and last, as stretches; gap_bars: how many bars that
    are, largest_gap: how many in the largest. bytes: of the Parquet files. origins: where the rows come from. set_aside: files kept
    because they were unreadable. unreadable: files that are now and will be set aside by the next update.
    """

    series: SeriesName
    first: int | None
    last: int | None
    rows: int
    known: tuple[Span, ...]
    gaps: tuple[Span, ...]
    gap_bars: int
    largest_gap: int
    bytes: int
    origins: tuple[str, ...]
    set_aside: tuple[str, ...]
    unreadable: tuple[str, ...]

    @property
    def gap_pct(self) -> float:
        """Bars missing, in percent of those from the first to the last that are known; 0 for settlements."""
        bars = self.rows + self.gap_bars
        return 100.0 * self.gap_bars / bars if bars else 0.0


def list_series(root: Path | str | None = None) -> list[StoredSeries]:
    """What is stored under `root` (None: the default), by exchange, symbol and content. Every file is read and checked.

    Raises SourceError when the cache may not be read.
    """
    cache = Cache(root)
    with told_in_one_sentence(cache.root, "read"):
        return [_summed_up(cache, series, folder) for series, folder in stored_series(cache.root)]


def stored_contents(cache: Cache, exchange: str, symbol: str) -> list[str]:
    """The contents ("15m", "funding", ...) of which the cache has a file of this symbol. Raises SourceError when it may not be read."""
    with told_in_one_sentence(cache.root, "read"):
        return [
            series.content
            for series, folder in stored_series(cache.root)
            if (series.exchange, series.symbol) == (exchange, symbol) and stored_months(folder)
        ]


def _summed_up(cache: Cache, series: SeriesName, folder: Path) -> StoredSeries:
    months: list[Month] = []
    unreadable: list[str] = []
    size = 0
    for name in stored_months(folder):
        try:
            found = cache.stat(series, name)
        except UnreadableError:
            unreadable.append(f"{name}.parquet")
            continue
        if found is not None:
            months.append(found[0])
            size += found[1]
    time = np.concatenate([month.time for month in months]) if months else np.zeros(0, np.int64)
    known = [piece for month in months for piece in month.known]
    gaps = _gaps(months, time)
    step = 1 if series.timeframe is None else series.timeframe.ms
    lengths = [(gap.stop - gap.begin) // step for gap in gaps]
    return StoredSeries(
        series,
        first=int(time[0]) if time.size else None,
        last=int(time[-1]) if time.size else None,
        rows=int(time.size),
        known=spans(known),
        gaps=gaps,
        gap_bars=sum(lengths),
        largest_gap=max(lengths, default=0),
        bytes=size,
        origins=tuple(sorted({piece.origin for piece in known})),
        set_aside=tuple(sorted(path.name for path in folder.iterdir() if SET_ASIDE in path.name)),
        unreadable=tuple(unreadable),
    )


def _gaps(months: list[Month], time: np.ndarray) -> tuple[Span, ...]:
    """The holes of all months, joined over their borders, between the first row and the last."""
    if time.size == 0:
        return ()
    first, last = int(time[0]), int(time[-1])
    holes = spans(Piece(*hole, "") for month in months for hole in month.holes)
    return tuple(hole for hole in holes if first < hole.begin < last)
