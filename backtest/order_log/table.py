"""The order log as a table in words, and as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from backtest.lots import utc
from backtest.order_log.record import ACTIONS, REASONS
from backtest.step_tables import KINDS
from engine.records import LABELS, SIDES

COLUMNS = (
    "time",  # open of the bar, UTC
    "bar",  # its number, as in trades.csv
    "symbol",
    "action",
    "reason",  # why an order was refused or ended, OWN_EXIT for a lot's own exits; else empty
    "order",  # the order's id within its symbol, -1 in a refusal or a liquidation
    "kind",  # ENTRY, TAKE_PROFIT, STOP, MARKET, LIQUIDATION
    "position_side",
    "price",  # limit or stop price, of a FILL the price it filled at; missing for orders at market
    "qty",  # base units or contracts, of a FILL what filled
    "remaining",  # of a FILL: what still rests of the order; 0: it is done
    "lot",  # lot an exit closes, -1: none or several
    "level",  # grid level of an entry, -1: none
    "label",  # the event that its fill is
    "count",  # of a REFUSE row, how many orders it stands for (VALUE_AT_RISK: decisions); else 1
)
# Rows a file is written in at a time.
_ROWS_A_PIECE = 1_000_000


def _words(codes: np.ndarray, words: Sequence[str]) -> pd.Categorical:
    """Codes as words; few different ones in many rows, so that a category costs a byte a row."""
    return pd.Categorical.from_codes(codes, categories=list(words))


def as_frame(rows: np.ndarray, symbols: Sequence[str], all_symbols: Sequence[str]) -> pd.DataFrame:
    """Rows (`row_dtype`) of the wallet of `symbols` as a table; its categories are the same for every wallet of a result."""
    place = np.array([list(all_symbols).index(symbol) for symbol in symbols], np.int64)
    return pd.DataFrame(
        {
            "time": utc(rows["time"]),
            "bar": rows["bar"],
            "symbol": _words(place[rows["instrument"]], all_symbols),
            "action": _words(rows["action"], ACTIONS),
            "reason": _words(rows["reason"], REASONS),
            "order": rows["order"],
            "kind": _words(rows["kind"], KINDS),
            "position_side": _words(rows["side"], SIDES),
            **{name: rows[name] for name in ("price", "qty", "remaining", "lot", "level")},
            "label": _words(np.where(rows["label"] < 0, len(LABELS), rows["label"]), (*LABELS, "")),
            "count": rows["count"],
        }
    )


def _pieces(table: pd.DataFrame) -> list[pd.DataFrame]:
    return [table.iloc[first : first + _ROWS_A_PIECE] for first in range(0, max(len(table), 1), _ROWS_A_PIECE)]


def write_order_log(table: pd.DataFrame, folder: Path, title: str) -> None:
    """Write orders.parquet and orders.csv into a folder; times in the CSV are like 2024-01-01T00:15:00Z.

    title: what the run is, for the Parquet file's metadata. The same table gives the same bytes.
    """
    schema = pa.Schema.from_pandas(table.iloc[:0], preserve_index=False).with_metadata({"title": title})
    plain = pa.schema([field.with_type(pa.string()) if pa.types.is_dictionary(field.type) else field for field in schema])
    written = plain.set(0, pa.field("time", pa.string()))
    quoting = pyarrow.csv.WriteOptions(quoting_style="none")
    with (
        pq.ParquetWriter(folder / "orders.parquet", schema, compression="zstd") as parquet,
        pyarrow.csv.CSVWriter(folder / "orders.csv", written, write_options=quoting) as csv,
    ):
        for piece in _pieces(table):
            parquet.write_table(pa.Table.from_pandas(piece, schema=schema, preserve_index=False))
            words = piece.assign(time=piece["time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
            csv.write_table(pa.Table.from_pandas(words, schema=written, preserve_index=False))
