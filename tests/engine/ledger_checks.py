"""Runs the engine bar by bar and checks the ledger, the lots, the orders and the fills after each."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

from engine.machine import Feed, Machine
from engine.records import ENTRY, GAP, LABELS, OK, TRADED
from engine.stepping import complete_books
from tests.agreement.compiled import feed_of, machine_of

SIGN = (1.0, -1.0)
CLOSE = 3
BUYS = {"BUY_OPEN_LONG", "BUY_CLOSE_SHORT"}
SELLS = {"SELL_OPEN_SHORT", "SELL_CLOSE_LONG"}
OPENS = ("BUY_OPEN_LONG", "SELL_OPEN_SHORT")
STOPS = ("STOP_LONG", "STOP_SHORT")
MARKETS = {"PRUNE_DEVIANCE", "PRUNE_OLDEST", "PRUNE_GAP", "PRUNE_FUNDING", "PRUNE_OFFSET", "RECENTER"}
FILLS = BUYS | SELLS | MARKETS | set(STOPS)
NEAR = 1e-9  # relative
PRICE = 1e-6  # ticks


class CheckedRun:
    """One run of the arguments of `tests.twin.simulate`, a bar at a time. `met` counts events by label."""

    def __init__(self, run: dict[str, Any]) -> None:
        self.run = run
        self.machine: Machine = machine_of(run)
        self.feed: Feed = feed_of(run)
        self.execution = run["execution"]
        self.account = run["account"]
        self.booked = 0.0  # sum of realized PnL, fees and funding of all events
        self.lots: list[dict[tuple[int, int], float]] = [{} for _ in run["instruments"]]  # open quantity by (side, lot), from the log
        self.met: Counter[str] = Counter()

    def check_all(self) -> Counter[str]:
        """Run every bar."""
        table = self.machine.indicators(self.feed)
        for i in range(self.run["trade_from"], len(self.run["time"])):
            before = self._standing()
            log, equity = self.machine.run(self.feed, table, i, i + 1)
            self._check_events(i, log)
            self._check_ledger(i, float(equity[0]))
            self._check_lots()
            self._check_limits(i, before, log)
        return self.met

    # --- money -----------------------------------------------------------------------------------------------------------

    def _check_ledger(self, i: int, equity: float) -> None:
        account = self.machine.accounts[0]
        assert account["status"] == OK
        capital, wallet = self.account["capital"], float(account["wallet"])
        gross, unrealized = 0.0, 0.0
        for k, state in enumerate(self.machine.states):
            mult = self.run["instruments"][k]["contract_multiplier"]
            mark = float(state["mark"])
            if self.feed.kinds[k, i]:
                assert mark == self.feed.bars[k, CLOSE, i]
            for side in range(2):
                for lot in state["lots"][side][: state["lot_count"][side]]:
                    unrealized += SIGN[side] * (mark - lot["entry"]) * lot["qty"] * mult
                    gross += mark * lot["qty"] * mult
        allowed = NEAR * max(capital, gross)
        assert abs(wallet - (capital + self.booked)) <= allowed
        sums = account["realized"] - account["fees"] + account["funding_received"] - account["funding_paid"] + account["shortfall"]
        assert abs(wallet - (capital + sums)) <= allowed
        assert abs(equity - (wallet + unrealized)) <= allowed
        if gross == 0.0:
            assert wallet >= 0.0

    # --- lots ------------------------------------------------------------------------------------------------------------

    def _check_lots(self) -> None:
        for k, state in enumerate(self.machine.states):
            step = self.run["instruments"][k]["step_size"]
            for side in range(2):
                lots = state["lots"][side][: state["lot_count"][side]]
                assert (lots["qty"] >= 0.5 * step).all()
                worst_first = [(-SIGN[side] * lot["entry"], -lot["id"]) for lot in lots]
                assert worst_first == sorted(worst_first)
                assert math.isclose(state["qty"][side], lots["qty"].sum(), rel_tol=NEAR)
                assert math.isclose(state["cost"][side], (lots["qty"] * lots["entry"]).sum(), rel_tol=NEAR)
                assert (state["margin"][side] > 0.0) == (len(lots) > 0)
                logged = {lot: qty for (own, lot), qty in self.lots[k].items() if own == side}
                assert {int(lot["id"]) for lot in lots} == set(logged)
                assert all(math.isclose(logged[int(lot["id"])], lot["qty"], rel_tol=NEAR) for lot in lots)

    # --- fills -----------------------------------------------------------------------------------------------------------

    def _check_events(self, i: int, log: np.ndarray) -> None:
        assert (log["bar"] == i).all()
        assert (log["time"] == self.run["time"][i]).all()
        for event in log:
            label, k = LABELS[event["label"]], int(event["instrument"])
            self.met[label] += 1
            self.booked += float(event["realized_pnl"] - event["fee"] + event["funding"])
            kind = self.feed.kinds[k, i]
            if kind == GAP:
                assert label not in FILLS, f"{label} on a gap bar"
                self.met["events on a gap bar"] += 1
            if label in FILLS:
                assert kind == TRADED
                self._check_price(i, k, label, int(event["side"]), float(event["price"]))
            if label == "LIQUIDATION" and kind == TRADED:
                low, high = self.feed.bars[k, 2, i], self.feed.bars[k, 1, i]
                marked = self.feed.bars[k, CLOSE, i - 1]  # another coin's path may end the bar before this one has moved
                assert low * (1.0 - NEAR) <= event["price"] <= high * (1.0 + NEAR) or event["price"] == marked
            if label == "DELISTED":
                assert event["price"] == self.feed.bars[k, CLOSE, i]
            self._follow(k, label, event)
        if len(log):
            assert log["wallet"][-1] == self.machine.accounts["wallet"][0]

    def _check_price(self, i: int, k: int, label: str, side: int, price: float) -> None:
        """A resting order fills at its own price, which the bar has reached; a market order within its slippage of the bar.

        A limit order behind the open fills at its limit, never better, so that a buy's price may be above the whole bar.
        """
        opened, high, low = (float(self.feed.bars[k, row, i]) for row in (0, 1, 2))
        tick = self.run["instruments"][k]["tick_size"]
        beyond = self.execution["through"] * tick + self.execution["through_bps"] / 1e4 * price
        slack = PRICE * tick + NEAR * price
        if label in BUYS:
            assert price - beyond >= low - slack
        elif label in SELLS:
            assert price + beyond <= high + slack
        else:
            slip = self.execution["slippage"]
            if label != "RECENTER" and self.execution["slippage_stop"] is not None:
                slip = self.execution["slippage_stop"]
            path_price = price / (1.0 - SIGN[side] * slip)
            assert low - slack <= path_price <= high + slack
            if label in MARKETS and self.feed.sub_start[k, i] < 0:
                assert abs(path_price - opened) <= slack

    def _follow(self, k: int, label: str, event: np.void) -> None:
        """Keep the open quantity of each lot by what the log says of it; it never goes below zero."""
        lots, lot, qty = self.lots[k], (int(event["side"]), int(event["lot"])), float(event["qty"])
        if lot[1] < 0:
            return
        if label in OPENS:
            assert lot not in lots
            lots[lot] = qty
            return
        assert lot in lots, f"{label} of a lot that is not open"
        left = lots[lot] - qty
        assert left >= -NEAR * qty
        if left <= 1e-6 * self.run["instruments"][k]["step_size"]:
            del lots[lot]
        else:
            lots[lot] = left

    # --- limits ----------------------------------------------------------------------------------------------------------

    def _standing(self) -> dict[str, Any]:
        """What a decision of the coming bar goes by."""
        states = self.machine.states
        names = self.machine.memory.dtype.names
        return {
            "equity": float(self.machine.accounts["equity"][0]),
            "mark": states["mark"].copy(),
            "qty": states["qty"].copy(),
            "requotes": self.machine.memory["requotes"].copy() if names and "requotes" in names else None,
        }

    def _check_limits(self, i: int, before: dict[str, Any], log: np.ndarray) -> None:
        """Entries that were quoted for this bar, filled in it or resting still, kept within every limit when they were quoted."""
        machine, ended = self.machine, {"LIQUIDATION", "SHORTFALL", "DELISTED"}
        complete_books(machine.accounts, machine.states, machine.instruments, machine.terms)
        if ended & {LABELS[label] for label in log["label"]}:
            return  # orders were cancelled in the bar
        leverage = self.account["leverage"]
        exposure = leverage if self.account["exposure"] is None else self.account["exposure"]
        quoted = np.zeros((len(machine.states), 2))
        scale = np.array([item["contract_multiplier"] for item in self.run["instruments"]])
        for k, state in enumerate(machine.states):
            for side in range(2):
                book = 2 * ENTRY + side
                orders = state["orders"][book][: state["order_count"][book]]
                resting = orders[orders["alive"] == 1]
                filled = log[(log["instrument"] == k) & (log["label"] == side)]
                quoted[k, side] = scale[k] * ((resting["price"] * resting["qty"]).sum() + (filled["price"] * filled["qty"]).sum())
        lots = before["qty"] * (scale * before["mark"])[:, None]
        for k, item in enumerate(self.run["instruments"]):
            fresh = before["requotes"] is not None and machine.memory["requotes"][k] > before["requotes"][k]
            if not fresh or self.execution["max_volume_share"] > 0.0:
                continue  # older quotes kept within the limits of their own time; what volume cut off an entry is not in the log
            highest = max(tier["cap"] for tier in item["tiers"] if tier["max_leverage"] >= leverage)
            if self.run["strategy"] == "adaptive_grid":
                own = self.run["parameters"][k]["max_position_pct"] * before["equity"] * item["weight"] * exposure
                highest = min(highest, own)
            for side in range(2):
                if quoted[k, side] > 0.0:
                    self.met["quotes within the cap"] += 1
                    assert lots[k, side] + quoted[k, side] <= highest * (1.0 + 1e-8)
            if k == len(machine.states) - 1 and quoted[k].sum() > 0.0:
                self.met["quotes within the margin"] += 1
                assert (lots.sum() + quoted.sum()) / leverage <= before["equity"] * (1.0 + 1e-8)
