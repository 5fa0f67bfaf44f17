"""The verdict on the best set: *robust*, *overfit*, *not enough data* or *fragile*, and by which test.

The rules in their order; the first that applies decides:

1. overfit: the probability of backtest overfitting is above 0.5, or the train days earned and the test days did not.
2. robust: every test is passed.
3. not enough data: the holdout could not have shown an edge. Its interval is unknown (fewer than 60 days), or it lies on both
   sides of zero and the holdout's smallest detectable Sharpe ratio is above the one of the train days, which is above zero.
4. fragile: anything else.

Evidence that is missing (NaN) is never counted as passed, and never as overfit either.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

from backtest.optimization.evidence.daily import a_year
from backtest.optimization.evidence.deflated_sharpe import DeflatedSharpe
from backtest.optimization.evidence.holdout import Holdout
from backtest.optimization.evidence.overfitting import Overfitting
from backtest.optimization.evidence.plateau import Plateau
from backtest.optimization.evidence.walk_forward import WalkForward
from engine.errors import InputError

Label = Literal["robust", "overfit", "not enough data", "fragile"]

LEAST_DEFLATED_SHARPE = 0.95
MOST_OVERFITTING = 0.2
OVERFIT = 0.5
LEAST_PLATEAU_SHARE = 0.7


@dataclass(frozen=True)
class Evidence:
    """What the verdict is made of; NaN where it is not known.

    deflated_sharpe: probability. overfitting: probability, of the unguided design. train_mean, test_mean: mean daily returns,
    fractions. holdout_low, holdout_high: 90 % interval of the holdout's total return, fractions. alpha: of the holdout to the
    coin, a year. three_basis_points: total return of the holdout with fills through 3 bp, fraction. plateau_share: of the
    neighbours at half the best score or better. train_sharpe: a day. detectable: smallest detectable Sharpe ratio a day of the
    train days with all trials; detectable_holdout: of the holdout days, one trial. earlier_looks: optimizations that have seen
    this holdout before.
    """

    deflated_sharpe: float = math.nan
    overfitting: float = math.nan
    train_mean: float = math.nan
    test_mean: float = math.nan
    holdout_low: float = math.nan
    holdout_high: float = math.nan
    alpha: float = math.nan
    three_basis_points: float = math.nan
    plateau_share: float = math.nan
    train_sharpe: float = math.nan
    detectable: float = math.nan
    detectable_holdout: float = math.nan
    earlier_looks: int = 0

    def __post_init__(self) -> None:
        for name in ("deflated_sharpe", "overfitting", "plateau_share"):
            value = getattr(self, name)
            if not (math.isnan(value) or 0.0 <= value <= 1.0):
                raise InputError(f"{name} = {value!r} is refused: it must be a share from 0 to 1, or NaN when it is not known")
        if self.earlier_looks < 0:
            raise InputError(f"earlier_looks = {self.earlier_looks!r} is refused: it must be at least 0")

    @classmethod
    def of(
        cls,
        deflated: DeflatedSharpe,
        overfitting: Overfitting,
        windows: WalkForward,
        held: Holdout,
        plateau: Plateau,
        three_basis_points: float,
        earlier_looks: int = 0,
    ) -> Evidence:
        """The evidence of the single studies put together; `three_basis_points` and `earlier_looks` as above."""
        return cls(
            deflated_sharpe=deflated.probability,
            overfitting=overfitting.probability,
            train_mean=windows.train_mean,
            test_mean=windows.test_mean,
            holdout_low=held.total_return.low,
            holdout_high=held.total_return.high,
            alpha=held.alpha.observed,
            three_basis_points=three_basis_points,
            plateau_share=plateau.share,
            train_sharpe=deflated.sharpe,
            detectable=deflated.detectable,
            detectable_holdout=held.detectable,
            earlier_looks=earlier_looks,
        )


class Criterion(NamedTuple):
    """One row of the verdict: what was measured, what was asked of it, and what that says. `threshold` in words, such as `>= 0.95`."""

    name: str
    value: float
    threshold: str
    passed: bool
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """The label, the tests it rests on, why it is that label, and how small an edge these data could have shown.

    because: names of the tests that decided; empty when robust. notes: further sentences for the reader.
    """

    label: Label
    tests: tuple[Criterion, ...]
    because: tuple[str, ...]
    reason: str
    notes: tuple[str, ...]

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the tests that were not passed."""
        return tuple(test.name for test in self.tests if not test.passed)

    def sentences(self) -> list[str]:
        """The verdict in plain words: label and reason, then the notes."""
        return [f"{self.label.capitalize()}: {self.reason}", *self.notes]


def _test(name: str, value: float, threshold: str, passed: bool, good: str, bad: str) -> Criterion:
    """A row; unknown is not passed."""
    if math.isnan(value):
        return Criterion(name, value, threshold, False, f"The {name} is not known, so it does not count as passed.")
    return Criterion(name, value, threshold, passed, good if passed else bad)


def _percent(value: float) -> str:
    return f"{value * 100.0:+,.1f} %"


