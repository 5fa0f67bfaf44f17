"""Runs the compiled engine on the arguments of the twin's `simulate`, and puts its results in the twin's words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from engine.account import Account
from engine.evaluation import Evaluation
from engine.execution import Execution
from engine.machine import Feed, InstrumentTerms, Machine, average_ranges
from engine.programs import PROGRAMS, STRATEGIES
from engine.records import LABELS, SIDES
from gridcore.constants import tier_dtype

FIELDS = ("open", "high", "low", "close", "volume")


def tiers_of(rows: list[dict[str, float]]) -> np.ndarray:
    """Tier records from the twin's rows."""
    tiers = np.zeros(len(rows), tier_dtype)
    for k, row in enumerate(rows):
        for name in tier_dtype.names:
            tiers[name][k] = row[name]
    return tiers


def feed_of(run: dict[str, Any]) -> Feed:
    """The market arrays of a twin's run."""
    count, length = len(run["bars"]), len(run["time"])
    bars = np.array([[table[name] for name in FIELDS] for table in run["bars"]], np.float64)
    bars[:, 4] = np.nan_to_num(bars[:, 4])
    offsets = np.zeros((count, length + 1), np.int64)
    rates: list[float] = []
    marks: list[float] = []
    for k, settlements in enumerate(run["settlements"]):
        for i, pairs in enumerate(settlements):
            offsets[k, i] = len(rates)
            rates += [rate for rate, _ in pairs]
            marks += [mark for _, mark in pairs]
        offsets[k, length] = len(rates)
    sub_start = np.full((count, length), -1, np.int64)
    sets = [list((subs or {}).items()) for subs in run["sub_bars"]]
    size = max((len(candles) for own in sets for _, candles in own), default=0)
    columns = max((len(own) for own in sets), default=0) * size
    sub_bars = np.zeros((count, 5, columns))
    for k, own in enumerate(sets):
        for place, (i, candles) in enumerate(own):
            sub_start[k, i] = place * size
            sub_bars[k, :, place * size : (place + 1) * size] = np.array(candles).T
    feed = Feed(
        np.array(run["time"], np.int64),
        np.ascontiguousarray(bars),
        np.array(run["kinds"], np.int8),
        offsets,
        np.array(rates, np.float64),
        np.array(marks, np.float64),
        sub_start,
        size,
        sub_bars,
        np.full(count, run["trade_from"], np.int64),
    )
    if "evaluation" in run:
        sessions = np.ascontiguousarray(np.array(run["sessions"], np.int64).T)
        feed = replace(feed, sessions=sessions, ranges=average_ranges(feed, run["evaluation"]["atr_period"]))
    return feed


def machine_of(run: dict[str, Any], recording: bool = True) -> Machine:
    """The compiled machine for a twin's run."""
    kind = STRATEGIES[run["strategy"]]
    instruments = [
        InstrumentTerms(
            f"{item['symbol']}{k}",
            item["tick_size"],
            item["step_size"],
            item["min_qty"],
            item["min_notional"],
            item["contract_multiplier"],
            tiers_of(item["tiers"]),
            item["weight"],
        )
        for k, item in enumerate(run["instruments"])
    ]
    return Machine.build(
        PROGRAMS[kind],
        # Not validated: the engine must follow the twin beyond the rules between parameters as well.
        [kind.model_construct(**own).record() for own in run["parameters"]],
        instruments,
        Account(**run["account"]),
        Execution(**run["execution"]),
        run["timeframe_ms"],
        recording,
        Evaluation(**run["evaluation"]) if "evaluation" in run else None,
    )


def events_of(log: np.ndarray) -> list[dict[str, Any]]:
    """The event log as the twin writes it."""
    rows = []
    for event in log:
        row = {name: event[name].item() for name in log.dtype.names}
        row["label"] = LABELS[row["label"]]
        row["side"] = SIDES[row["side"]]
        rows.append(row)
    return rows


def run_compiled(run: dict[str, Any]) -> tuple[list[dict[str, Any]], list[float], Machine]:
    """Events, equity of every bar and the machine at the end, like `tests.twin.simulate`."""
    machine = machine_of(run)
    feed = feed_of(run)
    log, equity = machine.run(feed, machine.indicators(feed), run["trade_from"])
    before = [run["account"]["capital"]] * run["trade_from"]
    return events_of(log), before + equity.tolist(), machine


def differences(ours: list[dict[str, Any]], theirs: list[dict[str, Any]], relative: float = 1e-9) -> str:
    """The first difference between two event logs as text, empty when they agree."""
    for number, (mine, other) in enumerate(zip(ours, theirs, strict=False)):
        for name, value in other.items():
            same = mine[name] == value
            if isinstance(value, float) and not same:
                money = abs(other["wallet"]) if name in ("realized_pnl", "wallet") else 0.0
                scale = max(abs(value), abs(mine[name]), 1.0 if name != "qty" else 0.0, money)
                same = abs(mine[name] - value) <= relative * scale
            if not same:
                return f"event {number}: {name} {mine[name]!r} against {value!r}\n  ours   {mine}\n  theirs {other}"
    if len(ours) != len(theirs):
        longer = ours if len(ours) > len(theirs) else theirs
        return f"{len(ours)} events against {len(theirs)}; the first that only one has: {longer[min(len(ours), len(theirs))]}"
    return ""
