"""Orders that are quoted and not yet written into their books change nothing: writing them early gives the same run."""

from __future__ import annotations

import numpy as np
import pytest

from engine.bar import walk_together
from engine.orders import cancel_book, place_order
from engine.positions import insert_lot, refresh_side
from engine.records import MARKET, MARKET_BOOK, TAKE_PROFIT
from engine.stepping import complete_books
from engine.strategies.user import drop_spent_orders
from gridcore.compile import entry_kernel
from tests.agreement.compared import IEEE_RULES
from tests.agreement.compiled import feed_of, machine_of
from tests.conftest import COMPILED
from tests.twin.random_runs import random_run

pytestmark = IEEE_RULES

SEEDS = range(70_000, 70_000 + (30 if COMPILED else 3))
BARS = 150


@pytest.mark.parametrize("kind", ["ordinary", "violent", "wide"])
def test_writing_everything_after_each_bar_changes_nothing(kind: str) -> None:
    written = 0
    for seed in SEEDS:
        run = random_run(seed, BARS, kind)
        whole, bar_by_bar, feed = machine_of(run), machine_of(run), feed_of(run)
        table = whole.indicators(feed)
        log, equity = whole.run(feed, table, run["trade_from"])
        parts = []
        for i in range(run["trade_from"], equity.size + run["trade_from"]):
            parts.append(bar_by_bar.run(feed, table, i, i + 1))
            before = int(bar_by_bar.states["order_count"].sum())
            complete_books(bar_by_bar.accounts, bar_by_bar.states, bar_by_bar.instruments, bar_by_bar.terms)
            written += int(bar_by_bar.states["order_count"].sum()) - before
        assert b"".join(part[0].tobytes() for part in parts) == log.tobytes(), seed
        assert b"".join(part[1].tobytes() for part in parts) == equity.tobytes(), seed
        assert bar_by_bar.accounts.tobytes() == whole.accounts.tobytes(), seed
        for name in ("orders_placed", "entries_placed", "wanted_rungs", "dropped_rungs", "label_counts", "qty", "cost"):
            np.testing.assert_array_equal(bar_by_bar.states[name], whole.states[name], err_msg=f"{seed} {name}")
    assert written > 100


@entry_kernel
def queue_and_cancel(accounts, states):
    """Queue a close of each side at market and take it back, as a decision of the user's own may."""
    for side in range(2):
        place_order(accounts[0], states[0], MARKET, side, np.nan, np.nan, 1.0, 0, -1, 2)
        cancel_book(states[0], MARKET_BOOK + side)


def test_cancelling_market_orders_touches_nothing_else() -> None:
    machine = machine_of(random_run(70_000, BARS))
    before = machine.states.copy()
    queue_and_cancel(machine.accounts, machine.states)
    changed = [name for name in before.dtype.names if name != "orders" and before[name].tobytes() != machine.states[name].tobytes()]
    assert changed == ["next_order_id", "orders_placed"]


@entry_kernel
def hold_and_exit(accounts, states, margins):
    """A long lot of each instrument; the first instrument rests the exit of its lot and, nearer, one whose lot is gone and is dropped."""
    for k in range(2):
        state = states[k]
        lot = state["lots"][0, insert_lot(accounts[0], state, 0, 100.0, 10.0)]
        lot["level"] = -1
        lot["take_profit"] = np.nan
        lot["stop_loss"] = np.nan
        refresh_side(state, 0)
        state["margin"][0] = margins[k]
        state["mark"] = 100.0
    for j in range(2):
        trigger = 100.5 + 0.5 * j
        place = place_order(accounts[0], states[0], TAKE_PROFIT, 0, trigger, trigger, 10.0, 77 - 77 * j, -1, 2)
        states[0]["orders"][2, place]["attached"] = 1
        states[0]["attached_count"] += 1
    drop_spent_orders(states[0])


@entry_kernel
def walk_bar(accounts, states, instruments, all_terms, journals, bars, column, traded):
    """One bar of several instruments on one wallet."""
    walk_together(accounts[0], states, instruments, all_terms[0], journals[0], bars, column, traded)


def test_an_order_limited_by_volume_is_tried_once_a_bar_whatever_ends_elsewhere() -> None:
    """One instrument is liquidated while the other is in the middle of its walk, behind a take-profit that volume cut short."""
    run = next(run for run in (random_run(seed, 40) for seed in range(400)) if len(run["instruments"]) == 2)
    run["account"].update(margin="isolated", after_liquidation="stop", leverage=10.0, exposure=None)
    machine = machine_of(run)
    machine.instruments["tick_size"] = machine.states["tick_size"] = 0.1
    machine.instruments["step_size"], machine.instruments["multiplier"] = 0.001, 1.0
    terms = {"path": 2, "max_volume_share": 0.1, "touch_probability": 1.0, "isolated": 1, "continue_after_liquidation": 0}
    for name, value in terms.items():
        machine.terms[name] = value
    for name in ("wallet", "equity", "peak", "path_peak", "capital"):
        machine.accounts[name] = 100_000.0
    machine.journals["keep_fills"] = 1
    # The dropped exit leaves a record behind the book.
    hold_and_exit(machine.accounts, machine.states, np.array([900.0, 5.0]))
    bars = np.zeros((2, 5, 1))
    bars[0, :, 0], bars[1, :, 0] = (100.0, 102.0, 99.0, 101.5, 10.0), (100.0, 100.0, 90.0, 95.0, 1e6)
    arguments = (machine.accounts, machine.states, machine.instruments, machine.terms, machine.journals)
    walk_bar(*arguments, bars, np.zeros(2, np.int64), np.ones(2, np.int64))
    fills = machine.journals[0]["fills"][: machine.journals[0]["fill_count"]]
    assert [(int(fill["instrument"]), float(fill["qty"])) for fill in fills] == [(0, 1.0), (1, 10.0)]
