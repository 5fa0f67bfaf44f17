"""The evaluation study on a terminal, in sentences, and as plain values for machines."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from backtest.evaluation.paths import HOW_MADE, MEAN_BLOCK
from backtest.evaluation.study import FEW_STARTS
from engine.evaluation import Evaluation
from engine.risk_gates import OUTCOMES, PASSED, UNDECIDED

if TYPE_CHECKING:
    from backtest.evaluation.study import EvaluationStudy, Incidence

SCHEMA = 1
METHOD = "competing risks (Aalen-Johansen); intervals by stationary bootstrap of starts"

# What each outcome is called in a row, in the order they are shown.
ROWS = (
    (PASSED, "passed"),
    *((outcome, f"failed: {name}") for outcome, name in enumerate(OUTCOMES) if outcome > PASSED),
    (UNDECIDED, "still open"),
)


def percent(value: float) -> str:
    """A probability in percent with one digit."""
    return "-" if math.isnan(value) else f"{value * 100.0:,.1f}"


def rules_in_words(rules: Evaluation) -> str:
    """The rules that are on, in one phrase."""
    locked = ", locked" if rules.locks_at_start else ""
    parts = [
        (rules.profit_target, "target {:,g}"),
        (rules.daily_loss_limit, "daily loss {:,g}" + (" (fails)" if rules.daily_loss_fails else "")),
        (rules.trailing_drawdown, f"drawdown {{:,g}} {rules.trailing_basis.replace('_', ' ')}{locked}"),
        (rules.exposure_cap, "exposure {:,g}"),
        (rules.daily_target, "daily target {:,g}"),
        (rules.minimum_days or None, "at least {} days"),
        (rules.largest_day_share, "largest day {:.0%}"),
    ]
    return ", ".join(words.format(value) for value, words in parts if value is not None) or "no rule is on"


def _money(value: float) -> str:
    return f"{round(value, 2) + 0.0:+,.2f}"


def sentences(found: EvaluationStudy) -> list[str]:
    """What the rows say, and how they are to be read."""
    rules, starts = found.evaluation, found.starts
    lines = [f"Rules, in quote currency, on a capital of {found.capital:,g}: {rules_in_words(rules)}."]
    if rules.profit_target is None:
        lines.append("No profit target is set: no attempt can pass.")
    lines.append(
        f"{starts.attempts:,} starts, one each session, followed for up to {found.horizon:,} sessions; {starts.unfinished:,} were cut off "
        "by the end of the bars and count for as long as they were seen."
    )
    drawn = f"Intervals (5 to 95 %) draw starts in blocks of {found.mean_block:,.1f} sessions on average, {found.draws:,} times."
    few = f"That is too few to say much, and too few for an interval: it takes {FEW_STARTS}."
    lines.append(
        f"The starts overlap: with {starts.mean_days:,.1f} sessions each on average they are worth about {found.effective_starts:,.1f} "
        f"that do not. {few if found.effective_starts < FEW_STARTS else drawn}"
    )
    if found.paths is not None:
        lines.append(f"{found.paths.attempts:,} paths. {HOW_MADE} Blocks hold {MEAN_BLOCK} sessions on average.")
    if found.paths_left_out:
        lines.append(found.paths_left_out)
    if rules.payout or rules.fee or rules.reset_fee:
        value, low, high = found.expected_value
        spread = "" if math.isnan(low) else f" ({_money(low)} to {_money(high)})"
        lines.append(
            f"Expected value of a try {_money(value)}{spread}: payout {rules.payout:,g}, fee {rules.fee:,g}, up to {rules.resets} resets "
            f"at {rules.reset_fee:,g}; an attempt still open at the end earns nothing."
        )
    return [*lines, "It tells how this history treated the rules, not what a coming one will do."]


def _cells(outcome: int, name: str, found: EvaluationStudy) -> list[str]:
    starts, paths = found.starts, found.paths
    days = math.nan if outcome == UNDECIDED else starts.days_to(outcome)
    cells = [name, percent(starts.at(outcome)), percent(starts.low[outcome]), percent(starts.high[outcome])]
    cells.append("" if outcome == UNDECIDED else "-" if math.isnan(days) else f"{days:,.0f}")
    if paths is not None:
        days = math.nan if outcome == UNDECIDED else paths.days_to(outcome)
        cells += [percent(paths.at(outcome)), "" if outcome == UNDECIDED else "-" if math.isnan(days) else f"{days:,.0f}"]
    return cells


def evaluation_table(found: EvaluationStudy) -> Table:
    """A row an outcome by the last session followed, in percent; the words are those of `EvaluationStudy.sentences`."""
    title = Text(f"{'SIMULATED: ' if found.simulated else ''}Attempts at the evaluation within {found.horizon:,} sessions, in percent")
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left", title_style="bold")
    table.add_column("", no_wrap=True)
    headings = ["every start", "5 %", "95 %", "median\nsession"]
    for heading in headings + (["drawn\npaths", "median\nsession"] if found.paths is not None else []):
        table.add_column(heading, justify="right", no_wrap=True)
    for outcome, name in ROWS:
        table.add_row(*map(Text, _cells(outcome, name, found)), style="bold" if outcome == PASSED else "")
    return table


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _incidence(found: Incidence) -> dict[str, Any]:
    rows = {}
    for outcome, name in ROWS:
        row = {"probability": found.at(outcome), "low": float(found.low[outcome]), "high": float(found.high[outcome])}
        if outcome != UNDECIDED:
            row["median_session"] = found.days_to(outcome)
        values: dict[str, Any] = {key: _plain(value) for key, value in row.items()}
        if outcome != UNDECIDED:
            values["by_session"] = [round(float(value), 12) for value in found.values[outcome - 1]]
        rows[name] = values
    return {"attempts": found.attempts, "unfinished": found.unfinished, "mean_sessions": found.mean_days, "outcomes": rows}


def as_json(found: EvaluationStudy) -> dict[str, Any]:
    """Plain values in a stable order; null where a number has no meaning. `schema` counts up when a name or meaning changes."""
    value, low, high = found.expected_value
    return {
        "schema": SCHEMA,
        "method": METHOD,
        "rules": {name: list(one) if isinstance(one, tuple) else one for name, one in found.evaluation.model_dump().items()},
        "symbols": list(found.symbols),
        "simulated": found.simulated,
        "capital": found.capital,
        "horizon": found.horizon,
        "effective_starts": found.effective_starts,
        "mean_block": found.mean_block,
        "draws": found.draws,
        "seed": found.seed,
        "starts": _incidence(found.starts),
        "paths": None if found.paths is None else _incidence(found.paths),
        "expected_value": {"value": _plain(value), "low": _plain(low), "high": _plain(high)},
        "sentences": sentences(found),
    }
