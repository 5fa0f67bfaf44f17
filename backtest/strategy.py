"""`bt.Strategy`: a user's own compiled decision, with its parameters, indicators and warm-up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numba
import numpy as np
from numba.core.dispatcher import Dispatcher
from numba.core.errors import NumbaError

from engine.errors import InputError
from engine.machine import Program
from engine.parameters import Parameters
from engine.programs import PROGRAMS
from engine.records import account_dtype, instrument_dtype, state_dtype, terms_dtype
from engine.strategies.user import build_program, indicator_table

# Columns of the row when a strategy brings no indicators of its own: the closed bar itself.
BAR_COLUMNS = 5

# Bars of the flat trial on which a user's indicators show how many columns they have, when the warm-up is shorter.
TRIAL_BARS = 500


class Strategy:
    """A strategy of the user's own.

    decide: a function compiled with `numba.njit`, `decide(parameters, row, account, state, instrument, terms, memory)`; it edits
        the order list with the functions of `engine.toolbox`. It sees the row of the last closed bar and is not called while
        a value of the row is not finite.
    params: name -> number; the function reads them as `parameters["name"]`.
    indicators: `indicators(open, high, low, close, volume)` of arrays (bars,) -> array (bars, columns); row i may use bars <= i
        only (`bt.check_lookahead` tests that). None: the row is open, high, low, close, volume of the closed bar.
    warmup: bars that stand before the first one that may trade.
    memory: how many float64 the strategy may keep from bar to bar (`memory[0]`, ...), at the start 0.
    """

    def __init__(
        self,
        decide: Any,
        params: Mapping[str, float] | None = None,
        indicators: Callable[..., Any] | None = None,
        warmup: int = 1,
        memory: int = 16,
        name: str = "strategy",
    ) -> None:
        if not (isinstance(decide, Dispatcher) or (numba.config.DISABLE_JIT and callable(decide))):
            raise InputError(f"decide = {decide!r} is refused: it must be a function compiled with numba.njit")
        if not isinstance(warmup, int) or warmup < 1:
            raise InputError(f"warmup = {warmup!r} is refused: it must be a whole number of bars, at least 1")
        if not isinstance(memory, int) or memory < 1:
            raise InputError(f"memory = {memory!r} is refused: it must be a whole number, at least 1")
        for key, value in (params or {}).items():
            if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)) or not np.isfinite(value):
                raise InputError(f"params[{key!r}] = {value!r} is refused: it must be a finite number")
        self.name = name
        self.decide = decide
        self.indicators = indicators
        self.warmup = warmup
        self.memory = memory
        self.parameters = dict(params or {})

    def __repr__(self) -> str:
        settings = ", ".join(f"{key}={value}" for key, value in self.parameters.items())
        return f"Strategy({self.name}: {settings})"

    def warmup_bars(self) -> int:
        """Bars that stand before the first one that may trade."""
        return self.warmup

    def record(self) -> np.ndarray:
        """The parameters as a one-row record of float64 fields."""
        row = np.zeros(1, np.dtype([(key, np.float64) for key in self.parameters] or [("none", np.float64)]))
        for key, value in self.parameters.items():
            row[key] = value
        return row

    def __getstate__(self) -> dict[str, Any]:
        """What is sent to another process, which compiles for itself."""
        return {name: value for name, value in self.__dict__.items() if name != "program"}

    @cached_property
    def program(self) -> Program:
        """The compiled program; made once for the object."""
        columns = indicator_table(self.indicators, np.ones((BAR_COLUMNS, max(self.warmup, TRIAL_BARS)))).shape[1]
        self._compile_decide()
        return build_program(self.name, self.decide, self.indicators, columns, self.memory)

    def _compile_decide(self) -> None:
        """Compile the user's function by itself, before the loop takes it in.

        So it has numba's usual options (it may allocate arrays, which the loop's own code may not), and its mistakes are
        told without the loop around them.
        """
        if not isinstance(self.decide, Dispatcher):
            return
        numbers = numba.types.Array(numba.types.float64, 1, "C")
        records = [numba.from_dtype(kind) for kind in (account_dtype, state_dtype, instrument_dtype, terms_dtype)]
        signature = (numba.from_dtype(self.record().dtype), numbers, *records, numbers)
        try:
            self.decide.compile(signature)
        except (NumbaError, TypeError) as error:  # numba raises TypeError for another number of arguments
            raise InputError(
                f"decide of strategy {self.name} does not compile as "
                f"decide(parameters, row, account, state, instrument, terms, memory): {_reason(error)}"
            ) from error


def _reason(error: Exception) -> str:
    """The sentence of numba's that says what is wrong, and where; the rest of its message is how it got there."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and not line.startswith("Failed in nopython mode pipeline")]
    if isinstance(error, TypeError) and not isinstance(error, NumbaError):
        return "it does not take these seven arguments"
    place = next((line.removesuffix(":") for line in lines if line.startswith("File ")), "")
    reason = said[0].rstrip(".: ") if said else type(error).__name__
    return f"{reason} ({place})" if place else reason


def program_of(strategy: Any) -> Program:
    """The compiled program of a built-in strategy's parameters or of a user's strategy."""
    if isinstance(strategy, Strategy):
        return strategy.program
    program = PROGRAMS.get(type(strategy))
    if program is None or not isinstance(strategy, Parameters):
        names = ", ".join(kind.__name__ for kind in PROGRAMS)
        raise InputError(f"strategy = {strategy!r} is refused: it must be one of {names}, or a Strategy of your own")
    return program
