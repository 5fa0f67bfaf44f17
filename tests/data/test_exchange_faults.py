"""Each thing that can go wrong with an exchange's answer: the same rows as without it, or an error; never fewer rows."""

from __future__ import annotations

from functools import partial
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.data.exchange.retry import Patience
from backtest.data.exchange.venue import open_venue
from backtest.data.series import FUNDING, SeriesName
from engine.errors import SourceError
from tests.data.fake_exchange import FakeExchange
from tests.data.fake_faults import BODIES, CONNECTION, ROWS, STATUS, Fault, at
from tests.data.fake_market import all_coins, day

QUARTER = 900_000
NOW = day("2024-03-01T00:07")
BEGIN = day("2024-02-24")
STOP = day("2024-03-02")
PAGE = 150  # bars: the range takes four answers
BARS = SeriesName("binanceusdm", "BTCUSDT", "15m")
EXPECTED = all_coins()["BTCUSDT"].expected(QUARTER, BEGIN, STOP, NOW)
CANNOT_READ = "when asked for 15m bars of BTCUSDT from 2024-02-"

# What a fault met by every answer ends in; None: in the same rows, because it takes nothing away.
LASTING = {
    "throttled": "binanceusdm asks for fewer requests (HTTP 429) and asks to wait 3 s",
    "banned": "binanceusdm has banned this address for now (HTTP 418) and asks to wait 3 s",
    "server error": "binanceusdm answered with its own failure (HTTP 500)",
    "bad gateway": "binanceusdm answered with its own failure (HTTP 502)",
    "bad symbol": "binanceusdm refuses (HTTP 400, 'Invalid symbol')",
    "no permission": "binanceusdm asks for credentials (HTTP 401)",
    "no service": "binanceusdm does not serve the country of this address (HTTP 451)",
    "error with status 200": "An unknown error occurred",
    "web page": "binanceusdm answered with a web page in place of data (HTTP 200)",
    "truncated": "binanceusdm answered with data that are cut off (HTTP 200)",
    "no body": "binanceusdm answered with an empty body (HTTP 200)",
    "null": "binanceusdm answered with text in place of data (HTTP 200)",
    "an object": "binanceusdm answered with something that holds no 15m bars of BTCUSDT",
    "empty list": "that cannot be told from a failure",
    "text": "binanceusdm answered with text in place of data (HTTP 200)",
    "rows of null": "binanceusdm answered with rows that are no bars",
    "one row of null": "binanceusdm answered with rows that are no bars",
    "values of null": "close is missing",
    "time of null": "a row of BTCUSDT 15m without a time",
    "short rows": "is missing",
    "text values": "open is missing",
    "not a number": "open is missing",
    "repeated rows": None,
    "repeated rows that differ": "is there twice and the two differ: volume is",
    "hole": None,  # the next question begins elsewhere, and its hole lies elsewhere
    "hole at the beginning": "binanceusdm contradicts itself about BTCUSDT 15m",
    "short page": None,
    "out of order": None,
    "newest first": None,
    "high below low": "the high is below the low",
    "price of zero": "low = 0 is refused",
    "off the grid": "where no 15m bar opens",
    "hang": "binanceusdm did not answer within 0.2 s",
    "reset": "binanceusdm cannot be reached (the connection was reset)",
    "cut": "binanceusdm cannot be reached (the connection was closed within the answer)",
    "no advance": "binanceusdm answered with older 15m bars of BTCUSDT than asked for",
    "overlap": None,
    "revised overlap": "changed between two answers at 2024-02-",
}
FINAL = ("bad symbol", "no permission", "no service", "revised overlap")


@pytest.fixture(scope="module")
def server():
    with FakeExchange(now=NOW) as running:
        yield running


@pytest.fixture(scope="module")
def venue(server):
    patience = Patience(attempts=3)
    with open_venue("binanceusdm", address=server.address, patience=patience, timeout=0.2, sleep=lambda seconds: None) as opened:
        opened._client.timeout = 5.0
        opened.symbols()
        yield opened


