"""The gate: which rows have become slower than a baseline, and can be believed.

A row fails only if all of these hold: its ratio is beyond the tolerance; the whole interquartile range of its rounds lies above the
baseline's; both runs were long enough (rounds, seconds a sample) and steady enough (spread) to be trusted; and whenever it is measured
anew it is beyond the tolerance again. A row beyond its tolerance that cannot be trusted is said to be so and fails nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.rows import Row

LEAST_ROUNDS = 5
LEAST_SECONDS = 0.002  # processor time of one sample
WIDEST_SPREAD = 0.30  # interquartile range over median
MEASURED_AGAIN = 2  # times an offender is measured anew before it fails
OTHER_PROCESSOR = 2.0  # times as wide are tolerances against a baseline of another processor

SAME, FASTER, SLOWER, UNSURE, NEW, OVER_LIMIT = "same", "faster", "SLOWER", "not sure", "new", "OVER LIMIT"
FAILURES = (SLOWER, OVER_LIMIT)


@dataclass(frozen=True)
class Verdict:
    """What became of one row. ratio: new over old, None without an old one."""

    row: Row
    old: Row | None
    ratio: float | None
    word: str
    why: str = ""

    @property
    def suspect(self) -> bool:
        """Whether another measure could make it a regression, or clear it of being one."""
        return self.failed or (self.word == UNSURE and self.old is not None and not mistrust(self.old))

    @property
    def failed(self) -> bool:
        """Whether it is a regression."""
        return self.word in FAILURES


def mistrust(row: Row, widest: float = WIDEST_SPREAD) -> str:
    """Why a row cannot be trusted; empty if it can. A row without seconds is no time (memory): one that repeats itself is trusted."""
    if row.ratio is None or row.low is None or row.high is None:
        return "no ratio"
    if row.seconds and row.rounds < LEAST_ROUNDS:
        return f"{row.rounds} rounds"
    if row.seconds and row.seconds < LEAST_SECONDS:
        return f"{1e3 * row.seconds:.2f} ms a sample"
    spread = (row.high - row.low) / row.ratio
    if spread > widest:
        return f"spread {spread:.0%}"
    return ""


def judge(row: Row, old: Row | None, widened: float = 1.0) -> Verdict:
    """Compare a row with the baseline's; `widened` multiplies its tolerance."""
    if row.limit is not None and row.value > row.limit:
        return Verdict(row, old, None, OVER_LIMIT, f"{row.value:.2f} above {row.limit:.2f}")
    if old is None:
        return Verdict(row, None, None, NEW)
    if row.ratio is None or not old.ratio or row.tolerance is None:
        return Verdict(row, old, None, SAME)
    ratio, most = row.ratio / old.ratio, 1.0 + widened * row.tolerance
    if ratio <= most:
        return Verdict(row, old, ratio, FASTER if ratio < 1.0 / most else SAME)
    gap = (row.low or row.ratio) / (old.high or old.ratio)
    # However wide they are, quartiles that lie apart by more than the tolerance leave no doubt.
    widest = math.inf if gap > most else WIDEST_SPREAD
    doubt = mistrust(row, widest) or mistrust(old, widest) or ("quartiles overlap" if gap <= 1.0 else "")
    return Verdict(row, old, ratio, UNSURE if doubt else SLOWER, doubt)


def compare(rows: Iterable[Row], baseline: Mapping[str, Row], widened: float = 1.0) -> list[Verdict]:
    """Verdicts of all rows that are judged."""
    return [judge(row, baseline.get(row.key), widened) for row in rows if row.tolerance is not None or row.limit is not None]


def confirmed(verdicts: Sequence[Verdict], again: Callable[[frozenset[str]], Iterable[Row]], widened: float = 1.0) -> list[Verdict]:
    """The verdicts after `again` has measured the groups of the suspects anew, up to MEASURED_AGAIN times.

    A row whose every measure is beyond its tolerance fails if one of them at least can be trusted; a single measure within it acquits.
    """
    history = {verdict.row.key: [verdict] for verdict in verdicts}
    for _ in range(MEASURED_AGAIN):
        suspects = {key: seen for key, seen in history.items() if all(one.suspect for one in seen)}
        if not suspects:
            break
        fresh = {row.key: row for row in again(frozenset(seen[0].row.group for seen in suspects.values()))}
        for key, seen in suspects.items():
            if key in fresh:
                seen.append(judge(fresh[key], seen[0].old, widened))
    return [_final(seen) for seen in history.values()]


def _final(seen: Sequence[Verdict]) -> Verdict:
    """What several measures of a row come to."""
    if not all(one.suspect for one in seen):
        return seen[-1]
    return next((one for one in reversed(seen) if one.failed), seen[-1])
