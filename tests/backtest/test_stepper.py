"""The stepper gives what a run gives, event by event and to the last bit; across a snapshot and a new process too."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import config as numba_config

import backtest as bt
from backtest import snapshot
from backtest.bar_history import LEAST_SLACK, BarHistory
from engine import stepping
from engine.programs import PROGRAMS
from engine.records import ENTRY, GAP, LABELS
from engine.stepping import step_fill_dtype, wanted_dtype
from tests.backtest.stepping import MINUTES_15, Lane, bracket_strategy, random_lane

ROOT = Path(__file__).resolve().parents[2]
BTC = bt.Instrument("BTCUSDT", tick_size=0.1, step_size=0.001, min_qty=0.001, min_notional=5.0)
ETH = bt.Instrument("ETHUSDT", tick_size=0.01, step_size=0.001, min_qty=0.001, min_notional=5.0)
START = 1_704_067_200_000  # 2024-01-01
BUILT_IN_SEEDS = range(36)
BRACKET_SEEDS = range(14)


def walk(lane: Lane, step: bt.Stepper | None = None, start: int | None = None, stop: int | None = None) -> tuple[bt.Stepper, list[float]]:
    step = lane.begin() if step is None else step
    bars = range(lane.start if start is None else start, lane.length if stop is None else stop)
    return step, [lane.cycle(step, i) for i in bars]


def bar(number: int, price: float = 100.0, low: float | None = None, high: float | None = None, volume: float = 10.0) -> tuple[Any, ...]:
    """A candle that opens and closes at `price`."""
    return (START + number * MINUTES_15, price, high or price, low or price, price, volume)


def busy(symbol: bt.Instrument = BTC) -> tuple[bt.Stepper, np.ndarray]:
    """A stepper of a static grid with its first orders round 100."""
    step = bt.Stepper(symbol, bt.StaticGrid(grid_levels=3, step=0.01))
    return step, step.decide(bar(0))


def simulated(coin: str) -> bt.Market:
    return bt.load(coin, source="simulated", start="2024-03-01", end="2024-03-04", warmup=bt.AdaptiveGrid().warmup_bars(), timeframe="15m")


def feed(step: bt.Stepper, markets: list[bt.Market]) -> list[float]:
    """Drive a stepper over whole markets that share one grid of bars; with several, bars go by symbol."""

    def row(market: bt.Market, i: int) -> tuple[Any, ...]:
        return (int(market.time[i]), *(float(getattr(market, name)[i]) for name in ("open", "high", "low", "close", "volume")))

    def given(i: int) -> Any:
        return row(markets[0], i) if len(markets) == 1 else {market.symbol: row(market, i) for market in markets}

    settlements = [market.settlements_per_bar() for market in markets]
    start, equity = markets[0].trade_from, []
    for i in range(start - 1):
        step.observe(given(i))
    for i in range(start, len(markets[0])):
        step.apply(step.match(step.decide(given(i - 1)), given(i)))
        for market, (offsets, rates, marks) in zip(markets, settlements, strict=True):
            for s in range(offsets[i], offsets[i + 1]):
                step.fund(int(market.time[i]) + MINUTES_15, rates[s], marks[s], market.symbol)
        equity.append(step.close(given(i)))
    return equity


# --- the same as a run ----------------------------------------------------------------------------------------------------


def test_built_in_strategies_step_as_they_run() -> None:
    """Random runs: 1 to 3 coins on a wallet, cross and isolated, finer bars, gaps, late and delisted coins, funding, volume limits."""
    seen: set[str] = set()
    finer = isolated = gaps = 0
    for seed in BUILT_IN_SEEDS:
        lane = random_lane(seed)
        step, equity = walk(lane)
        assert step.log.tobytes() == lane.log.tobytes(), seed
        assert np.array_equal(equity, lane.equity), seed
        seen |= {LABELS[label] for label in lane.log["label"]}
        finer += lane.feed.sub_count > 0
        isolated += step.settings.account.margin == "isolated"
        gaps += int(np.count_nonzero(lane.feed.kinds == GAP) > 0)
    assert {"LIQUIDATION", "FUNDING", "DELISTED", "RECENTER", "STOP_LONG", "PRUNE_GAP", "SELL_CLOSE_LONG", "BUY_CLOSE_SHORT"} <= seen
    assert min(finer, isolated, gaps) >= 5


def test_brackets_of_an_own_strategy_step_as_they_run() -> None:
    stops = exits = finer = 0
    for seed in BRACKET_SEEDS:
        lane = random_lane(seed, bracket_strategy(), bars=90)
        step, equity = walk(lane)
        assert step.log.tobytes() == lane.log.tobytes(), seed
        assert np.array_equal(equity, lane.equity), seed
        stops += np.isin(lane.log["label"], (4, 5)).sum()
        exits += np.isin(lane.log["label"], (2, 3)).sum()
        finer += lane.feed.sub_count > 0
    assert min(stops, exits) > 500
    assert finer >= 2


@pytest.mark.parametrize("strategy", [bt.AdaptiveGrid(), bt.StaticGrid()], ids=["adaptive", "static"])
def test_one_loaded_market_with_its_warm_up(strategy: Any) -> None:
    market = simulated("BTC")
    result = bt.run(market, strategy)
    step = bt.Stepper(market.instrument, strategy)
    equity = feed(step, [market])
    assert len(result.trades) > 20
    assert step.log.tobytes() == result.ledgers[0].events.tobytes()
    assert np.array_equal(equity, result.equity_values)
    assert step.equity == result.equity_values[-1]
    assert step.events.equals(result.trades)


def test_three_loaded_markets_on_one_wallet() -> None:
    markets = [simulated(coin) for coin in ("BTC", "ETH", "SOL")]
    account = bt.Account(wallet="shared", leverage=3.0)
    result = bt.run(markets, bt.AdaptiveGrid(), account, weights=[0.5, 0.3, 0.2])
    step = bt.Stepper([market.instrument for market in markets], bt.AdaptiveGrid(), account, weights=[0.5, 0.3, 0.2])
    equity = feed(step, markets)
    assert set(result.trades["symbol"]) == {"BTCUSDT", "ETHUSDT", "SOLUSDT"}
    assert step.log.tobytes() == result.ledgers[0].events.tobytes()
    assert np.array_equal(equity, result.equity_values)


def test_warm_up_bars_beyond_the_declared_ones_change_nothing() -> None:
    """Indicators start the declared number of bars before the first that trades, however many were observed."""
    market = simulated("BTC")
    logs = []
    for skipped in (0, market.trade_from - bt.AdaptiveGrid().warmup_bars()):
        step = bt.Stepper(market.instrument, bt.AdaptiveGrid(), first_bar=skipped)
        part = market if skipped == 0 else market.slice(int(market.time[skipped]))
        feed(step, [part])
        logs.append(step.log)
    assert len(logs[0]) > 20
    assert logs[0].tobytes() == logs[1].tobytes()


@pytest.mark.parametrize("kind", list(PROGRAMS), ids=lambda kind: kind.name)
def test_rows_of_a_sliding_window_are_those_of_the_whole_history(kind: Any) -> None:
    """Far past the point where the window is moved back to the front of its memory, and after going on from its arrays."""
    program, parameters = PROGRAMS[kind], kind()
    random = np.random.default_rng(1)
    count = parameters.warmup_bars() + LEAST_SLACK + 300
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.01, count)))
    bars = np.stack([close, close * 1.01, close * 0.99, close, np.ones(count)])
    whole = np.full((program.columns, count), np.nan)
    program.fill_indicators(parameters.record(), bars, whole, 0)
    history = BarHistory(program, parameters.record(), parameters.warmup_bars())
    history.add(bars[:, 0].copy())
    history.begin()
    for i in range(1, count):
        history.add(bars[:, i].copy())
        assert np.array_equal(history.last_row, whole[:, i], equal_nan=True), i
        if i % 500 == 0:
            again = BarHistory(program, parameters.record(), parameters.warmup_bars())
            again.resume(history.bars.copy(), history.rows.copy())
            history = again


@pytest.mark.skipif(bool(numba_config.DISABLE_JIT), reason="nothing is compiled")
def test_each_compiled_step_has_one_signature() -> None:
    """Records of other layouts or strides would compile, and run, a second time."""
    for seed in (1, 3, 5):
        lane = random_lane(seed)
        step, _ = walk(lane, stop=lane.start + 10)
        walk(lane, bt.Stepper.restore(step.snapshot()), lane.start + 10)
    names = ("copy_states", "list_orders", "keep_only", "match_bar", "apply_fills", "close_step", "walk_kinds", "take_fills")
    assert {name: len(getattr(stepping, name).signatures) for name in names} == dict.fromkeys(names, 1)
    assert all(len(program.decide_once.signatures) <= 1 for program in PROGRAMS.values())


# --- the cycle ------------------------------------------------------------------------------------------------------------


def test_orders_say_what_is_wanted() -> None:
    step, orders = busy()
    table = step.describe(orders)
    assert table["price"].tolist() == [99.0, 98.0, 97.0, 101.0, 102.0, 103.0]
    assert table["position_side"].tolist() == ["LONG"] * 3 + ["SHORT"] * 3
    assert set(table["kind"]) == {"ENTRY"}
    assert table["qty"].round(9).tolist() == [3.03, 3.061, 3.092, 2.97, 2.941, 2.912]  # 300 / price, down to 0.001
    assert step.orders.tobytes() == orders.tobytes()


def test_matching_touches_nothing() -> None:
    step, orders = busy()
    before = step.snapshot()
    first = step.match(orders, bar(1, low=97.5))
    again = step.match(orders, bar(1, low=97.5))
    assert [fill["price"] for fill in first] == [99.0, 98.0]
    assert first.tobytes() == again.tobytes()
    assert len(step.match(orders, bar(1, low=97.5, volume=0.0))) == 0
    step.match(orders, bar(1, low=97.5))
    assert step.snapshot() == before


def test_only_the_orders_handed_in_are_live() -> None:
    step, orders = busy()
    assert step.match(orders[1:2], bar(1, low=96.0))["order_id"].tolist() == [orders["id"][1]]
    assert len(step.match(orders[:0], bar(1, low=96.0, high=104.0))) == 0
    shuffled = orders[::-1]
    assert step.match(shuffled, bar(1, low=97.5)).tobytes() == step.match(orders, bar(1, low=97.5)).tobytes()


def test_a_bar_may_come_as_sequence_mapping_or_structured_row() -> None:
    names = ("time", "open", "high", "low", "close", "volume")
    one = bar(0)
    row = np.array([one], [(name, np.int64 if name == "time" else np.float64) for name in names])[0]
    wanted = busy()[1].tobytes()
    for given in (list(one), dict(zip(names, one, strict=True)), row, {"BTCUSDT": one}):
        assert bt.Stepper(BTC, bt.StaticGrid(grid_levels=3, step=0.01)).decide(given).tobytes() == wanted


def test_fills_of_an_exchange_count_like_the_matchers() -> None:
    """Every fill is handed in as a bt.Fill, one call each, so that kind and side come from the order it names."""
    for seed, strategy in ((1, None), (2, None), (3, None), (4, None), (7, None), (3, bracket_strategy())):
        lane = random_lane(seed, strategy, bars=80)
        if lane.feed.sub_count:
            continue
        step = lane.begin()
        for i in lane.bars():
            orders = step.decide() if i > lane.first else step.orders
            for row in step.match(orders, lane.bar(i)):
                side = ("LONG", "SHORT")[row["side"]] if row["order_id"] < 0 else None
                money = [float(row[name]) for name in ("price", "qty", "fee")]
                values = (int(row["order_id"]), int(row["time"]), *money, bool(row["maker"]))
                step.apply(bt.Fill(*values, symbol=lane.symbols[row["instrument"]], position_side=side, mark=float(row["mark"])))
            for k, symbol in enumerate(lane.symbols):
                for s in range(lane.feed.funding_offsets[k, i], lane.feed.funding_offsets[k, i + 1]):
                    step.fund(int(lane.feed.time[i]) + MINUTES_15, lane.feed.funding_rates[s], lane.feed.funding_marks[s], symbol)
            step.close(lane.bar(i), lane.delisted(i))
        assert len(lane.log) > 10, seed
        assert step.log.tobytes() == lane.log.tobytes(), seed


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"order_id": 999}, "names no order that waits"),
        ({"qty": 50.0}, "fills 50, more than its order asks for"),
    ],
)
def test_a_fill_that_does_not_fit_applies_none(change: dict[str, Any], words: str) -> None:
    step, orders = busy()
    good = {"order_id": int(orders["id"][0]), "time": START + MINUTES_15, "price": 99.0, "qty": 3.03, "fee": 0.06, "maker": True}
    before = step.snapshot()
    bad = {**good, "order_id": int(orders["id"][1]), "qty": 3.061, **change}
    with pytest.raises(bt.InputError, match=f"fill 2 of 2.*{words}; none was applied"):
        step.apply([bt.Fill(**good), bt.Fill(**bad)])
    assert step.snapshot() == before
    step.apply(bt.Fill(**good))
    assert step.positions["qty"].tolist() == [3.03]
    with pytest.raises(bt.InputError, match="names no order that waits"):
        step.apply(bt.Fill(**good))


def test_an_own_exit_can_fill_in_the_bar_of_its_entry() -> None:
    """With finer bars a lot's own take-profit goes live in the next one: the fill names an order that decide() did not list."""
    step = bt.Stepper(BTC, bracket_strategy(), timeframe="15m")
    for i in range(6):
        step.observe(bar(i, 40_000.0))
    orders = step.decide()
    first, second = sorted(orders["price"][orders["side"] == 0])[::-1]
    target = first * 1.003
    down = (START + 6 * MINUTES_15, 40_000.0, 40_000.0, first - 1.0, first - 1.0, 5.0)
    up = (START + 6 * MINUTES_15 + MINUTES_15 // 2, first - 1.0, target + 10.0, first - 1.0, first, 5.0)
    whole = (down[0], 40_000.0, target + 10.0, first - 1.0, first, 10.0)
    assert second < first - 1.0
    fills = step.match(orders, whole, [down, up])
    assert fills["kind"].tolist() == [0, 1]
    assert fills["sub_bar"].tolist() == [0, 1]
    assert fills["order_id"][1] not in orders["id"]
    step.apply(fills)
    assert step.events["label"].tolist() == ["BUY_OPEN_LONG", "SELL_CLOSE_LONG"]
    # A set of finer bars that does not add up is left aside: on the bar's own path the exit is not live yet.
    other = bt.Stepper(BTC, bracket_strategy())
    for i in range(6):
        other.observe(bar(i, 40_000.0))
    wrong = (*down[:3], down[3] - 5.0, *down[4:])
    assert other.match(other.decide(), whole, [wrong, up])["kind"].tolist() == [0]


def test_a_symbol_left_out_stands_flat() -> None:
    both = {"BTCUSDT": bar(0), "ETHUSDT": bar(0, 50.0)}
    logs = []
    for second in ({"ETHUSDT": bar(1, 50.0, low=49.0)}, {"ETHUSDT": bar(1, 50.0, low=49.0), "BTCUSDT": bar(1, volume=0.0)}):
        step = bt.Stepper([BTC, ETH], bt.StaticGrid(grid_levels=2, step=0.01))
        step.apply(step.match(step.decide(both), second))
        step.close(second)
        orders = step.decide(second)
        assert set(orders["instrument"]) == {0, 1}
        logs.append((step.log.tobytes(), orders.tobytes()))
    assert logs[0] == logs[1]


def test_a_coin_may_begin_later_and_leave_early() -> None:
    step = bt.Stepper([BTC, ETH], bt.StaticGrid(grid_levels=2, step=0.01), trade_from={"ETHUSDT": START + 3 * MINUTES_15})
    wanted = []
    for i in range(4):
        rows = {"BTCUSDT": bar(i), **({"ETHUSDT": bar(i, 50.0)} if i >= 1 else {})}
        if i > 0:
            step.match(wanted[-1], rows)
            step.close(rows)
        wanted.append(step.decide(rows))
    assert [set(orders["instrument"].tolist()) for orders in wanted] == [{0}, {0}, {0, 1}, {0, 1}]
    last = {"BTCUSDT": bar(4), "ETHUSDT": bar(4, 50.0, low=49.4)}
    step.apply(step.match(wanted[-1], last))
    step.close(last, delisted=["ETHUSDT"])
    assert step.events["label"].tolist() == ["BUY_OPEN_LONG", "DELISTED"]
    assert set(step.decide()["instrument"].tolist()) == {0}
    with pytest.raises(bt.InputError, match="ETHUSDT is refused: it has been delisted"):
        step.close({"BTCUSDT": bar(5), "ETHUSDT": bar(5, 50.0)})


def test_funding_is_charged_when_the_bar_closes() -> None:
    step, orders = busy()
    step.apply(step.match(orders, bar(1, low=98.5)))
    step.fund(START + 2 * MINUTES_15, 0.001, 100.0)
    wallet = step.wallet
    step.close(bar(1, low=98.5))
    assert step.wallet == wallet - 3.03 * 100.0 * 0.001
    assert step.events["label"].tolist() == ["BUY_OPEN_LONG", "FUNDING"]


# --- what is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda step, orders: step.decide(), "has been decided"),
        (lambda step, orders: step.observe(bar(1)), r"observe\(\) is refused after the first decision"),
        (lambda step, orders: step.close(bar(2)), r"time = 2024-01-01 00:30 .* the bar in hand opens at 2024-01-01 00:15"),
        (lambda step, orders: step.match(orders, bar(0)), "the bar in hand opens at 2024-01-01 00:15"),
        (lambda step, orders: step.decide(bar(1)), r"close\(bar\) comes first"),
        (lambda step, orders: step.decide(bar(0, 101.0)), r"is not the one that close\(\) was given"),
        (lambda step, orders: step.close((START + MINUTES_15, 1, 2, 3, 1, 1)), "low <= open, close <= high"),
        (lambda step, orders: step.close((START + MINUTES_15, 1, 2)), "it must have time, open, high, low, close, volume"),
        (lambda step, orders: step.close({"time": START}), "lacks 'open'"),
        (lambda step, orders: step.close(bar(1), delisted=["DOGE"]), "delisted names 'DOGE'"),
        (lambda step, orders: step.match([1, 2], bar(1)), r"must be what decide\(\) gave"),
        (lambda step, orders: step.apply([3]), "each must be a bt.Fill"),
        (lambda step, orders: step.apply(np.zeros(1)), r"must be what match\(\) gave"),
        (lambda step, orders: step.apply(np.full(1, 7, step_fill_dtype)), "name an instrument that is not there"),
        (lambda step, orders: step.fund(START, 0.001, 100.0), "the bar in hand opens at"),
        (lambda step, orders: step.fund(START + 2 * MINUTES_15, 3.0, 100.0), "the rate must be a fraction"),
        (lambda step, orders: bt.Fill(1, 0, float("nan"), 1.0, 0.0, True), "price = nan of the fill of order 1"),
        (lambda step, orders: bt.Fill(-1, 0, 1.0, 1.0, 0.0, False), "it must be LONG or SHORT"),
        (lambda step, orders: bt.Stepper([BTC, BTC], bt.StaticGrid()), "every symbol once"),
        (lambda step, orders: bt.Stepper([BTC, ETH], bt.StaticGrid(), bt.Account()), "wallet = 'separate' is refused for several"),
        (lambda step, orders: bt.Stepper([BTC, ETH], bt.StaticGrid(), weights=[0.9, 0.9]), "together at most 1"),
        (lambda step, orders: bt.Stepper([BTC, ETH], [bt.StaticGrid(), bt.AdaptiveGrid()]), "the same kind of strategy"),
        (lambda step, orders: bt.Stepper(BTC, bt.StaticGrid(), trade_from={"X": START}), "trade_from names 'X'"),
    ],
)
def test_bad_input_gets_one_sentence(call: Any, words: str) -> None:
    step, orders = busy()
    with pytest.raises(bt.InputError, match=words) as caught:
        call(step, orders)
    assert "\n" not in str(caught.value)


