"""Where the profit came from and when: by part and side, month and regime; monthly returns; drawdowns; fills by coin."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from backtest.report.formats import count, money, percent, result_columns
from backtest.report.html.elements import Cell, Row, Table, figure, paragraph, text
from engine.errors import InputError

if TYPE_CHECKING:
    from backtest.result import Result

TOTAL = "total"
MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# Heading, way of writing, and metrics that are summed into a column of the fills.
FILL_COLUMNS = (
    ("orders placed", count, ("entries_placed",)),
    ("of these filled", percent, ("fill_rate",)),
    ("longs opened", count, ("longs_opened",)),
    ("shorts opened", count, ("shorts_opened",)),
    ("longs closed", count, ("longs_closed",)),
    ("shorts closed", count, ("shorts_closed",)),
    ("stops", count, ("stops_long", "stops_short")),
    ("prunes", count, ("prunes",)),
    ("liquidations", count, ("liquidations",)),
    ("maker share", percent, ("maker_share",)),
    ("turnover", money, ("turnover",)),
    ("fees", money, ("fees",)),
    ("slippage", money, ("slippage_cost",)),
    ("funding, net", money, ("funding_net",)),
)


def _words(name: object) -> str:
    return str(name).replace("_", " ")


def _money_rows(frame: pd.DataFrame) -> list[Row]:
    values = frame.to_numpy(dtype=np.float64)
    return [[Cell(_words(name)), *(figure(value, money) for value in row)] for name, row in zip(frame.index, values, strict=True)]


def _money_table(frame: pd.DataFrame, label: str) -> str:
    """A table in quote currency whose row `total` stays last."""
    parts = _money_rows(frame.drop(index=TOTAL))
    total = _money_rows(frame.loc[[TOTAL]])[0]
    return Table(label, [label, *map(_words, frame.columns)], [parts], total).html()


def _with_content(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame without parts (columns) that are zero throughout."""
    return frame[[name for name in frame.columns if name == TOTAL or bool(frame[name].any())]]


def _by(result: Result, by: str, heading: str) -> str:
    """Profit by month, coin or regime; a sentence where it cannot be had."""
    head = f"<h3>{text(heading)}</h3>"
    try:
        frame = result.attribution_by(by)
    except InputError as error:
        # What follows the colon is advice on calling the function.
        return head + paragraph(f"Not to be had: {str(error).partition(': ')[0]}.")
    return head + _money_table(_with_content(frame), by)


def attribution(result: Result) -> str:
    """By part and side, then by month, by coin when there are several, and by regime."""
    parts = result.attribution
    rows = [name for name in parts.index if name == TOTAL or bool(parts.loc[name].any())]
    columns = [name for name in parts.columns if name != "account" or bool(parts["account"].any())]
    gained = float(parts.loc[TOTAL, TOTAL])
    lines = paragraph(
        f"Quote currency. The parts sum to the change of equity, {money(gained)}. Grid profit is before fees, which stand apart. "
        "Open positions is the change of what was not closed yet. Parts that are zero throughout are left out."
    )
    pieces = [lines, _money_table(parts.loc[rows, columns], "part"), _by(result, "month", "By month")]
    if len(result.symbols) > 1:
        pieces.append(_by(result, "symbol", "By coin"))
    return "\n".join([*pieces, _by(result, "regime", "By regime")])


def monthly(result: Result) -> str:
    """Returns by calendar month."""
    frame = result.monthly_returns
    if frame.empty:
        return paragraph("No bar traded, so there are no months.")
    values = frame.to_numpy(dtype=np.float64) * 100.0
    rows = [[Cell(str(year)), *(figure(value, _points) for value in row)] for year, row in zip(frame.index, values, strict=True)]
    table = Table("monthly returns", ["year", *MONTH_NAMES, "whole year"], [rows]).html()
    return paragraph("In percent, of UTC calendar months. The first and the last month may be in part.") + table


def _points(value: float) -> str:
    return "-" if math.isnan(value) else f"{round(value, 2) + 0.0:,.2f}"


def moment(value: Any) -> str:
    """A UTC time to the minute; a dash when there is none."""
    return "-" if pd.isna(value) else f"{value:%Y-%m-%d %H:%M}"


def drawdowns(result: Result) -> str:
    """The five deepest drawdowns at closes."""
    frame = result.worst_drawdowns(5)
    if frame.empty:
        return paragraph("Equity never closed below its peak.")
    days = result.timeframe.ms / 86_400_000
    rows = [
        [
            Cell(str(place)),
            figure(row.depth, percent),
            Cell(moment(row.start)),
            Cell(moment(row.trough)),
            Cell("not made good" if pd.isna(row.end) else moment(row.end)),
            figure(row.bars * days, "{:,.1f}".format),
        ]
        for place, row in enumerate(frame.rename(columns={"from": "start", "to": "end"}).itertuples(), start=1)
    ]
    table = Table("worst drawdowns", ["rank", "depth", "from", "deepest", "made good", "days under water"], [rows]).html()
    return paragraph("At closes, UTC, deepest first.") + table


def fills(result: Result) -> str:
    """Orders and fills, one row a coin."""
    columns = result_columns(result)
    rows = [
        [Cell(name), *(figure(sum(one.metrics[metric] for metric in metrics), show) for _, show, metrics in FILL_COLUMNS)]
        for name, one in columns
    ]
    total = rows.pop(0) if len(rows) > 1 else None
    table = Table("fills by coin", ["coin", *(heading for heading, _, _ in FILL_COLUMNS)], [rows], total).html()
    return paragraph("Money in quote currency. A lot counts as closed once it is whole; a stop or a prune counts each time.") + table
