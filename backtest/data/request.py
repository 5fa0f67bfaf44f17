"""What is asked of a source of market data, and which of the bars it has serve that."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from backtest.data.instrument import Instrument
from backtest.data.timeframe import Timeframe, utc_text
from engine.errors import InputError


@dataclass(frozen=True)
class Window:
    """The bars that open in [begin, stop) are kept, those from `trade_time` on may trade; ms UTC.

    `remarks` say what differs from the wish.
    """

    begin: int
    stop: int
    trade_time: int
    remarks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What is asked for of every coin, checked. Times are ms UTC; None: from the first, to the last bar there is.

    start: first bar that may trade. end: exclusive. warmup: bars wanted before `start`. sub_timeframe: of finer bars,
    None: none. base_timeframe: of the bars to make bars of, None: whichever serves. data_dir: folder or file of the user's.
    cache_dir: None: the usual one. max_gap_pct: most missing bars allowed, percent. seed, scenario: of simulated markets.
    """

    exchange: str
    timeframe: Timeframe
    start: int | None = None
    end: int | None = None
    warmup: int = 0
    sub_timeframe: Timeframe | None = None
    base_timeframe: Timeframe | None = None
    data_dir: Path | None = None
    cache_dir: Path | None = None
    max_gap_pct: float = 1.0
    seed: int = 1
    scenario: str = "default"

    @property
    def first_wanted(self) -> int | None:
        """Open of the first bar that is of any use, warm-up included, ms UTC."""
        return None if self.start is None else self.start - self.warmup * self.timeframe.ms

    @property
    def last_wanted(self) -> int | None:
        """Close of the last bar that opens before the end, ms UTC."""
        return None if self.end is None else -(-self.end // self.timeframe.ms) * self.timeframe.ms


@dataclass(frozen=True, kw_only=True)
class Request(Terms):
    """One coin's bars as asked for. `filters_origin` and `tiers_origin` say where those of the instrument come from."""

    instrument: Instrument
    filters_origin: str = "as given"
    tiers_origin: str = ""

    def overlap(self, first: int, end: int) -> int:
        """How many bars of [first, end), ms UTC, lie within the dates asked for; not positive: none."""
        begin = first if self.start is None else max(first, self._grid_start(self.start))
        stop = end if self.end is None else min(end, self.end)
        return -((begin - stop) // self.timeframe.ms)

    def window(self, first: int, end: int) -> Window:
        """Which bars to keep of those that open in [first, end), which must overlap the dates asked for.

        With fewer than `warmup` bars before `start`, trading starts later and a remark says so. Raises InputError when no
        bar would be left to trade.
        """
        step, lead = self.timeframe.ms, self.warmup * self.timeframe.ms
        stop = end if self.end is None else min(end, self.end)
        remarks = []
        if self.start is None:
            begin, trade_time = first, first + lead
        else:
            start = self._grid_start(self.start)
            begin = max(first, start - lead)
            trade_time = begin + lead
            if first > start:
                remarks.append(f"The bars begin at {utc_text(first)} UTC, after the start asked for, {utc_text(self.start)}.")
            if trade_time > start:
                there = max(0, (start - begin) // step)
                remarks.append(
                    f"{there} of the {self.warmup} warm-up bars stand before {utc_text(start)}: "
                    f"trading starts at {utc_text(trade_time)} UTC."
                )
        if self.end is not None and end < self.end:
            remarks.append(f"The bars end at {utc_text(end)} UTC, before the end asked for, {utc_text(self.end)}.")
        if trade_time >= stop:
            raise InputError(
                f"{self.instrument.symbol} has {-((begin - stop) // step)} {self.timeframe} bars up to {utc_text(stop)} UTC, "
                f"and warmup = {self.warmup} of them may not trade: none is left to trade; "
                "longer data, finer bars or shorter periods of the strategy leave some"
            )
        return Window(begin, stop, trade_time, tuple(remarks))

    def refuse_range(self, available: str) -> InputError:
        """The error for dates that hold none of the `available` bars."""
        parts = [f"{name} = {utc_text(time)}" for name, time in (("start", self.start), ("end", self.end)) if time is not None]
        verb = "leave" if len(parts) > 1 else "leaves"
        return InputError(
            f"{' and '.join(parts)} {verb} no bar: {self.instrument.symbol} {self.timeframe} is available from {available} UTC"
        )

    def _grid_start(self, start: int) -> int:
        """The first open time of the grid that is not before `start`."""
        return -(-start // self.timeframe.ms) * self.timeframe.ms
