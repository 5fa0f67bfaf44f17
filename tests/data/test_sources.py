"""Which source serves, what it says it was, and that one call is all real or all simulated."""

from __future__ import annotations

import functools
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import backtest as bt
from backtest.cli import run_configuration
from backtest.configuration import Configuration
from backtest.data import download
from backtest.data.built_in import built_in_instrument
from backtest.data.cache.layout import DATA_DIR
from backtest.data.cache.store import Cache
from backtest.data.exchange.client import ADDRESS, API_KEY, API_SECRET
from backtest.data.exchange.retry import Patience
from backtest.data.exchange.venue import open_venue
from backtest.data.load import load_markets
from backtest.data.series import SeriesName
from backtest.data.timeframe import MINUTE
from backtest.output import write_run
from engine.errors import InputError, SourceError
from tests.data.fake_exchange import FakeExchange
from tests.data.fake_faults import Fault
from tests.data.fake_market import all_coins, day

NOW = day("2024-03-01T12:07")
SPAN = {"start": "2024-02-20", "end": "2024-02-24", "warmup": 96}
BTC = all_coins()["BTCUSDT"]


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeExchange]:
    """A made-up exchange that every download reaches; nobody waits for its limit of the rate of requests."""
    patient = functools.partial(open_venue, sleep=lambda _: None, patience=Patience())
    monkeypatch.setattr(download, "open_venue", patient)
    with FakeExchange(now=NOW) as server:
        monkeypatch.setenv(ADDRESS, server.address)
        yield server


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address of this machine at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
    monkeypatch.setenv(ADDRESS, address)


@pytest.fixture(autouse=True)
def cache_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(DATA_DIR, str(tmp_path / "cache"))
    return tmp_path / "cache"


def row_requests(server: FakeExchange) -> int:
    return len(server.row_requests)


@pytest.mark.parametrize("timeframe", ["15m", "1h"])
def test_a_market_of_the_exchange_is_what_the_exchange_has(exchange: FakeExchange, timeframe: str) -> None:
    market = bt.load("BTC", source="exchange", timeframe=timeframe, **SPAN)
    step = market.timeframe.ms
    time, values = BTC.expected(step, day("2024-02-20") - 96 * step, day("2024-02-24"), NOW)
    assert np.array_equal(market.time, time)
    assert np.array_equal(np.stack([market.open, market.high, market.low, market.close, market.volume]), values)
    assert market.time[market.trade_from] == day("2024-02-20")
    assert market.mark is not None
    assert np.array_equal(market.mark, BTC.expected(step, int(time[0]), day("2024-02-24"), NOW, mark=True)[1][3])
    assert market.synthetic_funding_share == 0.0
    assert market.funding_time.size == (market.end_time - market.time[0]) // (8 * 60 * MINUTE)
    assert market.source.startswith("exchange binanceusdm: BTCUSDT ")
    assert not market.simulated


def test_the_second_time_nothing_is_fetched_and_then_only_what_is_new(exchange: FakeExchange) -> None:
    span = {"start": "2024-02-28", "warmup": 10}
    first = bt.load("BTC", source="exchange", **span)
    # 12:07, and the settlement of 12:00 may not be listed yet: the bar that closed with it is left for later.
    assert first.end_time == day("2024-03-01T11:45")
    asked = row_requests(exchange)
    again = bt.load("BTC", source="exchange", **span)
    assert row_requests(exchange) == asked
    assert np.array_equal(again.close, first.close)
    exchange.now = day("2024-03-01T13:31")
    later = bt.load("BTC", source="exchange", **span)
    assert later.end_time == day("2024-03-01T13:30")
    assert np.array_equal(later.close[: len(first)], first.close)
    since = [request.since() for request in exchange.row_requests[asked:] if "interval" in request.params]
    assert since == [day("2024-03-01T11:00")] * 2  # three stored bars are compared


def test_without_a_start_the_last_year_trades(exchange: FakeExchange) -> None:
    market = bt.load("BTC", source="exchange", timeframe="1d", warmup=5)
    assert market.time[market.trade_from] == day("2023-03-02")


