"""Known stretches against a twin that keeps one origin for every single time, and the months of the calendar."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtest.data.cache.layout import month_bounds, month_of, months_between, on_grid, stored_months
from backtest.data.cache.ranges import Piece, clipped, covered, holes, joined, missing, replaced, spans, without
from backtest.data.series import SeriesName, known_end
from tests.data.page_sources import BARS, FUNDING, at

SIZE = 30
bounds = st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)).map(sorted)
news = st.lists(st.tuples(bounds, st.sampled_from("ab")), max_size=6)


def built(steps) -> tuple[tuple[Piece, ...], list[str | None]]:
    """The same steps as pieces and as a list of origins by time."""
    pieces: tuple[Piece, ...] = ()
    twin: list[str | None] = [None] * SIZE
    for (begin, stop), origin in steps:
        pieces = replaced(pieces, Piece(begin, stop, origin))
        twin[begin:stop] = [origin] * (stop - begin)
    return pieces, twin


def spread(pieces) -> list[str | None]:
    line: list[str | None] = [None] * SIZE
    for piece in pieces:
        assert line[piece.begin : piece.stop] == [None] * (piece.stop - piece.begin)
        line[piece.begin : piece.stop] = [piece.origin] * (piece.stop - piece.begin)
    return line


@given(news, bounds)
def test_pieces_agree_with_a_list_of_every_time(steps, window) -> None:
    pieces, twin = built(steps)
    begin, stop = window
    assert spread(pieces) == twin
    assert pieces == joined(reversed(pieces))
    inside = [begin <= time < stop for time in range(SIZE)]
    assert spread(clipped(pieces, begin, stop)) == [one if there else None for one, there in zip(twin, inside, strict=True)]
    assert spread(without(pieces, begin, stop)) == [None if there else one for one, there in zip(twin, inside, strict=True)]
    gaps = {time for gap in missing(pieces, begin, stop) for time in range(*gap)}
    assert gaps == {time for time in range(begin, stop) if twin[time] is None}
    known = {time for span in spans(pieces) for time in range(*span)}
    assert known == {time for time in range(SIZE) if twin[time] is not None}
    assert covered(pieces, np.arange(SIZE)).tolist() == [one is not None for one in twin]
    # One form for one content: no two neighbours of one origin, none empty.
    assert all(piece.begin < piece.stop for piece in pieces)
    assert all(one.stop < two.begin or one.origin != two.origin for one, two in pairwise(pieces))


@given(news, st.sets(st.integers(0, SIZE - 1)), st.integers(1, 5))
def test_holes_are_the_known_bars_that_are_not_there(steps, there, step) -> None:
    pieces, twin = built(steps)
    rows = sorted(time for time in there if twin[time] is not None)
    wide = tuple(Piece(piece.begin * step, piece.stop * step, piece.origin) for piece in pieces)
    found = holes(wide, np.array(rows, np.int64) * step, step)
    bars = [time for hole in found for time in range(hole.begin, hole.stop, step)]
    assert bars == [time * step for time in range(SIZE) if twin[time] is not None and time not in rows]
    # Two holes have a bar between them, or what is not known.
    assert all(one.stop < two.begin for one, two in pairwise(found))


def test_months_follow_the_calendar() -> None:
    assert month_bounds("2023-12") == (at("2023-12-01"), at("2024-01-01"))
    assert month_bounds("2024-02")[1] - month_bounds("2024-02")[0] == 29 * 86_400_000
    assert month_of(at("2024-03-01") - 1) == "2024-02"
    assert month_of(at("2024-03-01")) == "2024-03"
    assert list(months_between(at("2023-11-30"), at("2024-02-01"))) == ["2023-11", "2023-12", "2024-01"]
    assert list(months_between(5, 5)) == []


def test_only_month_files_are_months(tmp_path) -> None:
    for name in ("2024-01.parquet", "2024-13.parquet", "2023-12.parquet", "2024-02.parquet.unreadable", ".2024-03.parquet.1-2.unfinished"):
        (tmp_path / name).touch()
    assert stored_months(tmp_path) == ["2023-12", "2024-01"]


@pytest.mark.parametrize(
    ("series", "now", "until"),
    [
        (BARS, "2024-01-01T03:59:59", "2024-01-01T00:00"),
        (BARS, "2024-01-01T04:00:04", "2024-01-01T00:00"),
        (BARS, "2024-01-01T04:00:05", "2024-01-01T04:00"),
        (SeriesName("fake", "BTCUSDT", "1d"), "2024-01-01T23:59", "2024-01-01"),
        (FUNDING, "2024-01-01T08:14:59", "2024-01-01T08:00"),
        (FUNDING, "2024-01-01T08:15:00", "2024-01-01T08:15"),
    ],
)
def test_rows_are_complete_up_to_the_last_close(series, now, until) -> None:
    assert known_end(series.timeframe, at(now)) == at(until)


def test_times_between_two_bars_go_up_to_the_next() -> None:
    assert on_grid(BARS, at("2024-01-01T00:00:01")) == at("2024-01-01T04:00")
    assert on_grid(BARS, at("2024-01-01T04:00")) == at("2024-01-01T04:00")
    assert on_grid(FUNDING, 12_345) == 12_345
