"""What a snapshot holds: a strategy's and an instrument's settings as plain values, the machine's records as arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backtest.bar_history import BarHistory
from backtest.data.instrument import Instrument
from backtest.strategy import Strategy
from engine.errors import InputError
from engine.machine import Machine, Program
from engine.parameters import Parameters
from engine.programs import STRATEGIES
from engine.records import account_dtype, event_dtype, lot_dtype, order_dtype, state_dtype
from engine.stepping import LOTS_WORD
from gridcore.constants import tier_dtype

INSTRUMENT_FIELDS = ("symbol", "tick_size", "step_size", "min_qty", "min_notional", "contract_multiplier")


def record_types(program: Program) -> dict[str, np.dtype]:
    """The record type of each kind of array in a snapshot that has one."""
    return {"account": account_dtype, "memory": program.memory_dtype.base, "log": event_dtype, "lots": lot_dtype, "orders": order_dtype}


def records_fingerprint(program: Program) -> str:
    """Hash of the layout of every record: a snapshot of another layout cannot be read."""
    kinds = (state_dtype, *record_types(program).values())
    layout = [(kind.descr, kind.itemsize, program.columns, program.memory_dtype.shape) for kind in kinds]
    return hashlib.sha256(repr(layout).encode()).hexdigest()


def instrument_settings(instrument: Instrument) -> dict[str, Any]:
    """An instrument as plain values."""
    tiers = None if instrument.tiers is None else [list(row.item()) for row in instrument.tiers]
    return {**{name: getattr(instrument, name) for name in INSTRUMENT_FIELDS}, "tiers": tiers}


def instrument_from(settings: Mapping[str, Any]) -> Instrument:
    """The instrument of `instrument_settings`."""
    tiers = settings["tiers"]
    records = None if tiers is None else np.array([tuple(row) for row in tiers], tier_dtype)
    return Instrument(**{**settings, "tiers": records})


def strategy_settings(strategy: Any) -> dict[str, Any]:
    """A strategy's name and parameters as plain values; of a user's own also what its memory and warm-up are."""
    if isinstance(strategy, Strategy):
        parameters = {name: float(value) for name, value in strategy.parameters.items()}
        return {"own": strategy.name, "parameters": parameters, "warmup": strategy.warmup, "memory": strategy.memory}
    return {"built_in": strategy.name, "parameters": strategy.model_dump()}


def strategies_from(settings: Sequence[Mapping[str, Any]], given: Any) -> list[Any]:
    """The strategies of a snapshot. A user's own is code and must be `given` again, with the parameters it had then."""
    handed = [] if given is None else list(given) if isinstance(given, (list, tuple)) else [given] * len(settings)
    if handed and len(handed) != len(settings):
        raise InputError(f"strategy holds {len(handed)} strategies: the snapshot has {len(settings)}")
    for strategy, kept in zip(handed, settings, strict=False):
        if not isinstance(strategy, (Strategy, Parameters)):
            raise InputError(f"strategy = {strategy!r} is refused: it must be the strategy of the snapshot")
        check_same_strategy(kept, strategy_settings(strategy))
    return handed or [built_in_strategy(kept) for kept in settings]


def built_in_strategy(kept: Mapping[str, Any]) -> Parameters:
    """A built-in strategy from its settings."""
    if "own" in kept:
        raise InputError(f"strategy is missing: {kept['own']!r} is your own code, which a snapshot does not hold; hand it to restore()")
    if kept["built_in"] not in STRATEGIES:
        raise InputError(f"the snapshot's strategy {kept['built_in']!r} is unknown: it must be one of {', '.join(STRATEGIES)}")
    return STRATEGIES[kept["built_in"]](**kept["parameters"])


def check_same_strategy(kept: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Raise InputError naming the first difference between a snapshot's strategy and the one handed in."""
    for name in ("built_in", "own", "warmup", "memory"):
        if kept.get(name) != given.get(name):
            raise InputError(f"strategy is refused: its {name} is {given.get(name)!r}, the snapshot's is {kept.get(name)!r}")
    for name in sorted({*kept["parameters"], *given["parameters"]}):
        then, now = kept["parameters"].get(name), given["parameters"].get(name)
        if then != now:
            raise InputError(f"strategy is refused: its {name} is {now!r}, the snapshot's is {then!r}")


def machine_arrays(machine: Machine) -> dict[str, np.ndarray]:
    """The records that the coming bars depend on; lots and orders up to their counts."""
    arrays = {"account": machine.accounts, "memory": machine.memory}
    words = machine.states.view(np.int64).reshape(len(machine.states), -1)
    for k, state in enumerate(machine.states):
        arrays[f"state.{k}"] = words[k, :LOTS_WORD]
        for side, size in enumerate(state["lot_count"]):
            arrays[f"lots.{k}.{side}"] = state["lots"][side, :size]
        for book, size in enumerate(state["order_count"]):
            arrays[f"orders.{k}.{book}"] = state["orders"][book, :size]
    return arrays


def fill_machine(machine: Machine, arrays: Mapping[str, np.ndarray]) -> None:
    """Put `machine_arrays` into a machine at its start."""
    machine.accounts[...] = arrays["account"]
    machine.memory[...] = arrays["memory"]
    words = machine.states.view(np.int64).reshape(len(machine.states), -1)
    for k, state in enumerate(machine.states):
        words[k, :LOTS_WORD] = arrays[f"state.{k}"]
        for side, size in enumerate(state["lot_count"]):
            state["lots"][side, :size] = arrays[f"lots.{k}.{side}"]
        for book, size in enumerate(state["order_count"]):
            state["orders"][book, :size] = arrays[f"orders.{k}.{book}"]


def history_arrays(histories: Sequence[BarHistory]) -> dict[str, np.ndarray]:
    """The bars that the indicators still need, and the rows that go on from there."""
    arrays = {}
    for k, history in enumerate(histories):
        if not history.begun:
            arrays[f"early.{k}"] = np.array(history.early, np.float64).reshape(-1, 5)
            continue
        arrays[f"history.{k}"] = history.bars
        if not history.whole:
            arrays[f"rows.{k}"] = history.rows
    return arrays


def fill_histories(histories: Sequence[BarHistory], arrays: Mapping[str, np.ndarray]) -> None:
    """Put `history_arrays` into histories at their start."""
    for k, history in enumerate(histories):
        if f"history.{k}" in arrays:
            history.resume(arrays[f"history.{k}"], arrays.get(f"rows.{k}"))
        else:
            history.early.extend(arrays[f"early.{k}"])
