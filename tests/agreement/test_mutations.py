"""The comparison with the twin finds every bug planted in a copy of the engine, and nothing where none is planted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.agreement.mutations import KINDS, MUTATIONS, ROOT, SEARCH, Mutation, copy_with, places
from tests.compiled.processes import run_script

# The rarest of the bugs shows after fewer seeds.
SEEDS = 60
# One of the path, one of the ledger, one of the decision; --slow plants all of them.
ALWAYS = (
    "take-profits fill before entries at the same price",
    "a liquidation happens at the extreme",
    "stop stage 2 stands before stage 1",
)


def search(folder: Path, seeds: int = SEEDS) -> Any:
    """First difference (None: none) and how many runs were compared, in plain Python: nothing is compiled."""
    return run_script(SEARCH.format(seeds=seeds, kinds=KINDS), folder / "cache", folder, NUMBA_DISABLE_JIT="1", PYTHONDONTWRITEBYTECODE="1")


def named(mutations: tuple[Mutation, ...]) -> Any:
    return pytest.mark.parametrize("mutation", mutations, ids=[mutation.bug for mutation in mutations])


def test_the_list_is_long_enough_and_says_each_bug_once() -> None:
    assert len(MUTATIONS) >= 10
    assert len({mutation.bug for mutation in MUTATIONS}) == len(MUTATIONS)
    assert set(ALWAYS) <= {mutation.bug for mutation in MUTATIONS}


@named(MUTATIONS)
def test_the_text_to_replace_stands_exactly_once(mutation: Mutation) -> None:
    assert [count for *_, count in places(ROOT, mutation)] == [1]
    assert mutation.new != mutation.old


@named(tuple(mutation for mutation in MUTATIONS if mutation.bug in ALWAYS))
def test_a_planted_bug_is_found(mutation: Mutation, tmp_path: Path) -> None:
    difference, runs = search(copy_with(tmp_path, mutation))
    assert difference, f"{runs} runs agree although {mutation.bug}"


def test_without_a_bug_nothing_is_found(tmp_path: Path) -> None:
    assert search(copy_with(tmp_path, None), seeds=5) == [None, 5 * len(KINDS)]


@pytest.mark.slow
@named(tuple(mutation for mutation in MUTATIONS if mutation.bug not in ALWAYS))
def test_every_planted_bug_is_found(mutation: Mutation, tmp_path: Path) -> None:
    difference, runs = search(copy_with(tmp_path, mutation))
    assert difference, f"{runs} runs agree although {mutation.bug}"


@pytest.mark.slow
def test_without_a_bug_nothing_is_found_in_all_of_the_runs(tmp_path: Path) -> None:
    assert search(copy_with(tmp_path, None)) == [None, SEEDS * len(KINDS)]
