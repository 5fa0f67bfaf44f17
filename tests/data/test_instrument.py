"""Instruments, symbols, margin tiers from files, timeframes and dates."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import FrozenInstanceError

import numpy as np
import pandas as pd
import pytest

from backtest.data.built_in import built_in_coins, built_in_instrument, built_in_tiers
from backtest.data.instrument import Instrument
from backtest.data.symbols import nearest_coins, resolve_symbol
from backtest.data.tiers import read_brackets, tier_records
from backtest.data.timeframe import Timeframe, parse_utc, utc_text
from engine.errors import InputError
from gridcore.margin import default_tiers
from tests.backtest.frames import BTC, ETH


def test_fields_are_kept_and_frozen():
    assert (BTC.symbol, BTC.tick_size, BTC.step_size, BTC.min_qty, BTC.min_notional, BTC.contract_multiplier) == (
        "BTCUSDT",
        0.1,
        0.001,
        0.001,
        100.0,
        1.0,
    )
    with pytest.raises(FrozenInstanceError):
        BTC.tick_size = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tick_size", 0.0),
        ("tick_size", -0.1),
        ("tick_size", float("nan")),
        ("tick_size", "0.1"),
        ("step_size", float("inf")),
        ("step_size", True),
        ("min_qty", -1.0),
        ("min_notional", None),
        ("contract_multiplier", 0),
        ("symbol", ""),
        ("symbol", "BTC USDT"),
        ("symbol", 5),
    ],
)
def test_bad_fields_are_refused_by_name(field, value):
    with pytest.raises(InputError, match=f"{field} = .* is refused"):
        BTC.replace(**{field: value})


def test_zero_minimums_are_allowed():
    assert BTC.replace(min_qty=0, min_notional=0).min_notional == 0.0


def test_no_tiers_means_the_seven_built_in_ones_and_an_assumption_on_other_coins():
    assert np.array_equal(BTC.tier_table, default_tiers())
    assert not BTC.tiers_are_assumed
    assert ETH.tiers_are_assumed
    assert not ETH.replace(tiers=default_tiers()).tiers_are_assumed


def test_equality_and_hash_go_by_content():
    other = BTC.replace(tiers=default_tiers())
    assert BTC.replace() == BTC
    assert other != BTC
    assert other == BTC.replace(tiers=default_tiers())
    assert hash(other) == hash(BTC.replace(tiers=default_tiers()))
    assert BTC != "BTCUSDT"


@pytest.mark.parametrize("name", ["BTC", "btc", " BTC ", "BTCUSDT", "BTC/USDT", "BTC/USDT:USDT", "btc/usdt:usdt"])
def test_names_of_a_coin_resolve_to_its_perpetual(name):
    assert resolve_symbol(name) == "BTCUSDT"
    assert built_in_instrument(name) == BTC


@pytest.mark.parametrize("name", ["BTC/USD:BTC", "BTC/USDC", "BTC/USDT:BTC", "BTC-PERP", "", "B T C", None, 7])
def test_other_contracts_and_no_names_are_refused(name):
    with pytest.raises(InputError, match="coin = "):
        resolve_symbol(name)


@pytest.mark.parametrize(
    ("name", "symbol"), [("1000PEPE", "1000PEPEUSDT"), ("1000pepe/usdt:usdt", "1000PEPEUSDT"), ("1INCHUSDT", "1INCHUSDT")]
)
def test_names_that_begin_with_digits(name, symbol):
    assert resolve_symbol(name) == symbol


def test_built_in_filters():
    assert built_in_coins() == ("BTC", "ETH", "SOL", "XRP", "DOGE", "BNB", "ADA", "1000PEPE", "SUI", "AVAX")
    assert built_in_instrument("ETH") == ETH
    sol = built_in_instrument("SOL")
    assert (sol.tick_size, sol.step_size, sol.min_qty, sol.min_notional) == (0.01, 0.01, 0.01, 5.0)


@pytest.mark.parametrize("coin", built_in_coins())
def test_every_built_in_coin_has_filters_and_valid_tiers(coin):
    instrument = built_in_instrument(coin)
    tiers = built_in_tiers(instrument.symbol)
    assert tiers is not None
    assert instrument.replace(tiers=tiers).tier_table is not None
    assert instrument.min_qty == instrument.step_size


@pytest.mark.real_data
@pytest.mark.parametrize("coin", built_in_coins())
def test_built_in_tiers_are_those_of_the_brackets_file(coin, real_data):
    symbol = f"{coin}USDT"
    assert np.array_equal(built_in_tiers(symbol), read_brackets(real_data / "binanceusdm_leverage_brackets.json", symbol))


@pytest.mark.real_data
@pytest.mark.parametrize("coin", ["BTC", "ETH", "SOL", "BNB", "ADA"])
def test_built_in_steps_are_those_of_the_last_bars(coin, real_data):
    """Prices of the last month of bars are whole ticks and volumes whole steps, and coarser ones would not do."""
    bars = pd.read_parquet(real_data / f"binanceusdm_{coin}USDT_15m.parquet").tail(2880)
    instrument = built_in_instrument(coin)

    def whole(column: str, step: float) -> np.ndarray:
        parts = bars[column].to_numpy() / step
        return np.abs(parts - np.rint(parts)) < 1e-3

    assert whole("close", instrument.tick_size).all()
    assert not whole("close", 10.0 * instrument.tick_size).all()
    assert whole("volume", instrument.step_size).all()
    assert not whole("volume", 10.0 * instrument.step_size).all()


def test_unknown_coin_names_the_nearest_the_known_and_the_way_out():
    with pytest.raises(InputError, match=r"coin = 'ETC' is unknown to the built-in table, did you mean .*ETH.*instrument=Instrument\("):
        built_in_instrument("ETC")
    with pytest.raises(InputError, match="'QQQQ' is unknown to the built-in table, it has BTC, ETH, SOL"):
        built_in_instrument("QQQQ")
    with pytest.raises(InputError, match=r"coin = 'PEPE' is unknown to the built-in table, did you mean 1000PEPE\?"):
        built_in_instrument("PEPE")


def test_the_contract_in_thousands_is_suggested_both_ways():
    known = ["BTC", "1000PEPE", "SHIB", "1000000MOG", "EPE"]
    assert nearest_coins("PEPE", known)[0] == "1000PEPE"
    assert nearest_coins("1000SHIB", known)[0] == "SHIB"
    assert nearest_coins("MOG", known)[0] == "1000000MOG"
    assert nearest_coins("ZZZZZZ", known) == []


ROWS = [
    {"notional_floor": 0.0, "notional_cap": 1000.0, "maint_margin_rate": 0.01, "cum": 0.0, "max_leverage": 50.0},
    {"notional_floor": 1000.0, "notional_cap": 5000.0, "maint_margin_rate": 0.02, "cum": 10.0, "max_leverage": 20.0},
    {"notional_floor": 5000.0, "notional_cap": None, "maint_margin_rate": 0.05, "cum": 160.0, "max_leverage": 5.0},
]


def test_tiers_from_rows_and_amounts_derived_when_absent():
    tiers = tier_records(ROWS)
    assert tiers["floor"].tolist() == [0.0, 1000.0, 5000.0]
    assert tiers["cap"].tolist() == [1000.0, 5000.0, np.inf]
    assert tiers["max_leverage"].tolist() == [50.0, 20.0, 5.0]
    bare = [{name: value for name, value in row.items() if name != "cum"} for row in ROWS]
    # 0; 0 + 1000*(0.02 - 0.01) = 10; 10 + 5000*(0.05 - 0.02) = 160
    assert tier_records(bare)["cum"] == pytest.approx([0.0, 10.0, 160.0])
    assert np.array_equal(BTC.replace(tiers=ROWS).tier_table, tiers)


@pytest.mark.parametrize(
    ("row", "change", "sentence"),
    [
        (1, {"cum": 11.0}, "row 1: cum = 11"),
        (1, {"notional_floor": 900.0}, "row 1: floor = 900"),
        (2, {"max_leverage": 30.0}, "row 2: max_leverage = 30"),
        (0, {"maint_margin_rate": "0.01"}, "row 0: maint_margin_rate = '0.01'"),
        (0, {"notional_floor": 5.0}, "row 0: floor = 5"),
    ],
)
def test_broken_tiers_are_refused_by_row(row, change, sentence):
    rows = [dict(one) for one in ROWS]
    rows[row].update(change)
    with pytest.raises(InputError, match=sentence):
        tier_records(rows, "table")


def test_missing_fields_and_mixed_amounts_are_refused():
    without = [{name: value for name, value in row.items() if name != "max_leverage"} for row in ROWS]
    with pytest.raises(InputError, match="row 0 has no max_leverage"):
        tier_records(without)
    mixed = [dict(row) for row in ROWS]
    del mixed[1]["cum"]
    with pytest.raises(InputError, match="cum in 2 of 3 rows"):
        tier_records(mixed)
    for rows in ("tiers", 3, [1, 2]):
        with pytest.raises(InputError, match="floor, cap, rate, cum and max_leverage"):
            tier_records(rows)


def test_brackets_file(tmp_path):
    path = tmp_path / "binanceusdm_leverage_brackets.json"
    path.write_text(json.dumps({"brackets": {"ETH/USDT:USDT": ROWS}}))
    assert np.array_equal(read_brackets(path, "ETHUSDT"), tier_records(ROWS))
    assert read_brackets(path, "BTCUSDT") is None
    path.write_text(json.dumps({"ETH/USDT:USDT": [*ROWS[:1], {**ROWS[1], "cum": 99.0}]}))
    with pytest.raises(InputError, match=r"binanceusdm_leverage_brackets.json, ETH/USDT:USDT: tiers row 1: cum = 99"):
        read_brackets(path, "ETHUSDT")
    for text in ("{", "[]", '{"brackets": []}'):
        path.write_text(text)
        with pytest.raises(InputError, match=r"binanceusdm_leverage_brackets\.json is not a"):
            read_brackets(path, "ETHUSDT")


@pytest.mark.parametrize(("text", "ms"), [("1m", 60_000), ("15m", 900_000), ("1h", 3_600_000), ("4h", 14_400_000), ("1d", 86_400_000)])
def test_timeframes(text, ms):
    assert Timeframe.parse(text).ms == ms
    assert str(Timeframe.parse(text)) == text
    assert Timeframe.parse(text).bars_per_year == pytest.approx(365 * 86_400_000 / ms)


@pytest.mark.parametrize("value", ["", "15", "7m", "0m", "2d", "1w", "1M", "15 m", 15, None, "-1m", "1s"])
def test_bad_timeframes_are_refused(value):
    with pytest.raises(InputError, match=r"timeframe = .* is refused"):
        Timeframe.parse(value)


def test_equal_timeframes_in_other_units_are_the_same():
    assert Timeframe.parse("60m") == Timeframe.parse("1h")


@pytest.mark.parametrize(
    "value",
    [
        "2024-01-01",
        "2024-01-01T00:00",
        "2024-01-01 00:00:00",
        "2024-01-01T02:00+02:00",
        dt.date(2024, 1, 1),
        dt.datetime(2024, 1, 1),
        dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
        pd.Timestamp("2024-01-01"),
        np.datetime64("2024-01-01"),
        1_704_067_200_000,
    ],
)
def test_dates_are_utc(value):
    assert parse_utc(value, "start") == 1_704_067_200_000


@pytest.mark.parametrize("value", ["yesterday", "2024-13-01", "01/02/2024", "", -5, 1e12, True, pd.NaT, [1]])
def test_bad_dates_are_refused(value):
    with pytest.raises(InputError, match=r"start = .* is refused"):
        parse_utc(value, "start")


def test_times_as_text():
    assert utc_text(1_704_067_200_000) == "2024-01-01 00:00"
    assert utc_text(1_704_067_205_000) == "2024-01-01 00:00:05"
    assert utc_text(1_704_067_200_003) == "2024-01-01 00:00:00.003"


def test_instrument_prints_its_filters():
    text = repr(Instrument("ESUSD", 0.25, 1, 1, 0, contract_multiplier=50))
    assert "tick 0.25" in text
    assert "multiplier 50" in text
