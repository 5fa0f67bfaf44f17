"""The orders in the books of some instruments, as one array."""

from __future__ import annotations

import numpy as np

from engine import stepping

_AT_FIRST = 256  # orders


class OrderList:
    """Lists orders into a buffer that grows when there are more."""

    def __init__(self) -> None:
        self._buffer = np.empty(_AT_FIRST, stepping.wanted_dtype)

    def of(self, states: np.ndarray) -> np.ndarray:
        """The orders that may fill (`wanted_dtype`) in the books of `states`, `state_dtype` (instruments,)."""
        count = stepping.list_orders(states, self._buffer)
        if count > len(self._buffer):
            self._buffer = np.empty(2 * count, stepping.wanted_dtype)
            stepping.list_orders(states, self._buffer)
        return self._buffer[:count].copy()
