"""`exposure_ladder`: a result, run again at several exposures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from backtest.exposure_ladder.ruin import ruin_probability
from backtest.metrics.equity import daily_equity, daily_returns
from backtest.sensitivity.again import Again, Workers, outcome, portfolio_equity
from backtest.sensitivity.scenarios import Scenario
from backtest.uncertainty.estimate import MOST_DRAWS
from backtest.whole_numbers import checked_threads, whole_number
from engine.account import Account
from engine.errors import InputError

if TYPE_CHECKING:
    from backtest.result import Result

LEVELS = (1, 2, 3, 5, 7, 10, 15, 20)
HIGHEST_LEVEL = 150.0


@dataclass(frozen=True)
class LadderRow:
    """The run at one exposure.

    exposure: multiple of the equity that sizes orders and the position cap. leverage: that it ran with. total_return,
    max_drawdown: fractions; the drawdown is the one `ExposureLadder.drawdown` names. liquidated: whether any account or side
    was. ruin_probability: see `ruin.DEFINITION`; NaN with fewer than 60 days. nearest_liquidation_distance: as the metric of that name,
    a fraction: 0 when liquidated, infinite when no move of prices would have, NaN when it never held anything.
    """

    exposure: float
    leverage: float
    total_return: float
    max_drawdown: float
    liquidated: bool
    ruin_probability: float
    nearest_liquidation_distance: float


@dataclass(frozen=True)
class ExposureLadder:
    """The run at several exposures.

    rows: in rising order of exposure. own_exposure, own_leverage: of the run itself. drawdown: "in bars" (along the walked path,
    one wallet) or "at closes" (several). days: UTC days of the run. left_out: a sentence for each level that could not be run.
    """

    rows: tuple[LadderRow, ...]
    own_exposure: float
    own_leverage: float
    drawdown: str
    days: int
    draws: int
    seed: int
    left_out: tuple[str, ...]

    @property
    def indifferent(self) -> bool:
        """Whether all levels give the same return: the strategy takes no notice of the exposure, or never trades."""
        return len(self.rows) > 1 and len({row.total_return for row in self.rows}) == 1

    def sentences(self) -> list[str]:
        """What the rows say in words."""
        from backtest.exposure_ladder.rendering import sentences

        return sentences(self)

    @property
    def frame(self) -> pd.DataFrame:
        """The rows as a table; the columns are the fields of `LadderRow`."""
        return pd.DataFrame([asdict(row) for row in self.rows])


def own_exposure(account: Account) -> float:
    """The exposure of an account: the same as its leverage unless it is given."""
    return account.leverage if account.exposure is None else account.exposure


def at_exposure(account: Account, exposure: float) -> Account:
    """The account at an exposure, its leverage raised to it where it was lower, so that margin does not cut the orders."""
    changed: Account = account.replace(exposure=exposure, leverage=max(account.leverage, exposure))
    return changed


def _checked_levels(levels: Sequence[float]) -> tuple[float, ...]:
    allowed = f"it must be a list of rising numbers above 0, at most {HIGHEST_LEVEL:g}"
    if isinstance(levels, (str, bytes)) or not isinstance(levels, (Sequence, np.ndarray)) or len(levels) == 0:
        raise InputError(f"levels = {levels!r} is refused: {allowed}")
    for level in levels:
        number = isinstance(level, (int, float, np.integer, np.floating)) and not isinstance(level, bool)
        if not number or not 0.0 < level <= HIGHEST_LEVEL:
            raise InputError(f"levels = {levels!r} is refused because of {level!r}: {allowed}")
    if any(later <= earlier for earlier, later in pairwise(levels)):
        raise InputError(f"levels = {levels!r} is refused: {allowed}")
    return tuple(float(level) for level in levels)


def _row(again: Again, exposure: float, draws: int, seed: int) -> LadderRow:
    own = again.result
    account = at_exposure(own.account, exposure)
    result = again.run(Scenario(f"exposure {exposure:g}", "", own.strategy, account, own.execution), log=True)
    told = outcome(result)
    if result.liquidated:
        ruin = 1.0
    else:
        ruin = ruin_probability(daily_returns(result.time, portfolio_equity(result), result.capital), draws, seed)
    nearest = result.liquidation_distance.smallest
    return LadderRow(exposure, account.leverage, told.total_return, told.max_drawdown, told.liquidated, ruin, nearest)


def exposure_ladder(
    result: Result,
    levels: Sequence[float] = LEVELS,
    watch: Callable[[int, int], None] | None = None,
    *,
    draws: int = 2000,
    seed: int = 1,
    threads: int | None = None,
) -> ExposureLadder:
    """The run at several exposures: return, maximum drawdown, distance to liquidation, and the probability of ruin by block bootstrap.

    levels: rising multiples of the equity, above 0 and at most 150. Leverage is raised to the level where the run's is lower;
    it is never lowered. watch: called with the number of runs done and the number needed. draws: 100 to 100,000; the same seed
    gives the same numbers. threads: None: as many as there are processors; the numbers do not depend on it.
    The result itself needs no event log.
    Raises InputError for other levels, draws, seeds or threads, and when the result cannot be run again: it was read from files,
    or is a part of a larger run.
    """
    steps = _checked_levels(levels)
    draws, seed = whole_number("draws", draws, 100, MOST_DRAWS), whole_number("seed", seed, 0, 2**63 - 1)
    workers = Workers(checked_threads(threads), watch)
    again = Again(result)

    def answer(exposure: float) -> LadderRow | str:
        try:
            return _row(again, exposure, draws, seed)
        except InputError as error:  # the tiers of a coin may not allow so much leverage
            return f"Left out, exposure {exposure:g}: {error}"

    found = workers.answer([partial(answer, exposure) for exposure in steps])
    rows = tuple(one for one in found if isinstance(one, LadderRow))
    left_out = tuple(one for one in found if isinstance(one, str))
    drawdown = "in bars" if len(result.ledgers) == 1 else "at closes"
    days = daily_equity(result.time, portfolio_equity(result)).size
    account = result.account
    return ExposureLadder(rows, own_exposure(account), account.leverage, drawdown, days, draws, seed, left_out)


def highest(rows: Sequence[LadderRow]) -> LadderRow | None:
    """The row with the highest return, the lowest exposure of equal ones; None when no return is known."""
    known = [row for row in rows if not math.isnan(row.total_return)]
    return max(known, key=lambda row: row.total_return) if known else None
