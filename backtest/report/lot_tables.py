"""Tables of what became of the lots: what the prunes cost and saved, fills by grid level, and trapped inventory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd

from backtest.metrics.prune_outcomes import HOURS
from backtest.report.formats import known
from backtest.report.study_tables import StudyRow, study_table
from backtest.sensitivity.table import signed
from engine.strategies.adaptive_grid_parameters import MAX_LEVELS

if TYPE_CHECKING:
    from rich.table import Table

    from backtest.result import Result

# First and last level of each row of the table, counted from 0; the last one has no end.
LEVELS = (*((level, level) for level in range(10)), (10, 19), (20, 49), (50, MAX_LEVELS))
NO_LEVEL = -1


def _money(value: float) -> str:
    return known(value, signed)


def _table(title: str, words: int, headings: tuple[str, ...], rows: list[list[str]]) -> Table:
    """A table whose first `words` columns are words and the others figures."""
    return study_table(title, headings, [StudyRow(row) for row in rows], words, remarks=False)


def prune_table(result: Result) -> Table:
    """Prunes by kind, over all coins, and what the same lots would have made hours later, quote currency."""
    found = result.prune_outcomes()
    rows = []
    for kind, mine in found.groupby("kind", sort=False):
        later = [_money(float(mine[f"missed_{hours}h"].sum(min_count=1))) for hours in HOURS]
        unknown = [int(mine[f"unknown_{hours}h"].sum()) for hours in HOURS]
        name = str(kind).removeprefix("PRUNE_").lower()
        rows.append([name, f"{int(mine['closes'].sum()):,}", _money(float(mine["realized_pnl"].sum())), *later, f"{max(unknown):,}"])
    headings = ("prune", "closes", "realized", *(f"{hours} h later" for hours in HOURS), "unknown")
    return _table("Prunes: what was realized, and what holding on would have made", 1, headings, rows)


def prune_sentences(result: Result) -> list[str]:
    """How the table of prunes is to be read."""
    words = (
        "Later: from the price of the prune to the close that many hours after it, quote currency, without fees and funding. "
        "Above zero the prunes cost that much, below zero they saved it. Unknown: prunes too near the end of the run, in no sum."
    )
    return [] if result.prune_outcomes().empty else [words]


def level_name(first: int, last: int) -> str:
    """Levels counted from 0 as a reader counts them, from 1 for the nearest; a level of -1 is none."""
    if first == NO_LEVEL:
        return "none"
    if last == MAX_LEVELS:
        return f"{first + 1} and more"
    return str(first + 1) if first == last else f"{first + 1} to {last + 1}"


def level_table(result: Result) -> Table:
    """Lots opened by grid level and side, over all coins; entries without a level in one row."""
    found = result.fills_by_level()
    rows = []
    for side in ("LONG", "SHORT"):
        mine = found[found["position_side"] == side]
        for first, last in ((NO_LEVEL, NO_LEVEL), *LEVELS):
            part = mine[mine["level"].between(first, last)]
            if len(part):
                counts = [f"{int(part[name].sum()):,}" for name in ("opened", "taken_at_profit", "closed_otherwise", "still_open")]
                money = [_money(float(part[name].sum())) for name in ("realized_pnl", "net")]
                rows.append([side, level_name(first, last), *counts, *money])
    headings = ("side", "level", "opened", "at profit", "otherwise", "still open", "realized", "net")
    return _table("Fills by grid level: lots opened, level 1 the nearest to the middle", 2, headings, rows)


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{signed(value * 100.0)} %"


def _hours(value: float) -> str:
    return f"{value:,.1f} h" if value < 48.0 else f"{value / 24.0:,.1f} d"


def inventory_table(result: Result) -> Table:
    """What the run ends with, by coin and side."""
    rows = []
    for row in result.open_inventory().to_dict("records"):
        ages = f"{_hours(row['average_age_hours'])} / {_hours(row['oldest_age_hours'])}"
        money = [f"{row['notional']:,.2f}", _money(row["unrealized_pnl"])]
        cells = [row["symbol"], row["position_side"], f"{row['lots']:,}", *money, _percent(row["entry_distance"])]
        rows.append([*cells, _percent(row["break_even_move"]), ages])
    headings = ("coin", "side", "lots", "notional", "unrealized", "entry", "break-even", "age, mean / oldest")
    return _table("Trapped inventory: lots open at the end", 2, headings, rows)


def inventory_sentences(result: Result) -> list[str]:
    """How long lots stood over the run, and how the table of open lots is to be read."""
    lines = []
    if result.metrics["open_lots"] > 0:
        lines.append("Entry and break-even: how far the price has to move to the average entry, and until fees and funding are paid too.")
    day, week = result.metrics["lots_older_than_day"], result.metrics["lots_older_than_week"]
    if not math.isnan(day):
        lines.append(
            f"Over the run {day * 100.0:.1f} % of the lots standing at closes had stood a day or more, {week * 100.0:.1f} % a week or more."
        )
    return lines


def lot_tables(result: Result) -> list[tuple[Table | None, list[str]]]:
    """The tables that have rows, each with its sentences; nothing without the event log."""
    if not result.has_log:
        return []
    made = [
        (inventory_table(result), inventory_sentences(result)),
        (level_table(result), []),
        (prune_table(result), prune_sentences(result)),
    ]
    return [(table if table.row_count else None, words) for table, words in made if table.row_count or words]


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def as_json(result: Result) -> dict[str, Any]:
    """The three tables for summary.json, a list of rows each; null without the event log."""
    if not result.has_log:
        return dict.fromkeys(("prune_outcomes", "fills_by_level", "open_inventory"))
    return {
        "prune_outcomes": _records(result.prune_outcomes()),
        "fills_by_level": _records(result.fills_by_level()),
        "open_inventory": _records(result.open_inventory()),
    }
