"""Competing risks: how likely each end is by each day when some attempts are still open at the last one.

Source: Aalen and Johansen, An Empirical Transition Matrix for Non-Homogeneous Markov Chains, Scandinavian Journal of Statistics 5 (1978).
"""

from __future__ import annotations

import numpy as np


def event_table(days: np.ndarray, outcome: np.ndarray, causes: int, horizon: int) -> np.ndarray:
    """One-hot rows (attempts, causes + 1, horizon + 1): what each attempt came to, and on which day; cause 0 is censored.

    days: int64 (attempts,), the day of the end, or for censored attempts (outcome 0) the last one seen without an end; at most `horizon`.
    """
    table = np.zeros((days.size, causes + 1, horizon + 1))
    table[np.arange(days.size), outcome, days] = 1.0
    return table


def incidence_of(counts: np.ndarray) -> np.ndarray:
    """Aalen-Johansen cumulative incidence (..., causes, horizon + 1) from counts of ends by cause and day (..., causes + 1, horizon + 1).

    Cause 0 are the censored, who are at risk on their own last day. On a day without anyone at risk nothing changes. Counts may be weights.
    """
    of_day = counts.sum(axis=-2)
    at_risk = np.cumsum(of_day[..., ::-1], axis=-1)[..., ::-1]
    rates = np.divide(counts[..., 1:, :], at_risk[..., None, :], out=np.zeros_like(counts[..., 1:, :]), where=at_risk[..., None, :] > 0.0)
    rates[..., 0] = 0.0  # nothing ends before the first day
    open_after = np.cumprod(1.0 - rates.sum(axis=-2), axis=-1)
    open_before = np.concatenate([np.ones_like(open_after[..., :1]), open_after[..., :-1]], axis=-1)
    return np.asarray(np.cumsum(rates * open_before[..., None, :], axis=-1))


def cumulative_incidence(days: np.ndarray, outcome: np.ndarray, causes: int, horizon: int) -> np.ndarray:
    """Probability that an attempt has ended by cause 1 to `causes` on day 0 to `horizon`, float64 (causes, horizon + 1).

    See `event_table` for the arguments. Censored attempts count for as long as they were seen, and are not dropped.
    """
    return incidence_of(event_table(days, outcome, causes, horizon).sum(axis=0))
