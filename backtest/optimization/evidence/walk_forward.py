"""Walk-forward efficiency: how much of what the train parts earned a day the test parts earned too.

Source of the idea: Pardo, The Evaluation and Optimization of Trading Strategies (2008), who compares annualized profits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backtest.optimization.evidence.daily import checked_returns


@dataclass(frozen=True)
class WalkForward:
    """Mean daily return of all train days and of all test days, fractions, and how many days each has.

    NaN where there are no days. efficiency: test over train mean, NaN when the train mean is not above zero: a share of nothing
    or of a loss says nothing.
    """

    train_mean: float
    test_mean: float
    train_days: int
    test_days: int
    efficiency: float


def _pooled(name: str, parts: Sequence[np.ndarray]) -> np.ndarray:
    days = [checked_returns(name, part) for part in parts]
    return np.concatenate(days) if days else np.zeros(0)


def walk_forward(train: Sequence[np.ndarray], test: Sequence[np.ndarray]) -> WalkForward:
    """Efficiency over all windows together: every day counts alike, so a long window weighs more than a short one.

    train, test: daily returns [days] of each window's part. Raises InputError for numbers that are not finite.
    """
    before, after = _pooled("train returns", train), _pooled("test returns", test)
    train_mean = float(np.mean(before)) if before.size else math.nan
    test_mean = float(np.mean(after)) if after.size else math.nan
    efficiency = test_mean / train_mean if train_mean > 0.0 else math.nan
    return WalkForward(train_mean, test_mean, before.size, after.size, efficiency)
