"""Builds the records a run needs, runs the compiled loop, and grows the log when it is full. Numbers in, numbers out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from engine.account import Account
from engine.errors import InputError
from engine.evaluation import Evaluation
from engine.execution import Execution
from engine.orders import NO_TRIGGERS
from engine.records import (
    LOG_FULL,
    MAX_EVENTS,
    MAX_LOTS,
    TOO_MANY_EVENTS,
    TOO_MANY_LOTS,
    TOO_MANY_ORDERS,
    account_dtype,
    event_dtype,
    instrument_dtype,
    journal_dtype,
    state_dtype,
    terms_dtype,
)
from engine.risk_gates import gates_record, open_gates
from gridcore.constants import MAX_TIERS
from gridcore.indicators import average_true_range

# Rows of indicators that the loop lays out at a time.
ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class Program:
    """A strategy as compiled code: its loop, its single decision, its memory and its indicators."""

    name: str
    run_alone: Callable[..., Any]  # of one instrument without finer bars
    run_together: Callable[..., Any]
    decide_once: Callable[..., Any]
    memory_dtype: np.dtype
    # (parameters, bars (5, n)) -> (columns, n) and the same for rows `start` on, given an array whose earlier rows are filled
    fill_indicators: Callable[[Any, np.ndarray, np.ndarray, int], None]
    columns: int
    # Whether rows can be continued from a window of bars; a user's indicators may need the whole history.
    causal_pieces: bool = True


@dataclass(frozen=True)
class Feed:
    """The market data of one wallet's instruments on a common grid of bars."""

    time: np.ndarray  # int64 (bars,), open times, ms UTC
    bars: np.ndarray  # float64 (instruments, 5, bars): open, high, low, close, volume
    kinds: np.ndarray  # int8 (instruments, bars): ABSENT, GAP, TRADED
    funding_offsets: np.ndarray  # int64 (instruments, bars + 1): settlements of bar i are offsets[i]..offsets[i+1]-1
    funding_rates: np.ndarray  # float64, fraction per settlement
    funding_marks: np.ndarray  # float64, mark price of each settlement
    sub_start: np.ndarray  # int64 (instruments, bars): first sub-bar's column, -1: walk the bar itself
    sub_count: int  # sub-bars of a bar, 0: none
    sub_bars: np.ndarray  # float64 (instruments, 5, columns)
    first_trades: np.ndarray  # int64 (instruments,): first bar each may trade
    sessions: np.ndarray | None = None  # int64 (2, bars): number and code of each bar's session; only an evaluation needs them
    ranges: np.ndarray | None = None  # float64 (instruments, bars): average true range, likewise

    def first_bars(self) -> np.ndarray:
        """Index of each instrument's first bar."""
        return self._ends[0]

    def last_bars(self) -> np.ndarray:
        """Index of each instrument's last bar."""
        return self._ends[1]

    @cached_property
    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        """First and last bars, looked for once: thousands of runs may share a feed."""
        there = self.kinds > 0
        first = np.argmax(there, axis=1).astype(np.int64)
        return first, (there.shape[1] - 1 - np.argmax(there[:, ::-1], axis=1)).astype(np.int64)


def average_ranges(feed: Feed, period: int) -> np.ndarray:
    """Wilder's average true range of every instrument from its first bar on, (instruments, bars); NaN where it is not known."""
    out = np.full((feed.bars.shape[0], feed.bars.shape[2]), np.nan)
    for k, (first, last) in enumerate(zip(feed.first_bars(), feed.last_bars(), strict=True)):
        _, high, low, close, _ = np.ascontiguousarray(feed.bars[k, :, first : last + 1])
        out[k, first : last + 1] = average_true_range(high, low, close, period)
    return out


@dataclass(frozen=True)
class InstrumentTerms:
    """One instrument as the engine needs it."""

    symbol: str
    tick_size: float
    step_size: float
    min_qty: float
    min_notional: float
    multiplier: float
    tiers: np.ndarray  # tier_dtype
    weight: float = 1.0


def instrument_record(instrument: InstrumentTerms, leverage: float) -> np.ndarray:
    """The instrument as a one-row record. Raises InputError when the tiers do not allow the leverage."""
    tiers = instrument.tiers
    if len(tiers) > MAX_TIERS:
        raise InputError(f"{instrument.symbol}: {len(tiers)} leverage tiers are too many; at most {MAX_TIERS} are allowed")
    highest = float(tiers["max_leverage"].max())
    if leverage > highest:
        raise InputError(f"leverage = {leverage:g} is refused: the tiers of {instrument.symbol} allow at most {highest:g}")
    row = np.zeros(1, instrument_dtype)
    for name in ("tick_size", "step_size", "min_qty", "min_notional", "multiplier", "weight"):
        row[name] = getattr(instrument, name)
    row["tier_count"] = len(tiers)
    row["tiers"][0, : len(tiers)] = tiers
    row["top_rate"] = tiers["rate"].max()
    row["leverage_cap"] = tiers["cap"][tiers["max_leverage"] >= leverage].max()
    return row


