"""A ladder rested in one pass is the ladder of single entries, rung by rung, whatever limit ends it."""

from __future__ import annotations

from collections import Counter

import numpy as np

from engine.orders import cancel_entries
from engine.quoting import PAST_LIMIT, PLACED, TOO_SMALL, crosses, place_entry, rest_ladder
from engine.records import ENTRY
from gridcore.compile import entry_kernel
from tests.agreement.compared import IEEE_RULES
from tests.agreement.compiled import feed_of, machine_of
from tests.conftest import COMPILED
from tests.twin.random_runs import random_run

pytestmark = IEEE_RULES

SEEDS = 40 if COMPILED else 10
LEVELS = 12
# What became of a rung that was not handed to place_entry.
CROSSING, NOT_REACHED = 10, 11
COMPARED = ("trigger", "price", "qty", "id", "lot", "level", "label", "alive", "take_profit", "stop_loss")
COUNTED = ("wanted_rungs", "dropped_rungs", "tier_cap_hits", "orders_placed", "entries_placed", "next_order_id", "resting_notional")


@entry_kernel
def in_one_pass(accounts, states, instruments, all_terms, side, prices, quantities, levels, cap):
    """Rest the ladder of a side as the grids do."""
    cancel_entries(states[0])
    rest_ladder(accounts[0], states[0], instruments[0], all_terms[0], side, prices, quantities, levels, cap)


@entry_kernel
def one_by_one(accounts, states, instruments, all_terms, side, prices, quantities, levels, cap, outcomes):
    """Rest it as a user's strategy does; `outcomes` (levels,) says what became of each rung."""
    cancel_entries(states[0])
    for level in range(levels):
        outcomes[level] = NOT_REACHED
    for level in range(levels):
        if states[0]["armed"][side, level] == 0:
            continue
        if crosses(instruments[0], side, prices[side, level], states[0]["mark"]):
            outcomes[level] = CROSSING
            continue
        price, qty = prices[side, level], quantities[side, level]
        outcomes[level] = place_entry(accounts[0], states[0], instruments[0], all_terms[0], side, level, price, qty, cap)
        if outcomes[level] == PAST_LIMIT:
            break


def test_a_ladder_is_its_entries_one_by_one() -> None:
    met: Counter[int] = Counter()
    outcomes = np.zeros(LEVELS, np.int64)
    dice = np.random.default_rng(3)
    for seed in range(60_000, 60_000 + SEEDS):
        run = random_run(seed, 60, ("ordinary", "violent")[seed % 2])
        machine, feed = machine_of(run), feed_of(run)
        machine.run(feed, machine.indicators(feed), run["trade_from"])
        k = len(run["instruments"]) - 1
        account, instrument, terms = machine.accounts[0], machine.instruments[k], machine.terms[0]
        if account["equity"] <= 0.0:
            continue
        account["stopped"] = 0
        close, tick, step = machine.states[k]["mark"], instrument["tick_size"], instrument["step_size"]
        for side, sign in ((0, 1.0), (1, -1.0)):
            # From a little beyond the market outwards; a rung worth up to the whole account, some far too small.
            outwards = np.sort(dice.uniform(-0.01, 0.3, LEVELS)) if seed % 3 else np.linspace(-0.01, 1.2, LEVELS)
            prices = np.round(close * (1.0 - sign * outwards) / tick) * tick
            notionals = account["equity"] * terms["leverage"] * dice.choice((1e-7, 0.02, 0.2, 0.6), LEVELS)
            quantities = np.floor(notionals / (close * instrument["multiplier"]) / step) * step
            cap = float(dice.choice((np.inf, 0.5 * account["equity"] * terms["leverage"])))
            one, other = machine.states[k : k + 1].copy(), machine.states[k : k + 1].copy()
            for states in (one, other):
                states["armed"][0, side, :LEVELS] = 1
                states["armed"][0, side, 2] = 0
            both = np.stack([prices, prices]), np.stack([quantities, quantities])
            others = machine.accounts, machine.instruments[k : k + 1], machine.terms
            in_one_pass(others[0], one, *others[1:], side, *both, LEVELS, cap)
            one_by_one(others[0], other, *others[1:], side, *both, LEVELS, cap, outcomes)
            met.update(outcomes.tolist())
            book = 2 * ENTRY + side
            count = int(other["order_count"][0, book])
            assert one["order_count"][0, book] == count
            for name in COMPARED:
                mine, theirs = one["orders"][name][0, book, :count], other["orders"][name][0, book, :count]
                np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=0.0, err_msg=name)
            for name in COUNTED:
                np.testing.assert_allclose(one[name], other[name], rtol=1e-12, err_msg=name)
    assert {code: met[code] for code in (PLACED, TOO_SMALL, PAST_LIMIT, CROSSING, NOT_REACHED) if met[code] < 5} == {}
