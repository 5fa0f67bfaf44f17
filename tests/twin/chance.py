"""The coin of a limit price: splitmix64 on whole numbers of any length, cut to 64 bits."""

from __future__ import annotations

WORD = 2**64
FINER_BARS = 2**20  # more than a bar has


def scrambled(word: int) -> int:
    """The next output of splitmix64 from the state `word`."""
    state = (word + 0x9E3779B97F4A7C15) % WORD
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state = (state ^ state // 2**shift) * factor % WORD
    return state ^ state // 2**31


def uniform(*keys: int) -> float:
    """A number of [0, 1) for a seed and any keys after it: each is taken up into what the ones before have given."""
    word = 0
    for key in keys:
        word = scrambled(word ^ key)
    return (word // 2**11) / 2**53


def tails(probability: float, seed: int, time: int, instrument: int, sub_bar: int, sells: bool, ticks: int) -> bool:
    """Whether the coin of a price (in ticks) on one side of the book asks for a tick more in this (sub-)bar."""
    return uniform(seed, time, FINER_BARS * instrument + sub_bar, int(sells), ticks) >= probability
