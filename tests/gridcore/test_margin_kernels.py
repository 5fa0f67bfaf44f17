"""Maintenance margin, breach and liquidation prices against areas, scans and bisection, and the exchange's own example."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gridcore import margin
from gridcore.constants import MAX_TIERS, tier_dtype
from tests.gridcore import naive

TIERS = margin.default_tiers()
COUNT = len(TIERS)
PLAIN = [(float(row["floor"]), float(row["cap"]), float(row["rate"])) for row in TIERS]


def two_tiers(first_rate: float, rate: float, amount: float) -> np.ndarray:
    """A valid table whose second tier has the given rate and maintenance amount."""
    begin = amount / (rate - first_rate)
    tiers = np.zeros(2, tier_dtype)
    tiers["floor"], tiers["cap"] = [0.0, begin], [begin, np.inf]
    tiers["rate"], tiers["cum"], tiers["max_leverage"] = [first_rate, rate], [0.0, amount], [20.0, 10.0]
    return tiers


# Quantities from dust to the last tier at prices round 30 000; costs are entries within a factor of a few of it.
QUANTITY = st.one_of(st.just(0.0), st.floats(0.01, 5_000.0))
ENTRY = st.floats(10_000.0, 90_000.0)
POSITION = st.tuples(QUANTITY, ENTRY, QUANTITY, ENTRY).map(lambda p: (p[0], p[0] * p[1], p[2], p[2] * p[3]))
WALLET_SHARE = st.floats(-0.2, 1.2)


def same(actual: float, wanted: float) -> bool:
    return (math.isnan(actual) and math.isnan(wanted)) or math.isclose(actual, wanted, rel_tol=1e-7)


@pytest.mark.parametrize(
    ("notional", "row", "wanted"),
    [
        (0.0, 0, 0.0),
        (1.0, 0, 0.004),
        (49_999.0, 0, 199.996),
        (50_000.0, 1, 200.0),
        (250_000.0, 2, 1_200.0),
        (1e6, 3, 8_700.0),
        (10e6, 4, 233_700.0),
        (20e6, 5, 733_700.0),
        (50e6, 6, 3_733_700.0),
        (100e6, 6, 9_983_700.0),
    ],
)
def test_tier_boundaries(notional: float, row: int, wanted: float) -> None:
    assert margin.tier_index(notional, TIERS, COUNT) == row
    assert margin.maintenance_margin(notional, TIERS, COUNT) == pytest.approx(wanted, rel=1e-12)


@given(st.floats(0.0, 1e9))
@settings(deadline=None)
def test_maintenance_margin_is_the_area_under_the_rates(notional: float) -> None:
    wanted = naive.maintenance_margin(notional, PLAIN)
    assert margin.maintenance_margin(notional, TIERS, COUNT) == pytest.approx(wanted, rel=1e-9, abs=1e-9)


def test_rows_past_the_count_are_not_used() -> None:
    padded = np.zeros(MAX_TIERS, tier_dtype)
    padded[:COUNT] = TIERS
    assert margin.maintenance_margin(1e9, padded, COUNT) == margin.maintenance_margin(1e9, TIERS, COUNT)
    assert margin.tier_index(1e9, padded, 3) == 2


@given(st.floats(1.0, 1e6), POSITION, WALLET_SHARE)
@settings(deadline=None)
def test_excess(price: float, position: naive.Position, share: float) -> None:
    wallet = share * (position[1] + position[3] + 1_000.0)
    wanted = naive.excess(price, wallet, position, PLAIN)
    gross = abs(wallet) + position[1] + position[3] + price * (position[0] + position[2])
    assert margin.cross_excess(price, wallet, *position, TIERS, COUNT) == pytest.approx(wanted, abs=1e-12 * gross)


@given(POSITION, WALLET_SHARE, st.floats(100.0, 1e6))
@settings(deadline=None, max_examples=300)
def test_liquidation_prices_match_a_scan(position: naive.Position, share: float, mark: float) -> None:
    gross = position[1] + position[3]
    wallet = share * gross + 1.0
    at_kinks = [naive.excess(p, wallet, position, PLAIN) for p in naive.kink_prices(position, PLAIN)]
    # A touch of zero, and an excess that hardly depends on the price, have no answer that rounding leaves alone.
    assume(abs(max(at_kinks)) > 1e-6 * (gross + 1.0) and abs(at_kinks[0]) > 1e-6 * (gross + 1.0))
    assume(all(abs(position[0] * (1 - r) - position[2] * (1 + s)) > 1e-3 * position[0] for _, _, r in PLAIN for _, _, s in PLAIN))
    lower, upper = margin.cross_liquidation_prices(wallet, *position, mark, TIERS, COUNT)
    wanted = naive.liquidation_prices(wallet, position, PLAIN)
    assert same(lower, wanted[0]), (lower, wanted)
    assert same(upper, wanted[1]), (upper, wanted)


@pytest.mark.parametrize("mark", [1.0, 500.0, 29_000.0, 30_000.0, 40_000.0, 1e7, math.nan])
def test_where_the_search_begins_does_not_matter(mark: float) -> None:
    lower, upper = margin.cross_liquidation_prices(50_000.0, 30.0, 900_000.0, 25.0, 800_000.0, mark, TIERS, COUNT)
    wanted = naive.liquidation_prices(50_000.0, (30.0, 900_000.0, 25.0, 800_000.0), PLAIN)
    assert (lower, upper) == pytest.approx(wanted, rel=1e-10)
    assert 0.0 < lower < 30_000.0 < upper


@given(POSITION, WALLET_SHARE, st.floats(0.2, 0.999), st.booleans(), st.floats(0.0, 1.0))
@settings(deadline=None, max_examples=300)
def test_breach_price_matches_bisection(position: naive.Position, share: float, beyond: float, down: bool, inside: float) -> None:
    gross = position[1] + position[3]
    wallet = share * gross + 1.0
    lower, upper = naive.liquidation_prices(wallet, position, PLAIN)
    root = lower if down else upper
    assume(not math.isnan(root) and root > 1e-3)
    far = 0.0 if math.isnan(lower) else lower
    opposite = 3.0 * root if math.isnan(upper) else upper
    other_end = opposite if down else far
    start = root + (0.01 + 0.9 * inside) * (other_end - root)
    end = root * beyond if down else root / beyond
    assume(naive.excess(start, wallet, position, PLAIN) > 1e-6 * gross and naive.excess(end, wallet, position, PLAIN) < -1e-6 * gross)
    price = margin.cross_breach_price(start, end, wallet, *position, TIERS, COUNT)
    assert min(start, end) <= price <= max(start, end)
    assert price == pytest.approx(naive.bisect(start, end, wallet, position, PLAIN), rel=1e-7)
    assert abs(naive.excess(price, wallet, position, PLAIN)) <= 1e-9 * (gross + price * (position[0] + position[2]))


def test_breach_right_at_the_end() -> None:
    """An excess of exactly zero at the end of the way is a breach there."""
    assert margin.cross_breach_price(200.0, 100.0, 0.4, 1.0, 100.0, 0.0, 0.0, TIERS, COUNT) == pytest.approx(100.0, rel=1e-15)


@given(st.sampled_from([1, -1]), st.floats(0.01, 5_000.0), ENTRY, st.floats(0.01, 1.1))
@settings(deadline=None)
def test_isolated_side(sign: int, qty: float, entry: float, share: float) -> None:
    cost = qty * entry
    own = share * cost
    assume(abs(share - 1.0) > 1e-6)  # a margin of the whole notional puts a long's root at zero
    position = (qty, cost, 0.0, 0.0) if sign > 0 else (0.0, 0.0, qty, cost)
    gross = own + 2.0 * cost
    assert margin.isolated_excess(entry, own, sign, qty, cost, TIERS, COUNT) == pytest.approx(
        naive.excess(entry, own, position, PLAIN), abs=1e-12 * gross
    )
    price = margin.isolated_liquidation_price(own, sign, qty, cost, TIERS, COUNT)
    wanted = naive.liquidation_prices(own, position, PLAIN)[0 if sign > 0 else 1]
    assert same(price, wanted)
    if not math.isnan(price) and naive.excess(entry, own, position, PLAIN) > 0.0:
        end = 0.5 * price if sign > 0 else 2.0 * price
        assert margin.isolated_breach_price(entry, end, own, sign, qty, cost, TIERS, COUNT) == pytest.approx(price, rel=1e-9)


def test_exchange_worked_example() -> None:
    """The exchange's published two-instrument example: each W' holds the other's unrealized PnL less its maintenance margin."""
    wallet = 1_535_443.01
    eth_qty, eth_entry, eth_mark, eth_tiers = 3_683.979, 1_456.84, 1_335.18, two_tiers(0.05, 0.10, 135_365.0)
    btc_qty, btc_entry, btc_mark, btc_tiers = 109.488, 32_481.98, 31_967.27, two_tiers(0.01, 0.025, 16_300.0)
    for tiers in (eth_tiers, btc_tiers):
        margin.validate_tiers(tiers)
    btc_part = btc_qty * (btc_mark - btc_entry) - margin.maintenance_margin(btc_qty * btc_mark, btc_tiers, 2)
    eth_part = eth_qty * (eth_mark - eth_entry) - margin.maintenance_margin(eth_qty * eth_mark, eth_tiers, 2)
    eth = margin.cross_liquidation_price(wallet + btc_part, eth_qty, eth_qty * eth_entry, 0.0, 0.0, eth_mark, eth_tiers, 2)
    btc = margin.cross_liquidation_price(wallet + eth_part, btc_qty, btc_qty * btc_entry, 0.0, 0.0, btc_mark, btc_tiers, 2)
    assert round(eth, 2) == 1_153.26
    assert round(btc, 2) == 26_316.89


