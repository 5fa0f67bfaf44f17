"""What one bar costs when Python drives it: the stepper's calls, one by one."""

from __future__ import annotations

from statistics import median
from time import perf_counter
from typing import Any

import backtest as bt


def stepper_rows(market: bt.Market, bars: int) -> list[dict[str, Any]]:
    """Rows of the table: median microseconds of each call over `bars` bars, once everything is compiled."""
    strategy = bt.AdaptiveGrid()
    step = bt.Stepper([market.instrument], strategy, timeframe=str(market.timeframe))
    columns = (market.time, market.open, market.high, market.low, market.close, market.volume)
    table = [tuple(column[i].item() for column in columns) for i in range(strategy.warmup_bars() + bars + 20)]
    first = strategy.warmup_bars()
    for bar in table[: first - 1]:
        step.observe(bar)
    names = ("decide", "match", "apply", "close")
    seconds: dict[str, list[float]] = {name: [] for name in (*names, "all four")}
    for closed, bar in zip(table[first - 1 : -1], table[first:], strict=True):
        clock = [perf_counter()]
        orders = step.decide(closed)
        clock.append(perf_counter())
        fills = step.match(orders, bar)
        clock.append(perf_counter())
        step.apply(fills)
        clock.append(perf_counter())
        step.close(bar)
        clock.append(perf_counter())
        for place, name in enumerate(names):
            seconds[name].append(clock[place + 1] - clock[place])
        seconds["all four"].append(clock[-1] - clock[0])
    rows = [{"name": name, "group": "stepper", "microseconds": 1e6 * median(values[20:])} for name, values in seconds.items()]
    began = perf_counter()
    blob = step.snapshot()
    rows.append({"name": "snapshot", "group": "stepper", "microseconds": 1e6 * (perf_counter() - began)})
    began = perf_counter()
    bt.Stepper.restore(blob)
    rows.append({"name": "restore", "group": "stepper", "microseconds": 1e6 * (perf_counter() - began)})
    return rows