def test_the_filters_are_the_exchanges_and_the_tiers_built_in_without_credentials(exchange: FakeExchange) -> None:
    sol = bt.load("SOL", source="exchange", timeframe="1h", **SPAN).instrument
    listed = all_coins()["SOLUSDT"]
    assert (sol.tick_size, sol.step_size) == (10.0**-listed.decimals, 10.0**-listed.quantity_decimals)
    assert sol.tiers is not None
    # What the exchange said is remembered, but a simulated path hangs on its seed alone.
    assert bt.load("SOL", source="cache", timeframe="1h", **SPAN).instrument == sol
    assert bt.load("SOL", source="simulated").instrument.tick_size == built_in_instrument("SOL").tick_size
    given = bt.Instrument("SOLUSDT", 0.5, 1.0, 1.0, 5.0)
    assert bt.load("SOL", source="exchange", timeframe="1h", instrument=given, **SPAN).instrument.tick_size == 0.5


def test_auto_takes_the_exchange_then_the_cache_alone(exchange: FakeExchange) -> None:
    assert bt.load("BTC", **SPAN).source.startswith("exchange binanceusdm:")
    asked = len(exchange.log)
    again = bt.load("BTC", **SPAN)
    assert again.source.startswith("cache of binanceusdm: BTCUSDT 15m")
    assert len(exchange.log) == asked
    # Other dates are not all there: the exchange is asked for the rest.
    assert bt.load("BTC", start="2024-02-18", end="2024-02-24", warmup=96).source.startswith("exchange")
    assert bt.load("BTC", start="2024-02-20", warmup=96).source.startswith("exchange")


