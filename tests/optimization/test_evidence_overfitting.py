"""Probability of backtest overfitting: cases with a known answer, and an exact plain twin on small tables."""

import math
import tracemalloc
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtest.optimization.evidence import overfitting
from engine.errors import InputError


def noise(seed: int, days: int, sets: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 0.02, (days, sets))


def test_tables_without_skill_give_about_one_half() -> None:
    found = [overfitting(noise(seed, 320, 64), 10).probability for seed in range(60)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.07)
    # A single table says little: its splits share their days.
    assert np.std(found) > 0.05


def test_a_dominant_set_is_not_overfit() -> None:
    table = noise(1, 640, 100)
    table[:, 37] += 0.02
    found = overfitting(table)
    assert found.probability == 0.0
    assert found.loss_probability == 0.0
    assert (found.logits == math.log(100.0)).all()
    assert (found.sets, found.days, found.blocks, found.splits) == (100, 640, 16, 12_870)


@pytest.mark.parametrize("seed", [765, 1, 2])
def test_sets_of_equal_mean_are_wholly_overfit(seed: int) -> None:
    """The example of the R package pbo: every column re-centred, so what is above in one half is below in the other."""
    table = noise(seed, 2400, 100)
    table = (table - table.mean(axis=0)) / table.std(axis=0, ddof=1) / math.sqrt(252.0)
    found = overfitting(table, 8)
    assert found.splits == 70
    assert found.probability == 1.0
    assert found.loss_probability == 1.0
    assert found.slope == pytest.approx(-1.0, abs=0.1)
    assert found.r_squared > 0.9


def test_an_edge_in_some_blocks_alone_degrades() -> None:
    """A half with more of these blocks is better in-sample and worse out-of-sample, whoever is chosen."""
    table = noise(3, 640, 50)
    table[:160] += 0.01
    assert overfitting(table).slope < 0.0


def test_equal_sets_stand_in_the_middle() -> None:
    one = noise(4, 160, 1)
    found = overfitting(np.repeat(one, 7, axis=1))
    assert found.probability == 1.0
    np.testing.assert_allclose(found.logits, 0.0, atol=1e-12)


@pytest.mark.parametrize("sizes", [[1.0, 1.0], [3.0, 0.1, 7.7]])
def test_size_alone_is_a_tie(sizes: list[float]) -> None:
    table = np.column_stack([noise(5, 161, 1) * size for size in sizes])
    np.testing.assert_allclose(overfitting(table).logits, 0.0, atol=1e-12)


def test_a_set_that_never_trades_scores_zero() -> None:
    """Among losers doing nothing is best in both halves."""
    table = noise(6, 320, 20) - 0.02
    table[:, 11] = 0.0
    found = overfitting(table)
    assert found.probability == 0.0
    assert found.loss_probability == 0.0
    assert (found.in_sample == 0.0).all()
    assert math.isnan(found.slope)


def test_single_precision_is_enough() -> None:
    table = noise(7, 480, 60).astype(np.float32)
    single, double = overfitting(table), overfitting(table.astype(np.float64))
    assert single.probability == double.probability
    np.testing.assert_allclose(single.out_of_sample, double.out_of_sample, rtol=1e-9)


def test_memory_does_not_grow_with_the_splits() -> None:
    table = noise(8, 320, 1000).astype(np.float32)
    tracemalloc.start()
    try:
        overfitting(table)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20e6  # all scores of all splits would take 100 MB


@pytest.mark.parametrize(("days", "sets"), [(31, 10), (0, 10), (400, 1), (400, 0)])
def test_too_little_gives_no_number(days: int, sets: int) -> None:
    found = overfitting(np.zeros((days, sets)))
    assert math.isnan(found.probability)
    assert math.isnan(found.slope)
    assert found.splits == 0


