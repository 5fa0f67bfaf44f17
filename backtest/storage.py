"""A result as files: summary.json, trades.csv, equity.parquet, lots.csv, config.toml, charts, and run.json.

The files hold no wall-clock times, host names or absolute paths, and the same result gives the same bytes. Every figure
of the report can be made from them: equity.parquet has equity, prices and buy-and-hold, trades.csv the complete log,
run.json the engine's own counters.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from backtest.configuration import Configuration, DataSettings, strategy_name
from backtest.csv_files import write_csv
from backtest.data.built_in import built_in_coins, built_in_instrument
from backtest.data.symbols import base_coin, resolve_symbol
from backtest.data.timeframe import parse_utc, utc_text
from backtest.json_schema import SUMMARY, stamp
from backtest.output import write_whole
from backtest.report import findings, lot_tables
from backtest.result import Result
from engine.errors import InputError

if TYPE_CHECKING:
    from backtest.studies import Studies

FORMAT = 3
FILES = ("summary.json", "run.json", "trades.csv", "lots.csv", "equity.parquet", "config.toml")
# Prices of each coin in equity.parquet.
BAR_COLUMNS = ("open", "high", "low", "close")
# What summary.json has of studies, null where none was made.
STUDIES = ("fragile", "sensitivity", "uncertainty", "worst_days", "ablation", "exposure_ladder", "evaluation")
# State fields of more numbers than this are tables of lots and orders, which the log stands for.
_LARGEST_FIELD = 256
_ABSOLUTE_PATH = re.compile(r"(?<![\w.~])(?:[A-Za-z]:)?[/\\](?:[^\s/\\]+[/\\])+(?=[^\s/\\])")


def plain_values(value: Any) -> Any:
    """Numbers, texts and lists as JSON has them: NaN becomes null, infinities the text inf or -inf, absolute paths their last part."""
    if isinstance(value, np.ndarray):
        return [plain_values(one) for one in value.tolist()]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    if isinstance(value, str):
        return _ABSOLUTE_PATH.sub("", value)
    if isinstance(value, Mapping):
        return {str(key): plain_values(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_values(one) for one in value]
    return value


def _record_values(record: np.void) -> dict[str, Any]:
    names = [name for name in record.dtype.names or () if np.asarray(record[name]).size <= _LARGEST_FIELD and not record[name].dtype.names]
    return {name: plain_values(record[name]) for name in names}


def summary(result: Result, studies: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Headline, warnings, assumptions, metrics and attribution of a result as plain values; stable order of keys.

    studies: what `backtest.studies.Studies.as_json` gives; without it a reader finds null in its places.
    """
    split = len(result.symbols) > 1 and (result.has_log or not result.is_shared)
    values: dict[str, Any] = {
        **stamp(SUMMARY),
        "title": findings.title(result),
        "about": findings.about(result),
        "simulated": result.simulated,
        "liquidated": result.liquidated,
        "strategy": strategy_name(result.strategy),
        "symbols": list(result.symbols),
        "timeframe": str(result.timeframe),
        "bars": int(result.time.size),
        "first_bar": utc_text(result.time[0]) if result.time.size else None,
        "last_bar": utc_text(result.time[-1]) if result.time.size else None,
        "capital": result.capital,
        "warnings": findings.nothing_quoted(result) + findings.warnings(result),
        "never_fired": findings.gates_that_never_fired(result),
        "assumptions": findings.assumptions(result),
        "metrics": dict(result.metrics),
        "coins": {symbol: dict(result[symbol].metrics) for symbol in result.symbols} if split else {},
        "attribution": {column: result.attribution[column].to_dict() for column in result.attribution},
        **lot_tables.as_json(result),
        **(dict.fromkeys(STUDIES) if studies is None else studies),
    }
    plain: dict[str, Any] = plain_values(values)
    return plain


def _internals(result: Result) -> dict[str, Any]:
    """What `read_result` needs beyond the tables: instruments, and the totals of each wallet."""
    instruments = {}
    for symbol, market in zip(result.symbols, result.markets, strict=True):
        one = market.instrument
        tiers = None if one.tiers is None else [list(row) for row in one.tiers.tolist()]
        names = ("tick_size", "step_size", "min_qty", "min_notional", "contract_multiplier")
        instruments[symbol] = {
            **{name: getattr(one, name) for name in names},
            "tiers": tiers,
            "source": str(market.source),
            "simulated": bool(market.simulated),
            "notes": [str(note) for note in market.notes],
        }
    ledgers = [
        {
            "symbols": list(ledger.symbols),
            "first_bar": int(ledger.first_bar),
            "first_time": int(ledger.time[0]) if ledger.time.size else 0,
            "bars": int(ledger.time.size),
            "account": _record_values(ledger.account),
            "states": [_record_values(state) for state in ledger.states],
            "memory": [plain_values(memory) for memory in ledger.memory],
        }
        for ledger in result.ledgers
    ]
    values = {
        "format": FORMAT,
        "timeframe": str(result.timeframe),
        "weights": list(result.weights),
        "notes": list(result.notes),
        "instruments": instruments,
        "ledgers": ledgers,
    }
    plain: dict[str, Any] = plain_values(values)
    return plain


