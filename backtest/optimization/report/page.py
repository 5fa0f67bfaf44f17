"""The page: verdict first, then what it rests on, then how the search went. One file, no network, the same bytes for the same outcome."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from matplotlib.figure import Figure

from backtest.configuration import strategy_name
from backtest.optimization.optimize import Choice, Outcome, Row
from backtest.optimization.report import pictures
from backtest.optimization.report.importance import METHOD, importances
from backtest.optimization.tables import Pair, count_sentences, evidence_rows, pairs, percent, ratio, value_text, window_name
from backtest.report.html.assets import document
from backtest.report.html.elements import Cell, Section, Table, bullets, contents, figure, paragraph, paragraphs, text
from backtest.report.html.pictures import picture

# Parameters that get a slice of their own.
SLICES = 6


def title(outcome: Outcome) -> str:
    """The heading: strategy, coins and label."""
    coins = ", ".join(dict.fromkeys(row.coins for row in outcome.rows))
    mark = "SIMULATED: " if outcome.simulated else ""
    return f"{mark}{strategy_name(outcome.strategy)} on {coins}: {outcome.proof.verdict.label}"


def _answer(passed: bool) -> Cell:
    return Cell("yes" if passed else "NO", None, not passed)


def verdict_table(outcome: Outcome) -> Table:
    """The tests that made the label."""
    rows = [
        [Cell(test.name), _answer(test.passed), Cell(value_text(test), test.value), Cell(test.threshold), Cell(test.sentence)]
        for test in outcome.proof.verdict.tests
    ]  # fmt: skip
    return Table("tests of the verdict", ["test", "passed", "value", "asked", "what it says"], [rows], ends_in_words=True)


_SIDE_HEADINGS = (
    "part", "best return", "defaults", "holding", "best drawdown", "defaults", "best Sharpe", "defaults", "round trips", "defaults",
    "dates",
)  # fmt: skip


def _side_row(pair: Pair) -> list[Cell]:
    best, other = pair.best, pair.defaults
    return [
        Cell(f"{pair.coins} {pair.part}", None, pair.part == "holdout"),
        figure(best.total_return, percent),
        figure(other.total_return, percent),
        figure(pair.buy_and_hold, percent),
        figure(best.drawdown, percent),
        figure(other.drawdown, percent),
        figure(best.sharpe, ratio),
        figure(other.sharpe, ratio),
        figure(best.round_trips, lambda value: f"{value:,.0f}"),
        figure(other.round_trips, lambda value: f"{value:,.0f}"),
        Cell(pair.dates),
    ]


def side_by_side(found: Sequence[Pair], label: str) -> Table:
    """Each wallet's parts, the best set beside the defaults and holding the coin; a rule between wallets."""
    groups = [[_side_row(pair) for pair in found if pair.coins == coins] for coins in dict.fromkeys(pair.coins for pair in found)]
    return Table(label, _SIDE_HEADINGS, groups)


def _evidence(outcome: Outcome) -> str:
    rows = [[Cell(name), Cell(value, math.nan), Cell(meaning)] for name, value, meaning in evidence_rows(outcome)]
    lines = [*count_sentences(outcome), *outcome.proof.left_out]
    if outcome.settings.mode == "rolling":
        lines.append("Rolling mode: deflated Sharpe ratio, overfitting and plateau are those of the last window's search.")
    return Table("evidence", ["figure", "value", "meaning"], [rows], ends_in_words=True).html() + paragraphs(lines)


def _parameters(outcome: Outcome) -> str:
    """What was chosen, beside the default and the range that was searched; in rolling mode a column a window."""
    defaults = outcome.strategy.model_dump()
    left_out = {name for choice in outcome.choices for name in choice.plateau.left_out}
    headings = [
        "parameter",
        *(f"chosen, {window_name(choice.window)}" for choice in outcome.choices),
        "default",
        "searched",
        "alone changes nothing",
    ]
    rows = []
    for one in outcome.space:
        chosen = [Cell(_shown(choice.parameters[one.name])) for choice in outcome.choices]
        span = ", ".join(map(str, one.values)) if one.values is not None else f"{one.low:g} to {one.high:g}{' (log)' if one.log else ''}"
        rows.append(
            [Cell(one.name), *chosen, Cell(_shown(defaults[one.name])), Cell(_signed(span)), Cell("yes" if one.name in left_out else "")]
        )
    return Table("parameters", headings, [rows]).html()


def _shown(value: object) -> str:
    """A parameter's value; its minus is a sign of its own, for a hyphen before a digit marks a loss."""
    return _signed(f"{value:.5g}" if isinstance(value, float) else str(value))


def _signed(words: str) -> str:
    return re.sub(r"(?<![\w.])-(?=\d)", "\N{MINUS SIGN}", words)


def _search(outcome: Outcome, choice: Choice) -> str:
    mark = "SIMULATED: " if outcome.simulated else ""
    parts = [_picture(pictures.history(choice, mark), f"history of {window_name(choice.window)}")]
    shares = importances(outcome.space, choice.trials)
    if not shares:
        return parts[0] + paragraph("Too few sets, or all of equal score: nothing can be said of single parameters.")
    names = list(shares)
    parts += [_picture(pictures.importance(shares, mark), "importance of parameters"), paragraph(METHOD)]
    parts.append(_picture(pictures.slices(outcome.space, choice, names[:SLICES], mark), "slices of the parameters that matter most"))
    if len(names) > 1:
        parts.append(
            _picture(pictures.pair_map(outcome.space, choice.trials, names[0], names[1], outcome.simulated), f"{names[0]} and {names[1]}")
        )
    return "\n".join(parts)


