"""What an outcome says, as rows of plain values that terminal, page and summary share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from backtest.optimization.cells import Figures
from backtest.optimization.evidence.daily import a_year
from backtest.optimization.evidence.verdict import Criterion
from backtest.optimization.optimize import ROBUST, Outcome, Row
from backtest.optimization.settings import Optimization

BEST, DEFAULTS, HOLDOUT, SIMULATED = "best", "defaults", "holdout", "SIMULATED"


class Pair(NamedTuple):
    """A wallet on a part: the best set beside the defaults and holding the coin. part: such as `train 1`."""

    coins: str
    part: str
    dates: str
    best: Figures
    defaults: Figures
    buy_and_hold: float


def part_name(row: Row, settings: Optimization) -> str:
    """`train 1`, `validation 1` (robust mode, in which later train parts saw later time), `test 1`, `holdout`."""
    if row.kind == "test" and settings.mode == "robust":
        return f"validation {row.window + 1}"
    return f"{row.kind} {row.window + 1}" if row.kind in ("train", "test") else row.kind


def pairs(rows: Sequence[Row], settings: Optimization) -> list[Pair]:
    """Rows of the best set and of the defaults side by side, coin by coin, parts in their order of time."""
    others = {(row.kind, row.window, row.coins): row for row in rows if row.whose == DEFAULTS}
    own = [row for row in rows if row.whose == BEST]
    coins = list(dict.fromkeys(row.coins for row in own))
    found = []
    for row in sorted(own, key=lambda one: (coins.index(one.coins), one.kind == HOLDOUT)):
        other = others[row.kind, row.window, row.coins]
        found.append(Pair(row.coins, part_name(row, settings), str(row.part), row.figures, other.figures, row.buy_and_hold))
    return found


def percent(value: float) -> str:
    """A fraction in percent; a dash where it is not known."""
    return "-" if math.isnan(value) else f"{value * 100.0:,.1f} %"


def ratio(value: float) -> str:
    """A ratio; a dash where it is not known."""
    return "-" if math.isnan(value) else "inf" if math.isinf(value) else f"{value:,.2f}"


_SHOWN = {
    "test mean daily return": lambda value: "-" if math.isnan(value) else f"{value * 100.0:.4f} % a day",
    "holdout interval": lambda value: "-" if math.isnan(value) else f"from {percent(value)}",
    "alpha to the coin": lambda value: "-" if math.isnan(value) else f"{percent(value)} a year",
    "3 bp row": percent,
    "plateau share": percent,
    "probability of overfitting": percent,
}


def value_text(test: Criterion) -> str:
    """The measured value of a test as people read it."""
    show = _SHOWN.get(test.name)
    return show(test.value) if show else "-" if math.isnan(test.value) else f"{test.value:.3f}"


def trial_count(outcome: Outcome) -> int:
    """Trials of this study; `outcome.trials_seen` counts those of others too."""
    return sum(len(choice.trials) for choice in outcome.choices)


def evidence_rows(outcome: Outcome) -> list[tuple[str, str, str]]:
    """Name, value and meaning of each figure of the evidence that is known."""
    proof = outcome.proof
    walked, found = proof.walk_forward, proof.holdout
    deflated, pbo = proof.deflated_sharpe, proof.overfitting
    rows = [
        (
            "walk-forward efficiency",
            ratio(walked.efficiency),
            "mean daily return of the test parts over that of the train parts; 1 keeps all",
        ),
        ("train mean daily return", f"{walked.train_mean * 100.0:.4f} %", f"over {walked.train_days:,} days"),
        ("test mean daily return", f"{walked.test_mean * 100.0:.4f} %", f"over {walked.test_days:,} days"),
    ]
    if deflated is not None:
        rows += [
            ("train Sharpe ratio", ratio(deflated.sharpe_a_year), "a year, of daily returns of the chosen set"),
            (
                "best of luck",
                ratio(a_year(deflated.benchmark)),
                f"Sharpe ratio a year that {deflated.trials:,} trials without an edge show",
            ),
            ("deflated Sharpe ratio", ratio(deflated.probability), "probability that the true ratio is above that"),
            ("smallest detectable, train", ratio(a_year(deflated.detectable)), "Sharpe ratio a year that these days and trials would show"),
        ]
    if pbo is not None:
        rows += [
            (
                "probability of overfitting",
                percent(pbo.probability),
                f"{pbo.splits:,} splits of {pbo.days:,} days, {pbo.sets:,} unguided sets",
            ),
            ("loss when chosen", percent(pbo.loss_probability), "splits in which the chosen set loses out-of-sample"),
        ]
    if found is not None:
        low, high = found.total_return.low, found.total_return.high
        rows += [
            ("holdout return", percent(found.total_return.observed), f"nine of ten redraws: {percent(low)} to {percent(high)}"),
            (
                "holdout alpha",
                percent(found.alpha.observed),
                f"a year; nine of ten: {percent(found.alpha.low)} to {percent(found.alpha.high)}",
            ),
            ("holdout beta", ratio(found.beta.observed), "to holding the coins"),
            ("holdout through 3 bp", percent(proof.three_basis_points), "return when price must pass an order by 3 basis points"),
        ]
    share = outcome.choices[-1].plateau.share
    rows.append(("plateau share", percent(share), "neighbours at half the best score or better"))
    return rows


def count_sentences(outcome: Outcome) -> list[str]:
    """How many trials were counted, and how often the holdout had been looked at before."""
    own = trial_count(outcome)
    others = outcome.trials_seen - own
    lines = [f"{own:,} sets were run in this study" + (f", and {others:,} in others that saw these bars; all count." if others else ".")]
    if outcome.split.holdout is None:
        lines.append("There is no holdout: nothing here is out-of-sample in robust mode.")
    elif outcome.earlier_looks:
        times = "once" if outcome.earlier_looks == 1 else f"{outcome.earlier_looks} times"
        lines.append(f"The holdout had been looked at {times} before: what it says now is weaker than it looks.")
    else:
        lines.append("No earlier study of this storage had looked at the holdout.")
    return lines


def window_name(window: int) -> str:
    """Which search a trial belongs to, in words."""
    return "all windows" if window == ROBUST else f"window {window + 1}"
