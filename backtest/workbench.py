"""Many runs in the arrays of one: where a sweep and a search run without logs."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from backtest.strategy import Strategy, program_of
from engine.machine import Machine


class Workbench(threading.local):
    """The machines of each thread, one for each wallet of a run.

    A run's megabytes of zeros are asked of the system once a thread and not once a run: threads that ask for memory all the time
    wait for each other. What a machine of it has done is to be read before the thread's next run overwrites its states.
    """

    def __init__(self) -> None:
        self.machines: dict[int, Machine] = {}

    def machine_for(
        self, strategy: Any, record: np.ndarray, instruments: np.ndarray, terms: np.ndarray, capital: float, wallet: int = 0
    ) -> Machine:
        """A machine at its start, which keeps no events, for the wallet of that number.

        record: `strategy.record()`; the other records are the engine's.
        """
        program, kept = program_of(strategy), self.machines.get(wallet)
        parameters = np.concatenate([record] * len(instruments))
        if isinstance(strategy, Strategy):  # a user's decision may look at rows of the state that hold nothing, which must be zeros
            kept = None
        if kept is not None and kept.program is program and len(kept.instruments) == len(instruments):
            kept.run_again_with(parameters, instruments, terms, capital)
            return kept
        made = Machine(program, parameters, instruments, terms, False)
        made.reset(capital)
        self.machines[wallet] = made
        return made
