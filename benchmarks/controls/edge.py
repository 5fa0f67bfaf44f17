"""`python -m benchmarks.controls.edge`: how large a planted edge is, as the Sharpe ratio a year of the static grid on it.

Three figures a strength, means over markets: the default grid without costs at a touch, the same on the terms of the control,
and on these the set of the Sobol design that is best over all the markets together, which is what a perfect search would take.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

from backtest.optimization.cells import cells_of
from backtest.optimization.evaluation import scored_execution
from backtest.optimization.evidence.design import sobol_design
from backtest.optimization.parts import Part
from backtest.optimization.settings import Optimization
from backtest.optimization.space import decoded, search_space
from benchmarks.controls.experiment import FREE, HALF_LIFE_BARS, Plan
from benchmarks.controls.markets import made_up
from engine.account import Account
from engine.execution import Execution
from engine.strategies.static_grid_parameters import StaticGrid

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
# Beside those of the controls, so that the edge is not measured where it is looked for.
FIRST_SEED = 10_000


def sharpes(strength: float, plan: Plan, seeds: int) -> tuple[np.ndarray, np.ndarray]:
    """Sharpe ratios a year: of the default without costs [seeds], and on the control's terms of default and design [seeds, 1 + sets]."""
    space, account = search_space(StaticGrid), Account()
    sets = [StaticGrid(), *(StaticGrid(**decoded(space, row)) for row in sobol_design(space))]
    terms = scored_execution(Execution(), Optimization())
    free, priced = [], []
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        market = made_up(seed, plan.clock, reverting=strength, half_life_hours=HALF_LIFE_BARS * plan.clock.hours)
        (cell,) = cells_of([market], Part(int(market.time[0]), market.end_time), account, 1)
        free.append(cell.run(sets[0], account, FREE.replace(close_at_end=True)).figures.sharpe)
        priced.append([cell.run(one, account, terms).figures.sharpe for one in sets])
    return np.array(free), np.array(priced)


def cell(values: np.ndarray) -> str:
    """Mean and its standard error."""
    return f"{values.mean():+.2f} +- {values.std(ddof=1) / np.sqrt(values.size):.2f}"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.controls.edge", description=__doc__)
    parser.add_argument("--seeds", type=int, default=8, metavar="N", help="markets a strength (default %(default)s)")
    parser.add_argument("--days", type=int, default=1_200, help="days of each (default %(default)s)")
    parser.add_argument("--timeframe", default="4h", help="bars (default %(default)s)")
    parser.add_argument("--finer", type=int, default=1, help="finer bars of each of them (default %(default)s)")
    options = parser.parse_args()
    plan = Plan(options.days, options.timeframe, options.finer)
    print("| strength | default, no costs | default | best set | its step |\n| ---: | ---: | ---: | ---: | ---: |")
    for strength in STRENGTHS:
        free, priced = sharpes(strength, plan, options.seeds)
        best = 1 + int(np.argmax(np.nan_to_num(priced[:, 1:], nan=-np.inf).mean(axis=0)))
        space = search_space(StaticGrid)
        step = decoded(space, sobol_design(space)[best - 1])["step"]
        print(f"| {strength:g} | {cell(free)} | {cell(priced[:, 0])} | {cell(priced[:, best])} | {step:.2%} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