def test_prices_that_do_not_exist_are_nan() -> None:
    nothing = margin.cross_liquidation_prices(1_000.0, 0.0, 0.0, 0.0, 0.0, 100.0, TIERS, COUNT)
    unlevered_long = margin.cross_liquidation_prices(100.0, 1.0, 100.0, 0.0, 0.0, 100.0, TIERS, COUNT)
    ruined_short = margin.cross_liquidation_prices(-200.0, 0.0, 0.0, 1.0, 100.0, 100.0, TIERS, COUNT)
    never_safe = margin.cross_liquidation_prices(-500.0, 1.0, 100.0, 1.0, 100.0, 100.0, TIERS, COUNT)
    for pair in (nothing, unlevered_long, ruined_short, never_safe):
        assert np.isnan(pair).all()
    assert math.isnan(margin.isolated_liquidation_price(10.0, 1, 0.0, 0.0, TIERS, COUNT))


@pytest.mark.parametrize(
    ("long_qty", "short_qty", "wallet", "wanted"),
    [
        (2.0, 1.0, 20.0, 80.0 / (2.0 * 0.996 - 1.0 * 1.004)),
        (1.0, 2.0, 20.0, 120.0 / (2.0 * 1.004 - 1.0 * 0.996)),
        (1.0, 1.0, 20.0, 20.0 / 0.008),
        (1.005, 1.0, 20.0, 19.5 / 0.00302),  # net long, but maintenance outgrows the difference: only an upper end
        (1.0, 0.0, 20.0, 80.0 / 0.996),
        (0.0, 1.0, 20.0, 120.0 / 1.004),
    ],
)
def test_the_adverse_end(long_qty: float, short_qty: float, wallet: float, wanted: float) -> None:
    """By hand, all in the first tier, every entry at 100."""
    position = (long_qty, 100.0 * long_qty, short_qty, 100.0 * short_qty)
    assert margin.cross_liquidation_price(wallet, *position, 100.0, TIERS, COUNT) == pytest.approx(wanted, rel=1e-9)