def terms_record(account: Account, execution: Execution, timeframe_ms: int, instruments: int) -> np.ndarray:
    """The run's terms as a one-row record."""
    row = np.zeros(1, terms_dtype)
    for name in ("fee_maker", "fee_taker", "liquidation_fee", "slippage", "through", "touch_probability", "touch_seed", "max_volume_share"):
        row[name] = getattr(execution, name)
    row["slippage_stop"] = execution.slippage if execution.slippage_stop is None else execution.slippage_stop
    row["through_fraction"] = execution.through_bps / 1e4
    row["path"] = execution.record()["path"]
    row["leverage"] = account.leverage
    row["exposure"] = account.leverage if account.exposure is None else account.exposure
    row["timeframe"] = timeframe_ms
    row["close_at_end"] = execution.close_at_end
    row["isolated"] = account.margin == "isolated"
    row["continue_after_liquidation"] = account.after_liquidation == "continue"
    row["joint_test"] = account.joint == "worst" and instruments > 1
    row["instruments"] = instruments
    return row


def parts_to_clear(dtype: np.dtype) -> list[slice]:
    """The bytes of a record that a run reads before it writes them: all but its tables of records, of which only the used rows are read.

    Neighbouring fields are one part.
    """
    parts: list[slice] = []
    begin = 0
    fields = dtype.fields
    assert fields is not None
    assert dtype.names is not None
    for name in dtype.names:
        kind, offset = fields[name][:2]
        if kind.shape and kind.base.names is not None:
            parts.append(slice(begin, offset))
            begin = offset + kind.itemsize
    parts.append(slice(begin, dtype.itemsize))
    return [part for part in parts if part.stop > part.start]


_STATE_PARTS, _JOURNAL_PARTS = parts_to_clear(state_dtype), parts_to_clear(journal_dtype)


def clear(records: np.ndarray, parts: Sequence[slice]) -> None:
    """Zero these bytes of every record."""
    plain = records.view(np.uint8).reshape(len(records), records.dtype.itemsize)
    for part in parts:
        plain[:, part] = 0


