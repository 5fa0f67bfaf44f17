"""Tables of what became of the lots: what the prunes cost and saved, fills by depth of the ladder, and trapped inventory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.table import Table

from backtest.metrics.prune_outcomes import HOURS
from backtest.report.formats import known
from backtest.report.study_tables import StudyRow, study_table
from backtest.sensitivity.table import signed

if TYPE_CHECKING:
    from backtest.result import Result

# First and last depth of each row of the terminal's table; the last one has no end.
DEPTHS = ((1, 1), (2, 2), (3, 3), (4, 5), (6, 10), (11, 20), (21, 50), (51, 0))


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


def _depth_name(first: int, last: int) -> str:
    if last == 0:
        return f"{first} and more"
    return str(first) if first == last else f"{first} to {last}"


def depth_table(result: Result) -> Table:
    """Lots opened by depth of the ladder and side, over all coins."""
    found = result.fills_by_depth()
    rows = []
    for side in ("LONG", "SHORT"):
        mine = found[found["position_side"] == side]
        for first, last in DEPTHS:
            part = mine[(mine["depth"] >= first) & ((mine["depth"] <= last) | (last == 0))]
            if len(part):
                counts = [f"{int(part[name].sum()):,}" for name in ("opened", "taken_at_profit", "closed_otherwise", "still_open")]
                rows.append([side, _depth_name(first, last), *counts, _money(float(part["realized_pnl"].sum()))])
    headings = ("side", "depth", "opened", "at profit", "otherwise", "still open", "realized")
    return _table("Fills by depth: lots the side held once each was opened", 2, headings, rows)


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
        (depth_table(result), []),
        (prune_table(result), prune_sentences(result)),
    ]
    return [(table if table.row_count else None, words) for table, words in made if table.row_count or words]


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def as_json(result: Result) -> dict[str, Any]:
    """The three tables for summary.json, a list of rows each; null without the event log."""
    if not result.has_log:
        return dict.fromkeys(("prune_outcomes", "fills_by_depth", "open_inventory"))
    return {
        "prune_outcomes": _records(result.prune_outcomes()),
        "fills_by_depth": _records(result.fills_by_depth()),
        "open_inventory": _records(result.open_inventory()),
    }
