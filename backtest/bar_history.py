"""The bars that one instrument's indicators still need, and the row of the last of them, kept up bar by bar."""

from __future__ import annotations

from collections import deque

import numpy as np

from engine.machine import Program

BAR_ROWS = 5  # open, high, low, close, volume
# A window slides this many bars, or its own length, before it is moved back to the front of its memory.
LEAST_SLACK = 1024


class BarHistory:
    """Indicator rows of one instrument, the same bits as a run computes in one piece.

    Before `begin` only the last `warmup` bars are kept: the indicators start there, as they do in a run. A built-in strategy's
    rows are continued in a window of `warmup + 2` bars, which is more than any of its windows; a user's indicators may look at
    everything, so all bars since the start are kept for them.
    """

    def __init__(self, program: Program, parameters: np.ndarray, warmup: int) -> None:
        self.program = program
        self.parameters = parameters  # one row
        self.whole = not program.causal_pieces
        self.width = warmup + 2
        self.begun = False
        self.early: deque[np.ndarray] = deque(maxlen=warmup)
        self.size = 0  # bars in the window, or in all
        self.bars: np.ndarray = np.empty((BAR_ROWS, 0))
        self.rows: np.ndarray = np.empty((program.columns, 0))
        # Memory of the sliding window, which begins at `shift`.
        self._bar_memory: np.ndarray = np.empty(0)
        self._row_memory: np.ndarray = np.empty(0)
        self._shift = 0
        self._sliding = False

    def add(self, bar: np.ndarray) -> None:
        """Take up a closed bar, (5,): open, high, low, close, volume; once begun, its row becomes the last one."""
        if not self.begun:
            self.early.append(bar.copy())
            return
        if self.whole:
            self._append_to_all(bar)
        elif self.size < self.width:
            self._grow(bar)
        else:
            self._slide(bar)
        self.program.fill_indicators(self.parameters, self.bars, self.rows, self.size - 1)

    def begin(self) -> None:
        """Start the indicators at the first of the bars kept so far; there must be one."""
        self.begun = True
        self.resume(np.ascontiguousarray(np.stack(list(self.early), axis=1)), None)
        self.early.clear()

    def resume(self, bars: np.ndarray, rows: np.ndarray | None) -> None:
        """Go on from `bars` (5, size) and their `rows` (columns, size); None: compute them."""
        self.begun = True
        self.size = bars.shape[1]
        self._sliding = False
        if self.whole:
            self._bar_memory = np.empty((BAR_ROWS, max(LEAST_SLACK, 2 * self.size)))
            self._bar_memory[:, : self.size] = bars
            self.bars = self._bar_memory[:, : self.size]
        else:
            self.bars = bars
        if rows is None:
            self.rows = np.full((self.program.columns, self.size), np.nan)
            self.program.fill_indicators(self.parameters, self.bars, self.rows, 0)
        else:
            self.rows = rows

    @property
    def last_row(self) -> np.ndarray:
        """Indicator row of the last closed bar, (columns,)."""
        return self.rows[:, self.size - 1]

    def _append_to_all(self, bar: np.ndarray) -> None:
        if self.size == self._bar_memory.shape[1]:
            larger = np.empty((BAR_ROWS, 2 * self.size))
            larger[:, : self.size] = self._bar_memory
            self._bar_memory = larger
        self._bar_memory[:, self.size] = bar
        self.size += 1
        self.bars = self._bar_memory[:, : self.size]
        # Only the last row is written; the others stay untouched memory.
        self.rows = np.empty((self.program.columns, self.size))

    def _grow(self, bar: np.ndarray) -> None:
        # Compiled code is typed for contiguous arrays, so a longer window is a new one; there are few of these steps.
        self.bars = np.concatenate([self.bars, bar[:, np.newaxis]], axis=1)
        self.rows = np.concatenate([self.rows, np.full((len(self.rows), 1), np.nan)], axis=1)
        self.size += 1

    def _slide(self, bar: np.ndarray) -> None:
        """Move the window on by one bar: seen from the next address on, the same memory is the window shifted by one column.

        What stood in the first column of a row then lies at the end of the row before, where the new bar is written.
        """
        width = self.width
        if not self._sliding or self._shift == max(LEAST_SLACK, width):
            slack = max(LEAST_SLACK, width)
            self._bar_memory = np.concatenate([self.bars.reshape(-1), np.empty(slack)])
            self._row_memory = np.concatenate([self.rows.reshape(-1), np.empty(slack)])
            self._shift = 0
            self._sliding = True
        self._shift += 1
        columns = self.program.columns
        self.bars = self._bar_memory[self._shift : self._shift + BAR_ROWS * width].reshape(BAR_ROWS, width)
        self.rows = self._row_memory[self._shift : self._shift + columns * width].reshape(columns, width)
        self.bars[:, -1] = bar