def test_auto_without_an_exchange_serves_what_the_cache_has_and_says_so(
    exchange: FakeExchange, unreachable: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"http://127.0.0.1:{exchange.address.rsplit(':', 1)[1]}"
    nobody = [ADDRESS, __import__("os").environ[ADDRESS]]
    monkeypatch.setenv(ADDRESS, address)
    bt.load("BTC", source="exchange", **SPAN)
    monkeypatch.setenv(*nobody)
    market = bt.load("BTC", start="2024-02-20", end="2024-03-20", warmup=96)
    assert market.source.startswith("cache of binanceusdm")
    assert market.end_time == day("2024-02-24")
    assert any(note.startswith("The exchange was not read: binanceusdm") for note in market.notes)
    assert any("bars end at 2024-02-24" in note for note in market.notes)


def test_auto_is_all_real_or_all_simulated(exchange: FakeExchange, monkeypatch: pytest.MonkeyPatch) -> None:
    bt.load("BTC", source="exchange", **SPAN)
    monkeypatch.setenv(ADDRESS, "http://192.0.2.1")  # GRIDCORE_OFFLINE keeps it from being asked
    both = load_markets(["BTC", "ETH"], "2024-02-20", "2024-02-24", warmup=96)
    assert [market.simulated for market in both] == [True, True]
    assert all(any("The exchange was not read: GRIDCORE_OFFLINE is set" in note for note in market.notes) for market in both)
    assert not bt.load("BTC", **SPAN).simulated


def test_auto_never_simulates_a_mistyped_coin() -> None:
    with pytest.raises(InputError, match=r"coin = 'PEPE' is unknown to the built-in table and the cache, did you mean 1000PEPE\?"):
        bt.load("PEPE")


def test_a_coin_the_exchange_does_not_have_is_refused_with_the_nearest(exchange: FakeExchange) -> None:
    for source in ("auto", "exchange"):
        with pytest.raises(InputError, match=r"coin = 'AVAXX' is unknown to binanceusdm, did you mean AVAX"):
            bt.load("AVAXX", source=source)


def test_an_unreachable_exchange_fails_and_does_not_simulate(unreachable: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "open_venue", functools.partial(open_venue, sleep=lambda _: None))
    with pytest.raises(SourceError, match="binanceusdm"):
        bt.load("BTC", source="exchange", **SPAN)
    monkeypatch.delenv(ADDRESS)
    with pytest.raises(SourceError, match="GRIDCORE_OFFLINE is set"):
        bt.load("BTC", source="exchange", **SPAN)


@pytest.mark.parametrize("source", ["auto", "exchange"])
def test_an_exchange_that_was_reached_and_fails_is_an_error(exchange: FakeExchange, source: str) -> None:
    """It answers the probe and the first coin, and not the second: nothing is put in the place of either."""
    exchange.faults = [Fault("no service", when=lambda request: request.params.get("symbol") == "ETHUSDT", times=1e9)]
    with pytest.raises(SourceError, match="does not serve the country of this address"):
        load_markets(["BTC", "ETH"], "2024-02-20", "2024-02-24", source=source, warmup=96)


def test_auto_does_not_refresh_from_the_cache(exchange: FakeExchange, monkeypatch: pytest.MonkeyPatch) -> None:
    bt.load("BTC", **SPAN)
    monkeypatch.delenv(ADDRESS)
    with pytest.raises(SourceError, match="GRIDCORE_OFFLINE is set"):
        bt.load("BTC", refresh=True, **SPAN)


def test_mark_prices_can_be_done_without_and_it_is_said(exchange: FakeExchange) -> None:
    exchange.faults = [Fault("no service", when=lambda request: request.path.endswith("markPriceKlines"), times=1e9)]
    market = bt.load("BTC", source="exchange", **SPAN)
    assert market.mark is None
    assert any(note.startswith("The mark price was not read: binanceusdm does not serve") for note in market.notes)
    assert any("the close stands in for the mark price" in note for note in market.notes)


@pytest.mark.parametrize("source", ["auto", "exchange"])
def test_dates_that_have_not_come_or_lie_before_the_listing_are_refused(exchange: FakeExchange, source: str) -> None:
    with pytest.raises(InputError, match="start = 2025-01-01 00:00 is refused: it is 2024-03-01 12:07 UTC on binanceusdm"):
        bt.load("BTC", start="2025-01-01", source=source)
    for _ in range(2):
        with pytest.raises(InputError, match="leave no bar: 1000PEPEUSDT 15m is available from"):
            load_markets(["BTC", "1000PEPE"], "2023-02-01", "2023-02-10", source=source, warmup=96)


def test_dates_of_neither_cache_nor_simulation_name_the_reason() -> None:
    reason = r"SIMULATED\) UTC; the exchange was not read \(GRIDCORE_OFFLINE is set.*the cache has no 15m bars"
    with pytest.raises(InputError, match=reason):
        bt.load("BTC", start="2020-01-01", end="2020-02-01")


def test_the_bars_with_most_of_the_dates_serve(exchange: FakeExchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """Coarser bars of other dates do not hide finer ones, nor does the folder of a download that failed."""
    terms = {"start": "2024-02-20", "end": "2024-02-22", "warmup": 0}
    bt.load("BTC", source="exchange", timeframe="5m", **terms)
    bt.load("BTC", source="exchange", timeframe="15m", start="2023-02-20", end="2023-02-22", warmup=0)
    exchange.faults = [Fault("no service", times=1e9)]
    with pytest.raises(SourceError):
        bt.load("BTC", source="exchange", timeframe="1h", **terms)
    monkeypatch.delenv(ADDRESS)
    for timeframe in ("15m", "45m", "1h"):
        market = bt.load("BTC", timeframe=timeframe, **terms)
        assert f"{timeframe} bars made of 5m bars" in market.source
        assert market.end_time == day("2024-02-22")


def test_a_timeframe_that_the_exchange_does_not_offer_is_made(exchange: FakeExchange) -> None:
    market = bt.load("BTC", source="exchange", timeframe="45m", **SPAN)
    assert "45m bars made of 15m bars" in market.source
    assert market.end_time == day("2024-02-24")


def test_the_bar_that_holds_the_end_is_the_same_however_it_is_made(exchange: FakeExchange) -> None:
    terms = {"start": "2024-02-20", "end": "2024-02-20T10:30", "timeframe": "1h", "warmup": 0}
    direct = bt.load("BTC", source="exchange", **terms)
    made = bt.load("BTC", source="exchange", bars_from="15m", **terms)
    assert direct.end_time == made.end_time == day("2024-02-20T11:00")
    assert np.array_equal(direct.close, made.close)


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def test_an_unreadable_month_is_fetched_again_or_refused_and_others_do_not_matter(
    exchange: FakeExchange, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    span = {"start": "2024-01-20", "end": "2024-02-24", "warmup": 96}
    whole = bt.load("BTC", **span)
    folder = cache_dir / "binanceusdm" / "BTCUSDT"
    damage(folder / "funding" / "2024-01.parquet")
    # Not of these dates.
    asked = len(exchange.log)
    assert bt.load("BTC", **SPAN).source.startswith("cache")
    assert len(exchange.log) == asked
    for content in ("15m", "mark-15m"):
        damage(folder / content / "2024-01.parquet")
    with monkeypatch.context() as offline:
        offline.delenv(ADDRESS)
        with pytest.raises(SourceError, match="unreadable"):
            bt.load("BTC", **span)
    again = bt.load("BTC", **span)
    assert again.source.startswith("exchange")
    assert np.array_equal(again.close, whole.close)
    assert np.array_equal(again.mark, whole.mark)
    assert np.array_equal(again.funding_rate, whole.funding_rate)
    assert (folder / "funding" / "2024-01.parquet.unreadable").is_file()


def test_a_broken_file_of_instruments_stops_nobody(exchange: FakeExchange, cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bt.load("BTC", **SPAN)
    (cache_dir / "binanceusdm" / "instruments.json").write_text("{")
    assert bt.load("BTC", source="simulated").simulated
    assert bt.load("BTC", source="cache", **SPAN).instrument.tick_size == 0.1
    assert bt.load("LTC", **SPAN).instrument.symbol == "LTCUSDT"
    assert bt.load("LTC", source="cache", **SPAN).instrument.symbol == "LTCUSDT"


def test_an_imported_coin_is_looked_up_at_the_exchange(exchange: FakeExchange) -> None:
    link, step = all_coins()["LINKUSDT"], 15 * MINUTE
    cache = Cache()
    begin, stop = day("2024-02-19"), day("2024-02-24")
    time, values = link.expected(step, begin, stop, NOW)
    cache.store(SeriesName("binanceusdm", "LINKUSDT", "15m"), time, values)
    stamps, rates = link.settlements(begin, stop + 60 * MINUTE)
    funding = SeriesName("binanceusdm", "LINKUSDT", "funding")
    cache.store(funding, stamps // MINUTE * MINUTE, np.array([[float(rate) for rate in rates]]), (begin, stop + 60 * MINUTE))
    assert bt.load("LINK", **SPAN).instrument.tick_size == 0.001
    # Now that the instrument is known the cache serves alone.
    asked = len(exchange.log)
    assert "close stands in for the mark price" in " ".join(bt.load("LINK", source="cache", **SPAN).notes) or len(exchange.log) == asked


def test_where_filters_and_tiers_come_from_is_said(exchange: FakeExchange, monkeypatch: pytest.MonkeyPatch) -> None:
    def remark(market: bt.Market) -> str:
        (found,) = [note for note in market.notes if note.startswith("Assumed: today's tick size")]
        return found

    first = bt.load("BTC", source="exchange", **SPAN)
    assert "(binanceusdm on 2024-03-01) and margin tiers (built-in table of 2026-09-29)" in remark(first)
    assert any("only with credentials" in note for note in first.notes)
    monkeypatch.setenv(API_KEY, "key")
    monkeypatch.setenv(API_SECRET, "secret")
    assert "margin tiers (binanceusdm on 2024-03-01)" in remark(bt.load("BTC", source="exchange", **SPAN))
    given = bt.Instrument("BTCUSDT", 0.5, 0.001, 0.001, 5.0)
    cached = bt.load("BTC", source="cache", instrument=given, **SPAN)
    assert "(as given) and margin tiers (binanceusdm on 2024-03-01)" in remark(cached)
    assert cached.instrument.tick_size == 0.5


def test_the_cache_alone(exchange: FakeExchange) -> None:
    with pytest.raises(SourceError, match="the cache has no 15m bars of BTCUSDT on binanceusdm"):
        bt.load("BTC", source="cache", **SPAN)
    bt.load("BTC", source="exchange", **SPAN)
    asked = len(exchange.log)
    market = bt.load("BTC", source="cache", warmup=96)
    assert len(exchange.log) == asked
    assert market.end_time == day("2024-02-24")
    with pytest.raises(SourceError, match=r"the cache has no binanceusdm BTCUSDT 15m for the dates asked for; it has 2024-02-19 00:00 to"):
        bt.load("BTC", source="cache", start="2023-01-01", end="2023-02-01")


def test_longer_bars_are_made_of_those_stored(exchange: FakeExchange) -> None:
    bt.load("BTC", source="exchange", timeframe="5m", **{**SPAN, "warmup": 288})
    for timeframe in ("15m", "1h", "4h"):
        market = bt.load("BTC", source="cache", timeframe=timeframe, start="2024-02-20", end="2024-02-24", warmup=0)
        time, values = BTC.expected(market.timeframe.ms, day("2024-02-20"), day("2024-02-24"), NOW)
        assert np.array_equal(market.time, time)
        assert np.array_equal(np.stack([market.open, market.high, market.low, market.close]), values[:4])
        np.testing.assert_allclose(market.volume, values[4], rtol=1e-12)
        assert f"{timeframe} bars made of 5m bars" in market.source
        assert market.mark is not None
        assert np.array_equal(market.mark, BTC.expected(market.timeframe.ms, int(time[0]), day("2024-02-24"), NOW, mark=True)[1][3])


def test_bars_from_downloads_the_finer_ones(exchange: FakeExchange) -> None:
    market = bt.load("BTC", source="exchange", timeframe="1h", bars_from="15m", **SPAN)
    assert "1h bars made of 15m bars" in market.source
    assert {request.params["interval"] for request in exchange.row_requests if "interval" in request.params} == {"15m"}


def test_sub_bars_come_along(exchange: FakeExchange) -> None:
    market = bt.load("BTC", source="exchange", sub_bars="5m", **SPAN)
    assert market.sub_bars is not None
    assert len(market.sub_bars) == 3 * len(market)


def test_holes_of_the_exchange_are_gaps_and_too_many_are_refused(exchange: FakeExchange) -> None:
    hole = (day("2024-02-21T03:00"), day("2024-02-21T04:00"))
    exchange.left_out = {"BTCUSDT": [hole]}
    market = bt.load("BTC", source="exchange", **SPAN)
    assert (market.gaps.holes, market.gaps.missing) == (1, 4)
    assert market.time[market.missing][0] == hole[0]
    asked = row_requests(exchange)
    with pytest.raises(InputError, match=r"max_gap_pct = 0\.1 allows no more"):
        bt.load("BTC", source="exchange", max_gap_pct=0.1, **SPAN)
    assert row_requests(exchange) == asked


def test_refresh_downloads_again_and_replaces(exchange: FakeExchange, cache_dir: Path) -> None:
    bt.load("BTC", source="exchange", **SPAN)
    series = SeriesName("binanceusdm", "BTCUSDT", "15m")
    hole = (day("2024-02-21T03:00"), day("2024-02-21T04:00"))
    exchange.left_out = {"BTCUSDT": [hole]}
    assert bt.load("BTC", source="exchange", **SPAN).gaps.missing == 0
    assert bt.load("BTC", source="exchange", refresh=True, **SPAN).gaps.missing == 4
    assert Cache(cache_dir).read(series, *hole)[0].size == 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"source": "binance"}, "source = 'binance' is refused: it must be auto, cache, exchange, files or simulated"),
        ({"source": "cache", "data_dir": "."}, "source = 'cache' reads no files"),
        ({"source": "files"}, "source = 'files' needs data_dir"),
        ({"source": "cache", "refresh": True}, "refresh downloads again"),
        ({"source": "cache", "scenario": "crash"}, "scenario = 'crash' is refused: only the simulated market has scenarios"),
        ({"bars_from": "1h"}, "bars_from = 1h is refused: it must be finer than timeframe = 15m"),
        ({"bars_from": "10m"}, "bars_from = 10m is refused: it must be finer than timeframe = 15m and divide it"),
        ({"source": "exchange", "exchange": "binanceusd"}, "did you mean binanceusdm"),
        ({"cache_dir": ""}, "cache_dir = '' is refused"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        bt.load("BTC", **options)
    assert sentence in str(refused.value)


def test_a_scenario_means_the_simulated_market() -> None:
    market = bt.load("BTC", scenario="crash")
    assert market.simulated
    assert market.source.startswith("SIMULATED market, scenario crash")


@pytest.mark.parametrize(
    "assignments",
    [
        ("source=auto", "start=2024-02-20"),
        ("source=auto",),
        ("source=exchange", "start=2024-02-20", "end=2024-04-01"),
        ("source=cache", "end=2024-04-01"),
        ("source=exchange", "timeframe=1h", "bars_from=15m", "start=2024-02-20"),
        ("source=simulated", "scenario=crash", "end=2024-01-10"),
    ],
    ids=lambda values: " ".join(values),
)
def test_a_written_configuration_repeats_the_run_whatever_came_later(
    exchange: FakeExchange, assignments: tuple[str, ...], tmp_path: Path
) -> None:
    if "source=cache" in assignments:
        bt.load("SOL", source="exchange", start="2024-02-10", end="2024-02-20", warmup=0)
    settings = Configuration().set("coins=SOL")
    for assignment in assignments:
        settings = settings.set(assignment)
    first = run_configuration(settings)
    written = write_run(first, settings, tmp_path, charts=False)
    # Time goes on, and the cache grows at both ends.
    exchange.now = day("2024-03-03")
    bt.load("SOL", source="exchange", start="2024-01-20", warmup=0)
    again = run_configuration(Configuration.read(written / "config.toml"))
    assert np.array_equal(first.time, again.time)
    assert np.array_equal(first.equity_values, again.equity_values)
    assert first.markets[0].instrument == again.markets[0].instrument
