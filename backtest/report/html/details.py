"""The fine print: assumptions, every metric with its definition, every setting, and the first and last events."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from backtest.configuration import strategy_name, strategy_parameters
from backtest.metrics import METRICS
from backtest.report import findings
from backtest.report.formats import money, result_columns
from backtest.report.html.elements import Cell, Row, Table, figure, paragraph
from backtest.report.html.profit import moment
from backtest.report.lot_tables import NO_LEVEL, level_name

if TYPE_CHECKING:
    from backtest.result import Result

# Events shown at each end of the log.
MOST_EVENTS = 200
EVENT_COLUMNS = ("time", "symbol", "event", "side", "price", "quantity", "fee", "realized PnL", "funding", "wallet", "lot", "level")


def assumptions(result: Result) -> str:
    """What was assumed and moves the result, by subject."""
    rows = [[Cell(subject), Cell(words)] for subject, words in findings.assumptions(result).items()]
    return Table("assumptions", ["subject", "assumed"], [rows], ends_in_words=True).html()


def exact(value: float) -> str:
    """A number with as many digits as tell it apart, never in powers of ten: 0.00001, 64250.5."""
    return "-" if math.isnan(value) else np.format_float_positional(value, precision=12, trim="-")


def _value(value: float, unit: str) -> str:
    if math.isnan(value) or math.isinf(value):
        return "-" if math.isnan(value) else str(value)
    if unit == "quote":
        return money(value)
    return f"{value:,.0f}" if value == int(value) else f"{value:,.6g}"


def metrics(result: Result) -> str:
    """All metrics of the whole and of each coin, with unit and definition."""
    columns = result_columns(result)
    rows: list[Row] = []
    for name, metric in METRICS.items():
        values = [one.metrics[name] for _, one in columns]
        cells = [Cell(_value(value, metric.unit), value) for value in values]
        rows.append([Cell(name), *cells, Cell(metric.unit), Cell(metric.definition)])
    headings = ["metric", *(name for name, _ in columns), "unit", "definition"]
    table = Table("all metrics", headings, [rows], ends_in_words=True).html()
    return paragraph("A fraction of 0.15 is 15 %. A dash: no such number for this run.") + table


def _settings(result: Result) -> list[tuple[str, Any]]:
    parts: list[tuple[str, dict[str, Any]]] = [
        ("strategy", strategy_parameters(result.strategy)),
        ("account", result.account.model_dump()),
        ("execution", result.execution.model_dump()),
    ]
    named = [(f"{part}.{name}", value) for part, values in parts for name, value in values.items()]
    return [("strategy", strategy_name(result.strategy)), ("timeframe", result.timeframe), *named]


def settings(result: Result) -> str:
    """Every setting of the run, defaults too."""
    rows = [[Cell(name), Cell("none" if value is None else str(value))] for name, value in _settings(result)]
    return Table("settings", ["setting", "value"], [rows], ends_in_words=True).html()


def _event(row: Any) -> list[Cell]:
    return [
        Cell(moment(row.time)),
        Cell(row.symbol),
        Cell(row.label),
        Cell(row.position_side),
        figure(row.price, exact),
        figure(row.qty, exact),
        figure(row.fee, "{:,.4f}".format),
        figure(row.realized_pnl, money),
        figure(row.funding, "{:,.4f}".format),
        figure(row.wallet, money),
        figure(row.lot, "{:.0f}".format),
        Cell("-" if row.level == NO_LEVEL else level_name(row.level, row.level), float(row.level)),
    ]


def events(result: Result) -> str:
    """The event log, of a long one the first and last MOST_EVENTS."""
    if not result.has_log:
        return paragraph("This run did not record its events.")
    log = result.trades
    if log.empty:
        return paragraph("Nothing happened: no order filled.")
    count = len(log)
    if count <= 2 * MOST_EVENTS:
        shown, words = log, f"All {count:,} events."
    else:
        shown = pd.concat([log.head(MOST_EVENTS), log.tail(MOST_EVENTS)])
        words = f"The first and the last {MOST_EVENTS} of {count:,} events; trades.csv in the run's folder has all of them."
    table = Table("events", EVENT_COLUMNS, [[_event(row) for row in shown.itertuples()]]).html()
    return paragraph(f"{words} Times are UTC, the open of the bar.") + table
