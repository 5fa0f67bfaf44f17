"""The events of a stepper, taken over from the machine's journal; nothing is ever dropped."""

from __future__ import annotations

import numpy as np

from engine.machine import Machine, check_status
from engine.records import event_dtype

_AT_FIRST = 1024  # events


class EventLog:
    """A log that grows by doubling."""

    def __init__(self) -> None:
        self._events = np.empty(_AT_FIRST, event_dtype)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def view(self) -> np.ndarray:
        """The events so far, `event_dtype` (events,), read-only."""
        events = self._events[: self._count]
        events.flags.writeable = False
        return events

    def extend(self, events: np.ndarray) -> None:
        """Add events behind the last one."""
        need = self._count + len(events)
        if need > len(self._events):
            longer = np.empty(max(2 * len(self._events), need), event_dtype)
            longer[: self._count] = self._events[: self._count]
            self._events = longer
        self._events[self._count : need] = events
        self._count = need

    def take(self, machine: Machine, bar: int) -> None:
        """Move the journal's events of bar number `bar` here. Raises what compiled code reported."""
        check_status(int(machine.accounts["status"][0]), bar)
        count = int(machine.journals["event_count"][0])
        if count:
            self.extend(machine.journals["events"][0, :count])
            machine.journals["event_count"] = 0
