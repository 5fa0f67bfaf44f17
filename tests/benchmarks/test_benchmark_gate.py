"""The gate of the benchmarks on made-up samples: when it trips, when it stays quiet, when it does not dare. Nothing here is timed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks import timing
from benchmarks.gate import FASTER, MEASURED_AGAIN, NEW, OVER_LIMIT, SAME, SLOWER, UNSURE, compare, confirmed, judge
from benchmarks.rows import Row, timed, valued
from benchmarks.timing import Samples, planted, slowed

STEADY = (0.98, 0.99, 1.0, 1.0, 1.0, 1.01, 1.02)


def row(factor: float = 1.0, spread: float = 1.0, seconds: float = 0.02, rounds: int = 7, tolerance: float | None = 0.25) -> Row:
    """The row of a candidate that takes `factor` times ten calibrations of 2 ms (at the default seconds)."""
    process = [seconds * factor * (1.0 + spread * (one - 1.0)) for one in STEADY[:rounds]]
    samples = Samples(process, [2.0 * one for one in process], [seconds / 10.0] * len(process))
    return timed("engine", "loop", "ns a bar", samples, 1e9 / 1000, tolerance=tolerance)


BASE = row()

# name: new row, baseline, verdict
CASES = {
    "identical": (row(), BASE, SAME),
    "within the tolerance": (row(1.2), BASE, SAME),
    "beyond the tolerance": (row(1.3), BASE, SLOWER),
    "twice the work": (row(2.0), BASE, SLOWER),
    "faster": (row(0.7), BASE, FASTER),
    "a little faster": (row(0.9), BASE, SAME),
    "too few rounds": (row(2.0, rounds=4), BASE, UNSURE),
    "just enough rounds": (row(2.0, rounds=5), BASE, SLOWER),
    "samples too short": (row(2.0, seconds=0.0009), BASE, UNSURE),
    "baseline too short": (row(2.0), row(seconds=0.0009), UNSURE),
    "too wide a spread": (row(1.3, spread=40.0), BASE, UNSURE),
    "baseline too wide": (row(1.5), row(spread=40.0), UNSURE),
    "wide, and yet far apart": (row(3.0, spread=40.0), row(spread=40.0), SLOWER),
    "quartiles overlap": (row(1.3, spread=29.0), row(spread=29.0), UNSURE),
    "not in the baseline": (row(5.0), None, NEW),
    "not judged": (row(5.0, tolerance=None), BASE, SAME),
}


@pytest.mark.parametrize("name", CASES)
def test_verdict(name: str) -> None:
    new, old, word = CASES[name]
    verdict = judge(new, old)
    assert verdict.word == word
    assert verdict.failed == (word == SLOWER)
    assert bool(verdict.why) == (word == UNSURE)


def test_a_tolerance_is_wider_against_another_processor() -> None:
    assert judge(row(1.4), BASE, 2.0).word == SAME
    assert judge(row(1.6), BASE, 2.0).word == SLOWER
    again = Remeasured(1.4)
    assert confirmed(compare([row(1.6)], {BASE.key: BASE}, 2.0), again, 2.0)[0].word == SAME


def test_memory_needs_no_seconds_but_repeats_itself() -> None:
    old = valued("memory", "sweep", "MB", [1.0, 1.01, 1.0], tolerance=0.1)
    assert judge(replace(old, ratio=1.2, low=1.2, high=1.21), old).word == SLOWER
    assert judge(replace(old, ratio=1.05, low=1.05, high=1.05), old).word == SAME


@pytest.mark.parametrize(("exponent", "word"), [(1.0, NEW), (1.3, NEW), (1.31, OVER_LIMIT), (2.0, OVER_LIMIT)])
def test_a_limit_needs_no_baseline(exponent: float, word: str) -> None:
    verdict = judge(Row("growth", "bars", "exponent", exponent, limit=1.3), None)
    assert verdict.word == word
    assert verdict.failed == (word == OVER_LIMIT)


def test_rows_without_tolerance_and_limit_are_not_listed() -> None:
    listed = compare([row(), row(tolerance=None), Row("growth", "bars", "exponent", 1.0, limit=1.3)], {BASE.key: BASE})
    assert [verdict.row.key for verdict in listed] == ["engine: loop", "growth: bars"]


class Remeasured:
    """Gives rows in turn, by their factor or as they are, and keeps for which groups it was asked."""

    def __init__(self, *rows: float | Row) -> None:
        self.rows = [one if isinstance(one, Row) else row(one) for one in rows]
        self.groups: list[frozenset[str]] = []

    def __call__(self, groups: frozenset[str]) -> list[Row]:
        self.groups.append(groups)
        return [self.rows.pop(0)]


def test_one_good_measure_acquits() -> None:
    again = Remeasured(1.0)
    (verdict,) = confirmed(compare([row(2.0)], {BASE.key: BASE}), again)
    assert not verdict.failed
    assert again.groups == [frozenset({"engine"})]


def test_a_slowdown_that_stays_fails_after_all_measures() -> None:
    again = Remeasured(*[2.0] * MEASURED_AGAIN)
    (verdict,) = confirmed(compare([row(2.0)], {BASE.key: BASE}), again)
    assert verdict.failed
    assert len(again.groups) == MEASURED_AGAIN


NOISY = row(1.5, spread=40.0)


def test_a_noisy_measure_is_made_again_and_can_be_confirmed() -> None:
    again = Remeasured(NOISY, 1.5)
    (verdict,) = confirmed(compare([NOISY], {BASE.key: BASE}), again)
    assert verdict.word == SLOWER


def test_noise_alone_fails_nothing() -> None:
    again = Remeasured(NOISY, NOISY)
    (verdict,) = confirmed(compare([NOISY], {BASE.key: BASE}), again)
    assert verdict.word == UNSURE
    assert len(again.groups) == MEASURED_AGAIN


def test_a_noisy_measure_does_not_acquit_and_a_good_one_does() -> None:
    assert confirmed(compare([row(2.0)], {BASE.key: BASE}), Remeasured(NOISY, NOISY))[0].failed
    assert not confirmed(compare([row(2.0)], {BASE.key: BASE}), Remeasured(NOISY, 1.0))[0].failed


def test_a_baseline_that_cannot_be_trusted_is_not_measured_against_again() -> None:
    again = Remeasured()
    (verdict,) = confirmed(compare([row(1.5)], {BASE.key: row(spread=40.0)}), again)
    assert verdict.word == UNSURE
    assert again.groups == []


def test_nothing_is_measured_again_when_nothing_fails() -> None:
    again = Remeasured()
    (verdict,) = confirmed(compare([row(1.1)], {BASE.key: BASE}), again)
    assert verdict.word == SAME
    assert again.groups == []


def test_samples_become_a_row() -> None:
    samples = Samples([0.010, 0.030, 0.020], [0.1, 0.3, 0.2], [0.001, 0.001, 0.004])
    made = timed("engine", "loop", "ms", samples, 1e3)
    assert (made.value, made.wall, made.best) == (20.0, 200.0, 10.0)
    # Ratios 10, 30, 5.
    assert (made.low, made.ratio, made.high, made.rounds, made.seconds) == (7.5, 10.0, 20.0, 3, 0.020)


def test_a_planted_slowdown_works_once_and_then_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 12.0, 14.0, 15.9, 16.0])  # before, after the work, and while it waits until 10 + 3 * 2
    monkeypatch.setattr(timing, "process_time", lambda: next(clock))
    calls: list[int] = []
    slowed(lambda: calls.append(1), 3.0)()
    assert calls == [1]
    assert next(clock, None) is None


def test_a_slowdown_is_planted_only_while_the_context_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    monkeypatch.setattr(timing, "calibration", lambda: int)
    monkeypatch.setattr(timing, "slowed", lambda work, factor: asked.append(factor) or work)
    with planted({"loop": 1.5}):
        timing.alternate({"loop": int, "other": int}, 1)
    timing.alternate({"loop": int}, 1)
    assert asked == [1.5]
