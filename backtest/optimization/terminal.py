"""What the terminal shows of an outcome: verdict with its tests, parts side by side, where the time went."""

from __future__ import annotations

import os
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from backtest.optimization.evaluation import Clock
from backtest.optimization.optimize import Outcome, Row
from backtest.optimization.tables import count_sentences, evidence_rows, pairs, percent, ratio, value_text


def report(outcome: Outcome, stress: Sequence[Row], notes: Sequence[str], wall: float, threads: int) -> RenderableType:
    """Everything the terminal shows; wall: seconds of the whole."""
    mark = "SIMULATED: " if outcome.simulated else ""
    first, *rest = outcome.proof.verdict.sentences()
    good = outcome.proof.verdict.label == "robust"
    lines: list[RenderableType] = [Text(f"{mark}{first}", style="bold" if good else "bold red"), tests_table(outcome)]
    lines += [Text(line) for line in (*rest, *count_sentences(outcome), *outcome.proof.left_out, *notes)]
    lines += [Text(""), side_by_side(outcome.rows, outcome, f"{mark}In-sample, test and holdout")]
    lines.append(evidence_table(outcome, mark))
    if stress:
        lines.append(side_by_side(stress, outcome, "SIMULATED scenarios"))
    lines.append(Text(time_sentence(outcome.clock, wall, threads)))
    return Group(*lines)


def _table(title: str, headings: Sequence[str], words: Sequence[str] = ()) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=Text(title, style="bold"), title_justify="left")
    for name in headings:
        table.add_column(name, justify="left" if name in words else "right", overflow="fold", no_wrap=name == headings[0])
    return table


def tests_table(outcome: Outcome) -> Table:
    """The tests that made the label."""
    table = _table("Tests of the verdict", ("test", "passed", "value", "asked", "what it says"), ("test", "what it says"))
    for test in outcome.proof.verdict.tests:
        passed = Text("yes") if test.passed else Text("NO", style="bold red")
        table.add_row(test.name, passed, value_text(test), test.threshold, test.sentence)
    return table


def side_by_side(rows: Sequence[Row], outcome: Outcome, title: str) -> Table:
    """Each wallet's parts: the best set beside the defaults and holding the coin."""
    headings = (
        "",
        "best return",
        "defaults",
        "holding",
        "best drawdown",
        "defaults",
        "best Sharpe",
        "defaults",
        "round trips",
        "from",
        "to",
    )
    table = _table(title, headings, ("",))
    before = ""
    for pair in pairs(rows, outcome.settings):
        if before not in ("", pair.coins):
            table.add_section()
        before = pair.coins
        best, other = pair.best, pair.defaults
        table.add_row(
            f"{pair.coins} {pair.part}",
            *(percent(value) for value in (best.total_return, other.total_return, pair.buy_and_hold, best.drawdown, other.drawdown)),
            ratio(best.sharpe),
            ratio(other.sharpe),
            f"{best.round_trips:,}",
            *(moment[:10] for moment in pair.dates.split(" to ")),
        )
    return table


def evidence_table(outcome: Outcome, mark: str = "") -> Table:
    """Every figure of the evidence that is known."""
    table = _table(f"{mark}Evidence", ("figure", "value", "meaning"), ("figure", "meaning"))
    for row in evidence_rows(outcome):
        table.add_row(*row)
    return table


def time_sentence(clock: Clock, wall: float, threads: int) -> str:
    """Where the time went; compiling once does not count.

    The kernel's share is its seconds, summed over threads, over threads times the whole.
    """
    count = threads or os.cpu_count() or 1
    wall -= clock.compiling

    def share(seconds: float) -> str:
        return f"{100.0 * seconds / wall:.0f} %" if wall > 0.0 else "-"

    return (
        f"{wall:,.1f} s for {clock.runs:,} runs on {count} threads: compiled code {share(clock.kernel / count)}, "
        f"sampler {share(clock.proposing)}, storage {share(clock.storing)}."
    )