# --- snapshots ------------------------------------------------------------------------------------------------------------

CONTINUE = """
import hashlib, sys
from pathlib import Path
import backtest as bt
from tests.backtest.stepping import bracket_strategy, random_lane
folder, seed, own = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "own"
lane = random_lane(seed, bracket_strategy() if own else None)
step = bt.Stepper.load(folder / "half", bracket_strategy() if own else None)
for i in range((lane.start + lane.length) // 2, lane.length):
    lane.cycle(step, i)
print(hashlib.sha256(step.log.tobytes()).hexdigest(), step.equity.hex())
"""


@pytest.mark.parametrize(("seed", "own"), [(5, ""), (4, ""), (9, "own")])
def test_a_snapshot_goes_on_in_a_new_process(seed: int, own: str, tmp_path: Path) -> None:
    lane = random_lane(seed, bracket_strategy() if own else None)
    middle = (lane.start + lane.length) // 2
    step, _ = walk(lane, stop=middle)
    assert 0 < len(step.log) < len(lane.log)
    step.save(tmp_path / "half")
    command = [sys.executable, "-c", CONTINUE, str(tmp_path), str(seed), own]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [hashlib.sha256(lane.log.tobytes()).hexdigest(), float(lane.equity[-1]).hex()]


def test_a_snapshot_between_any_two_calls_goes_on() -> None:
    lane = random_lane(5, bars=60)
    step = lane.begin()
    for i in lane.bars():
        step = bt.Stepper.restore(step.snapshot())
        step.decide()
        step = bt.Stepper.restore(step.snapshot())
        fills = step.match(step.orders, lane.bar(i), lane.sub_bars(i))
        step = bt.Stepper.restore(step.snapshot())
        step.apply(fills)
        for k, symbol in enumerate(lane.symbols):
            for s in range(lane.feed.funding_offsets[k, i], lane.feed.funding_offsets[k, i + 1]):
                step.fund(int(lane.feed.time[i]) + MINUTES_15, lane.feed.funding_rates[s], lane.feed.funding_marks[s], symbol)
        step = bt.Stepper.restore(step.snapshot())
        step.close(lane.bar(i), lane.delisted(i))
    assert len(lane.log) > 20
    assert step.log.tobytes() == lane.log.tobytes()
    assert bt.Stepper.restore(step.snapshot()).snapshot() == step.snapshot()


