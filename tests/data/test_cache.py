"""The cache: what is stored comes back, only what is missing is asked for, and what contradicts is refused."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from backtest.data.cache.download import update
from backtest.data.cache.inventory import list_series
from backtest.data.cache.layout import default_root
from backtest.data.cache.store import Cache
from backtest.data.series import Page, SeriesName
from backtest.data.timeframe import DAY, HOUR, MINUTE
from engine.errors import InputError, SourceError
from tests.data.page_sources import BARS, FUNDING, MARKS, MadeSource, at, made_rows, tree

BEGIN, STOP = at("2024-01-20"), at("2024-03-10")
STEP = 4 * HOUR


def same(table: tuple[np.ndarray, np.ndarray], wanted: tuple[np.ndarray, np.ndarray]) -> None:
    np.testing.assert_array_equal(table[0], wanted[0])
    np.testing.assert_array_equal(table[1], wanted[1])
    assert table[0].dtype == np.int64
    assert table[1].dtype == np.float64


# --- fetching -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("series", [BARS, MARKS, FUNDING], ids=str)
def test_what_is_fetched_is_stored_by_months_and_read_back(tmp_path, series) -> None:
    cache, source = Cache(tmp_path), MadeSource()
    assert cache.read(series)[1].shape == (len(series.fields), 0)
    assert cache.missing(series, BEGIN, STOP) == ((BEGIN, STOP),)
    report = update(cache, series, source, BEGIN, STOP)
    wanted = made_rows(series, BEGIN, STOP)
    same(cache.read(series), wanted)
    assert cache.missing(series, BEGIN, STOP) == ()
    assert report.rows == wanted[0].size
    assert report.months == ["2024-01", "2024-02", "2024-03"]
    folder = tmp_path / "fake" / "BTCUSDT" / series.content
    names = {path.name for path in folder.iterdir() if path.name != ".lock"}
    assert names == {f"2024-0{number}.{kind}" for number in (1, 2, 3) for kind in ("parquet", "json")}
    frame = pd.read_parquet(folder / "2024-02.parquet")
    assert list(frame.columns) == ["timestamp", *series.fields]
    assert frame["timestamp"].min() == at("2024-02-01")
    assert frame["timestamp"].max() < at("2024-03-01")
    part = at("2024-02-10 13:37"), at("2024-03-03 04:00")
    same(cache.read(series, *part), made_rows(series, *part))


def test_a_second_run_asks_nothing_and_a_third_only_for_the_new_bars(tmp_path) -> None:
    cache, source = Cache(tmp_path), MadeSource(clock=at("2024-02-10 09:59"))
    update(cache, BARS, source, BEGIN, STOP)
    assert int(cache.read(BARS)[0][-1]) == at("2024-02-10 04:00")
    again = update(cache, BARS, source, BEGIN, STOP)
    assert (again.pages, again.rows, again.asked, len(source.asked)) == (0, 0, (), 1)
    assert again.known_before == (at("2024-02-10 08:00") - BEGIN) // STEP
    source.clock = at("2024-02-11 00:00:05")
    third = update(cache, BARS, source, BEGIN, STOP)
    assert third.asked == ((at("2024-02-10 08:00"), at("2024-02-11")),)
    assert (third.rows, third.pages, third.compared) == (4, 1, 3)
    assert source.asked[-1] == (at("2024-02-09 20:00"), at("2024-02-11"))
    same(cache.read(BARS), made_rows(BARS, BEGIN, at("2024-02-11")))


def test_only_the_stretches_between_what_is_stored_are_fetched(tmp_path) -> None:
    cache, source = Cache(tmp_path), MadeSource()
    for day in ("2024-01-25", "2024-02-20"):
        update(cache, BARS, source, at(day), at(day) + 5 * DAY)
    source.asked.clear()
    report = update(cache, BARS, source, BEGIN, STOP)
    assert [span.begin for span in report.asked] == [BEGIN, at("2024-01-30"), at("2024-02-25")]
    assert report.compared == 4 * 3  # three bars on either side of each of the two stretches
    assert sum(stop - begin for begin, stop in source.asked) == STOP - BEGIN - 10 * DAY + 12 * STEP
    whole = Cache(tmp_path / "whole")
    update(whole, BARS, source, BEGIN, STOP)
    assert tree(tmp_path / "fake") == tree(tmp_path / "whole" / "fake")


def test_bounds_between_two_bars_count_as_the_next_bar(tmp_path) -> None:
    cache, source = Cache(tmp_path), MadeSource()
    update(cache, BARS, source, BEGIN + 1, STOP - 1)
    assert cache.known(BARS) == ((BEGIN + STEP, STOP),)
    assert cache.missing(BARS, BEGIN + 1, STOP - STEP + 1) == ()


def test_holes_that_the_exchange_confirms_are_not_asked_for_again(tmp_path) -> None:
    border = at("2024-02-01")
    holes = (border - STEP, border, border + STEP, at("2024-02-05"))
    cache, source = Cache(tmp_path), MadeSource(holes=holes, listed=at("2024-01-25"), size=7)
    update(cache, BARS, source, BEGIN, STOP)
    assert cache.missing(BARS, BEGIN, STOP) == ()
    (stored,) = list_series(tmp_path)
    assert stored.gaps == ((border - STEP, border + 2 * STEP), (at("2024-02-05"), at("2024-02-05") + STEP))
    assert (stored.gap_bars, stored.largest_gap, stored.first) == (4, 3, at("2024-01-25"))
    assert stored.rows == source.rows(BARS, BEGIN, STOP)[0].size
    assert stored.gap_pct == pytest.approx(100 * 4 / (stored.rows + 4))
    manifest = json.loads((tmp_path / "fake/BTCUSDT/4h/2024-02.json").read_text())
    assert manifest["gaps"]["bars"] == 3
    assert manifest["gaps"]["largest"] == 2
    assert manifest["first"] == border + 2 * STEP
    assert manifest["known"] == [{"from": border, "until": at("2024-03-01"), "origin": "exchange"}]


def test_a_month_before_the_listing_is_known_and_empty(tmp_path) -> None:
    cache = Cache(tmp_path)
    update(cache, BARS, MadeSource(listed=at("2024-03-01")), BEGIN, STOP)
    assert cache.missing(BARS, BEGIN, STOP) == ()
    same(cache.read(BARS), made_rows(BARS, at("2024-03-01"), STOP))
    assert json.loads((tmp_path / "fake/BTCUSDT/4h/2024-01.json").read_text())["rows"] == 0


def test_progress_rises_to_the_end_over_all_stretches(tmp_path) -> None:
    cache, told = Cache(tmp_path), []
    update(cache, BARS, MadeSource(), at("2024-02-01"), at("2024-02-05"))
    update(cache, BARS, MadeSource(size=20, listed=at("2024-01-25")), BEGIN, STOP, progress=lambda *news: told.append(news))
    done = [rows for rows, _, _ in told]
    bars = (STOP - BEGIN - 4 * DAY) // STEP
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, bars)
    assert {expected for _, expected, _ in told} == {bars}
    assert {span for _, _, span in told} == {(BEGIN, at("2024-02-01")), (at("2024-02-05"), STOP)}


def test_settlements_count_up_to_the_last_quarter_of_an_hour(tmp_path) -> None:
    cache, source = Cache(tmp_path), MadeSource(clock=at("2024-02-10 08:14"))
    update(cache, FUNDING, source, BEGIN, STOP)
    assert int(cache.read(FUNDING)[0][-1]) == at("2024-02-10")
    assert update(cache, FUNDING, source, BEGIN, STOP).pages == 0
    source.clock += MINUTE
    assert update(cache, FUNDING, source, BEGIN, STOP).rows == 1


def test_a_bar_that_is_listed_late_is_no_hole(tmp_path) -> None:
    late = (at("2024-02-10"), at("2024-02-10 04:00"))
    cache, source = Cache(tmp_path), MadeSource(clock=at("2024-02-10 08:30"), holes=late)
    for _ in range(2):
        update(cache, BARS, source, BEGIN, STOP)
        assert cache.known(BARS) == ((BEGIN, late[0]),)
    source.holes = late[:1]
    update(cache, BARS, source, BEGIN, STOP)
    assert cache.known(BARS) == ((BEGIN, at("2024-02-10 08:00")),)
    assert [(gap.begin, gap.stop) for gap in list_series(tmp_path)[0].gaps] == [late]


def test_bars_that_do_not_come_become_a_hole(tmp_path) -> None:
    """The coin has been delisted: what is asked for again stays short."""
    delisted = tuple(range(at("2024-02-10"), STOP, STEP))
    cache, source = Cache(tmp_path), MadeSource(clock=at("2024-02-10 08:30"), holes=delisted)
    for day in range(10, 20):
        source.clock = at(f"2024-02-{day} 08:30")
        update(cache, BARS, source, BEGIN, STOP)
    assert cache.known(BARS) == ((BEGIN, at("2024-02-19")),)
    same(cache.read(BARS), made_rows(BARS, BEGIN, at("2024-02-10")))


# --- what contradicts ----------------------------------------------------------------------------------------------------


def changed(time: int, field: int, value: float):
    """An edit of the page that holds the row at `time`."""

    def edit(page: Page) -> Page:
        values = page.values.copy()
        values[field, page.time == time] = value
        return Page(page.time, values, page.known_until)

    return edit


def test_a_revised_history_is_an_error_and_overwrites_nothing(tmp_path) -> None:
    cache = Cache(tmp_path)
    update(cache, BARS, MadeSource(), BEGIN, at("2024-02-10"))
    before = tree(tmp_path)
    row = at("2024-02-09 16:00")
    revised = MadeSource(edit=changed(row, 4, 7.25))
    with pytest.raises(SourceError, match=r"revised its history.*2024-02-09 16:00 the volume stored is .*, now it is 7\.25;.*--refresh"):
        update(cache, BARS, revised, BEGIN, STOP)
    assert tree(tmp_path) == before
    report = update(cache, BARS, revised, BEGIN, STOP, refresh=True)
    time, values = cache.read(BARS)
    assert values[4, time == row] == 7.25
    assert report.rows == report.known_before + (STOP - at("2024-02-10")) // STEP
    fresh = Cache(tmp_path / "fresh")
    update(fresh, BARS, revised, BEGIN, STOP)
    assert tree(tmp_path / "fake") == tree(tmp_path / "fresh" / "fake")


@pytest.mark.parametrize(
    ("before", "after", "sentence"), [((), (1,), "the row stored is not there now"), ((1,), (), "there is a row now where none was stored")]
)
def test_a_bar_that_comes_or_goes_is_a_revised_history(tmp_path, before, after, sentence) -> None:
    border = at("2024-02-01")
    cache = Cache(tmp_path)
    update(cache, BARS, MadeSource(holes=tuple(border - STEP * back for back in before)), BEGIN, border)
    with pytest.raises(SourceError, match=f"at 2024-01-31 20:00 {sentence}"):
        update(cache, BARS, MadeSource(holes=tuple(border - STEP * back for back in after)), BEGIN, STOP)
    assert cache.known(BARS) == ((BEGIN, border),)


def test_a_revision_behind_the_missing_stretch_is_seen_too(tmp_path) -> None:
    cache = Cache(tmp_path)
    update(cache, BARS, MadeSource(), at("2024-02-10"), STOP)
    with pytest.raises(SourceError, match="2024-02-10 00:00 the volume stored is"):
        update(cache, BARS, MadeSource(edit=changed(at("2024-02-10"), 4, 100.5)), BEGIN, STOP)


def test_a_refresh_that_fails_leaves_the_month_it_was_in(tmp_path) -> None:
    cache = Cache(tmp_path)
    update(cache, BARS, MadeSource(), BEGIN, STOP)
    before = cache.read(BARS)

    def fail_in_february(number: int) -> None:
        if number == 3:
            raise SourceError("the line is dead")

    doubled = MadeSource(size=50, before_page=fail_in_february, edit=lambda page: Page(page.time, page.values * 2.0, page.known_until))
    with pytest.raises(SourceError, match="the line is dead"):
        update(cache, BARS, doubled, BEGIN, STOP, refresh=True)
    border = at("2024-02-01")
    time, values = cache.read(BARS)
    np.testing.assert_array_equal(time, before[0])
    np.testing.assert_array_equal(values, np.where(time < border, 2.0, 1.0) * before[1])


def bad_page(**changes):
    def edit(page: Page) -> Page:
        return Page(**({"time": page.time, "values": page.values, "known_until": page.known_until} | changes))

    return edit


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (changed(BEGIN + STEP, 2, 999.0), r"row 1 of .*2024-01-20 04:00\): the high is below the low"),
        (changed(BEGIN, 3, np.nan), r"row 0 of .*2024-01-20 00:00\): close is missing"),
        (lambda page: Page(page.time + 1, page.values, page.known_until), "not on the 4h grid"),
        (lambda page: Page(page.time[::-1].copy(), page.values, page.known_until), "the times must rise"),
        (lambda page: Page(page.time, page.values[:4], page.known_until), "shape"),
        (lambda page: Page(page.time - 10 * STEP, page.values, page.known_until), "lies outside the page"),
        (lambda page: Page(page.time, page.values, int(page.time[-1])), "lies outside the page"),
        (bad_page(known_until=BEGIN), "does not advance"),
    ],
)
def test_a_page_that_breaks_a_rule_is_refused_whole(tmp_path, edit, sentence) -> None:
    cache = Cache(tmp_path)
    with pytest.raises(SourceError, match=sentence):
        update(cache, BARS, MadeSource(edit=edit), BEGIN, STOP)
    assert tree(tmp_path) == {}


def test_a_rate_that_is_no_fraction_is_refused(tmp_path) -> None:
    with pytest.raises(SourceError, match=r"2024-01-20 08:00\): rate = 1 is refused"):
        update(Cache(tmp_path), FUNDING, MadeSource(edit=changed(BEGIN + 8 * HOUR, 0, 1.0)), BEGIN, STOP)


class Forming(MadeSource):
    """Hands over the bar that has not closed as well."""

    def pages(self, series, begin, stop):
        time, values = made_rows(series, begin, stop + STEP)
        yield Page(time, values, stop)


def test_the_forming_bar_is_never_stored(tmp_path) -> None:
    cache = Cache(tmp_path)
    with pytest.raises(SourceError, match=r"2024-02-10 08:00\) is not finished yet"):
        update(cache, BARS, Forming(clock=at("2024-02-10 11:59")), BEGIN, STOP)
    assert tree(tmp_path) == {}


class Short(MadeSource):
    """Ends every answer before the end asked for."""

    cut = STEP

    def pages(self, series, begin, stop):
        yield from super().pages(series, begin, stop - self.cut)


def test_an_answer_that_ends_early_is_an_error_unless_by_the_bar_still_forming(tmp_path) -> None:
    cache, source = Cache(tmp_path), Short()
    update(cache, BARS, source, BEGIN, STOP)
    assert cache.missing(BARS, BEGIN, STOP) == ((STOP - STEP, STOP),)
    update(cache, BARS, source, BEGIN, STOP, refresh=True)
    assert cache.missing(BARS, BEGIN, STOP) == ((STOP - STEP, STOP),)
    source.cut = 2 * STEP
    with pytest.raises(SourceError, match="ends at 2024-03-09 20:00 UTC, before 2024-03-10 04:00 UTC"):
        update(cache, BARS, source, BEGIN, STOP + STEP)


@pytest.mark.parametrize(("begin", "stop"), [(STOP, BEGIN), (BEGIN, BEGIN), (-1, STOP)])
def test_a_range_that_is_none_is_refused(tmp_path, begin, stop) -> None:
    with pytest.raises(InputError, match="the range from"):
        update(Cache(tmp_path), BARS, MadeSource(), begin, stop)


# --- imports -------------------------------------------------------------------------------------------------------------


def test_imported_rows_stand_beside_fetched_ones(tmp_path) -> None:
    cache, source = Cache(tmp_path), MadeSource()
    middle = at("2024-02-10"), at("2024-02-20")
    assert cache.store(BARS, *made_rows(BARS, *middle), known=middle, origin="import: dump.zip") == 60
    assert cache.store(BARS, *made_rows(BARS, *middle), known=middle, origin="import: dump.zip") == 0
    report = update(cache, BARS, source, BEGIN, STOP)
    assert report.asked == ((BEGIN, middle[0]), (middle[1], STOP))
    same(cache.read(BARS), made_rows(BARS, BEGIN, STOP))
    assert cache.store(BARS, *made_rows(BARS, BEGIN, STOP), origin="import: later.csv") == 0
    (stored,) = list_series(tmp_path)
    assert stored.origins == ("exchange", "import: dump.zip")
    known = json.loads((tmp_path / "fake/BTCUSDT/4h/2024-02.json").read_text())["known"]
    assert [piece["origin"] for piece in known] == ["exchange", "import: dump.zip", "exchange"]


def test_an_import_that_contradicts_is_refused_and_stores_nothing(tmp_path) -> None:
    cache = Cache(tmp_path)
    update(cache, BARS, MadeSource(), at("2024-02-10"), STOP)
    before = tree(tmp_path)
    time, values = made_rows(BARS, BEGIN, STOP)
    values[3, time == at("2024-02-11")] += 1e-12
    with pytest.raises(InputError, match=r"import: a\.csv contradicts .* at 2024-02-11 00:00 the close stored is 95\.8.*, now it is 95\.8"):
        cache.store(BARS, time, values, origin="import: a.csv")
    assert tree(tmp_path) == before


def test_an_import_fills_a_hole_of_the_exchange_and_is_not_a_revision(tmp_path) -> None:
    border = at("2024-02-01")
    cache, source = Cache(tmp_path), MadeSource(holes=(border - STEP,))
    update(cache, BARS, source, BEGIN, border)
    assert cache.store(BARS, *made_rows(BARS, BEGIN, border), origin="import: a.csv") == 1
    same(cache.read(BARS), made_rows(BARS, BEGIN, border))
    assert update(cache, BARS, source, BEGIN, STOP).compared == 2


@pytest.mark.parametrize(
    ("known", "now", "sentence"),
    [
        ((BEGIN + STEP, STOP), None, "must be a range"),
        ((BEGIN, STOP - STEP), None, "must be a range"),
        ((STOP, BEGIN), None, "must be a range"),
        (None, STOP - 1, r"row 299 of import: a\.csv \(2024-03-09 20:00\) is not finished yet"),
    ],
)
def test_an_import_that_is_none_is_refused(tmp_path, known, now, sentence) -> None:
    cache = Cache(tmp_path)
    with pytest.raises(InputError, match=sentence):
        cache.store(BARS, *made_rows(BARS, BEGIN, STOP), known=known, origin="import: a.csv", now=now)
    with pytest.raises(InputError, match=r"the times must rise"):
        cache.store(BARS, *(part[..., ::-1].copy() for part in made_rows(BARS, BEGIN, STOP)), origin="import: a.csv")
    with pytest.raises(InputError, match="no rows of fake BTCUSDT 4h were given"):
        cache.store(BARS, np.zeros(0, np.int64), np.zeros((5, 0)))
    assert tree(tmp_path) == {}


# --- what is stored ------------------------------------------------------------------------------------------------------


def test_the_list_has_every_series_and_only_those(tmp_path) -> None:
    assert list_series(tmp_path / "nothing") == []
    cache = Cache(tmp_path)
    other = SeriesName("fake", "ETHUSDT", "1d")
    for series in (FUNDING, BARS, MARKS, other):
        update(cache, series, MadeSource(), BEGIN, STOP)
    (tmp_path / "fake" / "BTCUSDT" / "notes of mine").mkdir()
    found = list_series(tmp_path)
    assert [one.series for one in found] == [BARS, FUNDING, MARKS, other]
    assert all(one.known == ((BEGIN, STOP),) and one.gaps == () for one in found)
    folder = tmp_path / "fake" / "ETHUSDT" / "1d"
    assert found[3].bytes == sum(path.stat().st_size for path in folder.glob("*.parquet"))
    assert found[1].rows == made_rows(FUNDING, BEGIN, STOP)[0].size


def test_the_variable_moves_the_cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GRIDCORE_DATA_DIR", str(tmp_path))
    assert Cache().root == default_root() == tmp_path
    monkeypatch.delenv("GRIDCORE_DATA_DIR")
    assert Cache().root.as_posix() == "data/cache"


def test_a_settlement_that_is_listed_late_is_taken_and_no_revision(tmp_path) -> None:
    """Asked for when it was due, it was not there; the day after, it is."""
    late = at("2024-02-10 08:00")
    cache, source = Cache(tmp_path), MadeSource(clock=at("2024-02-10 08:20"), holes=(late,))
    update(cache, FUNDING, source, BEGIN, STOP)
    assert late not in cache.read(FUNDING)[0]
    source.holes, source.clock = (), at("2024-02-10 20:20")
    update(cache, FUNDING, source, BEGIN, STOP)
    same(cache.read(FUNDING), made_rows(FUNDING, BEGIN, at("2024-02-10 20:15")))
    # A rate that changes is a revision all the same.
    source.edit = lambda page: Page(page.time, page.values * 2.0, page.known_until)
    source.clock = at("2024-02-11 20:20")
    with pytest.raises(SourceError, match="has revised its history"):
        update(cache, FUNDING, source, BEGIN, STOP)
