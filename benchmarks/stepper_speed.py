"""What one bar costs when Python drives it: the stepper's calls, one by one."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import backtest as bt
from benchmarks.calibration import calibration
from benchmarks.context import Context
from benchmarks.market import simulated
from benchmarks.rows import Row, timed
from benchmarks.timing import Samples, seconds_of

GROUP = "stepper"
CALLS = ("decide", "match", "apply", "close")
ALL = "all four"
BARS_A_ROUND = 100
TOLERANCE = 0.30


def stepper_rows(context: Context) -> list[Row]:
    """Rows of each call, of all four together, and of a snapshot and its restoring; microseconds."""
    context.say("the stepper, bar by bar")
    market, strategy, rounds = simulated(), bt.AdaptiveGrid(), context.rounds(9, 31)
    step = bt.Stepper([market.instrument], strategy, timeframe=str(market.timeframe))
    columns = (market.time, market.open, market.high, market.low, market.close, market.volume)
    first = strategy.warmup_bars()
    table = [tuple(column[i].item() for column in columns) for i in range(first + (rounds + 1) * BARS_A_ROUND)]
    for bar in table[: first - 1]:
        step.observe(bar)
    samples = {name: Samples() for name in (*CALLS, ALL, "snapshot", "restore")}
    calibrate = calibration()
    for number in range(-1, rounds):  # the first round is not counted
        begin = first + (number + 1) * BARS_A_ROUND
        beside, _ = seconds_of(calibrate)
        spent = _round(step, table[begin - 1 : begin + BARS_A_ROUND])
        blob = step.snapshot()
        spent["snapshot"] = seconds_of(step.snapshot)
        spent["restore"] = seconds_of(partial(bt.Stepper.restore, blob))
        for name, (process, wall) in spent.items():
            if number >= 0:
                samples[name].process.append(process)
                samples[name].wall.append(wall)
                samples[name].beside.append(beside)
    rows = []
    for name, one in samples.items():
        scale = 1e6 if name in ("snapshot", "restore") else 1e6 / BARS_A_ROUND
        rows.append(timed(GROUP, name, "microseconds", one, scale, tolerance=TOLERANCE if name == ALL else None))
    return rows


def _round(step: Any, table: list[Any]) -> dict[str, tuple[float, float]]:
    """Processor and wall seconds of each call, summed over the bars."""
    spent = {name: [0.0, 0.0] for name in (*CALLS, ALL)}
    made: dict[str, Any] = {}

    def call(name: str, *arguments: Any) -> None:
        made[name] = getattr(step, name)(*arguments)

    for closed, bar in pairwise(table):
        for name in CALLS:
            arguments = {"decide": (closed,), "match": (made.get("decide"), bar), "apply": (made.get("match"),), "close": (bar,)}[name]
            process, wall = seconds_of(partial(call, name, *arguments))
            for place in (name, ALL):
                spent[place][0] += process
                spent[place][1] += wall
    return {name: (process, wall) for name, (process, wall) in spent.items()}