def test_a_damaged_snapshot_is_refused() -> None:
    step, orders = busy()
    step.apply(step.match(orders, bar(1, low=97.5)))
    blob = step.snapshot()
    bt.Stepper.restore(blob)
    random = np.random.default_rng(0)
    places = {0, 8, 12, 20, 60, len(blob) - 1, *random.integers(0, len(blob), 60).tolist()}
    for place in places:
        broken = bytearray(blob)
        broken[place] ^= 0x15
        with pytest.raises(bt.InputError, match="snapshot"):
            bt.Stepper.restore(bytes(broken))
    for length in (0, 5, 30, 200, len(blob) - 1):
        with pytest.raises(bt.InputError, match="snapshot"):
            bt.Stepper.restore(blob[:length])
    for foreign in (b"PAR1" * 100, b"\x80\x04K\x01." * 20, "text", None):
        with pytest.raises(bt.InputError, match="snapshot"):
            bt.Stepper.restore(foreign)


def test_records_of_another_layout_are_refused() -> None:
    header, payload = snapshot.decode_header(busy()[0].snapshot())
    kept = ("records", "arrays", "payload_bytes", "payload_sha256")
    settings = {name: value for name, value in header.items() if name not in kept}
    other = snapshot.encode({**settings, "records": "0" * 64}, {})
    with pytest.raises(bt.InputError, match="another layout"):
        bt.Stepper.restore(other)
    assert payload