def fetched(venue, series=BARS, begin=BEGIN, stop=STOP):
    """All rows of the range; checks what every walk must keep."""
    pages = list(venue.pages(series, begin, stop))
    ends = [page.known_until for page in pages]
    assert ends == sorted(set(ends)), "each page tells more"
    times = np.concatenate([page.time for page in pages])
    assert (np.diff(times) > 0).all()
    assert all(page.time.size == 0 or page.time[-1] < page.known_until for page in pages)
    return times, np.concatenate([page.values for page in pages], axis=1)


def assert_whole(rows):
    np.testing.assert_array_equal(rows[0], EXPECTED[0])
    np.testing.assert_array_equal(rows[1], EXPECTED[1])


def test_table_names_every_fault():
    assert set(LASTING) == {*STATUS, *BODIES, *ROWS, *CONNECTION}


@pytest.mark.parametrize("number", [0, 1, 3])
@pytest.mark.parametrize("kind", sorted(set(LASTING) - {*FINAL, "hang", "error with status 200"}))
def test_fault_met_once_loses_nothing(server, venue, kind, number):
    server.set_up(NOW, PAGE, [Fault(kind, at(number))])
    assert_whole(fetched(venue))
    assert server.faults[0].times == 0


@pytest.mark.parametrize("kind", sorted(set(LASTING) - {"hang"}))
def test_fault_met_for_ever_loses_nothing_or_says_so(server, venue, kind):
    server.set_up(NOW, PAGE, [Fault(kind, lambda request: request.number >= 1, times=inf)])
    if LASTING[kind] is None:
        assert_whole(fetched(venue))
        return
    with pytest.raises(SourceError) as caught:
        fetched(venue)
    assert LASTING[kind] in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", FINAL[:3])
def test_a_refusal_is_not_asked_again(server, venue, kind):
    server.set_up(NOW, PAGE, [Fault(kind, at(1), times=inf)])
    with pytest.raises(SourceError, match=r"when asked for 15m bars of BTCUSDT from 2024-02-25 13:30 UTC"):
        fetched(venue)
    assert len(server.row_requests) == 2


def test_a_passing_fault_is_asked_again_as_often_as_patience_lasts(server, venue):
    server.set_up(NOW, PAGE, [Fault("bad gateway", times=inf)])
    with pytest.raises(SourceError, match="; 3 attempts were made"):
        fetched(venue)
    assert len(server.row_requests) == 3


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("times", range(1, 10))
def test_empty_answers_are_not_believed(server, venue, times, first):
    """One after the other: the exchange has to show rows before an empty answer counts, however many there were."""
    server.set_up(NOW, PAGE, [Fault("empty list", lambda request: request.number >= first, times=times)])
    if times < 6:
        assert_whole(fetched(venue))
        return
    with pytest.raises(SourceError, match="that cannot be told from a failure"):
        fetched(venue)


@pytest.mark.parametrize("begin", [BEGIN, BEGIN + 150 * QUARTER])
def test_empty_answers_for_a_part_of_the_range_are_a_contradiction(server, venue, begin):
    """The exchange lost a stretch for good, answers for it with an empty list, and shows later bars: Binance never does that."""
    stop = BEGIN + 300 * QUARTER
    server.set_up(NOW, PAGE, [Fault("empty list", lambda request: begin <= request.since() < stop, times=inf)])
    with pytest.raises(SourceError, match="contradicts itself about BTCUSDT 15m from 2024-02-2"):
        fetched(venue)


@pytest.mark.parametrize("kind", ["hang", "reset", "throttled", "web page", "truncated", "no body", "server error", "an object", "text"])
def test_fault_of_the_clock_and_of_the_list_of_markets(server, kind):
    for path in ("/fapi/v1/time", "/fapi/v1/exchangeInfo"):
        server.set_up(NOW, PAGE, [Fault(kind, lambda request, path=path: request.path == path)])
        with open_venue("binanceusdm", address=server.address, timeout=0.5, sleep=lambda seconds: None) as venue:
            assert_whole(fetched(venue))
        assert server.faults[0].times == 0


