"""Lots that carry their own take-profit and stop: a user's strategy on the engine against the same orders on the twin."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np

from engine.account import Account
from engine.execution import Execution
from engine.machine import InstrumentTerms, Machine
from engine.strategies.user import build_program
from engine.toolbox import cancel_entries, place_bracket_entry
from gridcore.compile import machine_kernel
from tests.agreement.compared import IEEE_RULES
from tests.agreement.compiled import differences, events_of, feed_of, tiers_of
from tests.conftest import COMPILED
from tests.twin import simulate
from tests.twin.random_runs import random_run
from tests.twin.records import ABSENT

pytestmark = IEEE_RULES

SEEDS = 60 if COMPILED else 8
BARS = 120
WISH = 4  # price, quantity, take-profit, stop-loss of a side; 0: none


@machine_kernel
def decide(p, x, account, state, instrument, terms, memory):
    """Quote what the row wishes for, in the place of what rested."""
    cancel_entries(state)
    for side in range(2):
        price, qty, take_profit, stop_loss = x[4 * side], x[4 * side + 1], x[4 * side + 2], x[4 * side + 3]
        if qty > 0.0:
            take_profit = take_profit if take_profit > 0.0 else np.nan
            stop_loss = stop_loss if stop_loss > 0.0 else np.nan
            place_bracket_entry(account, state, instrument, terms, side, -1, price, qty, np.inf, take_profit, stop_loss)


PROGRAM = build_program("wishes", decide, lambda *bars: np.zeros((len(bars[0]), 2 * WISH)), 2 * WISH, 1)


def wishes(dice: random.Random, run: dict[str, Any], k: int) -> np.ndarray:
    """Entries near each close with exits round them, (2*WISH, bars); some without one exit or the other, some with none."""
    item, table = run["instruments"][k], np.zeros((2 * WISH, len(run["time"])))
    tick = item["tick_size"]
    for i, close in enumerate(run["bars"][k]["close"]):
        if run["kinds"][k][i] == ABSENT:
            continue
        for side, sign in ((0, 1.0), (1, -1.0)):
            if dice.random() < 0.4:
                price = max(2.0, round(close * (1.0 - sign * dice.uniform(-0.002, 0.01)) / tick)) * tick
                gain, loss = sign * dice.uniform(0.0, 0.02), sign * dice.uniform(0.0, 0.02)
                near, far = (round(price * (1.0 + change) / tick) * tick for change in (gain, -loss))
                steps = dice.randint(1, 5) * max(1, round(60.0 / (price * item["contract_multiplier"] * item["step_size"])))
                qty = max(steps * item["step_size"], item["min_qty"])
                table[WISH * side : WISH * (side + 1), i] = price, qty, near * (dice.random() < 0.8), far * (dice.random() < 0.8)
    return table


def without_limits(seed: int) -> dict[str, Any]:
    """A random market and its terms, a wallet too large for any limit, and volume enough for every order.

    (A lot's own exit that volume cuts off goes on resting; the engine tries it once a bar, the twin once a segment of the path.)
    """
    run = random_run(seed, BARS)
    run["account"].update(capital=1e8, leverage=1.0, exposure=1.0)
    run["execution"]["max_volume_share"] = 0.0
    return run


def run_engine(run: dict[str, Any], table: np.ndarray) -> np.ndarray:
    instruments = [
        InstrumentTerms(
            f"WISH{k}",
            *(item[name] for name in ("tick_size", "step_size", "min_qty", "min_notional", "contract_multiplier")),
            tiers_of(item["tiers"][:1]),
            item["weight"],
        )
        for k, item in enumerate(run["instruments"])
    ]
    record = np.zeros(1, [("unused", np.float64)])
    machine = Machine.build(
        PROGRAM, [record] * len(instruments), instruments, Account(**run["account"]), Execution(**run["execution"]), run["timeframe_ms"]
    )
    log, _ = machine.run(feed_of(run), table, run["trade_from"])
    return log


def run_twin(run: dict[str, Any], table: np.ndarray) -> list[dict[str, Any]]:
    def strategy(view: dict[str, Any]) -> list[dict[str, Any]]:
        column = table[view["instrument"], :, view["bar"] - 1]
        found = []
        for side, name in enumerate(("LONG", "SHORT")):
            price, qty, take_profit, stop_loss = column[WISH * side : WISH * (side + 1)].tolist()
            if qty > 0.0:
                found.append({"side": name, "price": price, "qty": qty, "take_profit": take_profit or None, "stop_loss": stop_loss or None})
        return found

    one_tier = [{**item, "tiers": item["tiers"][:1]} for item in run["instruments"]]
    return simulate(**{**run, "strategy": strategy, "instruments": one_tier})[0]


def test_own_exits_agree_with_the_twin() -> None:
    met: Counter[str] = Counter()
    for seed in range(50_000, 50_000 + SEEDS):
        run, dice = without_limits(seed), random.Random(seed)
        table = np.stack([wishes(dice, run, k) for k in range(len(run["instruments"]))])
        events = run_twin(run, table)
        assert differences(events_of(run_engine(run, table)), events) == "", seed
        met.update(event["label"] for event in events)
        met["walked finer"] += any(run["sub_bars"])
    wanted = ("BUY_OPEN_LONG", "SELL_OPEN_SHORT", "SELL_CLOSE_LONG", "BUY_CLOSE_SHORT", "STOP_LONG", "STOP_SHORT")
    assert {name: met[name] for name in wanted if met[name] < SEEDS} == {}
    assert met["walked finer"]
