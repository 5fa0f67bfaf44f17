"""The bars the benchmarks run on: the real BTC 15-minute bars where they are, else the simulated market."""

from __future__ import annotations

import os

import backtest as bt


def benchmark_market() -> bt.Market:
    """BTC 15-minute bars from the folder `GRIDCORE_TEST_DATA` names, else from the simulated market (its source says so)."""
    folder = os.environ.get("GRIDCORE_TEST_DATA")
    if folder:
        return bt.load("BTC", data_dir=folder, start="2022-01-12")
    return bt.load("BTC", source="simulated", start="2023-07-15")
