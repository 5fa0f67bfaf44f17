"""The uncertainty of a result: what its own days, drawn anew in blocks, could have come to."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from backtest.metrics.equity import daily_returns
from backtest.uncertainty.block_length import RULE, mean_block_length
from backtest.uncertainty.bootstrap import bootstrap, outcomes
from backtest.whole_numbers import whole_number
from engine.errors import InputError

if TYPE_CHECKING:
    from backtest.result import Result

METHOD = "stationary bootstrap (Politis and Romano 1994) of daily returns"
LEAST_DAYS = 60
MOST_DRAWS = 100_000
LOW, HIGH = 0.05, 0.95


class Interval(NamedTuple):
    """What the run itself came to, and where the draws lie: 5 % of them below `low`, half below `median`, 5 % above `high`."""

    observed: float
    low: float
    median: float
    high: float


@dataclass(frozen=True)
class Uncertainty:
    """Intervals of a result from block-bootstrap draws of its daily returns; NaN when there are too few days.

    total_return: fraction, over as many days as the run had. sharpe: of daily returns, a year of 365 days, risk-free rate zero.
    max_drawdown: fraction, at the closes of UTC days (shallower than at closes of bars). losing_share: share of draws that end
    below the capital. mean_block: days. days: UTC days of the run, the first and last one may be in part.
    """

    total_return: Interval
    sharpe: Interval
    max_drawdown: Interval
    losing_share: float
    days: int
    draws: int
    seed: int
    mean_block: float
    simulated: bool = False
    liquidated: bool = False
    method: str = METHOD
    block_rule: str = RULE

    @property
    def known(self) -> bool:
        """Whether there were days enough for intervals."""
        return self.days >= LEAST_DAYS

    def sentences(self) -> list[str]:
        """What the numbers say and do not say, in plain words."""
        from backtest.uncertainty.show import sentences

        return sentences(self)


def _interval(observed: float, draws: np.ndarray) -> Interval:
    """Quantiles of the draws that have a value; NaN when none has."""
    values = draws[np.isfinite(draws)]
    if values.size == 0:
        return Interval(observed, math.nan, math.nan, math.nan)
    low, median, high = (float(value) for value in np.quantile(values, (LOW, 0.5, HIGH)))
    return Interval(observed, low, median, high)


def uncertainty_of(returns: np.ndarray, draws: int = 2000, seed: int = 1) -> Uncertainty:
    """The uncertainty of daily returns, float64 [days], finite fractions; see `uncertainty`."""
    draws, seed = whole_number("draws", draws, 100, MOST_DRAWS), whole_number("seed", seed, 0, 2**63 - 1)
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise InputError("returns are refused: they must be one list of finite numbers, one a day")
    count = values.size
    observed = [float(value[0]) for value in outcomes(values[np.newaxis, :])] if count >= 2 else [math.nan] * 3
    if count < LEAST_DAYS:
        nan = math.nan
        back, sharpe, depth = (Interval(value, nan, nan, nan) for value in observed)
        return Uncertainty(back, sharpe, depth, nan, count, draws, seed, nan)
    block = mean_block_length(values)
    drawn = bootstrap(values, draws, seed, block)
    back, sharpe, depth = (_interval(value, of_draws) for value, of_draws in zip(observed, drawn, strict=True))
    return Uncertainty(back, sharpe, depth, float(np.mean(drawn.total_return < 0.0)), count, draws, seed, block)


def uncertainty(result: Result, draws: int = 2000, seed: int = 1) -> Uncertainty:
    """5 to 95 % intervals of total return, Sharpe and maximum drawdown, by resampling the result's daily returns in blocks.

    draws: 100 to 100,000. The same seed gives the same numbers. The blocks keep days together that hang together; their mean
    length goes by the autocorrelation of the returns. Raises InputError, one sentence, for other draws or seeds.
    """
    of_days = uncertainty_of(daily_returns(result.time, result.equity_values, result.capital), draws, seed)
    return replace(of_days, simulated=result.simulated, liquidated=result.liquidated)