def recorded_configuration(result: Result, data: DataSettings | None) -> tuple[Configuration, list[str]]:
    """The settings that run the same again (`auto` becomes the source it was), and comments on what they cannot say."""
    remarks = []
    if data is None:
        remarks.append("The market was handed in by a program; [data] tells what it was, not where it came from.")
        start, end = (utc_text(result.time[0]), utc_text(result.time[-1] + result.timeframe.ms)) if result.time.size else (None, None)
        data = DataSettings(coins=result.symbols, timeframe=str(result.timeframe), start=start, end=end)
        return Configuration(result.strategy, result.account, result.execution, data, result.evaluation), remarks
    if data.source == "auto":
        real = "cache" if data.data_dir is None else "files"
        data = data.replace(source="simulated" if result.simulated else real)
    if not result.simulated and result.time.size:
        data = data.replace(**_span_run(result, data), filters=_filters_run(result, data))
        odd = [market.symbol for market in result.markets if market.instrument.contract_multiplier != 1.0]
        if odd:
            remarks.append(f"The contract multiplier of {', '.join(odd)} cannot be told here; run.json has it.")
    for name, option in (("data_dir", "--data-dir"), ("cache_dir", "--cache-dir")):
        folder = getattr(data, name)
        if folder is not None and Path(folder).is_absolute():
            remarks.append(f"{name} was an absolute path and is left out: give it again with {option}.")
            data = data.replace(**{name: None})
    return Configuration(result.strategy, result.account, result.execution, data, result.evaluation), remarks


def _span_run(result: Result, data: DataSettings) -> dict[str, str]:
    """Start and end of the bars that were there: folder, cache and exchange may hold more when the run is made again."""
    first, close = int(result.time[0]), int(result.time[-1]) + result.timeframe.ms
    span = {}
    if data.start is None or parse_utc(data.start, "start") < first:
        span["start"] = utc_text(first)
    if data.end is None or parse_utc(data.end, "end") > close:
        span["end"] = utc_text(close)
    return span


def _filters_run(result: Result, data: DataSettings) -> tuple[str, ...]:
    """The filters that were used and are not the built-in ones: those read from an exchange change."""
    texts = []
    for market in result.markets:
        one = market.instrument
        if base_coin(one.symbol) not in built_in_coins() or built_in_instrument(one.symbol).replace(tiers=one.tiers) != one:
            numbers = (one.tick_size, one.step_size, one.min_qty, one.min_notional)
            name = base_coin(one.symbol) if resolve_symbol(base_coin(one.symbol)) == one.symbol else None
            if name is not None:
                texts.append(f"{name}={','.join(np.format_float_positional(number, trim='-') for number in numbers)}")
    return tuple(texts) or data.filters


def _equity_table(result: Result) -> pa.Table:
    columns: dict[str, Any] = {
        "time": pa.array(result.time, pa.timestamp("ms", tz="UTC")),
        "equity": result.equity_values,
        "buy_and_hold": result.buy_and_hold_values,
    }
    for ledger in result.ledgers if len(result.ledgers) > 1 else ():
        row = np.searchsorted(result.time, ledger.time)
        values = np.full(result.time.size, np.nan)
        values[row] = ledger.equity
        columns[f"equity_{ledger.symbols[0]}"] = values
    for symbol, market in zip(result.symbols, result.markets, strict=True):
        row = np.searchsorted(market.time, result.time)
        there = row < market.time.size
        there[there] = market.time[row[there]] == result.time[there]
        for name in BAR_COLUMNS:
            values = np.full(result.time.size, np.nan)
            values[there] = getattr(market, name)[row[there]]
            columns[f"{name}_{symbol}"] = values
    title = findings.title(result)
    return pa.table(columns).replace_schema_metadata({"title": title, "simulated": str(result.simulated).lower()})


def write_files(
    result: Result,
    folder: Path,
    data: DataSettings | None = None,
    charts: bool = True,
    studies: Studies | None = None,
    html: bool = False,
) -> None:
    """Write all files of a result into an existing folder."""
    told = summary(result, None if studies is None else studies.as_json())
    for name, values in (("summary.json", told), ("run.json", _internals(result))):
        (folder / name).write_text(json.dumps(values, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    write_csv(result.trades, ("time",), folder / "trades.csv")
    write_csv(result.lots, ("opened", "closed"), folder / "lots.csv")
    pq.write_table(_equity_table(result), folder / "equity.parquet", compression="zstd")
    configuration, remarks = recorded_configuration(result, data)
    comments = [findings.title(result), *remarks]
    (folder / "config.toml").write_text("".join(f"# {line}\n" for line in comments) + "\n" + configuration.to_toml(), encoding="utf-8")
    drawn = None
    if charts:
        from backtest.report.charts import pictures

        drawn = pictures(result, studies)
        for name, blob in drawn.items():
            (folder / name).write_bytes(blob)
        if studies is not None and studies.evaluation is not None and result.time.size:
            from backtest.evaluation.chart import write_evaluation_chart

            write_evaluation_chart(studies.evaluation, folder)
    if html:
        from backtest.report.html import write_report

        write_report(result, folder / "report.html", studies, drawn)


def write_result(result: Result, folder: Path, data: DataSettings | None, charts: bool) -> Path:
    """Write a result into a new or empty folder. Raises InputError when it holds something already or cannot be written."""
    try:
        write_whole(folder, lambda into: write_files(result, into, data, charts))
    except FileExistsError:
        raise InputError(f"folder {folder} is refused: it must be new or empty, nothing is overwritten") from None
    except OSError as error:
        raise InputError(f"folder {folder} cannot be written: {error.strerror or error}") from None
    return folder
