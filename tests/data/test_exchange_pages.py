"""Pages of an exchange: for any range, page size and time exactly the rows that it has, finished ones only."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.data.exchange.venue import open_venue
from backtest.data.series import BAR_DELAY, FUNDING, SeriesName
from engine.errors import InputError, SourceError
from tests.data.fake_exchange import FakeExchange
from tests.data.fake_market import DAY, HOUR, MINUTE, all_coins, day

QUARTER = 15 * MINUTE
NOW = day("2024-03-01T00:07")
FRAMES = {"1m": MINUTE, "5m": 5 * MINUTE, "15m": QUARTER, "1h": HOUR, "4h": 4 * HOUR, "1d": DAY}


@pytest.fixture(scope="module")
def server():
    with FakeExchange(now=NOW) as running:
        yield running


@pytest.fixture(scope="module")
def venues(server):
    with ExitStack() as stack:
        names = ("binanceusdm", "bybit")
        yield {name: stack.enter_context(open_venue(name, address=server.address, sleep=lambda seconds: None)) for name in names}


def fetched(venue, symbol, content, begin, stop):
    """Times, values, and up to when the range is known."""
    pages = list(venue.pages(SeriesName(venue.name, symbol, content), begin, stop))
    ends = [begin, *(page.known_until for page in pages)]
    assert ends[1:] == sorted(set(ends[1:]))
    for before, page in zip(ends, pages, strict=False):
        assert ((page.time >= before) & (page.time < page.known_until)).all()
    if not pages:
        return np.zeros(0, np.int64), None, begin
    return np.concatenate([page.time for page in pages]), np.concatenate([page.values for page in pages], axis=1), ends[-1]


@settings(max_examples=40)
@given(data=st.data())
def test_any_range_is_exactly_what_the_exchange_has(server, venues, data):
    name = data.draw(st.sampled_from(sorted(venues)))
    frame = data.draw(st.sampled_from(sorted(FRAMES)))
    coin = all_coins()[data.draw(st.sampled_from(["BTCUSDT", "SOLUSDT", "1000PEPEUSDT"]))]
    mark = name == "binanceusdm" and data.draw(st.booleans())
    now = data.draw(st.sampled_from([coin.listed, NOW])) + data.draw(st.integers(0, 3 * DAY))
    bars = data.draw(st.integers(1, 700))
    stop = now + data.draw(st.integers(-2 * bars, 3)) * FRAMES[frame] + data.draw(st.integers(-MINUTE, MINUTE))
    begin = stop - bars * FRAMES[frame] + data.draw(st.integers(-MINUTE, MINUTE))
    # Without a row ever seen there is nothing to tell an empty history from a failure by.
    server.set_up(now, data.draw(st.integers(2 if name == "binanceusdm" else 100, 400)))
    time, values = coin.expected(FRAMES[frame], begin, stop, now, mark)
    if (now - BAR_DELAY) // FRAMES[frame] * FRAMES[frame] <= coin.listed + FRAMES[frame] and not time.size:
        return
    got, numbers, known = fetched(venues[name], coin.symbol, f"mark-{frame}" if mark else frame, begin, stop)
    np.testing.assert_array_equal(got, time)
    if time.size:
        np.testing.assert_array_equal(numbers, values)
    first_unfinished = (now - BAR_DELAY) // FRAMES[frame] * FRAMES[frame]
    assert known == max(begin, min(stop, first_unfinished))


@settings(max_examples=20)
@given(data=st.data())
def test_any_range_of_funding(server, venues, data):
    name = data.draw(st.sampled_from(sorted(venues)))
    coin = all_coins()[data.draw(st.sampled_from(["BTCUSDT", "SOLUSDT", "1000PEPEUSDT"]))]
    now = NOW + data.draw(st.integers(0, 12 * HOUR))
    stop = now - data.draw(st.integers(-DAY, 40 * DAY))
    begin = stop - data.draw(st.integers(1, 150 * DAY))
    server.set_up(now, data.draw(st.integers(3 if name == "binanceusdm" else 100, 400)))
    got, values, known = fetched(venues[name], coin.symbol, FUNDING, begin, stop)
    end = now // QUARTER * QUARTER
    time, rates = coin.settlements(begin, min(stop, end))
    np.testing.assert_array_equal(got, time // MINUTE * MINUTE)
    assert known == max(begin, min(stop, end))
    if time.size:
        np.testing.assert_array_equal(values, [[float(rate) for rate in rates]])


@pytest.mark.parametrize("name", ["binanceusdm", "bybit"])
@pytest.mark.parametrize(
    ("begin", "stop"),
    [
        pytest.param("2024-02-20T03:00", "2024-02-20T03:15", id="one bar"),
        pytest.param("2024-02-20", "2024-02-21", id="a day"),
        pytest.param("2024-02-16T12:15", "2024-02-21", id="more than a page"),
        pytest.param("2024-02-29T20:00", "2024-03-01T00:00", id="up to the bar that is forming"),
        pytest.param("2024-02-29T20:00", "2024-03-05T00:00", id="up to now and on"),
        pytest.param("2024-02-01", "2024-02-15", id="from the beginning of the range"),
        pytest.param("2020-01-01", "2024-02-15", id="everything before"),
    ],
)
def test_bars_that_the_exchange_does_not_have(server, venues, name, begin, stop):
    left_out = {"BTCUSDT": [(day(begin), day(stop)), (day("2024-02-28T10:00"), day("2024-02-28T10:30"))]}
    server.set_up(NOW, 120, left_out=left_out)
    first, end = day("2024-02-10"), day("2024-03-02")
    time, values = all_coins()["BTCUSDT"].expected(QUARTER, first, end, NOW)
    there = np.all([(time < gone) | (time >= back) for gone, back in left_out["BTCUSDT"]], axis=0)
    got, numbers, known = fetched(venues[name], "BTCUSDT", "15m", first, end)
    np.testing.assert_array_equal(got, time[there])
    np.testing.assert_array_equal(numbers, values[:, there])
    assert known == day("2024-03-01")


@pytest.mark.parametrize("name", ["binanceusdm", "bybit"])
def test_before_the_listing_there_is_nothing(server, venues, name):
    server.set_up(NOW)
    got, _, known = fetched(venues[name], "1000PEPEUSDT", "1h", day("2022-06-01"), day("2022-09-01"))
    assert (got.size, known) == (0, day("2022-09-01"))
    got, _, known = fetched(venues[name], "1000PEPEUSDT", "1h", day("2022-06-01"), day("2023-05-06"))
    assert (int(got[0]), got.size, known) == (day("2023-05-05T16:00"), 8, day("2023-05-06"))


def test_a_young_coin_at_the_far_end_of_an_answer(server, venues):
    """Few rows have been seen yet, so that how far an answer reaches is known only from this one."""
    now = day("2023-05-05T21:00")
    server.set_up(now, 234)
    begin = day("2023-05-05T16:00") - 232 * 4 * HOUR
    got, _, known = fetched(venues["bybit"], "1000PEPEUSDT", "4h", begin, now)
    assert (got.tolist(), known) == ([day("2023-05-05T16:00")], day("2023-05-05T20:00"))


@pytest.mark.parametrize("name", ["binanceusdm", "bybit"])
def test_nothing_to_be_seen_at_all_is_an_error(server, venues, name):
    server.set_up(NOW, left_out={"BTCUSDT": [(0, day("2030-01-01"))]})
    with pytest.raises(SourceError, match=r"answers every question for BTCUSDT 15m with an empty list, from 2024-01-01 00:00 UTC on"):
        fetched(venues[name], "BTCUSDT", "15m", day("2024-01-01"), day("2024-02-01"))


def test_nothing_finished_yet_is_no_page(server, venues):
    server.set_up(NOW)
    assert list(venues["binanceusdm"].pages(SeriesName("binanceusdm", "BTCUSDT", "15m"), day("2024-03-01"), day("2024-03-02"))) == []
    assert server.row_requests == []


def test_the_forming_bar_is_never_handed_out_and_the_finished_one_is_at_once(server, venues):
    for minute, last in ((14, "2024-02-29T23:45"), (15, "2024-03-01T00:00"), (16, "2024-03-01T00:00")):
        server.set_up(day("2024-03-01") + minute * MINUTE + BAR_DELAY)
        got, _, known = fetched(venues["binanceusdm"], "BTCUSDT", "15m", day("2024-02-29"), day("2024-03-02"))
        assert int(got[-1]) == day(last)
        assert known == day(last) + QUARTER


def test_settlements_due_within_the_last_minutes_are_not_yet_known(server, venues):
    server.set_up(day("2024-03-01T08:02"))
    got, _, known = fetched(venues["binanceusdm"], "BTCUSDT", FUNDING, day("2024-02-29"), day("2024-03-02"))
    assert int(got[-1]) == day("2024-03-01")
    assert known == day("2024-03-01T08:00")


def test_pages_follow_what_came_and_few_questions_are_asked(server, venues):
    """Ccxt cuts 1500 to 1000 rows, this exchange cuts to 400: no question is asked twice, and none goes past what came."""
    server.set_up(NOW, 400)
    begin = day("2024-01-01")
    got, _, _ = fetched(venues["binanceusdm"], "BTCUSDT", "15m", begin, NOW)
    starts = [request.since() for request in server.row_requests]
    assert starts == list(range(begin, day("2024-03-01"), 400 * QUARTER))
    assert got.size == 60 * 96


def test_what_the_exchange_does_not_offer(venues):
    binance = venues["binanceusdm"]
    with pytest.raises(InputError, match=r"symbol = 'BTCUSD' is no USDT perpetual that binanceusdm trades now: did you mean BTCUSDT"):
        fetched(binance, "BTCUSD", "15m", 0, NOW)
    with pytest.raises(InputError, match=r"timeframe = 10m is refused: binanceusdm has .*15m"):
        fetched(binance, "BTCUSDT", "10m", 0, NOW)
    with pytest.raises(InputError, match=r"exchange = 'bybit' is refused: this is binanceusdm"):
        list(binance.pages(SeriesName("bybit", "BTCUSDT", "15m"), 0, NOW))
