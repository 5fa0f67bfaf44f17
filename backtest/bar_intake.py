"""The bars of a stepper's instruments as arrays: who is listed, what a left-out bar means, which finer bars are walked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backtest.bar_input import bar_row, finer_bars
from backtest.data.timeframe import Timeframe, utc_text
from engine.errors import InputError
from engine.records import ABSENT, GAP, TRADED


class BarIntake:
    """Reads one bar of every instrument at a time.

    bars: float64 (instruments, 5), the last bar read. kinds: int8 (instruments,), ABSENT, GAP or TRADED. listed, gone: int8
    (instruments,), 1 from the first bar on, and after the delisting. first_times: open time (ms) before which an instrument's
    bars are left aside, as they stand before the ones its indicators start with; 0 for none.
    """

    def __init__(self, symbols: Sequence[str], timeframe: Timeframe, first_times: Sequence[int]) -> None:
        self.symbols = tuple(symbols)
        self.places = {symbol: k for k, symbol in enumerate(symbols)}
        self.timeframe = timeframe
        self.first_times = tuple(first_times)
        count = len(self.symbols)
        self.bars = np.zeros((count, 5))
        self.kinds = np.zeros(count, np.int8)
        self.listed = np.zeros(count, np.int8)
        self.gone = np.zeros(count, np.int8)

    def place(self, symbol: str | None, field: str) -> int:
        """Index of an instrument; `field` is what an InputError says named it."""
        if symbol is None and len(self.symbols) == 1:
            return 0
        if symbol not in self.places:
            raise InputError(f"{field} names {symbol!r}: it must be one of {', '.join(self.symbols)}")
        return self.places[symbol]

    def rows(self, bar: Any) -> Mapping[str, Any]:
        """A bar as it was given, as a mapping from symbol to its row."""
        if isinstance(bar, Mapping) and (len(self.symbols) > 1 or not bar or self.symbols[0] in bar):
            for symbol in bar:
                self.place(symbol, "the bar")
            return bar
        if len(self.symbols) > 1:
            raise InputError(f"the bar is {bar!r}: for several instruments it must be a mapping from symbol to bar")
        return {self.symbols[0]: bar}

    def read(self, bar: Any, marks: np.ndarray) -> int | None:
        """Read a bar of every instrument; one left out stands flat at its mark. Returns the bar's open time, None without a row."""
        rows = self.rows(bar)
        time = None
        for k, symbol in enumerate(self.symbols):
            self.kinds[k] = ABSENT
            row = rows.get(symbol)
            if row is None:
                if self.listed[k] == 1 and self.gone[k] == 0:
                    self.bars[k, :4] = marks[k]
                    self.bars[k, 4] = 0.0
                    self.kinds[k] = GAP
                continue
            if self.gone[k] == 1:
                raise InputError(f"the bar of {symbol} is refused: it has been delisted")
            stamp, *values = bar_row(row, symbol)
            if time is not None and stamp != time:
                raise InputError(f"the bar of {symbol} opens at {utc_text(stamp)} UTC: the others open at {utc_text(time)}")
            time = stamp
            self.bars[k] = values
            if stamp >= self.first_times[k]:
                self.kinds[k] = TRADED if values[4] > 0.0 else GAP
        return time

    def agrees(self, bar: Any, closed: np.ndarray) -> tuple[int | None, bool]:
        """Open time of a bar given again, and whether it is the one that was `closed`, (instruments, 5)."""
        time = None
        same = True
        for symbol, row in self.rows(bar).items():
            time, *values = bar_row(row, symbol)
            same = same and values == closed[self.places[symbol]].tolist()
        return time, same

    def walks(self, sub_bars: Any, time: int) -> np.ndarray:
        """What the exchange walks: finer bars when every traded instrument has its set, else the bar itself.

        sub_bars: None, or a sequence of bars, or a mapping from symbol to one. Returns float64 (instruments, 5, walks).
        """
        own = np.ascontiguousarray(self.bars[:, :, np.newaxis])
        if sub_bars is None:
            return own
        given = sub_bars if isinstance(sub_bars, Mapping) else {self.symbols[0]: sub_bars}
        if len(self.symbols) > 1 and not isinstance(sub_bars, Mapping):
            raise InputError("sub_bars must be a mapping from symbol to finer bars, for there are several instruments")
        tables: dict[int, np.ndarray] = {}
        for symbol, rows in given.items():
            k = self.place(symbol, "sub_bars")
            table = finer_bars(rows, symbol, self.bars[k], time, self.timeframe.ms)
            if table is not None:
                tables[k] = table
        traded = np.flatnonzero(self.kinds == TRADED).tolist()
        if not traded or any(k not in tables for k in traded):
            return own
        counts = {tables[k].shape[1] for k in traded}
        if len(counts) > 1:
            raise InputError(f"sub_bars hold {' and '.join(map(str, sorted(counts)))} bars: all instruments must have as many")
        bars = np.zeros((len(self.symbols), 5, counts.pop()))
        for k in traded:
            bars[k] = tables[k]
        return bars
