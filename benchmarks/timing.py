"""Timing that can be trusted on a busy machine: rounds that alternate between the candidates, and medians of their ratios."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter, process_time


def alternate(candidates: dict[str, Callable[[], object]], rounds: int) -> dict[str, dict[str, list[float]]]:
    """Run every candidate once a round, in turn. Returns the process and the wall seconds of each, a value a round."""
    times: dict[str, dict[str, list[float]]] = {name: {"process": [], "wall": []} for name in candidates}
    for function in candidates.values():
        function()
    for _ in range(rounds):
        for name, function in candidates.items():
            wall, process = perf_counter(), process_time()
            function()
            times[name]["process"].append(process_time() - process)
            times[name]["wall"].append(perf_counter() - wall)
    return times


def ratio_to(times: dict[str, dict[str, list[float]]], name: str, floor: str) -> float:
    """Median over the rounds of the ratio of process times: both sides of a ratio met the same machine."""
    pairs = zip(times[name]["process"], times[floor]["process"], strict=True)
    return median(mine / base for mine, base in pairs if base > 0.0)
