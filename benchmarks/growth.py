"""How time grows with bars, levels, lots held, coins and parameter sets: the exponent of each, which must be about 1 or less."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np

import backtest as bt
from benchmarks.context import Context
from benchmarks.loops import loop_of
from benchmarks.market import WARM_UP, retimed, simulated, stretched
from benchmarks.rows import Row
from benchmarks.sweep_speed import grid_of, year
from benchmarks.timing import Samples, alternate

GROUP = "growth"
# So large that no order is too small to place, however many levels or coins share it.
RICH = bt.Account(capital=1e6)
LIMIT = 1.3  # of an exponent: a bent cache makes a tenth, anything quadratic more than this


@dataclass(frozen=True)
class Curve:
    """Time against a size. sizes and seconds (processor, medians) in pairs; exponent: slope of their logarithms."""

    name: str
    sizes: tuple[int, ...]
    seconds: tuple[float, ...]
    exponent: float


def fitted_exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Slope of log seconds over log size by least squares."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def steepest(curve: Curve) -> float:
    """The exponent between the two neighbouring sizes where time grows most."""
    points = list(zip(curve.sizes, curve.seconds, strict=True))
    return max(float(np.log(t2 / t1) / np.log(n2 / n1)) for (n1, t1), (n2, t2) in pairwise(points))


def bars_work(sizes: Sequence[int]) -> dict[int, Callable[[], object]]:
    """The adaptive grid on ever more bars."""
    market = stretched(simulated(), max(sizes) + WARM_UP)
    loop = loop_of(market, bt.AdaptiveGrid(), log=True, account=RICH)
    return {size: partial(loop.run, size) for size in sizes}


def levels_work(sizes: Sequence[int]) -> dict[int, Callable[[], object]]:
    """The adaptive grid with ever more levels a side, each of a smaller order so that all of them rest."""
    market = year("15m")
    strategies = {size: bt.AdaptiveGrid(grid_levels=size, order_pct=min(0.03, 0.6 / size)) for size in sizes}
    return {size: loop_of(market, strategy, log=False, account=RICH).run for size, strategy in strategies.items()}


def lots_work(sizes: Sequence[int]) -> dict[int, Callable[[], object]]:
    """The static grid on a price that falls through `size` rungs and stays there: it holds that many lots while the last is traded on."""
    base, bars, step = year("15m"), 20_000, 0.001
    strategy = bt.StaticGrid(grid_levels=200, step=step, order_qty=0.01, allow_short=False)
    return {size: loop_of(falling(base, size, bars, step), strategy, log=False, account=RICH).run for size in sizes}


def falling(base: bt.Market, rungs: int, bars: int, step: float) -> bt.Market:
    """A price that falls a rung a bar for `rungs` bars, and then goes up over the last rung's take-profit and down again, bar after bar."""
    start = 50_000.0
    depth = np.minimum(np.arange(bars, dtype=float), rungs - 0.5)
    depth[rungs:] += 0.7 * np.where(np.arange(rungs, bars) % 2 == 0, 1.0, -1.0)
    close = start * (1.0 - step * depth)
    opens = np.concatenate([close[:1], close[:-1]])
    values = np.stack([opens, np.maximum(opens, close), np.minimum(opens, close), close, np.full(bars, 1000.0)])
    values[:4] = np.rint(10.0 * values[:4]) / 10.0
    return retimed(base, values, 1)


def coins_work(sizes: Sequence[int]) -> dict[int, Callable[[], object]]:
    """The adaptive grid on one wallet of ever more coins, each on other bars. From two on: a single coin takes a shorter way."""
    base, bars = simulated(), 20_000
    columns = np.stack([base.open, base.high, base.low, base.close, base.volume])
    shift = (columns.shape[1] - bars) // max(sizes)
    coins = [retimed(base, columns[:, place * shift : place * shift + bars], WARM_UP, f"COIN{place}USDT") for place in range(max(sizes))]
    return {size: loop_of(coins[:size], bt.AdaptiveGrid(), log=False, account=RICH).run for size in sizes}


def sets_work(sizes: Sequence[int]) -> dict[int, Callable[[], object]]:
    """A sweep of ever more parameter sets over a year of 1h bars."""
    market = year("1h")
    return {size: partial(bt.sweep, market, bt.AdaptiveGrid(), grid_of(size), threads=1) for size in sizes}


Make = Callable[[Sequence[int]], Mapping[int, Callable[[], object]]]
# name -> (what makes the work, sizes of a whole run, sizes of a quick one)
SUBJECTS: dict[str, tuple[Make, tuple[int, ...], tuple[int, ...]]] = {
    "bars": (bars_work, (25_000, 50_000, 100_000, 200_000, 400_000, 800_000), (10_000, 20_000, 40_000, 80_000)),
    "levels a side": (levels_work, (5, 10, 20, 40, 80, 160), (5, 10, 20, 40)),
    "lots held": (lots_work, (12, 25, 50, 100, 190), (25, 50, 100)),
    "coins on one wallet": (coins_work, (2, 4, 8, 16), (2, 4, 8)),
    "parameter sets": (sets_work, (20, 40, 80, 160, 320, 640), (20, 40, 80)),
}


def curve_of(name: str, context: Context) -> Curve:
    """Measure one of the subjects."""
    make, whole, quick = SUBJECTS[name]
    sizes = quick if context.quick else whole
    context.say(f"growth with {name}")
    samples: dict[str, Samples] = alternate({str(size): work for size, work in make(sizes).items()}, context.rounds(5, 7))
    # Against the calibration beside it, so that a slow minute does not bend the curve.
    usual = median(second for one in samples.values() for second in one.beside)
    seconds = tuple(usual * median(samples[str(size)].ratios()) for size in sizes)
    return Curve(name, sizes, seconds, fitted_exponent(sizes, seconds))


def growth_rows(context: Context) -> list[Row]:
    """A row a subject: the exponent, and the seconds at the smallest and the largest size."""
    return [_row(curve_of(name, context)) for name in SUBJECTS]


def _row(curve: Curve) -> Row:
    points: dict[str, Any] = {f"seconds_at_{size}": second for size, second in zip(curve.sizes, curve.seconds, strict=True)}
    return Row(GROUP, curve.name, "exponent", curve.exponent, limit=LIMIT, counts={"steepest": steepest(curve), **points})
