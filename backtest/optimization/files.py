"""The files of a study: best.toml, trials.parquet, out_of_sample.parquet, summary.json and report.html.

They hold no wall-clock times and no host names, and the same trials give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from backtest.configuration import Configuration, DataSettings, strategy_name
from backtest.data.atomic import make_folder, write_atomically
from backtest.data.market import Market
from backtest.data.timeframe import parse_utc, utc_text
from backtest.optimization import frames
from backtest.optimization.optimize import Choice, Outcome, Row
from backtest.optimization.parts import Part
from backtest.optimization.tables import count_sentences, part_name, trial_count, window_name
from backtest.storage import plain_values
from engine.errors import InputError

SCHEMA = {"name": "gridcore.optimization", "version": 1}
FILES = ("best.toml", "trials.parquet", "out_of_sample.parquet", "summary.json", "report.html")


def best_configuration(outcome: Outcome, data: DataSettings, markets: Sequence[Market]) -> Configuration:
    """What `main.py --config` runs: the best set on the terms that the study scored it by, on the bars that the study had."""
    if data.source == "auto":
        real = "cache" if data.data_dir is None else "files"
        data = data.replace(source="simulated" if outcome.simulated else real)
    begin = max(int(market.time[market.trade_from]) for market in markets)
    end = min(int(market.end_time) for market in markets)
    if data.start is None or parse_utc(data.start, "start") < begin:
        data = data.replace(start=utc_text(begin))
    if data.end is None or parse_utc(data.end, "end") > end:
        data = data.replace(end=utc_text(end))
    return Configuration(outcome.best, outcome.account, outcome.execution, data)


def all_trials(outcome: Outcome) -> pa.Table:
    """The trials of every window as one table."""
    names = {choice.window: frames.cell_names(outcome, choice.window) for choice in outcome.choices}
    return frames.trials_table([trial for choice in outcome.choices for trial in choice.trials], names)


def summary(outcome: Outcome, stress: Sequence[Row], study: str) -> dict[str, Any]:
    """Windows, rows, evidence and verdict as plain values; stable order of keys."""
    proof = outcome.proof
    verdict = proof.verdict
    values = {
        "schema": SCHEMA,
        "study": study,
        "simulated": outcome.simulated,
        "strategy": strategy_name(outcome.strategy),
        "settings": outcome.settings.model_dump(),
        "sampler": outcome.settings.sampler_name,
        "search": [
            {"name": one.name, "low": one.low, "high": one.high, "log": one.log, "values": list(one.values) if one.values else None}
            for one in outcome.space
        ],
        "verdict": {
            "label": verdict.label,
            "sentences": verdict.sentences(),
            "because": list(verdict.because),
            "tests": [test._asdict() for test in verdict.tests],
        },
        "trials": trial_count(outcome),
        "trials_seen": outcome.trials_seen,
        "earlier_looks": outcome.earlier_looks,
        "counts": count_sentences(outcome),
        "purge_hours": outcome.split.purge / 3_600_000,
        "windows": [{"train": _part(one.train), "test": _part(one.test)} for one in outcome.split.windows],
        "holdout": None if outcome.split.holdout is None else _part(outcome.split.holdout),
        "choices": [_choice(choice) for choice in outcome.choices],
        "rows": [_row(row, part_name(row, outcome.settings)) for row in outcome.rows],
        "simulated_rows": [_row(row, row.kind) for row in stress],
        "evidence": {
            "deflated_sharpe": None if proof.deflated_sharpe is None else asdict(proof.deflated_sharpe),
            "overfitting": None if proof.overfitting is None else _without_arrays(asdict(proof.overfitting)),
            "walk_forward": asdict(proof.walk_forward),
            "holdout": None if proof.holdout is None else _intervals(asdict(proof.holdout)),
            "three_basis_points": proof.three_basis_points,
            "left_out": list(proof.left_out),
        },
    }
    plain: dict[str, Any] = plain_values(values)
    return plain


def _part(part: Part) -> dict[str, str]:
    return {"start": utc_text(part.begin), "end": utc_text(part.end)}


def _row(row: Row, name: str) -> dict[str, Any]:
    return {
        "whose": row.whose,
        "part": name,
        **_part(row.part),
        "coins": row.coins,
        **row.figures._asdict(),
        "buy_and_hold": row.buy_and_hold,
    }


def _choice(choice: Choice) -> dict[str, Any]:
    around = choice.plateau
    return {
        "window": window_name(choice.window),
        "trial": choice.trial.number,
        "value": choice.trial.value,
        "feasible": choice.trial.feasible,
        "parameters": dict(choice.parameters),
        "plateau_share": around.share,
        "changes_nothing": list(around.left_out),
    }


def _without_arrays(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if not hasattr(value, "shape")}


def _intervals(values: dict[str, Any]) -> dict[str, Any]:
    """Intervals by name: observed, low, middle, high."""
    return {name: value._asdict() if hasattr(value, "_asdict") else value for name, value in values.items()}


def write_files(
    outcome: Outcome, data: DataSettings, markets: Sequence[Market], stress: Sequence[Row], notes: Sequence[str], study: str, folder: Path
) -> None:
    """Write the files of FILES, each whole or not at all; older ones are replaced. Raises InputError when they cannot be written."""
    from backtest.optimization.report.page import render

    told = summary(outcome, stress, study)
    blobs = {
        "best.toml": best_configuration(outcome, data, markets).to_toml().encode(),
        "trials.parquet": frames.parquet_bytes(all_trials(outcome)),
        "out_of_sample.parquet": frames.parquet_bytes(frames.out_of_sample_table(outcome)),
        "summary.json": (json.dumps(told, indent=1, allow_nan=False) + "\n").encode(),
        "report.html": render(outcome, stress, notes, study).encode("utf-8", "replace"),
    }
    try:
        make_folder(folder)
        for name, blob in blobs.items():
            write_atomically(folder / name, blob)
    except OSError as error:
        raise InputError(f"--output {folder} is refused: {error.strerror or error}") from None
