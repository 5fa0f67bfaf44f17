"""Opening an exchange: its name, its address, staying offline, what it lists, and what is never asked of it."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

import numpy as np
import pytest

from backtest.data.exchange.client import ADDRESS, API_KEY, API_SECRET, OFFLINE, OFFLINE_SWITCH
from backtest.data.exchange.retry import PassingError, Patience, persist
from backtest.data.exchange.venue import open_venue
from backtest.data.series import SeriesName
from backtest.data.tiers import tier_records
from engine.errors import InputError, SourceError
from tests.data.fake_exchange import PRIVATE_PATHS, FakeExchange
from tests.data.fake_faults import Fault
from tests.data.fake_market import all_coins, day
from tests.data.fake_wire import TIERS

NOW = day("2024-03-01T00:07")
SECRET = "s3cr3t-of-a-test"  # noqa: S105


@pytest.fixture(scope="module")
def server():
    with FakeExchange(now=NOW) as running:
        yield running


@pytest.fixture(autouse=True)
def clean(server, monkeypatch):
    server.set_up(NOW)
    for name in (ADDRESS, API_KEY, API_SECRET):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(OFFLINE_SWITCH, "1")


def opened(server, **options):
    return open_venue(address=server.address, sleep=lambda seconds: None, **options)


def test_offline_no_exchange_is_asked(monkeypatch):
    with pytest.raises(SourceError, match=f"^{OFFLINE}$"):
        open_venue("binanceusdm")
    with pytest.raises(SourceError, match=f"^{OFFLINE}$"):
        open_venue("binanceusdm", address="http://127.0.0.1.example.org:80")
    monkeypatch.setenv(ADDRESS, "https://example.org")
    with pytest.raises(SourceError, match=f"^{OFFLINE}$"):
        open_venue("binanceusdm")


@pytest.mark.parametrize("address", ["127.0.0.1:8899", "ftp://127.0.0.1", "http://", "http://127.0.0.1:port", ""])
def test_an_address_that_is_none(address):
    with pytest.raises(InputError, match=r"address = .* is refused: it must begin with http:// or https://"):
        open_venue("binanceusdm", address=address)


def test_address_of_the_environment(server, monkeypatch):
    monkeypatch.setenv(ADDRESS, server.address)
    with open_venue() as venue:
        assert venue.now() == NOW
        assert venue.name == "binanceusdm"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("binanceusd", "must be the name of an exchange in ccxt: did you mean binanceus"),
        ("Bybit", "did you mean bybit"),
        ("qqq", "such as binanceusdm, bybit or okx"),
        (7, "exchange = 7 is refused"),
        ("alpaca", "it offers no history of bars"),
    ],
)
def test_names(server, name, sentence, monkeypatch):
    import ccxt

    if name == "alpaca":
        monkeypatch.setattr(ccxt, "alpaca", lambda: type("Bare", (), {"has": {"fetchOHLCV": False}})())
    with pytest.raises(InputError, match=sentence):
        open_venue(name, address=server.address)


def test_symbols_are_the_linear_perpetuals_traded_now(server):
    with opened(server) as venue:
        symbols = venue.symbols()
    assert len(symbols) == 11
    assert symbols["BTCUSDT"] == "BTC/USDT:USDT"
    assert symbols["1000PEPEUSDT"] == "1000PEPE/USDT:USDT"
    # delisted, quarterly, coin-margined, settled in another currency
    assert not {"LUNAUSDT", "BTCUSDT_240628", "BTCUSD_PERP", "BTCUSD", "ETHUSDC"} & set(symbols)


def test_filters(server):
    coins = all_coins()
    with opened(server) as venue:
        for symbol in ("BTCUSDT", "SOLUSDT", "1000PEPEUSDT"):
            instrument = venue.instrument(symbol).instrument
            coin = coins[symbol]
            assert instrument.tick_size == 10.0**-coin.decimals
            assert instrument.step_size == instrument.min_qty == 10.0**-coin.quantity_decimals
            assert (instrument.min_notional, instrument.contract_multiplier) == (coin.min_notional, 1.0)
        with pytest.raises(InputError, match="did you mean 1000PEPEUSDT"):
            venue.instrument("PEPEUSDT")


def test_tiers_only_with_credentials(server, monkeypatch):
    with opened(server) as venue:
        listed = venue.instrument("BTCUSDT")
        assert listed.instrument.tiers is None
        (remark,) = listed.remarks
        assert remark.startswith("The margin tiers of BTCUSDT are not read: binanceusdm shows them only with credentials, and ")
        assert remark.endswith("GRIDCORE_API_KEY and GRIDCORE_API_SECRET are not set.")
        assert not any(request.signed or request.path in PRIVATE_PATHS for request in server.log)
        monkeypatch.setenv(API_KEY, "key-of-a-test")
        monkeypatch.setenv(API_SECRET, SECRET)
        listed = venue.instrument("BTCUSDT")
    expected = [{"floor": low, "cap": high, "rate": rate, "max_leverage": most} for most, low, high, rate in TIERS]
    np.testing.assert_allclose(listed.instrument.tiers["cum"], tier_records(expected)["cum"])
    assert listed.instrument.tiers["max_leverage"].tolist() == [150, 100, 75, 50]
    assert listed.remarks == ()
    assert [request.path for request in server.log if request.signed] == list(PRIVATE_PATHS)


@pytest.mark.parametrize("kind", ["no permission", "bad gateway", "web page", "truncated", "throttled", "null", "reset", "bad symbol"])
def test_credentials_are_never_shown(server, monkeypatch, kind):
    monkeypatch.setenv(API_KEY, "key-of-a-test")
    monkeypatch.setenv(API_SECRET, SECRET)
    server.set_up(NOW, faults=[Fault(kind, lambda request: request.path in PRIVATE_PATHS, times=9)])
    said = []
    with opened(server, patience=Patience(attempts=2), on_wait=said.append) as venue:
        with pytest.raises(SourceError) as caught:
            venue.instrument("BTCUSDT")
        shown = " ".join([str(caught.value), repr(caught.value.__cause__), *said])
        assert "the margin tiers of BTCUSDT" in shown
        for secret in ("key-of-a-test", SECRET, "signature"):
            assert secret not in shown
        assert not venue._client.exchange.apiKey
        assert not venue._client.exchange.secret


def test_nothing_private_is_asked_even_with_credentials(server, monkeypatch):
    monkeypatch.setenv(API_KEY, "key-of-a-test")
    monkeypatch.setenv(API_SECRET, SECRET)
    with opened(server) as venue:
        venue.symbols()
        for content in ("15m", "mark-15m", "funding"):
            list(venue.pages(SeriesName("binanceusdm", "ETHUSDT", content), day("2024-02-28"), NOW))
    assert {request.path for request in server.log} == {
        "/fapi/v1/exchangeInfo",
        "/fapi/v1/time",
        "/fapi/v1/klines",
        "/fapi/v1/markPriceKlines",
        "/fapi/v1/fundingRate",
    }
    assert not any(request.signed for request in server.log)


def test_an_exchange_without_a_clock_tells_its_time_by_its_answers(server):
    with opened(server) as venue:
        venue._client.exchange.has["fetchTime"] = False
        assert venue.now() == NOW // 1000 * 1000
        server.now += 60_000
        assert venue.now() == (NOW + 60_000) // 1000 * 1000


def test_a_probe_is_one_attempt(server):
    server.set_up(NOW, faults=[Fault("bad gateway", lambda request: True, times=5)])
    waits = []
    with pytest.raises(SourceError, match=r"^binanceusdm answered with its own failure \(HTTP 502\) when asked for its time$"):
        open_venue(address=server.address, probe=True, sleep=waits.append)
    assert len(server.log) == 1
    assert waits == []


def test_a_probe_that_meets_nobody():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(SourceError, match=r"binanceusdm cannot be reached .* when asked for its time"):
        open_venue(address=f"http://127.0.0.1:{port}", probe=True)


def test_a_probe_that_is_never_answered(server, monkeypatch):
    monkeypatch.setattr("backtest.data.exchange.venue.PROBE_TIMEOUT", 0.2)
    server.set_up(NOW, faults=[Fault("hang", lambda request: True)])
    with pytest.raises(SourceError, match=r"binanceusdm did not answer within 0\.2 s"):
        open_venue(address=server.address, probe=True)


def test_after_a_probe_patience_is_as_usual(server):
    with opened(server, probe=True) as venue:
        server.set_up(NOW, faults=[Fault("bad gateway", lambda request: True, times=3)])
        assert venue.now() == NOW


def test_an_empty_list_of_markets_is_not_believed(server):
    server.coins, kept = {}, server.coins
    try:
        with opened(server, patience=Patience(attempts=2)) as venue, pytest.raises(SourceError, match="an empty list of markets"):
            venue.symbols()
    finally:
        server.coins = kept


def test_waits_grow_up_to_a_limit_and_end():
    waits = []

    def fail():
        raise PassingError("it fails")

    with pytest.raises(SourceError, match="it fails when asked for rows; 6 attempts were made"):
        persist(fail, "rows", Patience(attempts=6, longest=100.0, first=1.0, cap=4.0), waits.append)
    for wait, longest in zip(waits, [1.0, 2.0, 4.0, 4.0, 4.0], strict=True):
        assert longest / 2 <= wait <= longest
    waits.clear()
    with pytest.raises(SourceError):
        persist(fail, "rows", Patience(attempts=1000, longest=30.0, first=1.0, cap=4.0), waits.append)
    assert 26.0 <= sum(waits) <= 30.0


def test_the_fake_exchange_runs_as_a_program():
    script = Path(__file__).parent / "fake_exchange.py"
    command = [sys.executable, str(script), "--port", "0", "--now", "2024-03-01", "--coins", "BTC", "ETH"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            first = process.stdout.readline()
            assert first.endswith("serves BTCUSDT, ETHUSDT; its clock says 2024-03-01 UTC\n")
            address = first.split()[0]
            with open_venue(address=address) as venue:
                assert venue.now() == day("2024-03-01")
                with urlopen(HttpRequest(f"{address}/fake/clock?now=2024-03-02", method="POST")) as answer:  # noqa: S310
                    assert answer.status == 200
                assert venue.now() == day("2024-03-02")
        finally:
            process.terminate()
