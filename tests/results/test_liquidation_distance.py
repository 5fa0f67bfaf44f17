"""Distance to liquidation against a plain search over ever larger moves, in Python floats, with the positions followed lot by lot."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backtest as bt
from backtest.metrics.holdings import coins_of
from backtest.metrics.liquidation_move import Holding, distance_to_liquidation
from backtest.result import Result
from gridcore.constants import tier_dtype
from gridcore.margin import default_tiers
from tests.backtest import frames
from tests.results.ledgers import make_result

Position = tuple[float, float, float, float, float, float]  # price for falls, for rises, long and short quantity, their costs


def maintenance(notional: float, tiers: list[dict[str, float]]) -> float:
    row = [tier for tier in tiers if notional >= tier["floor"]][-1]
    return notional * row["rate"] - row["cum"]


def excess(balance: float, positions: list[Position], tiers: list[dict[str, float]], move: float, signs: list[int]) -> float:
    value = balance
    for (down, up, long, short, long_cost, short_cost), sign in zip(positions, signs, strict=True):
        price = up * (1.0 + move) if sign > 0 else max(down * (1.0 - move), 0.0)
        value += price * long - long_cost + short_cost - price * short
        value -= maintenance(price * long, tiers) + maintenance(price * short, tiers)
    return value


def searched(balance: float, positions: list[Position], tiers: list[dict[str, float]], signs: list[int]) -> float:
    """The first move, on a geometric ladder up to a hundred thousandfold, that liquidates; halved down to a hair."""
    if excess(balance, positions, tiers, 0.0, signs) <= 0.0:
        return 0.0
    moves = np.geomspace(1e-6, 1e5, 200)
    last = 0.0
    for move in moves.tolist():
        if excess(balance, positions, tiers, move, signs) <= 0.0:
            low, high = last, move
            for _ in range(60):
                middle = 0.5 * (low + high)
                low, high = (low, middle) if excess(balance, positions, tiers, middle, signs) <= 0.0 else (middle, high)
            return high
        last = move
    return math.inf


def plain_distance(balance: float, positions: list[Position], tiers: list[dict[str, float]]) -> float:
    """Against the positions, and the other way round; a coin is hurt by the direction in which a tiny move costs."""
    signs = []
    for position in positions:
        middle = 0.5 * (position[0] + position[1])
        at_middle = [(middle, middle, *position[2:])]
        before, after = (excess(0.0, at_middle, tiers, move, [1]) for move in (0.0, 1e-9))
        signs.append(1 if after <= before else -1)
    return min(searched(balance, positions, tiers, signs), searched(balance, positions, tiers, [-sign for sign in signs]))


def as_dicts(tiers: np.ndarray) -> list[dict[str, float]]:
    return [{name: float(row[name]) for name in ("floor", "rate", "cum")} for row in tiers]


def holdings(positions: list[Position], tiers: np.ndarray) -> tuple[Holding, ...]:
    one = [[np.array([value]) for value in position] for position in positions]
    table = (tiers["floor"], tiers["rate"], tiers["cum"])
    return tuple(Holding(down, up, long, short, long_cost - short_cost, *table) for down, up, long, short, long_cost, short_cost in one)


SIDE = st.one_of(st.just(0.0), st.floats(0.01, 3000.0))


@settings(max_examples=25, deadline=None)
@given(
    balance=st.floats(10.0, 1e6),
    parts=st.lists(st.tuples(st.floats(0.1, 5000.0), st.floats(0.0, 0.1), SIDE, SIDE, st.floats(0.7, 1.4)), min_size=1, max_size=3),
)
def test_moves_against_a_search(balance: float, parts: list[tuple[float, ...]]) -> None:
    tiers = default_tiers()
    positions: list[Position] = []
    for price, spread, long, short, entry in parts:
        positions.append((price * (1.0 - spread), price, long, short, long * price * entry, short * price / entry))
    prices = tuple(np.array([0.5 * (position[0] + position[1])]) for position in positions)
    found = distance_to_liquidation(np.array([balance]), holdings(positions, tiers), prices)[0]
    plain = plain_distance(balance, positions, as_dicts(tiers))
    if plain < 1e4:
        assert found == pytest.approx(plain, rel=1e-7, abs=1e-9)
    else:  # beyond the end of the search
        assert found > 1e4


def test_by_hand() -> None:
    tiers = np.zeros(1, tier_dtype)
    tiers["rate"] = 0.01
    # A long of 10 bought at 100 with 300 in the wallet: 300 + 10*(p - 100) = 0.01*10*p at p = 70.7071.
    long = [(100.0, 100.0, 10.0, 0.0, 1000.0, 0.0)]
    price = (np.array([100.0]),)
    found = distance_to_liquidation(np.array([300.0]), holdings(long, tiers), price)[0]
    assert found == pytest.approx(1.0 - 700.0 / 9.9 / 100.0, rel=1e-12)
    # A short of 10: 300 - 10*(p - 100) = 0.1*p at p = 128.71.
    short = [(100.0, 100.0, 0.0, 10.0, 0.0, 1000.0)]
    assert distance_to_liquidation(np.array([300.0]), holdings(short, tiers), price)[0] == pytest.approx(0.2871287128712871, rel=1e-12)
    # A long that is paid in full: no price liquidates it. One that is liquidated where it stands: nothing is left.
    assert distance_to_liquidation(np.array([1000.1]), holdings(long, tiers), price)[0] == math.inf
    assert distance_to_liquidation(np.array([9.0]), holdings(long, tiers), price)[0] == 0.0
    # Half as many shorts as longs and a rate of one third: gains and margin grow alike, and nothing liquidates.
    tiers["rate"] = 1.0 / 3.0
    hedge = [(100.0, 100.0, 0.2, 0.1, 20.0, 10.0)]
    assert distance_to_liquidation(np.array([1000.0]), holdings(hedge, tiers), price)[0] == math.inf
    tiers["rate"] = 0.01
    # Both in one wallet, of two coins: they fall and rise by the same fraction, 600 - 2000 x = 10*((1 - x) + (1 + x)).
    both = distance_to_liquidation(np.array([600.0]), holdings(long + short, tiers), price * 2)[0]
    assert both == pytest.approx(580.0 / 2000.0, rel=1e-12)


# --- of results -------------------------------------------------------------------------------------------------------------


def accounts(result: Result) -> list[tuple[list[Any], list[int]]]:
    """Coins of each wallet, and the sides that back each other: both of all coins, or each by itself."""
    coins = list(coins_of(result))
    groups = [[coin for coin in coins if coin.ledger is ledger] for ledger in result.ledgers]
    if result.account.margin == "isolated":
        return [([coin], [side]) for group in groups for coin in group for side in (0, 1)]
    return [(group, [0, 1]) for group in groups]


def walk(result: Result, coins: list[Any], sides: list[int], leverage: float | None) -> tuple[np.ndarray, np.ndarray]:
    """At the close and nearest in each bar, one event at a time. leverage: of an isolated side, whose own margin backs it."""
    ledger = coins[0].ledger
    tiers = as_dicts(coins[0].market.instrument.tier_table)
    balance = ledger.capital if leverage is None else 0.0
    lots: dict[tuple[int, int, int], list[float]] = {}
    before: tuple[float, dict[tuple[int, int, int], list[float]]] = (balance, {})
    at_close, nearest = np.full(ledger.time.size, np.nan), np.full(ledger.time.size, np.nan)

    def distance(state: tuple[float, dict[tuple[int, int, int], list[float]]], i: int, extremes: bool) -> float:
        positions = []
        for number, coin in enumerate(coins):
            row = int(np.searchsorted(coin.market.time, ledger.time[i]))
            down, up = (coin.market.low[row], coin.market.high[row]) if extremes else (coin.market.close[row],) * 2
            scale = coin.market.instrument.contract_multiplier
            held = [[(qty, entry) for (k, own, _), (qty, entry) in state[1].items() if (k, own) == (number, side)] for side in (0, 1)]
            qty = [scale * math.fsum(qty for qty, _ in side) for side in held]
            cost = [scale * math.fsum(qty * entry for qty, entry in side) for side in held]
            positions.append((float(down), float(up), qty[0], qty[1], cost[0], cost[1]))
        return plain_distance(state[0], positions, tiers)

    for i, moment in enumerate(ledger.time.tolist()):
        steady, liquidated = True, False
        for event in ledger.events[ledger.events["time"] == moment]:
            label, places = int(event["label"]), [coin.place for coin in coins]
            if event["instrument"] not in places:
                continue
            place = places.index(event["instrument"])
            steady = steady and label in (0, 1, 2, 3, 16)
            liquidated = liquidated or (label == 14 and event["side"] in sides)
            if leverage is None:
                balance += float(event["realized_pnl"] - event["fee"] + event["funding"])
            if event["lot"] < 0 or event["side"] not in sides:
                continue
            key = (place, int(event["side"]), int(event["lot"]))
            scale = coins[place].market.instrument.contract_multiplier
            standing = math.fsum(qty for qty, _ in lots.values())
            if label < 2:
                lots[key] = [float(event["qty"]), float(event["price"])]
                if leverage is not None:
                    balance += float(event["price"] * event["qty"]) * scale / leverage
                continue
            lots[key][0] = round(lots[key][0] - float(event["qty"]), 6)
            if lots[key][0] == 0.0:
                del lots[key]
            if leverage is not None:
                balance *= math.fsum(qty for qty, _ in lots.values()) / standing
        now = (balance, {key: list(lot) for key, lot in lots.items()})
        found = []
        if lots:
            at_close[i] = distance(now, i, extremes=False)
            found += [at_close[i], distance(now, i, extremes=True)]
        if before[1] and steady and i > 0:
            found.append(distance(before, i, extremes=True))
        if found:
            nearest[i] = min(found)
        if liquidated:
            nearest[i] = 0.0
        before = now
    return at_close, nearest


def compare(result: Result) -> None:
    found = result.liquidation_distance
    at_close, nearest = np.full(result.time.size, np.nan), np.full(result.time.size, np.nan)
    leverage = result.account.leverage if result.account.margin == "isolated" else None
    for coins, sides in accounts(result):
        own = walk(result, coins, sides, leverage)
        rows = np.searchsorted(result.time, coins[0].ledger.time)
        at_close[rows], nearest[rows] = np.fmin(at_close[rows], own[0]), np.fmin(nearest[rows], own[1])
    for mine, plain in ((found.at_close, at_close), (found.nearest, nearest)):
        near = ~(plain > 1e4)
        np.testing.assert_allclose(mine[near], plain[near], rtol=1e-6, atol=1e-9)
        assert (mine[~near] > 1e4).all()
    known = nearest[~np.isnan(nearest)]
    least = known.min() if known.size else math.nan
    assert result.metrics["nearest_liquidation_distance"] == pytest.approx(least, rel=1e-6, nan_ok=True)


MADE_UP: dict[str, dict[str, Any]] = {
    "one coin": {},
    "contracts": {"multiplier": 0.1},
    "two wallets": {"symbols": ("BTCUSDT", "ETHUSDT")},
    "one wallet": {"symbols": ("BTCUSDT", "ETHUSDT"), "shared": True},
    "liquidated": {"liquidate_at": 40},
    "no trades": {"bars": 11},
}


@pytest.mark.parametrize("options", MADE_UP.values(), ids=MADE_UP)
def test_made_up_histories(options: dict[str, Any]) -> None:
    compare(make_result(**{"bars": 100, "capital": 400.0, **options}))


def run(leverage: float, margin: str = "cross", symbols: int = 1, wallet: str = "separate", order_pct: float = 0.01) -> Result:
    instruments = (frames.BTC, frames.ETH)
    markets = [bt.Market.from_frame(frames.bars(200, seed=3 + k), instruments[k], "15m") for k in range(symbols)]
    account = bt.Account(capital=10_000.0, leverage=leverage, margin=margin, wallet=wallet)
    return bt.run(markets, bt.StaticGrid(step=0.002, grid_levels=8, order_pct=order_pct), account)


@pytest.mark.parametrize(("margin", "symbols", "wallet"), [("cross", 1, "separate"), ("isolated", 1, "separate"), ("cross", 2, "shared")])
def test_real_runs(margin: str, symbols: int, wallet: str) -> None:
    result = run(8.0, margin, symbols, wallet)
    assert len(result.trades) > 50
    assert math.isfinite(result.metrics["nearest_liquidation_distance"])
    compare(result)


def test_a_liquidated_run_was_at_no_distance() -> None:
    result = make_result(bars=100, liquidate_at=40)
    assert result.liquidated
    assert result.metrics["nearest_liquidation_distance"] == 0.0


def test_it_is_the_distance_to_the_engines_own_liquidation_price() -> None:
    from gridcore.margin import cross_liquidation_price

    result = run(10.0, order_pct=0.1)
    state, instrument = result.states[0], result.markets[0].instrument
    assert state["lot_count"].sum() > 0
    wallet = float(result.ledgers[0].account["wallet"])
    sides = (float(state["qty"][0]), float(state["cost"][0]), float(state["qty"][1]), float(state["cost"][1]))
    price, tiers = float(state["mark"]), instrument.tier_table
    at = cross_liquidation_price(wallet, *sides, price, tiers, len(tiers))
    assert result.liquidation_distance.at_close[-1] == pytest.approx(abs(at / price - 1.0), rel=1e-9)


def test_what_is_not_known() -> None:
    full = make_result()
    bare = dataclasses.replace(full, ledgers=[dataclasses.replace(full.ledgers[0], events=full.ledgers[0].events[:0])])
    assert math.isnan(bare.metrics["nearest_liquidation_distance"])
    part = make_result(("BTCUSDT", "ETHUSDT"), shared=True)["BTCUSDT"]
    assert np.isnan(part.liquidation_distance.nearest).all()
