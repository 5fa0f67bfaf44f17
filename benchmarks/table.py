"""The benchmark's table for people."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

import backtest as bt


def print_rows(rows: list[dict[str, Any]], market: bt.Market) -> None:
    """Print one table a group; figures are medians over rounds, process time."""
    console = Console(width=110)
    simulated = " (SIMULATED)" if market.simulated else ""
    engine = Table(title=f"Engine, {len(market):,} bars of {market.symbol} {market.timeframe}{simulated}", title_justify="left")
    for heading in ("", "ns a bar", "best", "million bars/s", "times the floor", "events a bar"):
        engine.add_column(heading, justify="right" if heading else "left")
    for row in rows:
        if row["group"] == "engine":
            events = "" if row["events_per_bar"] is None else f"{row['events_per_bar']:.2f}"
            engine.add_row(
                row["name"],
                f"{row['ns_per_bar']:.1f}",
                f"{row['ns_per_bar_best']:.1f}",
                f"{row['bars_per_second'] / 1e6:.2f}",
                f"{row['ratio_to_floor']:.0f}",
                events,
            )
    console.print(engine)
    calls = Table(title="Stepper, microseconds a call", title_justify="left")
    calls.add_column("")
    calls.add_column("median", justify="right")
    for row in rows:
        if row["group"] == "stepper":
            calls.add_row(row["name"], f"{row['microseconds']:.1f}")
    console.print(calls)
    loading = Table(title="Market data, a whole series at once, made-up bars; ratios to pandas on the same files", title_justify="left")
    for heading in ("", "bars", "ms", "CPU ms", "ratio", "CPU ratio"):
        loading.add_column(heading, justify="right" if heading else "left")
    for row in rows:
        if row["group"] == "loading":
            cells = (f"{row['milliseconds']:.1f}", f"{row['cpu_milliseconds']:.1f}")
            loading.add_row(row["name"], f"{row['bars']:,}", *cells, f"{row['ratio_to_pandas']:.2f}", f"{row['cpu_ratio_to_pandas']:.2f}")
    console.print(loading)
    starts = Table(title="Starts, seconds of a whole process", title_justify="left")
    starts.add_column("")
    starts.add_column("seconds", justify="right")
    for row in rows:
        if row["group"] == "starts":
            starts.add_row(row["name"], f"{row['seconds']:.2f}")
    console.print(starts)
