"""Trials and out-of-sample returns as tables of columns, for files."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from backtest.optimization.optimize import ROBUST, Outcome
from backtest.optimization.parts import Part
from backtest.optimization.records import Trial
from backtest.optimization.tables import HOLDOUT

# Columns that hold a list: a CSV file has no place for them.
LISTS = ("violations", "daily")


def cell_names(outcome: Outcome, window: int) -> tuple[str, ...]:
    """Names of the cells of a window's trials, such as `train1_BTCUSDT`; in the order of `Trial.figures`."""
    numbers = range(len(outcome.split.windows)) if window == ROBUST else (window,)
    coins = dict.fromkeys(row.coins for row in outcome.rows if row.kind == "train")
    return tuple(f"train{number + 1}_{name}" for number in numbers for name in coins)


def trials_table(trials: Sequence[Trial], names: Mapping[int, Sequence[str]] | None = None) -> pa.Table:
    """One row a trial: its number, kind, window, score, parameters, figures of each cell, daily train returns (a float32 list).

    names: of the cells by window; without them cells are called cell1, cell2 and so on. A figure that a row's window does not have is null.
    """
    columns: dict[str, Any] = {
        "number": pa.array([trial.number for trial in trials], pa.int64()),
        "kind": pa.array([trial.kind for trial in trials], pa.string()),
        "place": pa.array([trial.place for trial in trials], pa.int64()),
        "window": pa.array([trial.window for trial in trials], pa.int64()),
        "value": pa.array([trial.value for trial in trials], pa.float64()),
        "guided": pa.array([trial.guided for trial in trials], pa.float64()),
        "feasible": pa.array([trial.feasible for trial in trials], pa.bool_()),
        "violations": pa.array([list(trial.violations) for trial in trials], pa.list_(pa.float64())),
    }
    for name in dict.fromkeys(name for trial in trials for name in trial.parameters):
        columns[name] = pa.array([trial.parameters.get(name) for trial in trials])
    columns |= _figure_columns(trials, names or {})
    columns["daily"] = pa.array([np.asarray(trial.daily, np.float32) for trial in trials], pa.list_(pa.float32()))
    return pa.table(columns)


def _figure_columns(trials: Sequence[Trial], names: Mapping[int, Sequence[str]]) -> dict[str, Any]:
    columns: dict[str, list[Any]] = {}
    for place, trial in enumerate(trials):
        called = names.get(trial.window) or [f"cell{k + 1}" for k in range(len(trial.figures))]
        for cell, figures in zip(called, trial.figures, strict=True):
            for figure, value in figures._asdict().items():
                columns.setdefault(f"{cell}_{figure}", [None] * len(trials))[place] = value
    whole = ("round_trips", "liquidations")
    return {name: pa.array(values, pa.int64() if name.endswith(whole) else pa.float64()) for name, values in columns.items()}


def out_of_sample_table(outcome: Outcome) -> pa.Table:
    """Returns by UTC day of the test parts and of the holdout: day, part, best, defaults, buy_and_hold (fractions)."""
    test = "validation" if outcome.settings.mode == "robust" else "test"
    parts: list[tuple[str, Part]] = [(f"{test} {number + 1}", part) for number, part in enumerate(outcome.split.tests)]
    if outcome.split.holdout is not None:
        parts.append((HOLDOUT, outcome.split.holdout))
    lengths = [_day_count(part) for _, part in parts]
    names = [name for (name, _), length in zip(parts, lengths, strict=True) for _ in range(length)]
    series = {name: pa.array(values, pa.float64()) for name, values in outcome.out_of_sample.items()}
    days = pa.array(outcome.out_of_sample_days.astype(np.int32), pa.int32()).cast(pa.date32())
    return pa.table({"day": days, "part": pa.array(names, pa.string()), **series})


def _day_count(part: Part) -> int:
    day = 86_400_000
    return (part.end - 1) // day - part.begin // day + 1


def parquet_bytes(table: pa.Table) -> bytes:
    """The table as a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def csv_bytes(table: pa.Table) -> bytes:
    """The table as CSV, without the columns that hold lists."""
    sink = io.BytesIO()
    pa_csv.write_csv(table.drop_columns([name for name in LISTS if name in table.column_names]), sink)
    return sink.getvalue()
