"""`python -m benchmarks.controls.fills`: whether a fill on the control markets wins or loses anything by construction.

Every limit fill of the static grid is marked at the close of its bar: on a martingale whose path is known the mean is zero, for
entries and for exits that the path meets. Without the bridges between steps a fill loses what the price has jumped past its
order. A take-profit goes live at the bar after its entry; where the price has passed it by then, it fills at the open and at its
own price, which loses what lies between: a rule of the model that hurts, and the rarer the shorter the bars and the wider the grid.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence

import numpy as np

import backtest as bt
from backtest.data.timeframe import MINUTE, YEAR
from benchmarks.controls.experiment import FREE
from benchmarks.controls.markets import VOLATILITY, Clock, made_up
from engine.records import OPEN_LABEL, TAKE_PROFIT_LABEL

BASIS_POINT = 1e-4
# A discrete path overshoots a barrier by this many standard deviations of a step (Broadie, Glasserman and Kou 1997).
OVERSHOOT = 0.5826
# Bars, finer bars of each, distance of the grid's rungs, and whether the bridges are there.
CASES = (
    ("1h", 2, 0.005, True),
    ("1h", 2, 0.01, True),
    ("1h", 2, 0.02, True),
    ("15m", 3, 0.005, True),
    ("15m", 3, 0.01, True),
    ("1h", 2, 0.01, False),
    ("15m", 1, 0.01, False),
    ("15m", 3, 0.01, False),
    ("15m", 15, 0.01, False),
)


def marked_fills(market: bt.Market, rungs: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What limit fills of the static grid are worth at the close of their bar, basis points of their price.

    Entries, take-profits that the path met, take-profits that the open had passed.
    """
    ledger = bt.run(market, bt.StaticGrid(step=rungs), execution=FREE).ledgers[0]
    events = ledger.events
    close, open_, price = market.close[events["bar"]], market.open[events["bar"]], events["price"]
    entry, exit_ = (np.isin(events["label"], (label, label + 1)) for label in (OPEN_LABEL, TAKE_PROFIT_LABEL))
    sign = np.where((events["side"] == 0) == entry, 1.0, -1.0)  # +1 for what buys: longs in, shorts out
    worth = sign * (close / price - 1.0) / BASIS_POINT
    passed = exit_ & (sign * (open_ - price) < 0.0)
    return worth[entry], worth[exit_ & ~passed], worth[passed]


def mean_and_error(by_seed: Sequence[np.ndarray]) -> tuple[float, float]:
    """Mean of all fills (NaN without any), and its standard error from the seeds: fills of one seed are not independent of each other."""
    sums = np.array([one.sum() for one in by_seed])
    counts = np.array([one.size for one in by_seed], dtype=np.float64)
    if not counts.any():
        return math.nan, math.nan
    mean = float(sums.sum() / counts.sum())
    return mean, float(np.sqrt(np.sum((sums - mean * counts) ** 2)) / counts.sum())


def row(timeframe: str, finer: int, rungs: float, bridges: bool, seeds: int, days: int) -> str:
    """A row of the table."""
    clock = Clock(days, timeframe, finer)
    found = [marked_fills(made_up(seed, clock, bridges=bridges), rungs) for seed in range(seeds)]
    step = clock.bar / clock.finer
    cells = [timeframe, f"{step / MINUTE:g}", "yes" if bridges else "no", f"{rungs * 100.0:g}"]
    for kind in zip(*found, strict=True):
        mean, error = mean_and_error(kind)
        shown = "none" if math.isnan(mean) else f"{mean:+.2f} +- {1.96 * error:.2f}"
        cells += [f"{sum(one.size for one in kind):,}", shown]
    overshoot = 0.0 if bridges else -OVERSHOOT * VOLATILITY * np.sqrt(step / YEAR) / BASIS_POINT
    return f"| {' | '.join(cells)} | {overshoot:+.1f} |"


HEADS = ("bars", "steps, min", "bridges", "rungs, %", "entries", "bp", "exits met", "bp", "exits passed", "bp", "overshoot, bp")


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.controls.fills", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, metavar="N", help="markets a row (default %(default)s)")
    parser.add_argument("--days", type=int, default=120, help="days of each (default %(default)s)")
    options = parser.parse_args()
    print(f"| {' | '.join(HEADS)} |\n|{' ---: |' * len(HEADS)}")
    for case in CASES:
        print(row(*case, options.seeds, options.days), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
