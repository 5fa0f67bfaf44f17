"""`bt.Stepper`: the machine of a run, driven bar by bar from Python; what live trading runs on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from backtest import snapshot_parts
from backtest.bar_history import BarHistory
from backtest.bar_input import Fill, fill_table
from backtest.bar_intake import BarIntake
from backtest.data.instrument import Instrument
from backtest.data.timeframe import Timeframe, parse_utc, utc_text
from backtest.event_log import EventLog
from backtest.order_list import OrderList
from backtest.snapshot import decode_arrays, decode_header, encode, read_bytes, write_snapshot
from backtest.step_settings import StepSettings, settings_from
from backtest.step_tables import events_frame, positions_frame, records_frame
from engine import stepping
from engine.account import Account
from engine.errors import InputError
from engine.execution import Execution
from engine.machine import check_status
from engine.records import ABSENT, MAX_EVENTS, TRADED


class Stepper:
    """One wallet and its instruments, one bar at a time.

    The cycle: `orders = step.decide(closed_bar)`, `fills = step.match(orders, bar)` (or a real exchange), `step.apply(fills)`,
    `step.fund(...)` for each settlement, `step.close(bar)`. Over the same bars it gives the events and the equity of `bt.run`
    to the last bit. Before the first decision `observe` takes the bars that the indicators need.

    instruments: one, or several on one wallet. strategy: as for `bt.run`; a list gives each instrument its own parameters.
    account, execution: as for `bt.run`; several instruments need wallet="shared", which is then the default.
    timeframe: length of a bar. weights: each instrument's share of the equity that sizes its orders; default: equal.
    trade_from: symbol -> open time of the first bar that may trade; default: the bar after the first decision, and for an
        instrument that is listed later the bar after its first. first_bar: number of the first bar given, for the events.

    A bar is (time, open, high, low, close, volume) with `time` the open time in ms UTC, as a sequence, a mapping or a structured
    row; for several instruments a mapping from symbol to bar. A bar without volume is a gap: nothing fills. A symbol that is
    left out is absent before its first bar; after it, it stands flat at its last close without volume.

    Drawdown along the path inside a bar is not known to a stepper: its account statistics go by closes and fills.
    Raises InputError, one sentence, for what does not fit, and for an `evaluation`: `bt.run` alone applies such rules.
    """

    def __init__(
        self,
        instruments: Instrument | Sequence[Instrument],
        strategy: Any,
        account: Account | None = None,
        execution: Execution | None = None,
        timeframe: str | Timeframe = "15m",
        weights: Sequence[float] | None = None,
        *,
        trade_from: Mapping[str, Any] | None = None,
        first_bar: int = 0,
        evaluation: Any = None,
    ) -> None:
        terms = (account, execution, timeframe, weights, trade_from, first_bar, evaluation)
        self.settings = StepSettings.checked(instruments, strategy, *terms)
        self.symbols = self.settings.symbols
        self.timeframe = self.settings.timeframe
        self._intake = BarIntake(self.symbols, self.timeframe, self.settings.first_times())
        self._machine = self.settings.machine(recording=True)
        # A second set of records for what must not touch the first: matching, and taking back fills that do not fit.
        self._scratch = self.settings.machine(recording=False)
        self._scratch.journals["keep_fills"] = 1
        self._histories = [
            BarHistory(self.settings.program, self._machine.parameters[k : k + 1], own.warmup_bars())
            for k, own in enumerate(self.settings.strategies)
        ]
        self._time: int | None = None  # open time of the bar in hand, the one after the last closed; None before the first bar
        self._bar_number = self.settings.first_bar  # its number
        self._trading = False  # False while bars are only observed
        self._decided = False  # whether the bar in hand has been decided
        self._closed = np.zeros((len(self.symbols), 5))  # the last closed bar
        self._settlements: list[tuple[int, float, float]] = []  # instrument, rate, mark
        self._log = EventLog()
        self._make_buffers(len(self.symbols))

    def _make_buffers(self, count: int) -> None:
        """Arrays and arguments that every bar uses again, so that a step allocates little."""
        machine, scratch = self._machine, self._scratch
        self._words = machine.states.view(np.int64).reshape(count, -1)
        self._scratch_words = scratch.states.view(np.int64).reshape(count, -1)
        self._walked = np.zeros(count, np.int64)  # last walk of the bar in hand, by instrument
        self._last_fill = np.full(count, -1, np.int64)  # last walk with a fill
        self._order_list = OrderList()
        self._sub_bar_of = np.zeros(MAX_EVENTS, np.int64)
        self._all = np.ones(count, np.int64)
        self._none = np.zeros(count, np.int64)
        self._no_sub_bars = np.zeros((count, 5, 0))
        self._own_path: dict[int, np.ndarray] = {}
        rules = (machine.instruments, machine.terms)
        self._records = (machine.accounts, machine.states, *rules, machine.journals)
        self._scratch_records = (scratch.accounts, scratch.states, *rules, scratch.journals)
        present = np.full((count, 1), TRADED, np.int8)
        own = (machine.parameters, machine.memory, *self._records, present, self._none, machine.row[0])
        self._decisions = [(*own, k, 0) for k in range(count)]

    # --- the cycle --------------------------------------------------------------------------------------------------------

    def observe(self, bar: Any) -> None:
        """Take a closed bar of the warm-up, which decides nothing."""
        if self._trading:
            raise InputError("observe() is refused after the first decision: close(bar) takes every bar from then on")
        self._take(bar, "observe")
        marks = self._machine.states["mark"]
        marks[:] = np.where(self._intake.kinds > ABSENT, self._intake.bars[:, 3], marks)
        self._next_bar()

    def decide(self, closed_bar: Any = None) -> np.ndarray:
        """The orders wanted during the coming bar, given the bar that has just closed; called once a bar.

        closed_bar: the one that `close` (or the last `observe`) was given, or a new one that ends the warm-up; None: the last one.
        Returns an array of `wanted_dtype` (instrument, id, kind, side, price, qty, lot, level, label); `describe` puts it in words.
        """
        if closed_bar is not None:
            self._meet(closed_bar)
        if self._time is None:
            raise InputError("decide() needs a closed bar: none has been given yet")
        if self._decided:
            raise InputError(f"decide() is refused: the bar of {utc_text(self._time)} UTC has been decided, its orders are step.orders")
        self._trading = self._decided = True
        machine = self._machine
        for k, history in enumerate(self._histories):
            intake = self._intake
            if intake.listed[k] == 0 or intake.gone[k] == 1 or self._time < self.settings.trade_from.get(self.symbols[k], 0):
                continue
            if not history.begun:
                history.begin()
            machine.row[0] = history.last_row
            machine.program.decide_once(self._decisions[k])
        self._log.take(self._machine, self._bar_number)
        return self.orders

    def match(self, orders: np.ndarray, bar: Any, sub_bars: Any = None) -> np.ndarray:
        """What the simulated exchange fills of `orders` during `bar`; the account is not touched.

        orders: what `decide` gave, or a part of it; other orders are taken as not placed. sub_bars: finer bars of the bar, a
        sequence of bars (for several instruments a mapping from symbol to such); a set that is not complete or does not add up
        to the bar is left aside, and then the bar walks its own path, as in a run.
        Returns an array of `step_fill_dtype` for `apply`.
        """
        if not isinstance(orders, np.ndarray) or orders.dtype != stepping.wanted_dtype:
            raise InputError(f"orders = {orders!r} are refused: they must be what decide() gave, or a part of it")
        self._take(bar, "match")
        intake, states = self._intake, self._scratch.states
        assert self._time is not None
        bars = intake.walks(sub_bars, self._time)
        count, walks = len(self.symbols), bars.shape[2]
        kinds = np.empty((count, walks), np.int8)
        self._copy_to_scratch()
        stepping.walk_kinds(states, intake.kinds, bars, kinds)
        if states["exits_waiting"].any():
            stepping.place_waiting_exits(*self._scratch_records[:4], (intake.kinds == TRADED).astype(np.int64))
        stepping.keep_only(states, np.ascontiguousarray(orders).view(stepping.wanted_dtype))
        if walks not in self._own_path:
            self._own_path[walks] = np.full((count, walks), -1, np.int64)
        scratch = self._scratch
        scratch.journals["fill_count"] = 0
        paths = (kinds, bars, self._own_path[walks], self._no_sub_bars, scratch.column, scratch.traded)
        stepping.match_bar(*self._scratch_records, *paths, self._walked, self._sub_bar_of)
        check_status(int(scratch.accounts["status"][0]), self._bar_number)
        fills = np.empty(int(scratch.journals["fill_count"][0]), stepping.step_fill_dtype)
        stepping.take_fills(scratch.journals, self._sub_bar_of, self._time, self.timeframe.ms // walks, fills)
        return fills

    def apply(self, fills: np.ndarray | Fill | Sequence[Fill]) -> None:
        """Apply fills in their order: what `match` gave, or `bt.Fill`s of an exchange.

        All or nothing: when one names no living order, or fills more than it asks for, an InputError says so and none is applied.
        """
        table = fill_table(fills, len(self.symbols), self._intake.place)
        if len(table) == 0:
            return
        self._copy_to_scratch()
        last_fill = self._last_fill.copy()
        applied, trouble = stepping.apply_fills(*self._records, table, last_fill)
        if trouble != 0:
            machine, scratch = self._machine, self._scratch
            machine.accounts[:] = scratch.accounts
            stepping.copy_states(scratch.states, self._scratch_words, self._words)
            machine.journals["event_count"] = 0
            fill = table[applied]
            what = f"fills {fill['qty']:g}, more than its order asks for"
            if trouble == stepping.UNKNOWN_ORDER:
                what = "names no order that waits"
            symbol = self.symbols[fill["instrument"]]
            raise InputError(f"fill {applied + 1} of {len(table)}, of order {fill['order_id']} of {symbol}, {what}; none was applied")
        self._last_fill[:] = last_fill
        self._log.take(self._machine, self._bar_number)

    def fund(self, time: Any, rate: float, mark: float, symbol: str | None = None) -> None:
        """Note a funding settlement of the bar in hand; it is charged when the bar closes, on what is held then.

        time: of the settlement. rate: fraction, positive: longs pay. mark: mark price, quote currency. symbol: of several.
        """
        k = self._intake.place(symbol, "fund")
        moment = parse_utc(time, "time")
        if self._time is not None and moment <= self._time:
            raise InputError(f"time = {utc_text(moment)} of the settlement is refused: the bar in hand opens at {utc_text(self._time)} UTC")
        rate, mark = float(rate), float(mark)
        if not abs(rate) < 1.0 or not 0.0 < mark < np.inf:
            raise InputError(f"rate = {rate:g} at mark = {mark:g} is refused: the rate must be a fraction, the mark finite and above zero")
        self._settlements.append((k, rate, mark))

    def close(self, bar: Any, delisted: Collection[str] = ()) -> float:
        """Close the bar in hand: settle funding, close what is `delisted` at its last close, mark. Returns equity, quote currency."""
        leaving = self._none
        if delisted:
            leaving = np.zeros(len(self.symbols), np.int64)
            for symbol in (delisted,) if isinstance(delisted, str) else delisted:
                leaving[self._intake.place(symbol, "delisted")] = 1
        self._take(bar, "close")
        self._trading = True
        intake = self._intake
        settled = np.array(self._settlements, stepping.settlement_dtype)
        equity = stepping.close_step(*self._records, intake.kinds, intake.bars, self._walked, self._last_fill, settled, leaving)
        self._settlements.clear()
        self._log.take(self._machine, self._bar_number)
        self._next_bar()
        if delisted:
            intake.gone |= leaving.astype(np.int8)
        return float(equity)

    # --- what it holds ----------------------------------------------------------------------------------------------------

    @property
    def orders(self) -> np.ndarray:
        """The orders wanted now, as `decide` gives them; lots' own exits that go live with the coming bar are among them."""
        states = self._machine.states
        if states["exits_waiting"].any():
            self._copy_to_scratch()
            stepping.place_waiting_exits(*self._scratch_records[:4], self._all)
            states = self._scratch.states
        return self._order_list.of(states)

    @property
    def equity(self) -> float:
        """Wallet and unrealized PnL at the last close, quote currency."""
        return float(self._machine.accounts["equity"][0])

    @property
    def wallet(self) -> float:
        """Wallet balance, quote currency."""
        return float(self._machine.accounts["wallet"][0])

    @property
    def stopped(self) -> bool:
        """Whether the account takes no more entries: it was liquidated, or has nothing left."""
        return bool(self._machine.accounts["stopped"][0])

    @property
    def log(self) -> np.ndarray:
        """The event log so far, `engine.records.event_dtype`, read-only."""
        return self._log.view

    @property
    def events(self) -> pd.DataFrame:
        """The event log with the columns of `Result.trades`."""
        return events_frame(self.log, self.symbols)

    @property
    def positions(self) -> pd.DataFrame:
        """What is held, a row for each symbol and position side with a lot: qty, entry (average), mark, unrealized_pnl, lots."""
        return positions_frame(self._machine.states, self.symbols, [one.contract_multiplier for one in self.settings.instruments])

    def describe(self, records: np.ndarray) -> pd.DataFrame:
        """Orders of `decide` or fills of `match` as a table in words."""
        return records_frame(records, self.symbols)

    def __repr__(self) -> str:
        at = "before its first bar" if self._time is None else f"before the bar of {utc_text(self._time)} UTC"
        return f"Stepper({', '.join(self.symbols)}, {self.timeframe}, {at}, equity {self.equity:,.2f}, {len(self._log):,} events)"

    # --- keeping ------------------------------------------------------------------------------------------------------------

    def snapshot(self) -> bytes:
        """Everything that the coming bars depend on, and the event log, as bytes; `Stepper.restore` goes on from them."""
        header = {
            **self.settings.plain(),
            "records": snapshot_parts.records_fingerprint(self.settings.program),
            "bar": self._bar_number,
            "time": self._time,
            "trading": self._trading,
            "decided": self._decided,
            "settlements": self._settlements,
        }
        arrays = {"log": self.log, **self._own_arrays(), **snapshot_parts.machine_arrays(self._machine)}
        return encode(header, {**arrays, **snapshot_parts.history_arrays(self._histories)})

    def _own_arrays(self) -> dict[str, np.ndarray]:
        """The stepper's own arrays that the coming bars depend on."""
        intake = self._intake
        listing: dict[str, np.ndarray] = {"closed": self._closed, "listed": intake.listed, "gone": intake.gone}
        return {**listing, "walked": self._walked, "last_fill": self._last_fill}

    def save(self, path: str | Path) -> Path:
        """Write the snapshot to a file, whole or not at all, and on the disk when this returns."""
        target = Path(path)
        write_snapshot(target, self.snapshot())
        return target

    @classmethod
    def load(cls, path: str | Path, strategy: Any = None) -> Stepper:
        """The stepper that `save` wrote; see `restore`."""
        return cls.restore(read_bytes(Path(path)), strategy)

    @classmethod
    def restore(cls, blob: bytes, strategy: Any = None) -> Stepper:
        """A stepper that goes on where `snapshot` was taken, to the last bit.

        strategy: needed for a strategy of the user's own, which is code and not in the snapshot; it must have the same parameters.
        Raises InputError for a snapshot that is damaged, cut short, of other records, or of another strategy than the one given.
        """
        header, payload = decode_header(blob)
        step = cls(**settings_from(header, strategy))
        step.resume(header, payload)
        return step

    def resume(self, header: Mapping[str, Any], payload: bytes) -> None:
        """Take up a checked snapshot's values; for `restore`, which makes the stepper that they fit."""
        program = self.settings.program
        if header["records"] != snapshot_parts.records_fingerprint(program):
            raise InputError("the snapshot's records have another layout than this version's: it cannot be read")
        arrays = decode_arrays(header, payload, snapshot_parts.record_types(program))
        snapshot_parts.fill_machine(self._machine, arrays)
        snapshot_parts.fill_histories(self._histories, arrays)
        self._bar_number, self._time = header["bar"], header["time"]
        self._trading, self._decided = header["trading"], header["decided"]
        self._settlements = [(int(k), float(rate), float(mark)) for k, rate, mark in header["settlements"]]
        for name, target in self._own_arrays().items():
            target[:] = arrays[name]
        self._log.extend(arrays["log"])

    # --- parts of a step ----------------------------------------------------------------------------------------------------

    def _take(self, bar: Any, call: str) -> None:
        """Read the bar in hand, given to `call`."""
        time = self._intake.read(bar, self._machine.states["mark"])
        if self._time is None:
            if time is None:
                raise InputError(f"{call}() needs a bar: its time is not known without one")
            self._begin_bar(time)
        elif time is not None and time != self._time:
            raise InputError(
                f"time = {utc_text(time)} of the bar given to {call}() is refused: the bar in hand opens at {utc_text(self._time)} UTC; "
                "give every bar once, in order, and a missing one without volume"
            )

    def _meet(self, closed_bar: Any) -> None:
        """See that the bar given to `decide` is the last one closed, or take it as the end of the warm-up."""
        time, same = self._intake.agrees(closed_bar, self._closed)
        if self._time is None or (time == self._time and not self._trading):
            self.observe(closed_bar)
            return
        last = self._time - self.timeframe.ms
        if time is not None and time != last:
            raise InputError(
                f"time = {utc_text(time)} of the bar given to decide() is refused: the last closed bar opened at {utc_text(last)} UTC; "
                "close(bar) comes first"
            )
        if not same:
            raise InputError(f"the bar of {utc_text(last)} UTC given to decide() is not the one that close() was given")

    def _next_bar(self) -> None:
        """Put the bar in hand behind us and take the next one."""
        assert self._time is not None
        intake = self._intake
        for k, history in enumerate(self._histories):
            if intake.kinds[k] != ABSENT:
                history.add(intake.bars[k])
                intake.listed[k] = 1
        self._closed[:] = intake.bars
        self._bar_number += 1
        self._begin_bar(self._time + self.timeframe.ms)

    def _begin_bar(self, time: int) -> None:
        self._time = time
        self._decided = False
        self._machine.states["time"] = time
        self._machine.states["bar"] = self._bar_number
        self._walked[:] = 0
        self._last_fill[:] = -1

    def _copy_to_scratch(self) -> None:
        self._scratch.accounts[:] = self._machine.accounts
        stepping.copy_states(self._machine.states, self._words, self._scratch_words)
