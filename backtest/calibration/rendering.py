"""A fill calibration on a terminal, in a notebook and in sentences."""

from __future__ import annotations

import io
import math
from html import escape
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from backtest.calibration.study import FillCalibration

DEPTH_HEADINGS = ("beyond the limit", "orders", "filled", "share", "1 tick through", "engine")
SLIPPAGE_HEADINGS = ("order", "fills", "median bp", "5 %", "95 %", "mean", "engine")
ONE_ACCOUNT = "These are the orders of one account at its own size and in its own days: another size or a faster market fills otherwise."


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{value * 100.0:.0f} %"


def _bps(value: float) -> str:
    return "-" if math.isnan(value) else f"{round(value, 2) + 0.0:.2f}"


def _titles(found: FillCalibration) -> tuple[str, str]:
    market = ("SIMULATED: " if found.simulated else "") + found.symbol
    return (
        f"{market}: limit orders that filled, by how far the path went beyond their price",
        f"{market}: what fills gave up against the order's price, basis points",
    )


def _depth_rows(found: FillCalibration) -> list[list[str]]:
    rows = []
    for row in found.by_depth.itertuples(index=False):
        shares = (row.fill_ratio, row.through_one_tick, row.engine)
        rows.append([row.depth, f"{row.orders:,}", f"{row.filled:,}", *map(_percent, shares)])
    return rows


def _slippage_rows(found: FillCalibration) -> list[list[str]]:
    rows = []
    for row in found.slippage.itertuples(index=False):
        figures = (row.median_bps, row.low_bps, row.high_bps, row.mean_bps, row.engine_bps)
        rows.append([row.kind, f"{row.orders:,}", *map(_bps, figures)])
    return rows


def _contents(found: FillCalibration) -> list[tuple[str, tuple[str, ...], list[list[str]]]]:
    depth, slippage = _titles(found)
    parts: list[tuple[str, tuple[str, ...], list[list[str]]]] = [(depth, DEPTH_HEADINGS, _depth_rows(found))]
    if len(found.slippage):
        parts.append((slippage, SLIPPAGE_HEADINGS, _slippage_rows(found)))
    return parts


def sentences(found: FillCalibration) -> list[str]:
    """How the orders differ, what was left out, what is suggested, and on how many orders it rests."""
    outcomes = found.orders["outcome"].value_counts()
    both, mine, engine = (int(outcomes.get(name, 0)) for name in ("BOTH", "ONLY_MINE", "ONLY_ENGINE"))
    lines = [f"Of {int((found.orders['outcome'] != '').sum()):,} limit orders {both:,} filled in both, {engine:,} only in the engine."]
    if mine:
        lines.append(f"{mine:,} filled only on the exchange: where these are many, the bars are of another market or the times are off.")
    left = found.orders.loc[(found.orders["left_out"] != "") & (found.orders["kind"] == "LIMIT"), "left_out"].value_counts()
    lines += [f"{count:,} limit orders say nothing of the fill ratio: {why}." for why, count in left.sort_index().items()]
    unknown = int(found.slippage["left_out"].sum()) if len(found.slippage) else 0
    if unknown:
        lines.append(f"{unknown:,} fills have no order_price, so that their slippage is not known.")
    if found.execution.touch_probability < 1.0:
        aside = f"touch_probability = {found.execution.touch_probability:g} is left aside"
        lines.append(f"The engine is shown with every touch filled: {aside}.")
    return [*lines, *(one.why for one in found.suggestions if one.orders), ONE_ACCOUNT]


def calibration_tables(found: FillCalibration) -> list[Table]:
    """Fill ratio by depth, and slippage by kind of order."""
    tables = []
    for title, headings, rows in _contents(found):
        table = Table(box=SIMPLE_HEAD, pad_edge=False, title=Text(title), title_justify="left", title_style="bold")
        for place, heading in enumerate(headings):
            table.add_column(heading, justify="right" if place else "left", no_wrap=True)
        for row in rows:
            table.add_row(*map(Text, row))
        tables.append(table)
    return tables


def as_text(found: FillCalibration) -> str:
    """Tables and sentences as plain text."""
    sink = io.StringIO()
    console = Console(file=sink, width=100, color_system=None)
    for table in calibration_tables(found):
        console.print(table)
    for line in sentences(found):
        console.print(Text(line))
    return sink.getvalue().rstrip()


def as_html(found: FillCalibration) -> str:
    """Tables and sentences for a notebook; needs no style sheet."""
    right = "style='text-align:right'"
    parts = []
    for title, headings, rows in _contents(found):
        head = "".join(f"<th {right if place else ''}>{escape(name)}</th>" for place, name in enumerate(headings))
        cells = ("".join(f"<td {right if place else ''}>{escape(cell)}</td>" for place, cell in enumerate(row)) for row in rows)
        body = "".join(f"<tr>{row}</tr>" for row in cells)
        parts.append(f"<b>{escape(title)}</b><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
    lines = "".join(f"<li>{escape(line)}</li>" for line in sentences(found))
    return f"<div>{''.join(parts)}<ul>{lines}</ul></div>"
