"""Numbers by keys: the published outputs of splitmix64, an even spread over every key, and one twin of whole numbers."""

from __future__ import annotations

import numpy as np
import pytest

from gridcore.chance import mix_word, uniform_of_keys
from tests.conftest import COMPILED
from tests.twin.chance import uniform

# The first outputs of splitmix64 for the seeds 0 and 1234567, as published beside its source.
PUBLISHED = {
    0: (0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F),
    1234567: (6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821),
}
TIME = 1_672_531_200_000


@pytest.mark.parametrize("seed", PUBLISHED)
def test_published_outputs(seed: int) -> None:
    states = [(seed + step * 0x9E3779B97F4A7C15) % 2**64 for step in range(len(PUBLISHED[seed]))]
    word = np.uint64 if COMPILED else int  # without the compiler words are plain integers
    assert tuple(int(mix_word(word(state))) for state in states) == PUBLISHED[seed]


def test_the_twin_draws_the_same() -> None:
    dice = np.random.default_rng(0)
    for _ in range(200):
        keys = [int(dice.integers(0, 2 ** int(dice.integers(1, 53)) + 1)) for _ in range(5)]
        assert uniform_of_keys(*keys) == uniform(*keys)


@pytest.mark.parametrize("place", range(5))
def test_every_key_alone_spreads_the_numbers_evenly(place: int) -> None:
    keys = [3, TIME, 2**20, 1, 421_337]
    step = 900_000 if place == 1 else 1
    drawn = []
    for count in range(4000):
        keys[place] += step * (count > 0)
        drawn.append(uniform_of_keys(*keys))
    counts = np.histogram(drawn, bins=20, range=(0.0, 1.0))[0]
    # Chi-square with 19 degrees of freedom passes 43.8 once in a thousand.
    assert float(((counts - 200.0) ** 2 / 200.0).sum()) < 43.8
    neighbours = np.corrcoef(drawn[:-1], drawn[1:])[0, 1]
    assert abs(neighbours) < 4.0 / np.sqrt(4000.0)
