"""Files of one series joined into unbroken stretches, and the choice of the files that serve a timeframe best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from backtest.data.files.catalogue import AGGREGATED_TRADES, TRADES, DataFile
from backtest.data.files.reading import FileRows, Reader
from backtest.data.overlap import Overlap, groups_without_holes
from backtest.data.resample import resample
from backtest.data.series import MARK
from backtest.data.timeframe import MINUTE, Timeframe, utc_text
from engine.errors import InputError


@dataclass(frozen=True, eq=False)
class Stretch:
    """Bars of files that follow each other: unique rising times (rows,), values (fields, rows).

    parts: the files, what was met in them. duplicates: equal rows dropped. base: the timeframe of the files. left_out: groups of
    their bars that were not whole when the stretch was resampled.
    """

    time: np.ndarray
    values: np.ndarray
    parts: tuple[FileRows, ...]
    duplicates: int
    base: Timeframe
    left_out: int = 0

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files, in order of time."""
        return tuple(part.file.name for part in self.parts)

    def end(self, timeframe: Timeframe) -> int:
        """Close of the last bar, ms UTC."""
        return int(self.time[-1]) + timeframe.ms

    def text(self, timeframe: Timeframe) -> str:
        """`2024-01-01 00:00 to 2025-01-01 00:00`."""
        return f"{utc_text(self.time[0])} to {utc_text(self.end(timeframe))}"


@dataclass(frozen=True)
class Wish:
    """What is wanted of the files: bars of `timeframe`, made from `base` if not None, of the mark price if `mark`.

    begin, stop: ms UTC; archives whose names promise no row in between are not read, unless there are no others.
    """

    timeframe: Timeframe
    base: Timeframe | None = None
    mark: bool = False
    begin: int = -(2**62)
    stop: int = 2**62


def joined(files: Sequence[DataFile], read: Reader, trade_bars: Timeframe | None = None) -> list[Stretch]:
    """All bars of files of one series, joined into unbroken stretches in order of time; none for no files.

    Every file must keep the rules of `backtest.data.integrity`, and files that overlap must agree. Raises InputError naming
    the file, its row or line and the time.
    """
    return [_join(group) for group in groups_without_holes([read(file, trade_bars) for file in files], _span)]


def _span(part: FileRows) -> tuple[int, int]:
    """Open of a file's first bar and close of its last."""
    assert part.timeframe is not None
    return int(part.time[0]), int(part.time[-1]) + part.timeframe.ms


def serving(files: Sequence[DataFile], wish: Wish, cover: Callable[[int, int], int], read: Reader) -> list[Stretch]:
    """The stretches of the wished timeframe from the files of one symbol that serve it best; none when no file can.

    Files of the timeframe itself come first. Where they have nothing for the dates, the finer ones that divide it are
    resampled: those that cover most of the dates, the coarsest of equals. Trades are used where no bars serve.
    `cover(first, end)` says how many bars of [first, end), ms UTC, are wanted, positive for any.
    """
    best: list[Stretch] = []
    most = None
    for base in _bases(files, wish):
        stretches = _made(_of(files, f"{MARK if wish.mark else ''}{base}"), wish, base, read)
        amount = max((cover(int(stretch.time[0]), stretch.end(wish.timeframe)) for stretch in stretches), default=0)
        if amount > 0 and base == wish.timeframe:
            return stretches
        # A series of the timeframe that has other dates is kept for the sentence that says which.
        if stretches and (most is None or amount > max(most, 0)):
            best, most = stretches, amount
    if wish.mark or (most is not None and most > 0):
        return best
    return _from_trades(files, wish, read) or best


def contents(files: Sequence[DataFile]) -> set[str]:
    """What there is among files, such as {"15m", "funding"}."""
    return {file.content for file in files if file.content is not None}


def _bases(files: Sequence[DataFile], wish: Wish) -> list[Timeframe]:
    """The timeframes at hand that could serve the wish, the coarsest first."""
    at_hand = {file.timeframe for file in files if (file.content or "").startswith(MARK) == wish.mark}
    usable = [base for base in at_hand if base is not None and wish.timeframe.ms % base.ms == 0 and wish.base in (None, base)]
    return sorted(usable, key=lambda base: -base.ms)


def _of(files: Sequence[DataFile], content: str) -> list[DataFile]:
    return [file for file in files if file.content == content]


def _from_trades(files: Sequence[DataFile], wish: Wish, read: Reader) -> list[Stretch]:
    """Bars made of trades: of one second where shorter bars than a minute are wished, else of one minute."""
    trade_bars = wish.base or Timeframe(MINUTE if wish.timeframe.ms % MINUTE == 0 else 1000)
    if trade_bars.ms not in (1000, MINUTE):
        return []
    # Both kinds make the same bars; the aggregated trades are fewer.
    for content in (AGGREGATED_TRADES, TRADES):
        stretches = _made(_of(files, content), wish, trade_bars, read)
        if stretches:
            return stretches
    return []


def _made(files: Sequence[DataFile], wish: Wish, base: Timeframe, read: Reader) -> list[Stretch]:
    """Stretches of the wished timeframe from files that hold bars of `base` or trades."""
    near = [file for file in files if file.within(wish.begin, wish.stop)] or files
    made = []
    for stretch in joined(near, read, base):
        time, values, left_out = resample(stretch.time, stretch.values, base, wish.timeframe)
        if time.size:
            made.append(replace(stretch, time=time, values=values, left_out=left_out))
    return made


def _join(parts: list[FileRows]) -> Stretch:
    """One stretch from files that follow each other or overlap."""
    duplicates = sum(part.duplicates for part in parts)
    base = parts[0].timeframe
    assert base is not None
    if len(parts) == 1:
        return Stretch(parts[0].time, parts[0].values, tuple(parts), duplicates, base)
    rows = Overlap.of([part.time for part in parts], [part.values for part in parts])
    if rows.differ.any():
        place, field = (int(found) for found in np.argwhere(rows.differ.T)[0])
        row = int(rows.again[place])
        names = [parts[rows.owner[number]].file.name for number in (row - 1, row)]
        raise InputError(
            f"{names[0]} and {names[1]} overlap and differ at {utc_text(rows.time[row])} UTC: "
            f"{parts[0].fields[field]} is {rows.values[field, row - 1]:.12g} and {rows.values[field, row]:.12g}"
        )
    return Stretch(*rows.once(), tuple(parts), duplicates, base)
