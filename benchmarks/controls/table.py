"""The findings as tables: verdicts with the bound on the share of robust, and which test does the work."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.controls.experiment import Plan
from benchmarks.controls.findings import Finding

LABELS = ("robust", "not enough data", "fragile", "overfit")
CONFIDENCE = 0.95


def upper_bound(count: int, of: int) -> float:
    """One-sided 95 % upper bound of a share by Clopper and Pearson, Biometrika 26 (1934); 1 when all of them did, or there are none."""
    from scipy.stats import beta

    return 1.0 if count >= of else float(beta.ppf(CONFIDENCE, count + 1, of - count))


def lower_bound(count: int, of: int) -> float:
    """One-sided 95 % lower bound of a share."""
    from scipy.stats import beta

    return 0.0 if count <= 0 else float(beta.ppf(1.0 - CONFIDENCE, count, of - count + 1))


def spared(one: Finding, test: str) -> bool:
    """Whether a market would be called robust if this one test were not asked, overfit or not."""
    return set(one["failed"]) <= {test}


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join([_row(heads), _row(["---", *["---:"] * (len(heads) - 1)]), *map(_row, rows)])


def verdicts(of: Sequence[Finding], markets: Sequence[str]) -> str:
    """How often each verdict was given, and how often robust can be at most and at least."""
    rows = []
    for market in markets:
        mine = [one for one in of if one["market"] == market]
        counts = [sum(one["label"] == label for one in mine) for label in LABELS]
        if mine:
            bounds = [f"{lower_bound(counts[0], len(mine)):.1%}", f"{upper_bound(counts[0], len(mine)):.1%}"]
            rows.append([market, str(len(mine)), *map(str, counts), *bounds])
    return _table(["market", "seeds", *LABELS, "robust: at least", "at most"], rows)


def tests(of: Sequence[Finding], markets: Sequence[str]) -> str:
    """How often each test was passed, and in brackets how often a market would be robust without that test."""
    names = list(of[0]["values"]) if of else []
    rows = []
    for market in markets:
        mine = [one for one in of if one["market"] == market]
        if mine:
            passed = [sum(name not in one["failed"] for one in mine) / len(mine) for name in names]
            without = [sum(spared(one, name) for one in mine) for name in names]
            rows.append([market, *(f"{share:.0%} ({count})" for share, count in zip(passed, without, strict=True))])
    return _table(["market", *names], rows)


def markdown(of: Sequence[Finding], plan: Plan, markets: Sequence[str]) -> str:
    """Both tables with what they rest on."""
    return "\n\n".join(
        [
            f"{plan.strategy}, {plan.days} days, design of 256 sets and {plan.trials} guided trials, {plan.windows} windows, one coin.",
            verdicts(of, markets),
            "Share of seeds that pass each test; in brackets: seeds that would be robust if that test were not asked.",
            tests(of, markets),
            "",
        ]
    )