@dataclass
class Machine:
    """One wallet: its records, and the compiled code that moves them."""

    program: Program
    parameters: np.ndarray  # one record an instrument
    instruments: np.ndarray  # instrument_dtype
    terms: np.ndarray  # terms_dtype, one row
    recording: bool = True
    evaluation: Evaluation | None = None
    gates: np.ndarray = field(init=False)
    accounts: np.ndarray = field(init=False)
    states: np.ndarray = field(init=False)
    memory: np.ndarray = field(init=False)
    journals: np.ndarray = field(init=False)
    row: np.ndarray = field(init=False)
    column: np.ndarray = field(init=False)
    traded: np.ndarray = field(init=False)

    @classmethod
    def build(
        cls,
        program: Program,
        parameters: Sequence[np.ndarray],
        instruments: Sequence[InstrumentTerms],
        account: Account,
        execution: Execution,
        timeframe_ms: int,
        recording: bool = True,
        evaluation: Evaluation | None = None,
    ) -> Machine:
        """A machine at its start. `parameters` holds one one-row record an instrument; `evaluation` stands above the strategy."""
        records = np.concatenate([instrument_record(item, account.leverage) for item in instruments])
        terms = terms_record(account, execution, timeframe_ms, len(instruments))
        machine = cls(program, np.concatenate(list(parameters)), records, terms, recording, evaluation)
        machine.reset(account.capital)
        return machine

    def run_again_with(self, parameters: np.ndarray, instruments: np.ndarray, terms: np.ndarray, capital: float) -> None:
        """Back to the start under other settings of as many instruments, in the arrays it has, which costs less than new ones.

        What was handed out of it before (its states) is overwritten.
        """
        self.parameters, self.instruments, self.terms = parameters, instruments, terms
        clear(self.states, _STATE_PARTS)
        clear(self.journals, _JOURNAL_PARTS)
        self.memory = np.zeros(len(instruments), self.program.memory_dtype)
        self._begin(capital)

    def reset(self, capital: float) -> None:
        """Back to the start: a wallet of `capital`, no lots, no orders."""
        self.states = np.zeros(len(self.instruments), state_dtype)
        self.journals = np.zeros(1, journal_dtype)
        self.memory = np.zeros(len(self.instruments), self.program.memory_dtype)
        self._begin(capital)

    def _begin(self, capital: float) -> None:
        """Set what does not start at zero."""
        count = len(self.instruments)
        self.accounts = np.zeros(1, account_dtype)
        for name in ("wallet", "capital", "equity", "peak", "path_peak"):
            self.accounts[name] = capital
        self.gates = gates_record(self.evaluation)
        if self.evaluation is not None:
            open_gates(self.accounts, self.gates)
        self.states["up_trigger"] = np.inf
        self.states["down_trigger"] = -np.inf
        self.states["armed"] = 1
        self.states["near"] = NO_TRIGGERS
        self.states["instrument"] = np.arange(count)
        self.states["tick_size"] = self.instruments["tick_size"]
        self.journals["recording"] = self.recording
        self.row = np.zeros((ROWS_AT_ONCE, self.program.columns))
        self.column = np.zeros(count, np.int64)
        self.traded = np.zeros(count, np.int64)

    def indicators(self, feed: Feed) -> np.ndarray:
        """Indicator columns of every instrument, (instruments, columns, bars); each starts at its instrument's first bar."""
        count, _, length = feed.bars.shape
        out = np.empty((count, self.program.columns, length))  # every row is written below, once
        firsts, lasts = feed.first_bars(), feed.last_bars()
        for k in range(count):
            first, stop = firsts[k], lasts[k] + 1
            if first == 0 and stop == length:
                self.program.fill_indicators(self.parameters[k : k + 1], feed.bars[k], out[k], 0)
                continue
            out[k, :, :first] = np.nan
            out[k, :, stop:] = np.nan
            piece = np.empty((self.program.columns, stop - first))
            self.program.fill_indicators(self.parameters[k : k + 1], np.ascontiguousarray(feed.bars[k, :, first:stop]), piece, 0)
            out[k, :, first:stop] = piece
        return out

    def gate_arrays(self, feed: Feed) -> tuple[np.ndarray, np.ndarray]:
        """Sessions (2, bars) and average true ranges (instruments, bars) as the loop takes them: empty without an evaluation."""
        if self.evaluation is None:
            return np.zeros((2, 0), np.int64), np.zeros((len(self.instruments), 0))
        if feed.sessions is None or feed.ranges is None:
            raise InputError("an evaluation needs the sessions and the average true ranges of the bars, and this feed has none")
        return feed.sessions, feed.ranges

    def run(self, feed: Feed, indicators: np.ndarray, start: int, stop: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Run the bars from `start` on. Returns (event log, equity per bar from `start`)."""
        length = feed.bars.shape[2]
        stop = length if stop is None else stop
        if start > 0:
            self.states["mark"] = np.where(feed.kinds[:, start - 1] > 0, feed.bars[:, 3, start - 1], self.states["mark"])
        equity = np.empty(length)
        log = np.empty(max(MAX_EVENTS, length) if self.recording else 0, event_dtype)
        sessions, ranges = self.gate_arrays(feed)
        decisions = np.maximum(feed.first_trades, feed.first_bars() + 1)
        lasts = feed.last_bars()
        run = self.program.run_alone if len(self.instruments) == 1 and feed.sub_count == 0 else self.program.run_together
        bar, cursor = start, 0
        while True:
            arguments = (
                self.parameters,
                self.memory,
                self.accounts,
                self.states,
                self.instruments,
                self.terms,
                self.journals,
                feed.time,
                feed.bars,
                feed.kinds,
                decisions,
                lasts,
                indicators,
                self.row,
                feed.funding_offsets,
                feed.funding_rates,
                feed.funding_marks,
                feed.sub_start,
                feed.sub_count,
                feed.sub_bars,
                self.column,
                self.traded,
                self.gates,
                ranges,
                sessions,
                log,
                equity,
                cursor,
                bar,
                stop,
            )
            bar, cursor = run(arguments)
            status = int(self.accounts["status"][0])
            if status == LOG_FULL:
                log = np.concatenate([log, np.empty(len(log) + MAX_EVENTS, event_dtype)])
                continue
            check_status(status, bar - 1)
            if bar >= stop:
                # Not a copy: what of the log was never written takes no memory.
                return log[:cursor], equity[start:stop]


def check_status(status: int, bar: int) -> None:
    """Raise what compiled code reported by a code."""
    if status == TOO_MANY_LOTS:
        raise InputError(f"bar {bar}: a side holds more than {MAX_LOTS} lots; use a larger order_pct or a smaller max_position_pct")
    if status == TOO_MANY_ORDERS:
        raise InputError(f"bar {bar}: more than {MAX_LOTS} orders of one kind and side; the strategy places too many")
    if status == TOO_MANY_EVENTS:
        raise InputError(f"bar {bar}: more than {MAX_EVENTS} events in one bar; run fewer instruments on one wallet")
