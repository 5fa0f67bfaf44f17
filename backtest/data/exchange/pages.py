"""Walking through a series page by page, believing nothing that an exchange has said only once by leaving it out.

Rows are asked for from a time on; where the next question begins follows from what came, never from what was asked for,
because ccxt and exchanges cut the number of rows as they like. What is there is believed at once. What is missing is not:

- Rows missing within an answer, or before its first row, are asked for again, from the row before them on where one is known,
  until an answer adds nothing to the ones before.
- An empty answer is asked for again. Then the exchange has to show, by an answer that is not empty, where the series goes on
  or where it ended; empty answers alone prove nothing and end in an error.
- An exchange that contradicts itself is asked a few times more, and is an error then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from backtest.data.exchange.quirks import LEAST_ROWS
from backtest.data.exchange.rows import Rows, merged
from backtest.data.series import Page, SeriesName
from backtest.data.timeframe import HOUR, MINUTE, Timeframe, utc_text
from engine.errors import SourceError

# How often a series that contradicts itself is asked for again.
_ROUNDS = 6
# 2015-01-01: no perpetual with an interface that ccxt knows is older.
_LONG_AGO = 1_420_070_400_000

Ask = Callable[[int, int], Rows]
"""The rows of one answer from a time (ms UTC) on, at most so many; SourceError when the exchange cannot be read."""


@dataclass(frozen=True)
class Spacing:
    """How the rows of a series follow each other, ms.

    step: the grid of their times. slot: the least distance of two rows, by which the reach of an answer is judged.
    longest: the greatest distance that can leave nothing out.
    """

    step: int
    slot: int
    longest: int

    @classmethod
    def of(cls, timeframe: Timeframe | None) -> Spacing:
        """Of bars; None: of settlements, which come every 1 to 8 hours."""
        return cls(MINUTE, HOUR, 8 * HOUR) if timeframe is None else cls(timeframe.ms, timeframe.ms, timeframe.ms)


@dataclass(frozen=True, eq=False)
class _Known:
    """Final rows, and the time up to which an answer has told of the series; the row at `until`, if any, is not yet final."""

    rows: Rows
    until: int


class Walk:
    """One series from a time on, page by page.

    ask: puts one question. end: rows before it are final (see `known_end`). rows: number to ask for at once. open_ended: see
    `backtest.data.exchange.quirks`.
    """

    def __init__(self, series: SeriesName, ask: Ask, end: int, rows: int, open_ended: bool) -> None:
        self._series, self._ask, self._end, self._limit, self._open_ended = series, ask, end, rows, open_ended
        self._space = Spacing.of(series.timeframe)
        self._most = 0
        self._handed_out = Rows.none(len(series.fields))

    def pages(self, begin: int, stop: int) -> Iterator[Page]:
        """The pages of [begin, stop), as `backtest.data.series.PageSource` has them; none when nothing in it is final yet."""
        stop = min(stop, self._end)
        cursor = -(-begin // self._space.step) * self._space.step
        if begin < stop <= cursor:  # no row can open in so short a range
            yield Page(np.zeros(0, np.int64), np.zeros((len(self._series.fields), 0)), stop)
        while cursor < stop:
            known = self._next(cursor, stop)
            assert known.until > cursor, "a walk advances or fails"
            if len(known.rows):
                self._handed_out = known.rows
            part = known.rows.between(cursor, stop)
            yield Page(part.time, part.values, min(known.until, stop))
            cursor = known.until

    def _next(self, cursor: int, stop: int) -> _Known:
        """What is there from `cursor` on, as far as one page goes."""
        for _ in range(_ROUNDS):
            answer = self._asked_twice_if_empty(cursor)
            known = self._confirmed(cursor, answer) if len(answer) else self._after_nothing(cursor, stop)
            if known is not None:
                return known
        raise SourceError(
            f"{self._series.exchange} contradicts itself about {self._series.symbol} {self._series.content} "
            f"from {utc_text(cursor)} UTC on: rows that some answers have are missing from others"
        )

    # --- questions -------------------------------------------------------------------------------------------------------

    def _answer(self, since: int, limit: int | None = None) -> Rows:
        """The rows from `since` on; those handed out before must not have changed."""
        rows = self._ask(since, self._limit if limit is None else limit)
        self._most = max(self._most, len(rows))
        merged(self._handed_out, rows.between(0, self._end), self._series)
        return rows.between(since, np.iinfo(np.int64).max)

    def _asked_twice_if_empty(self, since: int) -> Rows:
        rows = self._answer(since)
        return rows if len(rows) else self._answer(since)

    @property
    def _window(self) -> int:
        """Rows that an answer surely reaches over."""
        return max(self._most, LEAST_ROWS)

    # --- rows that are missing -------------------------------------------------------------------------------------------

    def _told(self, answer: Rows) -> _Known:
        """The final rows of an answer, and how far it tells of the series."""
        return _Known(answer.between(0, self._end), min(int(answer.time[-1]) + self._space.step, self._end))

    def _confirmed(self, cursor: int, answer: Rows) -> _Known | None:
        """The rows of an answer from `cursor` on, up to where no doubt is left about what is missing; None when some stays."""
        known = self._told(answer)
        for _ in range(_ROUNDS):
            hole = self._hole(cursor, known)
            if hole is None:
                return known
            anchor = self._anchor(hole[0], known)
            since = hole[0] if anchor is None else anchor
            again = self._answer(since, self._rows_over(hole) if hole[0] == cursor else None)
            if not len(again) or (anchor is not None and int(again.time[0]) != anchor):
                continue  # an answer without the row that is known proves nothing about the ones after it
            told = self._told(again)
            until = min(known.until, told.until)
            before = known.rows.between(hole[0], until)
            seen = told.rows.between(hole[0], until)
            agreed = np.array_equal(before.time, seen.time)
            known = _Known(merged(known.rows, told.rows, self._series).between(cursor, until), until)
            if agreed and until > hole[0] and (until >= hole[1] or until == self._end):
                return known
        return None

    def _hole(self, cursor: int, known: _Known) -> tuple[int, int] | None:
        """The first stretch [begin, stop) from `cursor` on in which rows seem to be missing."""
        points = np.concatenate([[cursor - self._space.step], known.rows.time, [known.until]])
        wide = np.flatnonzero(np.diff(points) > self._usual(known.rows.time))
        if not wide.size:
            return None
        return int(points[wide[0]]) + self._space.step, int(points[wide[0] + 1])

    def _usual(self, time: np.ndarray) -> int:
        """The distance of rows that leaves nothing out: the least that is met, since settlements come every 1 to 8 hours."""
        distances = np.diff(np.concatenate([self._handed_out.time[-1:], time]))
        distances = distances[distances > 0]
        return min(self._space.longest, int(distances.min())) if distances.size else self._space.longest

    def _anchor(self, begin: int, known: _Known) -> int | None:
        """The time of the row right before `begin`, if one is known: an answer from there on that leaves it out is no proof."""
        for rows in (known.rows, self._handed_out):
            place = int(np.searchsorted(rows.time, begin))
            if place and int(rows.time[place - 1]) == begin - self._space.step:
                return int(rows.time[place - 1])
        return None

    def _rows_over(self, hole: tuple[int, int]) -> int:
        """Rows to ask for so that the answer reaches over a hole at its beginning, and not much farther.

        An exchange that hands over the newest rows of a window in place of the first ones shows itself that way.
        """
        slots = (hole[1] - hole[0]) // self._space.slot + 3
        return self._window // 2 if self._open_ended and slots > self._window else slots

    # --- empty answers ---------------------------------------------------------------------------------------------------

    def _after_nothing(self, cursor: int, stop: int) -> _Known | None:
        """What two empty answers from `cursor` on mean; None when later ones contradict them."""
        latest = self._asked_twice_if_empty(self._latest())
        later = latest.between(cursor, np.iinfo(np.int64).max)
        if self._open_ended:
            if len(later):
                return None
        else:
            # Only now that the exchange has shown that it answers, and how far an answer reaches.
            for edge in range(cursor, stop, self._window * self._space.slot):
                found = self._asked_twice_if_empty(edge)
                if len(found):
                    return self._beginning(cursor, int(found.time[0]), stop)
            if len(later) and int(later.time[0]) < stop:
                return None
        return self._nothing_until(stop) if len(latest) else self._ended(cursor, stop)

    def _beginning(self, cursor: int, first: int, stop: int) -> _Known | None:
        """Nothing from `cursor` to the row at `first`, if an answer that reaches over the time right before it says so too."""
        begin = max(cursor, first - (self._window - 2) * self._space.slot)
        answer = self._answer(begin)
        if not len(answer) or int(answer.time[0]) != first:
            return None
        return self._nothing_until(min(first, stop)) if first > cursor else None

    def _ended(self, cursor: int, stop: int) -> _Known | None:
        """Nothing from `cursor` on, if an answer with rows before it says so; SourceError when the exchange shows none at all."""
        seen = len(self._handed_out) > 0
        if seen:
            begin = int(self._handed_out.time[-1])
        else:
            begin = _LONG_AGO if self._open_ended else cursor - self._window * self._space.slot
        earlier = self._asked_twice_if_empty(begin)
        if not len(earlier):
            raise SourceError(
                f"{self._series.exchange} answers every question for {self._series.symbol} {self._series.content} with an empty list, "
                f"from {utc_text(cursor)} UTC on as well as for the latest: that cannot be told from a failure"
            )
        if int(earlier.time[-1]) >= cursor:
            return None
        # Rows of long ago show only that the exchange answers: so it is asked once more.
        return self._nothing_until(stop) if seen or not self._open_ended or not len(self._answer(cursor)) else None

    def _nothing_until(self, stop: int) -> _Known:
        return _Known(Rows.none(len(self._series.fields)), stop)

    def _latest(self) -> int:
        """The time from which on an answer surely reaches to the row that is not yet final."""
        return max(_LONG_AGO, self._end - (self._window - 2) * self._space.slot)
