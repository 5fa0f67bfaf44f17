"""The calibration kernel: a fixed piece of work beside which everything is timed, so that machines and their moods cancel.

It does what a bar loop does, in small: a recursion whose steps wait for each other, compares that branch on the data, a few loads and
stores of a table that fits the first cache, no vector instructions. A machine that runs it slower runs the engine slower by about as much.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gridcore.compile import kernel

STEPS = 30_000  # of the array that is walked, small enough for the second cache
PASSES = 20
SLOTS = 512


@kernel
def calibrate(moves, table, passes):
    """Walk `moves` (steps,) `passes` times beside a table of levels (slots, a power of two). The answer depends on every step."""
    price = 100.0
    mean = 100.0
    crossed = 0
    last_slot = table.size - 1
    for _ in range(passes):
        for i in range(moves.size):
            price += moves[i]
            mean += 0.05 * (price - mean)
            slot = int(abs(price) * 3.0) & last_slot
            if price > mean + table[slot]:
                table[slot] += 0.01
                crossed += 1
            elif price < mean - table[slot]:
                table[slot] *= 0.999
                crossed -= 1
            if crossed > 50 or crossed < -50:
                crossed = 0
                price = 100.0 + price / mean
    return price + crossed


def calibration() -> Callable[[], object]:
    """The calibration as a function without arguments; it does the same work at each call."""
    moves = np.random.default_rng(1).normal(0.0, 0.1, STEPS)
    table = np.empty(SLOTS)

    def once() -> object:
        table[:] = 0.1
        return calibrate(moves, table, PASSES)

    return once