def test_a_users_strategy_is_handed_in_again() -> None:
    own = bracket_strategy()
    step = bt.Stepper(BTC, own)
    for i in range(6):
        step.observe(bar(i))
    step.decide()
    blob = step.snapshot()
    with pytest.raises(bt.InputError, match="'brackets' is your own code"):
        bt.Stepper.restore(blob)
    changed = bt.Strategy(own.decide, {**own.parameters, "step": 0.004}, own.indicators, own.warmup, name=own.name)
    with pytest.raises(bt.InputError, match=r"its step is 0\.004, the snapshot's is 0\.003"):
        bt.Stepper.restore(blob, changed)
    with pytest.raises(bt.InputError, match="its built_in is 'static_grid'"):
        bt.Stepper.restore(blob, bt.StaticGrid())
    assert bt.Stepper.restore(blob, own).snapshot() == blob


def test_saving_replaces_the_file_whole(tmp_path: Path) -> None:
    step, orders = busy()
    target = tmp_path / "state"
    step.save(target)
    first = target.read_bytes()
    step.apply(step.match(orders, bar(1, low=97.5)))
    step.save(target)
    assert first != target.read_bytes() == step.snapshot()
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    with pytest.raises(bt.InputError, match="cannot be written"):
        step.save(tmp_path / "nowhere" / "state")
    with pytest.raises(bt.InputError, match="cannot be read"):
        bt.Stepper.load(tmp_path / "nothing")


def test_order_listing_grows_with_the_orders() -> None:
    step = bt.Stepper(bt.Instrument("BTCUSDT", 1e-6, 1e-6, 0.0, 0.0), bt.StaticGrid(grid_levels=200, step=0.0001, order_pct=0.001))
    orders = step.decide(bar(0))
    assert len(orders) == 400
    assert orders.dtype == wanted_dtype
    assert set(orders["kind"]) == {ENTRY}
    assert len(np.unique(orders["id"])) == 400
