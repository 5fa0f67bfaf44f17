"""Probability of backtest overfitting by combinatorially symmetric cross-validation (CSCV).

Source: Bailey, Borwein, Lopez de Prado and Zhu, The Probability of Backtest Overfitting, Journal of Computational Finance 20
(2017). The days are cut into blocks; every half of the blocks is once in-sample, the other half out-of-sample. In each of these
splits the set that is best in-sample is looked up out-of-sample: does it stand above the middle of all sets there?
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from backtest.optimization.evidence.daily import checked_matrix
from engine.errors import InputError

BLOCKS = 16
MOST_BLOCKS = 20
# Scores held at a time, per array: they stay in the processor's cache, and the matrix products are so small that BLAS starts no
# threads for them, which would spin for a core on a busy machine.
_CHUNK = 1 << 14
# Variance below this share of the squares is the rounding of equal returns.
_ROUNDING = 1e-12
# Scores so near are one: equal sets, and sets that differ in size alone, leave the matrix product with other last bits.
_TIE = 1e-10


@dataclass(frozen=True)
class Overfitting:
    """What cross-validation says about choosing the best of these sets; NaN and no splits when there was too little to split.

    probability: share of splits whose winner is at or below the middle out-of-sample (logit <= 0). slope: of the winner's
    out-of-sample Sharpe ratio on its in-sample one, least squares over the splits; below 0 the better it looked the worse it
    did. r_squared: of that line. loss_probability: share of splits whose winner loses out-of-sample. logits, in_sample,
    out_of_sample: float64 [splits], of the winner's rank and its Sharpe ratios a day; a split is followed by its mirror image.
    """

    probability: float
    slope: float
    r_squared: float
    loss_probability: float
    sets: int
    days: int
    blocks: int
    logits: np.ndarray = field(compare=False, repr=False)
    in_sample: np.ndarray = field(compare=False, repr=False)
    out_of_sample: np.ndarray = field(compare=False, repr=False)

    @property
    def splits(self) -> int:
        """Number of ways to halve the blocks: 12,870 for 16."""
        return int(self.logits.size)


class _Blocks(NamedTuple):
    """Sums and sums of squares of each block, float64 [blocks, sets], and its days, float64 [blocks, 1]."""

    sums: np.ndarray
    squares: np.ndarray
    days: np.ndarray


def _blocks_of(returns: np.ndarray, blocks: int) -> _Blocks:
    """All days in consecutive blocks; where they do not divide the first blocks have a day more."""
    parts = np.array_split(returns, blocks)
    sums = np.stack([part.sum(axis=0, dtype=np.float64) for part in parts])
    squares = np.stack([np.einsum("ds,ds->s", part, part, dtype=np.float64) for part in parts])
    return _Blocks(sums, squares, np.array([[float(len(part))] for part in parts]))


def _halves(blocks: int) -> np.ndarray:
    """Every half that holds the first block, as float64 zeros and ones [splits/2, blocks]; its mirror image is the rest."""
    members = np.array([(0, *others) for others in combinations(range(1, blocks), blocks // 2 - 1)])
    half = np.zeros((len(members), blocks))
    np.put_along_axis(half, members, 1.0, axis=1)
    return half


def _sharpes(half: np.ndarray, of: _Blocks) -> np.ndarray:
    """Daily Sharpe ratio of each set over each half [halves, sets]: infinite without variation, 0 when nothing was earned either."""
    sums, squares, days = half @ of.sums, half @ of.squares, half @ of.days
    mean = sums / days
    around = squares - sums * mean
    flat = around <= _ROUNDING * squares
    deviation = np.sqrt(np.where(flat, 1.0, around) / (days - 1.0))
    return np.where(flat, np.where(sums == 0.0, 0.0, np.copysign(math.inf, sums)), mean / deviation)


def _near(score: np.ndarray) -> np.ndarray:
    """How far another score may be from this one and still be the same."""
    return np.where(np.isfinite(score), _TIE * np.maximum(np.abs(score), 1e-3), 0.0)


def _winners(inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """In-sample score, out-of-sample score and out-of-sample rank of the in-sample best (the first of equals) [halves, 3].

    The worst set has rank 1; sets of equal score share the mean of their ranks.
    """
    rows = np.arange(len(inside))
    top = inside.max(axis=1, keepdims=True)
    best = (inside >= top - _near(top)).argmax(axis=1)
    score = outside[rows, best][:, np.newaxis]
    near = _near(score)
    below = np.count_nonzero(outside < score - near, axis=1)
    above = np.count_nonzero(outside > score + near, axis=1)
    equal = inside.shape[1] - below - above
    return np.column_stack((inside[rows, best], score[:, 0], below + (equal + 1) / 2.0))


def _line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope and share of variance of the least-squares line through the finite pairs; NaN without variation."""
    finite = np.isfinite(x) & np.isfinite(y)
    if np.count_nonzero(finite) < 2:
        return math.nan, math.nan
    x, y = x[finite] - np.mean(x[finite]), y[finite] - np.mean(y[finite])
    xx, yy, xy = float(x @ x), float(y @ y), float(x @ y)
    return (xy / xx if xx > 0.0 else math.nan), (xy * xy / (xx * yy) if xx > 0.0 and yy > 0.0 else math.nan)


def overfitting(returns: Any, blocks: int = BLOCKS) -> Overfitting:
    """Probability of backtest overfitting of choosing by daily Sharpe ratio among these sets.

    returns: float32 or float64 [days, sets], finite daily returns of an unguided design of sets, the days in their order.
    blocks: even, 2 to 20. The rank of the winner among N sets, ties at mid-rank, over N + 1 is its relative rank w; a split
    counts as overfit when `log(w/(1 - w)) <= 0`. NaN for fewer than two sets or two days a block. A set that does not move in a
    half scores 0 there. Raises InputError for other arrays or numbers of blocks.
    """
    values = checked_matrix("returns", returns)
    if isinstance(blocks, bool) or not isinstance(blocks, (int, np.integer)) or blocks % 2 or not 2 <= blocks <= MOST_BLOCKS:
        raise InputError(f"blocks = {blocks!r} is refused: it must be an even number from 2 to {MOST_BLOCKS}")
    days, sets = values.shape
    if sets < 2 or days < 2 * blocks:
        none = np.zeros(0)
        return Overfitting(math.nan, math.nan, math.nan, math.nan, sets, days, int(blocks), none, none, none)
    of, halves = _blocks_of(values, blocks), _halves(blocks)
    rows = max(1, _CHUNK // sets)
    found = []
    for first in range(0, len(halves), rows):
        half = halves[first : first + rows]
        one, other = _sharpes(half, of), _sharpes(1.0 - half, of)
        found.append(np.stack((_winners(one, other), _winners(other, one)), axis=1).reshape(-1, 3))
    in_sample, out_of_sample, rank = np.concatenate(found).T
    logits = np.log(rank) - np.log(sets + 1.0 - rank)
    slope, r_squared = _line(in_sample, out_of_sample)
    probability = float(np.mean(2.0 * rank <= sets + 1.0))  # logit <= 0, without the rounding of its logarithms
    loss = float(np.mean(out_of_sample < 0.0))
    return Overfitting(probability, slope, r_squared, loss, sets, days, int(blocks), logits, in_sample, out_of_sample)
