"""Two lists of fills side by side: which are equal, which fell at another price, which are only in one."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.peers.grid import CLOSE, LONG, Grid

SAME_QTY = 1e-9  # base units

Keys = Counter[tuple[int, ...]]


@dataclass(frozen=True)
class Comparison:
    """How a peer's fills compare with gridcore's, over the bars that both ran.

    ours, theirs: numbers of fills. equal: same bar, side of the lot, opening or closing, price to 1e-6 tick and quantity; the order
    of fills inside a bar does not count here. other_price: of the rest, those that differ in the price alone. a_bar_early: of what is
    left then, fills of the same kind that fell a bar earlier there. only_ours, only_theirs: what is left on each side.
    same_sequence: whether all are equal and in the same order inside each bar too.
    first_difference: a sentence on the first bar whose fills are not the same, "" for none.
    """

    ours: int
    theirs: int
    equal: int
    other_price: int
    a_bar_early: int
    only_ours: int
    only_theirs: int
    same_sequence: bool
    first_difference: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def keys_of(fills: np.ndarray, grid: Grid) -> list[tuple[int, ...]]:
    """A fill as whole numbers: bar, side, action, price in millionths of a tick, quantity in units of 1e-9."""
    columns = [fills["bar"], fills["side"], fills["action"], np.rint(fills["price"] / grid.tolerance), np.rint(fills["qty"] / SAME_QTY)]
    return list(zip(*(column.astype(np.int64).tolist() for column in columns), strict=True))


def in_words(fills: np.ndarray) -> str:
    """Fills of one bar in words."""
    if len(fills) == 0:
        return "no fill"
    names = []
    for fill in fills:
        action = "close" if fill["action"] == CLOSE else "open"
        side = "long" if fill["side"] == LONG else "short"
        names.append(f"{action} {side} {fill['qty']:g} at {fill['price']:.10g}")
    return ", ".join(names)


def first_difference(ours: np.ndarray, theirs: np.ndarray, counts: Keys) -> str:
    """The first bar in which the fills are not the same. `counts`: how many more of each key we have (below 0: they)."""
    bars = [key[0] for key, excess in counts.items() if excess != 0]
    if not bars:
        return ""
    bar = min(bars)
    return f"bar {bar}: gridcore {in_words(ours[ours['bar'] == bar])}; there {in_words(theirs[theirs['bar'] == bar])}"


def pair_off(ours: Keys, theirs: Keys, bars_early: int) -> tuple[int, Keys, Keys]:
    """Pair fills that differ in the price, theirs `bars_early` before ours. Returns how many, and what is left, without prices."""
    mine: Keys = Counter()
    other: Keys = Counter()
    for key, count in ours.items():
        mine[key[:3] + key[-1:]] += count
    for key, count in theirs.items():
        other[(key[0] + bars_early, *key[1:3], *key[-1:])] += count
    paired = mine & other
    left = Counter({(key[0] - bars_early, *key[1:]): count for key, count in (other - paired).items()})
    return paired.total(), mine - paired, left


def sorted_out(missing: Keys, extra: Keys, first: int) -> tuple[int, int, Keys, Keys]:
    """Pairs in the same bar and a bar early, those `first` bars early paired first; and what is left of both."""
    paired = [0, 0]
    for early in (first, 1 - first):
        paired[early], missing, extra = pair_off(missing, extra, early)
    return paired[0], paired[1], missing, extra


def compare(ours: np.ndarray, theirs: np.ndarray, bars: int, grid: Grid) -> Comparison:
    """Compare fills of gridcore and of a peer that ran the first `bars` bars."""
    ours = ours[ours["bar"] < bars]
    our_keys, their_keys = keys_of(ours, grid), keys_of(theirs, grid)
    counts = Counter(our_keys)
    counts.subtract(their_keys)
    missing = Counter({key: excess for key, excess in counts.items() if excess > 0})
    extra = Counter({key: -excess for key, excess in counts.items() if excess < 0})

    equal = len(our_keys) - missing.total()
    ways = [sorted_out(missing, extra, first) for first in (0, 1)]
    other_price, a_bar_early, missing, extra = min(ways, key=lambda way: way[2].total())
    return Comparison(
        ours=len(our_keys),
        theirs=len(their_keys),
        equal=equal,
        other_price=other_price,
        a_bar_early=a_bar_early,
        only_ours=missing.total(),
        only_theirs=extra.total(),
        same_sequence=our_keys == their_keys,
        first_difference=first_difference(ours, theirs, counts),
    )
