"""How a CSV file is written: its separator, its header or the columns of a dump without one."""

from __future__ import annotations

import codecs
import csv
import datetime as dt
from dataclasses import dataclass

from backtest.data.files.catalogue import AGGREGATED_TRADES, TRADES
from backtest.data.series import FUNDING
from engine.errors import InputError

# As much of a file as is looked at to tell how it is written.
HEAD_BYTES = 1 << 16

# The columns of the exchange's own dumps, which come with or without a header; those of spot have one more at the end.
BAR_DUMP = (
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_volume",
    "count",
    "taker_buy_volume",
    "taker_buy_quote_volume",
    "ignore",
)
FUNDING_DUMP = ("calc_time", "funding_interval_hours", "last_funding_rate")
TRADE_DUMP = ("id", "price", "qty", "quote_qty", "time", "is_buyer_maker")
AGGREGATED_DUMP = ("agg_trade_id", "price", "quantity", "first_trade_id", "last_trade_id", "transact_time", "is_buyer_maker")
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
# How many of a dump's columns a file without a header must have at least.
_DUMPS = {FUNDING: (FUNDING_DUMP, 3), TRADES: (TRADE_DUMP, 5), AGGREGATED_TRADES: (AGGREGATED_DUMP, 6)}


@dataclass(frozen=True)
class CsvForm:
    """How a CSV file is written: `separator`, whether it has a `header`, the `names` of its columns, whether they are a dump's."""

    separator: str
    header: bool
    names: tuple[str, ...]
    dump: bool

    @property
    def text(self) -> str:
        """`exchange dump without header, semicolons`."""
        kind = f"{'exchange dump' if self.dump else 'table'} {'with' if self.header else 'without'} header"
        return kind if self.separator == "," else f"{kind}, {_SEPARATORS[self.separator]}"


def csv_form(head: bytes, name: str, content: str) -> CsvForm:
    """How the CSV file that begins with `head` is written. `content` tells the columns of a dump without header.

    Raises InputError when it is not UTF-8 text, or has no header and too few columns to be a dump.
    """
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
        line = text.split("\n", 1)[0].rstrip("\r")
        separator = max(_SEPARATORS, key=line.count)
        cells = next(csv.reader([line], delimiter=separator), [])
    except (UnicodeDecodeError, csv.Error):
        raise InputError(f"{name} is not a readable CSV file: it is not UTF-8 text") from None
    columns, least = _DUMPS.get(content, (BAR_DUMP, 6))
    if not cells or not _is_value(cells[0]):
        plain = {cell.strip().lower() for cell in cells}
        return CsvForm(separator, True, tuple(cells), {columns[0], columns[-2]} <= plain)
    if len(cells) < least:
        raise InputError(f"{name} has no header and {len(cells)} columns: a dump must have {', '.join(columns[:least])}")
    extra = tuple(f"extra_{number}" for number in range(len(cells) - len(columns)))
    return CsvForm(separator, False, (*columns, *extra)[: len(cells)], True)


def _is_value(text: str) -> bool:
    """Whether the first cell of a file is a row's time or number and not a column's name."""
    try:
        float(text)
    except ValueError:
        try:
            dt.datetime.fromisoformat(text.strip())
        except ValueError:
            return False
    return True