def _tests(of: Evidence) -> tuple[Criterion, ...]:
    """Every row, in the order of the report."""
    dsr, pbo, low, plain = of.deflated_sharpe, of.overfitting, of.holdout_low, of.plateau_share
    return (
        _test(
            "deflated Sharpe ratio", dsr, f">= {LEAST_DEFLATED_SHARPE:g}", dsr >= LEAST_DEFLATED_SHARPE,
            f"The train Sharpe ratio is above what the best of so many trials shows by luck, with probability {dsr:.3f}.",
            f"The best of so many trials would show such a train Sharpe ratio by luck too: the probability of more is only {dsr:.3f}.",
        ),
        _test(
            "probability of overfitting", pbo, f"< {MOST_OVERFITTING:g}", pbo < MOST_OVERFITTING,
            f"The best set of half the days is not above the middle in the other half in {pbo * 100.0:.0f} % of the splits.",
            f"The best set of half the days is not above the middle in the other half in {pbo * 100.0:.0f} % of the splits: too many.",
        ),
        _test(
            "test mean daily return", of.test_mean, "> 0", of.test_mean > 0.0,
            "The test parts earned.", "The test parts did not earn.",
        ),
        _test(
            "holdout interval", low, "> 0", low > 0.0,
            f"Nine of ten redraws of the holdout return {_percent(low)} to {_percent(of.holdout_high)}: above zero.",
            f"Nine of ten redraws of the holdout return {_percent(low)} to {_percent(of.holdout_high)}: not above zero.",
        ),
        _test(
            "alpha to the coin", of.alpha, "> 0", of.alpha > 0.0,
            f"Beyond what the coin's own moves gave, the holdout earned {_percent(of.alpha)} a year.",
            f"Beyond what the coin's own moves gave, the holdout came to {_percent(of.alpha)} a year.",
        ),
        _test(
            "3 bp row", of.three_basis_points, ">= 0", of.three_basis_points >= 0.0,
            f"When price must pass an order by 3 basis points to fill it, the return is {_percent(of.three_basis_points)}.",
            f"When price must pass an order by 3 basis points to fill it, {_percent(of.three_basis_points)} is left: the queue's profit.",
        ),
        _test(
            "plateau share", plain, f">= {LEAST_PLATEAU_SHARE:g}", plain >= LEAST_PLATEAU_SHARE,
            f"{plain * 100.0:.0f} % of the neighbouring sets reach half the best score.",
            f"Only {plain * 100.0:.0f} % of the neighbouring sets reach half the best score: the set stands on a needle.",
        ),
    )  # fmt: skip


def _overfit(of: Evidence) -> dict[str, str]:
    """The tests that say overfit, by name, with the sentence of each."""
    found = {}
    if of.overfitting > OVERFIT:
        found["probability of overfitting"] = (
            f"the best set of half the days is not above the middle in the other half in {of.overfitting * 100.0:.0f} % of the splits"
        )
    if of.test_mean <= 0.0 < of.train_mean:
        found["test mean daily return"] = "the train parts earned and the test parts did not"
    return found


def _too_short(of: Evidence) -> str:
    """Why the holdout could not have shown an edge; empty when it could have."""
    if math.isnan(of.holdout_low) or math.isnan(of.holdout_high):
        return "the holdout has too few days for an interval"
    undecided = of.holdout_low <= 0.0 < of.holdout_high
    if undecided and of.train_sharpe > 0.0 and of.detectable_holdout > of.train_sharpe:
        return (
            f"a holdout of this length shows a Sharpe ratio of {_a_year(of.detectable_holdout)} or more, "
            f"and the train parts had {_a_year(of.train_sharpe)}"
        )
    return ""


def _a_year(daily: float) -> str:
    return f"{a_year(daily):.2f} a year" if math.isfinite(daily) else "any size" if daily > 0.0 else "unknown size"


def _notes(of: Evidence) -> tuple[str, ...]:
    """What these data could have shown at all, and whether the holdout was still unseen."""
    notes = []
    for where, value in (("the train parts after so many trials", of.detectable), ("the holdout", of.detectable_holdout)):
        if math.isnan(value):
            notes.append(f"The smallest Sharpe ratio that {where} would show is not known.")
        elif math.isinf(value):
            notes.append(f"No Sharpe ratio, however large, would show in {where}: too few days with too heavy tails.")
        else:
            notes.append(f"The smallest Sharpe ratio that {where} would show four times in five is {_a_year(value)}.")
    if of.earlier_looks:
        times = "once" if of.earlier_looks == 1 else f"{of.earlier_looks} times"
        notes.append(f"This holdout has been looked at {times} before: it is no longer unseen, and its rows are worth less than they say.")
    return tuple(notes)


def verdict(of: Evidence) -> Verdict:
    """The verdict by the rules of this module, with every test as a row."""
    tests, notes = _tests(of), _notes(of)
    overfit = _overfit(of)
    if overfit:
        return Verdict("overfit", tests, tuple(overfit), f"{'; '.join(overfit.values())}.", notes)
    failed = tuple(test.name for test in tests if not test.passed)
    if not failed:
        return Verdict("robust", tests, (), "every test is passed.", notes)
    short = _too_short(of)
    if short:
        return Verdict("not enough data", tests, ("holdout interval",), f"{short}.", notes)
    return Verdict("fragile", tests, failed, f"not passed: {', '.join(failed)}.", notes)
