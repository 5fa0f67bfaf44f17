"""Two results side by side: the headline metrics, their difference, and the settings in which the two differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from backtest.configuration import strategy_name, strategy_parameters
from backtest.report import findings
from backtest.report.terminal import ROWS

if TYPE_CHECKING:
    from backtest.result import Result


def differing_settings(one: Result, other: Result) -> list[tuple[str, Any, Any]]:
    """Settings by name in which two results differ, with both values; None where a result has no such setting."""
    pairs = [_settings(one), _settings(other)]
    names = list(dict.fromkeys([*pairs[0], *pairs[1]]))
    return [(name, pairs[0].get(name), pairs[1].get(name)) for name in names if pairs[0].get(name) != pairs[1].get(name)]


def _settings(result: Result) -> dict[str, Any]:
    strategy = {f"strategy.{name}": value for name, value in strategy_parameters(result.strategy).items()}
    account = {f"account.{name}": value for name, value in result.account.model_dump().items()}
    execution = {f"execution.{name}": value for name, value in result.execution.model_dump().items()}
    return {"strategy.name": strategy_name(result.strategy), "timeframe": str(result.timeframe), **strategy, **account, **execution}


def comparison(one: Result, other: Result, names: tuple[str, str] = ("this", "other")) -> RenderableType:
    """The headline of both as a table; `names` head the columns. A difference is the second less the first."""
    labels = [f"SIMULATED {name}" if result.simulated else name for name, result in zip(names, (one, other), strict=True)]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=Text("Two runs side by side", style="bold"), title_justify="left")
    table.add_column("")
    for label in (*labels, "difference"):
        table.add_column(label, justify="right", min_width=14)
    for row in ROWS:
        if row is None:
            table.add_row("")
            continue
        name, show, metrics = row
        values = [[result.metrics[metric] for metric in metrics] for result in (one, other)]
        differences = [second - first for first, second in zip(*values, strict=True)]
        table.add_row(name, *(show(*column) for column in (*values, differences)))
    lines: list[RenderableType] = [Text(f"{label}: {findings.about(result)}") for label, result in zip(labels, (one, other), strict=True)]
    changed = differing_settings(one, other)
    settings = Table(box=SIMPLE_HEAD, pad_edge=False, title=Text("Settings that differ", style="bold"), title_justify="left")
    for heading in ("setting", *labels):
        settings.add_column(heading, overflow="fold")
    for name, first, second in changed:
        settings.add_row(name, *("-" if value is None else str(value) for value in (first, second)))
    return Group(*lines, Text(""), table, settings if changed else Text("All settings are the same."))
