"""`Cache`: series of market data on disk, by months, of which every stretch is known or missing.

A reader takes no lock and changes nothing: every file is replaced as a whole, so it sees the old one or the new one. A writer holds
the lock of the series. It sets unreadable files aside and mends manifests (`backtest.data.cache.month_file` says when).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from backtest.data.atomic import sync_folder, write_atomically
from backtest.data.cache import rows
from backtest.data.cache.layout import (
    SUFFIX,
    close_of,
    default_root,
    folder_of,
    free_name,
    month_bounds,
    months_between,
    on_grid,
    stored_months,
)
from backtest.data.cache.locks import locked, report_nothing, told_in_one_sentence
from backtest.data.cache.month_file import Month, UnreadableError, decode, encode, file_sum, known_of, manifest, recorded_sum
from backtest.data.cache.ranges import Piece, Span, clipped, covered, missing, replaced, spans
from backtest.data.columns import Origin
from backtest.data.series import SeriesName
from engine.errors import InputError, SourceError

EXCHANGE = "exchange"
_READERS = min(8, os.cpu_count() or 1)
_EVER = (0, 253_370_764_800_000)  # to the year 9999


class Cache:
    """The cache under `root` (None: `default_root`). `report` takes sentences for the user, such as that a file was set aside."""

    def __init__(self, root: Path | str | None = None, report: Callable[[str], None] = report_nothing) -> None:
        self.root = default_root() if root is None else Path(root).expanduser()
        self.report = report

    def read(self, series: SeriesName, begin: int | None = None, stop: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The rows stored with times in [begin, stop), ms UTC; None: no bound.

        Returns times (int64 ms UTC, shape (rows,)) and values (float64, shape (fields, rows), as `SeriesName.fields`); none when
        nothing is stored. Raises SourceError when a file is unreadable: fewer rows are never given in its place.
        """
        names = self._months(series, begin, stop)
        if not names:
            return rows.empty(series)
        first, last = _EVER[0] if begin is None else begin, _EVER[1] if stop is None else stop
        # Unpacking and hashing leave Python's lock alone, so that the months are read side by side.
        with ThreadPoolExecutor(min(len(names), _READERS)) as pool:
            months = list(pool.map(lambda name: self._readable(series, name), names))
        tables = [rows.between(month.time, month.values, first, last) for month in months]
        time = np.concatenate([table[0] for table in tables])
        values = np.empty((len(series.fields), time.size))
        np.concatenate([table[1] for table in tables], axis=1, out=values)
        return time, values

    def known(self, series: SeriesName, begin: int | None = None, stop: int | None = None) -> tuple[Span, ...]:
        """The stretches of [begin, stop), ms UTC, of which everything is known; holes that the exchange has confirmed are.

        What stands in an unreadable file is not known, and `report` is told.
        """
        found: list[Piece] = []
        for name in self._months(series, begin, stop):
            try:
                found += self._known_in(series, name)
            except UnreadableError as error:
                self.report(f"{self._path(series, name)} is unreadable: {error}; its month counts as missing")
        first, last = _EVER[0] if begin is None else on_grid(series, begin), _EVER[1] if stop is None else on_grid(series, stop)
        return spans(clipped(found, first, last))

    def missing(self, series: SeriesName, begin: int, stop: int) -> tuple[Span, ...]:
        """The stretches of [begin, stop), ms UTC, of which nothing is known; bounds on the grid of the series."""
        known = [Piece(*span, "") for span in self.known(series, begin, stop)]
        return missing(known, on_grid(series, begin), on_grid(series, stop))

    def store(
        self,
        series: SeriesName,
        time: np.ndarray,
        values: np.ndarray,
        known: tuple[int, int] | None = None,
        origin: str = "import",
        now: int | None = None,
    ) -> int:
        """Store rows from elsewhere, such as a file, and return how many are new.

        time: int64 ms UTC, (rows,), unique and rising. values: float64, (fields, rows). known: [from, until), ms UTC, in
        which these are all rows there are; None: from the first row to the end of the last. origin: where they come from,
        such as "import: BTCUSDT-15m-2024-01.zip". now: ms UTC; a row that is not finished by then is refused.

        Rows that are stored already must agree; a row where the exchange has said that there is none is taken. Raises
        InputError naming the row, with nothing stored; SourceError when the cache cannot be written.
        """
        table = Origin(origin)
        rows.check_rows(series, time, values, table)
        begin, stop = self._stretch(series, time, known)
        if now is not None and time.size and close_of(series, int(time[-1])) > now:
            raise InputError(f"{table.row(time.size - 1, time[-1])} is not finished yet: only closed bars are stored")
        with locked(folder_of(self.root, series), str(series), self.report):
            months = [self.mended(series, month) for month in months_between(begin, stop)]
            for month in months:
                _refuse_difference(month, *rows.between(time, values, *month_bounds(month.month)), table)
            return sum(self._add(month, time, values, Piece(begin, stop, origin)) for month in months)

    # --- for writers, which hold the lock of the series ----------------------------------------------------------------

    def mended(self, series: SeriesName, name: str, aside: list[str] | None = None) -> Month:
        """A month as it is stored, its manifest made good; an unreadable file is set aside and its name put into `aside`.

        Only while the lock of the series is held. Raises SourceError when the cache cannot be read or written.
        """
        path = self._path(series, name)
        try:
            month = self._load(series, name)
        except UnreadableError as error:
            kept = free_name(path)
            with told_in_one_sentence(path):
                path.rename(kept)
                sync_folder(path.parent)
            self.report(f"{path} is unreadable: {error}; it is kept as {kept.name}, and its month counts as missing")
            if aside is not None:
                aside.append(kept.name)
            month = None
        with told_in_one_sentence(path):
            self._mend_manifest(path, month)
        return month or Month.nothing(series, name)

    def write(self, month: Month) -> None:
        """Store a month in place of what there is, the Parquet file first and its manifest second.

        Only while the lock of the series is held. Raises SourceError when it cannot be written; then the old one stands.
        """
        path, blob = self._path(month.series, month.month), encode(month)
        with told_in_one_sentence(path):
            write_atomically(path, blob)
            write_atomically(path.with_suffix(".json"), manifest(month, blob))

    def stat(self, series: SeriesName, name: str) -> tuple[Month, int] | None:
        """A month and the bytes of its Parquet file; None when it is not there. Raises UnreadableError, SourceError."""
        month = self._load(series, name)
        return None if month is None else (month, self._path(series, name).stat().st_size)

    # --- inside --------------------------------------------------------------------------------------------------------

    def _path(self, series: SeriesName, month: str) -> Path:
        return folder_of(self.root, series) / f"{month}{SUFFIX}"

    def _months(self, series: SeriesName, begin: int | None, stop: int | None) -> list[str]:
        """The stored months that may hold something of [begin, stop)."""
        with told_in_one_sentence(self.root, "read"):
            months = stored_months(folder_of(self.root, series))
        return [
            month
            for month in months
            if (begin is None or month_bounds(month)[1] > begin) and (stop is None or month_bounds(month)[0] < stop)
        ]

    def _readable(self, series: SeriesName, name: str) -> Month:
        try:
            return self._load(series, name) or Month.nothing(series, name)
        except UnreadableError as error:
            raise SourceError(f"{self._path(series, name)} is unreadable: {error}; fetch its month again") from None

    def _load(self, series: SeriesName, name: str) -> Month | None:
        """A month from its file; None when there is no file. Raises UnreadableError; SourceError when it may not be read."""
        path = self._path(series, name)
        blob, trusted = self._bytes(path)
        return None if blob is None else decode(blob, series, name, trusted is not None)

    def _known_in(self, series: SeriesName, name: str) -> tuple[Piece, ...]:
        """What is known of a month; from its manifest where that fits the file, which saves unpacking the rows."""
        blob, trusted = self._bytes(self._path(series, name))
        if blob is None:
            return ()
        known = None if trusted is None else known_of(trusted, series, name)
        return decode(blob, series, name, trusted=False).known if known is None else known

    def _bytes(self, path: Path) -> tuple[bytes | None, bytes | None]:
        """The bytes of a month's file, None without one, and of its manifest where that has the file's SHA-256, else None."""
        with told_in_one_sentence(path, "read"):
            try:
                blob = path.read_bytes()
            except FileNotFoundError:
                return None, None
            try:
                beside = path.with_suffix(".json").read_bytes()
            except FileNotFoundError:
                return blob, None
        return blob, beside if recorded_sum(beside) == file_sum(blob) else None

    def _mend_manifest(self, path: Path, month: Month | None) -> None:
        """Make the manifest that belongs to a month's file, or remove one that belongs to none."""
        beside = path.with_suffix(".json")
        if month is None:
            beside.unlink(missing_ok=True)
            return
        wanted = manifest(month, path.read_bytes())
        if not beside.exists() or beside.read_bytes() != wanted:
            write_atomically(beside, wanted)

    def _stretch(self, series: SeriesName, time: np.ndarray, known: tuple[int, int] | None) -> tuple[int, int]:
        """The stretch that rows to be stored make known, on the grid."""
        if known is None:
            if time.size == 0:
                raise InputError(f"no rows of {series} were given, nor the times that they are known for")
            known = int(time[0]), max(close_of(series, int(time[-1])), int(time[-1]) + 1)
        begin, stop = (on_grid(series, int(bound)) for bound in known)
        if not _EVER[0] <= begin < stop <= _EVER[1] or (time.size and not begin <= time[0] <= time[-1] < stop):
            raise InputError(f"known = {known} is refused: it must be a range of times in ms UTC that holds all rows")
        return begin, stop

    def _add(self, month: Month, time: np.ndarray, values: np.ndarray, piece: Piece) -> int:
        """Add to a month what it has not of rows that agree with it, and what is known by them; returns the new rows."""
        begin, stop = month_bounds(month.month)
        time, values = rows.between(time, values, begin, stop)
        new = ~np.isin(time, month.time)
        known = month.known
        for span in missing(known, max(begin, piece.begin), min(stop, piece.stop)):
            known = replaced(known, Piece(*span, piece.origin))
        # A row in a hole that somebody had confirmed: this origin vouches for it.
        for filled in time[new & covered(month.known, time)]:
            known = replaced(known, Piece(int(filled), max(close_of(month.series, int(filled)), int(filled) + 1), piece.origin))
        if new.any() or known != month.known:
            together = rows.merged((month.time, month.values), (time[new], values[:, new]))
            self.write(Month(month.series, month.month, *together, known))
        return int(np.count_nonzero(new))


def _refuse_difference(month: Month, time: np.ndarray, values: np.ndarray, table: Origin) -> None:
    """Refuse rows that contradict the rows stored at the same times."""
    both = np.isin(time, month.time)
    stored = np.isin(month.time, time)
    unlike = rows.difference(month.series, (month.time[stored], month.values[:, stored]), (time[both], values[:, both]))
    if unlike:
        raise InputError(f"{table.what} contradicts what is stored of {month.series}: {unlike}")
