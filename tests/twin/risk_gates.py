"""The rules of a funded account again: one object beside the world that looks at its equity and says what is forbidden."""

from __future__ import annotations

import math
from typing import Any

from tests.twin.records import SIDES, World

NEAR = 1e-9  # relative to the capital: equal but for binary fractions is reached


class RiskGates:
    """Limits and targets of one account. `sessions`: (number, code) of every bar, code 0 closed, 1 open, 2 the last of its session."""

    def __init__(self, world: World, rules: dict[str, Any], sessions: list[tuple[int, int]], ranges: list[list[float]]) -> None:
        self.world, self.rules, self.sessions, self.ranges = world, rules, sessions, ranges
        self.capital = world.account["capital"]
        self.session: int | None = None
        self.begun = 0
        self.opened_at = self.capital  # equity when the session began
        self.fills_before = 0
        self.highest_end = self.capital  # highest equity between sessions
        self.highest = self.capital  # highest equity anywhere on the path
        self.days = 0
        self.best = 0.0
        self.over = ""  # why the session takes no more entries
        self.loss = self.drawdown = False
        self.closing = ""
        self.outcome = ""
        self.entries_stopped = False

    def look(self) -> None:
        """Equity as it stands now against the two floors."""
        equity, near = self.world.equity(), NEAR * self.capital
        self.highest = max(self.highest, equity)
        limit, distance = self.rules["daily_loss_limit"], self.rules["trailing_drawdown"]
        if limit is not None and self.session is not None and self.opened_at - equity >= limit - near:
            self.loss = True
        if distance is not None:
            peak = self.highest if self.rules["trailing_basis"] == "intraday" else self.highest_end
            floor = min(peak - distance, self.capital) if self.rules["locks_at_start"] else peak - distance
            if equity <= floor + near:
                self.drawdown = True

    def fills(self) -> int:
        """Fills so far: events that moved a lot, funding aside."""
        return sum(event["lot"] >= 0 for event in self.world.events)

    def before(self, bar: int) -> None:
        """What the clock and the last close allow the coming bar."""
        number, code = self.sessions[bar]
        equity = self.world.equity()
        if number != self.session:
            if self.session is not None and self.session >= 0:
                self.best = max(self.best, equity - self.opened_at)
                self.days += self.fills() > self.fills_before
            self.begun += number >= 0
            self.session, self.opened_at, self.fills_before = number, equity, self.fills()
            self.highest_end = max(self.highest_end, equity)
            self.over, self.loss = "", False
        if code == 2 and self.rules["flat_at_session_end"] and not self.closing:
            self.closing = "SESSION_END"
        stop = code == 0 or bool(self.over) or bool(self.closing)
        cap = self.rules["exposure_cap"]
        if not stop and cap is not None:
            held = [sum(book.qty(side) for side in SIDES) * book.mult for book in self.world.books]
            exposure = sum(qty * self.ranges[k][bar - 1] for k, qty in enumerate(held) if qty > 0.0)
            stop = math.isnan(exposure) or exposure > cap * (1.0 + NEAR)
            self.world.counters["paused by exposure"] += stop
        if stop != self.entries_stopped:
            self.entries_stopped = stop
            for book in self.world.books:
                book.filled = True  # every strategy quotes anew
                if stop:
                    book.orders = [order for order in book.orders if order.kind != "ENTRY"]

    def close_out(self) -> None:
        """While a rule closes: nothing rests but a market order for every lot."""
        if not self.closing:
            return
        for book in self.world.books:
            book.orders, book.market_orders = [], []
            for side in SIDES:
                for lot in book.side_lots(side):
                    book.queue_market_close(lot, self.closing)

    def mark(self, label: str) -> None:
        """A rule has fired: an event without a lot."""
        self.world.counters[label] += 1
        self.world.log(self.world.books[0], label)

    def decide(self, outcome: str) -> None:
        """Passed or failed: no entry any more, and what is held is closed."""
        self.outcome = outcome
        self.world.counters["outcome " + outcome] += 1
        self.world.stopped = True
        for book in self.world.books:
            book.orders = [order for order in book.orders if order.kind != "ENTRY"]
        self.mark("EVALUATION_PASSED" if outcome == "passed" else "EVALUATION_FAILED")
        if outcome != "passed" and not self.world.flat():
            self.closing = "EVALUATION_FAILED"

    def after(self) -> None:
        """At the close of a bar."""
        self.look()
        if self.world.flat():
            self.closing = ""
        if self.outcome:
            return
        if self.drawdown:
            self.decide("trailing drawdown")
        elif self.loss and self.rules["daily_loss_fails"]:
            self.decide("daily loss")
        elif self.world.stopped:
            self.decide("liquidation")
        elif not self.loss:
            self.targets()
        elif self.over != "loss":
            self.over = "loss"
            self.mark("DAILY_LOSS_LIMIT")
            if not self.world.flat():
                self.closing = "DAILY_LOSS_LIMIT"

    def targets(self) -> None:
        """The profit target, which needs days enough and no day too large, and the target of the day."""
        rules, near = self.rules, NEAR * self.capital
        gain, today = self.world.equity() - self.capital, self.world.equity() - self.opened_at
        if rules["profit_target"] is not None and gain >= rules["profit_target"] - near:
            days = self.days + (self.fills() > self.fills_before)
            share = rules["largest_day_share"]
            if days < rules["minimum_days"] or (share is not None and max(self.best, today) > share * gain + near):
                self.world.counters["target reached too early"] += 1
            elif self.world.flat():
                self.decide("passed")
                return
            else:
                self.closing = self.closing or "PROFIT_TARGET"
        if rules["daily_target"] is not None and today >= rules["daily_target"] - near and not self.over:
            self.over = "target"
            self.mark("DAILY_TARGET")