@pytest.mark.parametrize(
    ("table", "blocks", "words"),
    [
        (np.zeros(100), 16, "returns are refused: they must be a table of finite numbers"),
        (np.full((100, 3), math.nan), 16, "returns are refused"),
        (np.array([["a", "b"]]), 16, "returns are refused"),
        (np.zeros((100, 3)), 15, "blocks = 15 is refused: it must be an even number from 2 to 20"),
        (np.zeros((100, 3)), 22, "blocks = 22 is refused"),
        (np.zeros((100, 3)), 0, "blocks = 0 is refused"),
        (np.zeros((100, 3)), 4.0, "blocks = 4.0 is refused"),
    ],
)
def test_bad_input_is_told_in_one_sentence(table: np.ndarray, blocks: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        overfitting(table, blocks)


# --- the twin: fractions, lists and loops --------------------------------------------------------------------------------------


def signed_square(values: list[int]) -> Fraction | float:
    """Square of the Sharpe ratio with its sign, exact; it orders sets as the ratio does."""
    count = len(values)
    mean = Fraction(sum(values), count)
    variance = sum((value - mean) ** 2 for value in values) / (count - 1)
    if variance == 0:
        return math.inf if mean > 0 else -math.inf if mean < 0 else 0.0
    return mean * abs(mean) / variance


def split_by_hand(rows: list[list[int]], inside: list[int], outside: list[int]) -> tuple[float, float, Fraction]:
    sets = range(len(rows[0]))
    seen = [signed_square([rows[day][k] for day in inside]) for k in sets]
    unseen = [signed_square([rows[day][k] for day in outside]) for k in sets]
    best = seen.index(max(seen))
    rank = Fraction(sum(one < unseen[best] for one in unseen)) + Fraction(1 + sum(one == unseen[best] for one in unseen), 2)
    root = [math.copysign(math.sqrt(abs(float(value))), float(value)) for value in (seen[best], unseen[best])]
    return root[0], root[1], rank


def twin(rows: list[list[int]], blocks: int) -> tuple[Fraction, list[tuple[float, float, Fraction]]]:
    days = len(rows)
    size, more = divmod(days, blocks)
    block_of = [block for block in range(blocks) for _ in range(size + (block < more))]
    splits = []
    for half in combinations(range(blocks), blocks // 2):
        inside = [day for day in range(days) if block_of[day] in half]
        outside = [day for day in range(days) if block_of[day] not in half]
        splits.append(split_by_hand(rows, inside, outside))
    sets = len(rows[0])
    return Fraction(sum(2 * rank <= sets + 1 for _, _, rank in splits), len(splits)), splits


@st.composite
def small_tables(draw: st.DrawFn) -> tuple[list[list[int]], int]:
    blocks = draw(st.sampled_from([2, 4, 6]))
    days, sets = draw(st.integers(2 * blocks, 3 * blocks + 3)), draw(st.integers(2, 6))
    row = st.lists(st.integers(-3, 3), min_size=sets, max_size=sets)
    return draw(st.lists(row, min_size=days, max_size=days)), blocks


@given(small_tables())
def test_agrees_with_the_twin(case: tuple[list[list[int]], int]) -> None:
    rows, blocks = case
    probability, splits = twin(rows, blocks)
    found = overfitting(np.array(rows, dtype=np.float64), blocks)
    assert found.probability == pytest.approx(float(probability), abs=1e-12)
    sets = len(rows[0])
    theirs = sorted((math.log(rank / (sets + 1 - rank)), one, other) for one, other, rank in splits)
    ours = sorted(zip(found.logits.tolist(), found.in_sample.tolist(), found.out_of_sample.tolist(), strict=True))
    np.testing.assert_allclose(sorted(one[0] for one in ours), sorted(one[0] for one in theirs), atol=1e-12)
    np.testing.assert_allclose(sorted(one[1] for one in ours), sorted(one[1] for one in theirs), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(sorted(one[2] for one in ours), sorted(one[2] for one in theirs), rtol=1e-9, atol=1e-12)
    losing = sum(other < 0 for _, other, _ in splits)
    assert found.loss_probability == pytest.approx(losing / len(splits), abs=1e-12)