@settings(max_examples=30)
@given(
    kinds=st.lists(st.sampled_from(sorted({*BODIES, *ROWS, "no advance", "overlap", "revised overlap", "bad gateway"})), max_size=4),
    numbers=st.lists(st.integers(0, 12), min_size=4, max_size=4),
    times=st.integers(1, 4),
    page=st.integers(20, 600),
)
def test_faults_that_come_together_lose_nothing_or_say_so(server, venue, kinds, numbers, times, page):
    faults = [Fault(kind, partial(_from, number), times=times) for kind, number in zip(kinds, numbers, strict=False)]
    server.set_up(NOW, page, faults)
    try:
        rows = fetched(venue)
    except SourceError:
        return
    assert_whole(rows)


def _from(number, request):
    return request.number >= number


def test_an_exchange_that_hangs(server):
    server.set_up(NOW, PAGE, [Fault("hang", at(1, 2), times=2)])
    patience = Patience(attempts=2)
    with open_venue("binanceusdm", address=server.address, timeout=0.2, patience=patience, sleep=lambda seconds: None) as venue:
        with pytest.raises(SourceError, match=LASTING["hang"]):
            fetched(venue)
        assert_whole(fetched(venue))


@pytest.mark.parametrize(
    ("kind", "wait", "slept"),
    [("throttled", 30, 31), ("banned", 120, 121), ("throttled", None, 11), ("banned", None, 121)],
)
def test_the_exchange_says_how_long_to_wait(server, kind, wait, slept):
    server.set_up(NOW, PAGE, [Fault(kind, at(1), wait=wait)])
    waits, said = [], []
    with open_venue("binanceusdm", address=server.address, sleep=waits.append, on_wait=said.append) as venue:
        assert_whole(fetched(venue))
    assert slept in waits
    asked = "and does not say for how long" if wait is None else f"and asks to wait {wait} s"
    assert len(said) == 1
    assert said[0].endswith(f"{asked}: asking again for 15m bars of BTCUSDT from 2024-02-25 13:30 UTC in {slept} s.")


@pytest.mark.parametrize("kind", ["throttled", "banned"])
def test_a_wait_beyond_patience_is_an_error_that_says_how_long(server, kind):
    server.set_up(NOW, PAGE, [Fault(kind, wait=7200)])
    waits = []
    too_long = pytest.raises(SourceError, match=r"asks to wait 7200 s when asked for .*; waits of up to 300 s are allowed")
    with open_venue("binanceusdm", address=server.address, sleep=waits.append) as venue, too_long:
        fetched(venue)
    assert max(waits) < 10
    assert len(server.row_requests) == 1


@pytest.mark.parametrize("kind", ["empty list", "web page", "truncated", "an object", "reset", "repeated rows", "throttled", "hole"])
def test_faults_of_funding(server, venue, kind):
    series = SeriesName("binanceusdm", "SOLUSDT", FUNDING)
    server.set_up(NOW, 100)
    calm = fetched(venue, series, day("2024-01-01"))
    time, rates = all_coins()["SOLUSDT"].settlements(day("2024-01-01"), NOW // 900_000 * 900_000)
    np.testing.assert_array_equal(calm[0], time // 60_000 * 60_000)
    np.testing.assert_array_equal(calm[1], [[float(rate) for rate in rates]])
    for number in range(4):
        server.set_up(NOW, 100, [Fault(kind, at(number))])
        again = fetched(venue, series, day("2024-01-01"))
        np.testing.assert_array_equal(again[0], calm[0])
        np.testing.assert_array_equal(again[1], calm[1])
        assert server.faults[0].times == 0
