"""The verdict: each rule, their order, missing evidence, and what it says in words."""

import dataclasses
import math

import pytest

from backtest.optimization.evidence import Evidence, verdict
from engine.errors import InputError

GOOD = Evidence(
    deflated_sharpe=0.97,
    overfitting=0.1,
    train_mean=0.002,
    test_mean=0.001,
    holdout_low=0.02,
    holdout_high=0.4,
    alpha=0.1,
    three_basis_points=0.05,
    plateau_share=0.9,
    train_sharpe=0.15,
    detectable=0.12,
    detectable_holdout=0.1,
)
NAN = math.nan


def changed(**values: float) -> Evidence:
    return dataclasses.replace(GOOD, **values)


@pytest.mark.parametrize(
    ("values", "label", "because"),
    [
        ({}, "robust", ()),
        # each bar at its edge and beyond it
        ({"deflated_sharpe": 0.95}, "robust", ()),
        ({"deflated_sharpe": 0.9499}, "fragile", ("deflated Sharpe ratio",)),
        ({"overfitting": 0.1999}, "robust", ()),
        ({"overfitting": 0.2}, "fragile", ("probability of overfitting",)),
        ({"overfitting": 0.5}, "fragile", ("probability of overfitting",)),
        ({"overfitting": 0.5001}, "overfit", ("probability of overfitting",)),
        ({"alpha": 0.0}, "fragile", ("alpha to the coin",)),
        ({"three_basis_points": 0.0}, "robust", ()),
        ({"three_basis_points": -0.001}, "fragile", ("3 bp row",)),
        ({"plateau_share": 0.7}, "robust", ()),
        ({"plateau_share": 0.69}, "fragile", ("plateau share",)),
        ({"test_mean": 0.0}, "overfit", ("test mean daily return",)),
        ({"test_mean": -0.001}, "overfit", ("test mean daily return",)),
        ({"test_mean": -0.001, "train_mean": 0.0}, "fragile", ("test mean daily return",)),
        ({"test_mean": -0.001, "overfitting": 0.6}, "overfit", ("probability of overfitting", "test mean daily return")),
        # overfit comes before not enough data
        ({"test_mean": -0.001, "holdout_low": -0.1, "detectable_holdout": 0.3}, "overfit", ("test mean daily return",)),
        # the holdout: undecided and too short, undecided and long enough, decided against
        ({"holdout_low": 0.0, "detectable_holdout": 0.151}, "not enough data", ("holdout interval",)),
        ({"holdout_low": -0.1, "detectable_holdout": 0.15}, "fragile", ("holdout interval",)),
        ({"holdout_low": -0.1, "detectable_holdout": math.inf}, "not enough data", ("holdout interval",)),
        ({"holdout_low": -0.3, "holdout_high": -0.1, "detectable_holdout": 0.3}, "fragile", ("holdout interval",)),
        ({"holdout_low": -0.1, "train_sharpe": -0.01, "detectable_holdout": 0.3}, "fragile", ("holdout interval",)),
        ({"holdout_low": NAN, "holdout_high": NAN}, "not enough data", ("holdout interval",)),
        # a holdout that showed it is enough, however short
        ({"detectable_holdout": 0.3}, "robust", ()),
        # missing evidence is not passed
        ({"deflated_sharpe": NAN}, "fragile", ("deflated Sharpe ratio",)),
        ({"overfitting": NAN}, "fragile", ("probability of overfitting",)),
        ({"test_mean": NAN}, "fragile", ("test mean daily return",)),
        ({"alpha": NAN}, "fragile", ("alpha to the coin",)),
        ({"three_basis_points": NAN}, "fragile", ("3 bp row",)),
        ({"plateau_share": NAN}, "fragile", ("plateau share",)),
        ({"plateau_share": 0.5, "alpha": -1.0}, "fragile", ("alpha to the coin", "plateau share")),
    ],
)
def test_rules(values: dict[str, float], label: str, because: tuple[str, ...]) -> None:
    found = verdict(changed(**values))
    assert (found.label, found.because) == (label, because)
    assert set(because) <= {test.name for test in found.tests if not test.passed}


def test_no_evidence_passes_nothing() -> None:
    found = verdict(Evidence())
    assert found.label == "not enough data"
    assert len(found.failed) == len(found.tests) == 7
    assert all("not known" in test.sentence for test in found.tests)
    assert all("is not known" in note for note in found.notes)


def test_rows_carry_value_threshold_and_a_sentence() -> None:
    rows = {test.name: test for test in verdict(changed(plateau_share=0.25)).tests}
    row = rows["plateau share"]
    assert (row.value, row.threshold, row.passed) == (0.25, ">= 0.7", False)
    assert row.sentence == "Only 25 % of the neighbouring sets reach half the best score: the set stands on a needle."
    assert rows["deflated Sharpe ratio"].passed
    assert all(test.sentence.endswith(".") for test in rows.values())


def test_the_smallest_detectable_sharpe_is_always_told() -> None:
    text = " ".join(verdict(changed(detectable=0.1, detectable_holdout=math.inf)).sentences())
    assert "the train parts after so many trials would show four times in five is 1.91 a year" in text
    assert "No Sharpe ratio, however large, would show in the holdout" in text


def test_the_reason_is_one_sentence() -> None:
    assert verdict(GOOD).sentences()[0] == "Robust: every test is passed."
    short = verdict(changed(holdout_low=-0.1, detectable_holdout=0.2)).sentences()[0]
    assert short == (
        "Not enough data: a holdout of this length shows a Sharpe ratio of 3.82 a year or more, and the train parts had 2.87 a year."
    )
    both = verdict(changed(test_mean=-0.1, overfitting=0.6)).reason
    assert both == (
        "the best set of half the days is not above the middle in the other half in 60 % of the splits; "
        "the train parts earned and the test parts did not."
    )
    assert verdict(changed(alpha=-0.1)).reason == "not passed: alpha to the coin."


@pytest.mark.parametrize(("looks", "words"), [(1, "looked at once before"), (3, "looked at 3 times before")])
def test_a_holdout_that_was_seen_is_told_of(looks: int, words: str) -> None:
    assert not any("looked at" in note for note in verdict(GOOD).notes)
    assert any(words in note for note in verdict(changed(earlier_looks=looks)).notes)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"overfitting": 1.2}, "overfitting = 1.2 is refused: it must be a share from 0 to 1"),
        ({"deflated_sharpe": -0.1}, "deflated_sharpe = -0.1 is refused"),
        ({"earlier_looks": -1}, "earlier_looks = -1 is refused"),
    ],
)
def test_bad_input_is_told_in_one_sentence(values: dict[str, float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        changed(**values)