def test_a_hedge_may_have_both_ends() -> None:
    """Long 1.1 against 1: safe from a price in the first tier, by hand, to a far one where maintenance has outgrown the difference."""
    position = (1.1, 110.0, 1.0, 100.0)
    lower, upper = margin.cross_liquidation_prices(1.75, *position, 100.0, TIERS, COUNT)
    assert lower == pytest.approx(8.25 / (1.1 * 0.996 - 1.004), rel=1e-9)
    assert upper == pytest.approx(naive.liquidation_prices(1.75, position, PLAIN)[1], rel=1e-9)
    assert margin.cross_liquidation_price(1.75, *position, 100.0, TIERS, COUNT) == lower
    assert margin.cross_liquidation_price(20.0, *position, 100.0, TIERS, COUNT) > 1e6  # the lower end is gone


def test_derived_amounts_and_default_table() -> None:
    margin.validate_tiers(TIERS)
    np.testing.assert_allclose(margin.derive_maintenance_amounts(TIERS["floor"], TIERS["rate"]), TIERS["cum"], rtol=1e-12)
    assert margin.derive_maintenance_amounts([0.0], [0.01]).tolist() == [0.0]


@pytest.mark.parametrize(
    ("row", "field", "value", "words"),
    [
        (0, "floor", 1.0, "row 0: floor = 1; the first tier must begin at 0"),
        (2, "floor", 3e5, "row 2: floor = 300000; it must be the cap of the row before, 250000"),
        (1, "cap", 4e4, "row 1: cap = 40000; it must be above the floor"),
        (3, "cap", math.nan, "row 3: cap = nan"),
        (3, "rate", 0.009, "row 3: rate = 0.009; it must not be below that of the row before"),
        (6, "rate", 1.0, "row 6: rate = 1; it must be a fraction"),
        (0, "rate", math.nan, "row 0: rate = nan"),
        (1, "cum", 51.0, "row 1: cum = 51; floors and rates make it 50"),
        (4, "cum", math.nan, "row 4: cum = nan"),
        (5, "max_leverage", 11.0, "row 5: max_leverage = 11; it must not be above that of the row before, 10"),
        (6, "max_leverage", 0.5, "row 6: max_leverage = 0.5; it must be a finite number of at least 1"),
    ],
)
def test_a_bad_table_is_refused_by_name(row: int, field: str, value: float, words: str) -> None:
    tiers = margin.default_tiers()
    tiers[row][field] = value
    with pytest.raises(ValueError, match="tiers row") as caught:
        margin.validate_tiers(tiers)
    assert words in str(caught.value)


@pytest.mark.parametrize("tiers", [np.zeros(0, tier_dtype), np.zeros(MAX_TIERS + 1, tier_dtype), np.zeros((2, 5))])
def test_a_table_of_the_wrong_shape_is_refused(tiers: np.ndarray) -> None:
    with pytest.raises(ValueError, match="tiers has"):
        margin.validate_tiers(tiers)