def _doubt(outcome: Outcome) -> str:
    mark = "SIMULATED: " if outcome.simulated else ""
    parts = []
    choice = outcome.choices[-1]
    if choice.plateau.scores.size:
        parts.append(_picture(pictures.neighbours(choice, mark), "neighbours of the chosen set"))
        if choice.plateau.left_out:
            parts.append(paragraph(f"Not moved, because alone they change nothing: {', '.join(choice.plateau.left_out)}."))
    else:
        parts.append(paragraph("No parameter changes anything: there are no neighbours to compare."))
    found = outcome.proof.overfitting
    if found is not None and found.splits:
        parts.append(_picture(pictures.logits(found, mark), "ranks of the winners in cross-validation"))
    return "\n".join(parts)


def _picture(drawn: Figure, caption: str) -> str:
    return picture(pictures.png(drawn, caption), f"Chart: {caption}", caption)


def _stress(rows: Sequence[Row], outcome: Outcome, notes: Sequence[str]) -> str:
    if not rows:
        return paragraphs(notes) or paragraph("There are none.")
    words = paragraph(
        "Made-up markets of 60 days, on the same terms: what happens in a crash or in chop says nothing of how often they come."
    )
    return words + side_by_side(pairs(rows, outcome.settings), "SIMULATED scenarios").html()


def _settings(outcome: Outcome) -> str:
    split = outcome.split
    test = "validation" if outcome.settings.mode == "robust" else "test"
    rows = []
    for number, window in enumerate(split.windows, 1):
        rows += [[Cell(f"train {number}"), Cell(str(window.train))], [Cell(f"{test} {number}"), Cell(str(window.test))]]
    if split.holdout is not None:
        rows.append([Cell("holdout"), Cell(str(split.holdout))])
    chosen = {"sampler": outcome.settings.sampler_name}
    settings = [[Cell(name), Cell(str(value))] for name, value in {**outcome.settings.model_dump(), **chosen}.items() if value is not None]
    run = [
        f"{name} = {value}"
        for part in (outcome.account, outcome.execution)
        for name, value in part.model_dump().items()
        if value is not None
    ]
    return (
        paragraph(
            f"A gap of {split.purge / 3_600_000:,.0f} hours separates train from test. Every part starts flat and is closed at its end."
        )
        + Table("parts", ["part", "dates, UTC"], [rows]).html()
        + Table("settings of the optimizer", ["setting", "value"], [settings]).html()
        + paragraph("Account and execution of every run: " + "; ".join(run) + ".")
    )


def _sections(outcome: Outcome, stress: Sequence[Row], notes: Sequence[str]) -> list[Section]:
    mark = "SIMULATED: " if outcome.simulated else ""
    equity = _picture(pictures.out_of_sample(outcome), "out-of-sample growth")
    if outcome.settings.mode == "robust":
        equity += paragraph(
            "In robust mode the validation parts lie between train parts that the set was chosen on: only the holdout is out-of-sample."
        )
    several = len(outcome.choices) > 1
    searches = [
        Section(
            f"search{place}", f"How the search went{': ' + window_name(choice.window) if several else ''}", _search(outcome, choice), mark
        )
        for place, choice in enumerate(outcome.choices)
    ]
    return [
        Section(
            "parts", "In-sample, test and holdout", side_by_side(pairs(outcome.rows, outcome.settings), "parts side by side").html(), mark
        ),
        Section("equity", "Out-of-sample growth", equity, mark),
        Section("evidence", "Evidence", _evidence(outcome), mark),
        Section("doubt", "Neighbours and cross-validation", _doubt(outcome), mark),
        Section("parameters", "Parameters", _parameters(outcome), mark),
        *searches,
        Section("scenarios", "Scenarios", _stress(stress, outcome, notes), "SIMULATED: "),
        Section("settings", "Settings", _settings(outcome)),
    ]


def render(outcome: Outcome, stress: Sequence[Row], notes: Sequence[str], study: str) -> str:
    """The page as text. stress: rows of the simulated scenarios; notes: sentences for the reader, above the contents."""
    sections = _sections(outcome, stress, notes)
    first, *rest = outcome.proof.verdict.sentences()
    simulated = "SIMULATED: the market was made up, so these figures say nothing about a real one."
    banner = paragraph(simulated, "banner") if outcome.simulated else ""
    if outcome.proof.verdict.label != "robust":
        banner += paragraph(first, "banner")
    header = f"{banner}\n<h1>{text(title(outcome))}</h1>\n{paragraph(f'Study {study}', 'source')}"
    words = paragraph(first) if outcome.proof.verdict.label == "robust" else ""
    main = f"""<h2>Verdict</h2>
{words}
{verdict_table(outcome).html()}
{bullets([*rest, *notes], "warnings")}
{contents(sections)}
{"".join(f"{section.html()}{chr(10)}" for section in sections)}"""
    return document(title(outcome), header, main)
