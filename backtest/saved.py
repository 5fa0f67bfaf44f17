"""A saved result, read from its files: tables and numbers only, nothing that could run code."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from backtest.configuration import STRATEGIES, Configuration
from backtest.data.instrument import Instrument
from backtest.data.timeframe import Timeframe
from backtest.ledger import Ledger
from backtest.result import Result
from backtest.storage import BAR_COLUMNS, FILES, FORMAT
from engine.account import Account
from engine.errors import InputError
from engine.evaluation import Evaluation
from engine.execution import Execution
from engine.records import LABELS, SIDES, account_dtype, event_dtype, state_dtype
from gridcore.constants import tier_dtype

_LOG_NUMBERS = ("bar", "price", "qty", "fee", "realized_pnl", "funding", "wallet", "lot", "level")


@dataclass(frozen=True)
class SavedStrategy:
    """Name and parameters of a user's own strategy, as the files tell; it cannot be run again from them."""

    name: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class SavedMarket:
    """What a saved result knows of its market: the prices of the bars from the first that traded."""

    instrument: Instrument
    timeframe: Timeframe
    time: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    source: str
    simulated: bool
    notes: tuple[str, ...]


def _fill_record(record: np.void, values: Mapping[str, Any]) -> None:
    """Fields by name; null is NaN. Fields that are not given stay zero, and so do labels that the run's version did not know."""
    for name in record.dtype.names or ():
        if name in values:
            given = np.array(values[name], dtype=record.dtype[name].base)
            if given.ndim:
                record[name][: len(given)] = given
            else:
                record[name] = given


def _read_log(path: Path, symbols: tuple[str, ...]) -> np.ndarray:
    """All events in file order; `instrument` is the place of the coin among `symbols`."""
    words = dict.fromkeys(("time", "symbol", "label", "position_side"), pa.string())
    numbers = {name: pa.int64() if event_dtype[name] == np.int64 else pa.float64() for name in _LOG_NUMBERS}
    # Arrow reads every float back to the bit, whatever its version; a word that is empty stays empty.
    table = csv.read_csv(path, convert_options=csv.ConvertOptions(column_types=words | numbers, strings_can_be_null=False))
    missing = (words.keys() | numbers.keys()) - set(table.column_names)
    if missing:
        raise ValueError(f"{path.name} has no column {min(missing)}")
    log = np.zeros(table.num_rows, dtype=event_dtype)
    for name in _LOG_NUMBERS:
        log[name] = table[name].to_numpy()
    log["time"] = np.array([moment.removesuffix("Z") for moment in table["time"].to_pylist()], dtype="datetime64[ms]").astype(np.int64)
    for name, column, known in (("label", "label", LABELS), ("side", "position_side", SIDES), ("instrument", "symbol", symbols)):
        codes = {word: code for code, word in enumerate(known)}
        log[name] = [codes[word] for word in table[column].to_pylist()]
    return log


def _read_ledger(values: Mapping[str, Any], time: np.ndarray, equity: np.ndarray, log: np.ndarray) -> Ledger:
    account = np.zeros(1, dtype=account_dtype)[0]
    _fill_record(account, values["account"])
    states = np.zeros(len(values["symbols"]), dtype=state_dtype)
    for state, saved in zip(states, values["states"], strict=True):
        _fill_record(state, saved)
    memory = [{name: math.nan if value is None else value for name, value in counters.items()} for counters in values["memory"]]
    return Ledger(time, values["first_bar"], equity, log, account, states, memory, tuple(values["symbols"]))


def _read_settings(path: Path) -> tuple[Any, Account, Execution, Evaluation | None]:
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    parameters = dict(tables["strategy"])
    name = parameters.pop("name")
    strategy = STRATEGIES[name](**parameters) if name in STRATEGIES else SavedStrategy(name, parameters)
    rules = Configuration.from_tables({name: tables[name] for name in ("evaluation",) if name in tables}).evaluation
    return strategy, Account(**tables["account"]), Execution(**tables["execution"]), rules


def _read(folder: Path) -> Result:
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    if run["format"] != FORMAT:
        raise InputError(
            f"folder {folder} was saved in format {run['format']!r}: this version reads format {FORMAT} only, in which trades.csv has "
            "the grid level of each event; the run can be made again from its config.toml"
        )
    symbols = tuple(run["instruments"])
    timeframe = Timeframe.parse(run["timeframe"])
    curves = pq.read_table(folder / "equity.parquet")
    column = {name: np.ascontiguousarray(curves.column(name).to_numpy()) for name in curves.column_names}
    time = column["time"].astype("datetime64[ms]").astype(np.int64)
    log = _read_log(folder / "trades.csv", symbols)
    told = sum(values["account"]["events"] for values in run["ledgers"])
    if log.size not in (0, told):  # none: recording was off
        raise ValueError(f"trades.csv has {log.size} rows, the run had {told} events")
    ledgers = []
    for values in run["ledgers"]:
        own = np.arange(values["bars"], dtype=np.int64) * timeframe.ms + values["first_time"]
        if len(run["ledgers"]) == 1:
            ledgers.append(_read_ledger(values, own, column["equity"], log))
            continue
        symbol = values["symbols"][0]
        mine = log[log["instrument"] == symbols.index(symbol)].copy()
        mine["instrument"] = 0
        ledgers.append(_read_ledger(values, own, column[f"equity_{symbol}"][np.searchsorted(time, own)], mine))
    markets = []
    for symbol, facts in run["instruments"].items():
        filters = {name: facts[name] for name in ("tick_size", "step_size", "min_qty", "min_notional", "contract_multiplier")}
        tiers = None if facts["tiers"] is None else np.array([tuple(row) for row in facts["tiers"]], dtype=tier_dtype)
        there = ~np.isnan(column[f"close_{symbol}"])
        markets.append(
            SavedMarket(
                instrument=Instrument(symbol=symbol, tiers=tiers, **filters),
                timeframe=timeframe,
                time=time[there],
                source=facts["source"],
                simulated=facts["simulated"],
                notes=tuple(facts["notes"]),
                **{name: column[f"{name}_{symbol}"][there] for name in BAR_COLUMNS},
            )
        )
    strategy, account, execution, evaluation = _read_settings(folder / "config.toml")
    return Result(strategy, account, execution, markets, ledgers, tuple(run["weights"]), tuple(run["notes"]), evaluation)


def read_result(folder: Path) -> Result:
    """A saved result. Raises InputError, one sentence, when a file is missing or broken."""
    for name in FILES:
        if not (folder / name).is_file():
            raise InputError(f"folder {folder} is not a saved result: {name} is missing")
    try:
        return _read(folder)
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"folder {folder} is not a whole saved result: {type(error).__name__}: {error}") from None
