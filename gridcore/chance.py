"""Numbers that look random and are a function of their keys alone: no state, so no order of asking changes them."""

import numpy as np

from gridcore.compile import kernel

# 64-bit words wrap round in compiled code; the mask does the same where Python's integers would grow.
MASK = 0xFFFFFFFFFFFFFFFF


@kernel
def mix_word(word):
    """One step of splitmix64: an unsigned 64-bit word to another, each bit of it depending on every bit of `word`.

    Source: S. Vigna, "splitmix64.c" (2015), after G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number
    generators" (OOPSLA 2014).
    """
    word = (word + 0x9E3779B97F4A7C15) & MASK
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & MASK
    return word ^ (word >> 31)


@kernel
def uniform_of_keys(seed, first, second, third, fourth):
    """A number of [0, 1) for a seed and four keys, whole numbers of at least 0: evenly spread over any of them.

    The same keys give the same number, on every machine. The resolution is 2**-53.
    """
    word = mix_word(int(np.uint64(seed)))
    word = mix_word(word ^ int(np.uint64(first)))
    word = mix_word(word ^ int(np.uint64(second)))
    word = mix_word(word ^ int(np.uint64(third)))
    word = mix_word(word ^ int(np.uint64(fourth)))
    return (word >> 11) * 2.0**-53
