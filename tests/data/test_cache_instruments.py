"""Instruments as an exchange gave them, stored with their dates."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from backtest.data.cache.instruments import load_instrument, save_instruments, stored_symbols
from backtest.data.instrument import Instrument
from backtest.data.tiers import tier_records
from engine.errors import InputError, SourceError
from tests.data.page_sources import at, tree

JANUARY, MARCH = at("2024-01-01"), at("2024-03-01")
TIERS = tier_records(
    [
        {"floor": 0, "cap": 50_000, "rate": 0.004, "cum": 0, "max_leverage": 125},
        {"floor": 50_000, "cap": None, "rate": 0.005, "cum": 50, "max_leverage": 100},
    ]
)
BTC = Instrument("BTCUSDT", 0.1, 0.001, 0.001, 100.0, tiers=TIERS)
PEPE = Instrument("1000PEPEUSDT", 1e-7, 1.0, 1.0, 5.0, contract_multiplier=1000.0)


def test_what_is_saved_comes_back_with_its_date(tmp_path) -> None:
    assert load_instrument(tmp_path, "fake", "BTCUSDT") is None
    assert stored_symbols(tmp_path, "fake") == []
    save_instruments(tmp_path, "fake", [PEPE, BTC], JANUARY)
    assert load_instrument(tmp_path, "fake", "BTCUSDT") == (BTC, JANUARY)
    assert load_instrument(tmp_path, "fake", "1000PEPEUSDT") == (PEPE, JANUARY)
    assert load_instrument(tmp_path, "fake", "ETHUSDT") is None
    assert load_instrument(tmp_path, "other", "BTCUSDT") is None
    assert stored_symbols(tmp_path, "fake") == ["1000PEPEUSDT", "BTCUSDT"]
    assert np.isinf(load_instrument(tmp_path, "fake", "BTCUSDT")[0].tiers["cap"][-1])


def test_new_filters_take_the_place_of_old_ones_and_leave_the_rest(tmp_path) -> None:
    save_instruments(tmp_path, "fake", [PEPE, BTC], JANUARY)
    finer = BTC.replace(tick_size=0.01)
    save_instruments(tmp_path, "fake", [finer], MARCH)
    assert load_instrument(tmp_path, "fake", "BTCUSDT") == (finer, MARCH)
    assert load_instrument(tmp_path, "fake", "1000PEPEUSDT") == (PEPE, JANUARY)


def test_tiers_that_cannot_be_read_again_are_kept_with_their_date(tmp_path) -> None:
    save_instruments(tmp_path, "fake", [BTC], JANUARY)
    save_instruments(tmp_path, "fake", [BTC.replace(tiers=None)], MARCH)
    assert load_instrument(tmp_path, "fake", "BTCUSDT") == (BTC, MARCH)
    entry = json.loads((tmp_path / "fake" / "instruments.json").read_text())["instruments"]["BTCUSDT"]
    assert (entry["fetched"], entry["tiers_fetched"]) == (MARCH, JANUARY)


def test_the_order_in_which_they_come_does_not_matter(tmp_path) -> None:
    save_instruments(tmp_path / "a", "fake", [PEPE, BTC], JANUARY)
    save_instruments(tmp_path / "b", "fake", [BTC], JANUARY)
    save_instruments(tmp_path / "b", "fake", [PEPE], JANUARY)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def broken(text: str) -> list[str]:
    """Files that are none, one fault each."""
    content = json.loads(text)
    variants = ["", text[:-9], "[]", json.dumps(content | {"schema": 2}), json.dumps(content | {"exchange": "other"})]
    changes = ({"tick_size": 0}, {"tick_size": "x"}, {"tiers": 3}, {"tiers": [{"floor": 0}]}, {"fetched": None})
    entry = content["instruments"]["BTCUSDT"]
    return variants + [json.dumps(content | {"instruments": {"BTCUSDT": entry | change}}) for change in changes]


@pytest.mark.parametrize("number", range(10))
def test_a_broken_file_is_told_and_set_aside_by_the_next_that_writes(tmp_path, number) -> None:
    save_instruments(tmp_path, "fake", [BTC], JANUARY)
    path = tmp_path / "fake" / "instruments.json"
    text = broken(path.read_text())[number]
    path.write_text(text)
    with pytest.raises(SourceError, match=r"instruments\.json is unreadable: .*; fetch the instruments again"):
        load_instrument(tmp_path, "fake", "BTCUSDT")
    told = []
    save_instruments(tmp_path, "fake", [BTC], MARCH, told.append)
    assert told[0].endswith("it is kept as instruments.json.unreadable")
    assert path.with_name("instruments.json.unreadable").read_text() == text
    assert load_instrument(tmp_path, "fake", "BTCUSDT") == (BTC, MARCH)


def test_a_full_disk_is_one_sentence_and_keeps_the_old_file(tmp_path, monkeypatch) -> None:
    save_instruments(tmp_path, "fake", [BTC], JANUARY)
    before = tree(tmp_path)

    def full(*_) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(SourceError, match=r"the cache cannot be written: .*instruments\.json: No space left on device"):
        save_instruments(tmp_path, "fake", [PEPE], MARCH)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("exchange", ["../fake", "", "a/b", ".."])
def test_an_exchange_that_is_no_name_is_refused(tmp_path, exchange) -> None:
    with pytest.raises(InputError, match="exchange = "):
        load_instrument(tmp_path, exchange, "BTCUSDT")
    with pytest.raises(InputError, match="exchange = "):
        save_instruments(tmp_path, exchange, [BTC], JANUARY)
    assert tree(tmp_path) == {}
