"""What is printed as JSON, held to its schemas, key by key; the documents, held to the schemas."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest

import backtest as bt
from backtest import cli
from backtest.data.check.as_json import report_as_json
from backtest.data.check.folder import check_folder
from backtest.evaluation.study import evaluation_study
from backtest.json_schema.check import check_schema
from backtest.json_schema.document import DOCUMENT, SCHEMAS, json_document, schema_text
from backtest.json_schema.summary import comparison_schema, summary_schema
from backtest.result import Result
from backtest.storage import summary
from backtest.studies import Studies, study
from tests.backtest import frames
from tests.results.ledgers import make_result
from tests.results.test_result import without_log
from tests.results.test_storage import CASES


def held_to(schema: dict[str, Any], values: Any) -> None:
    jsonschema.Draft202012Validator(schema).validate(json.loads(json.dumps(values, allow_nan=False)))


@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_a_summary_keeps_its_schema(options: dict[str, Any]) -> None:
    result = make_result(**options)
    held_to(summary_schema(), summary(result))
    held_to(summary_schema(), summary(without_log(result)))


def run(leverage: float = 1.0, wallet: str = "separate", count: int = 500) -> Result:
    markets = [bt.Market.from_frame(frames.bars(count, seed=k), one, "15m") for k, one in enumerate((frames.BTC, frames.ETH))]
    return bt.run(markets, bt.AdaptiveGrid(), bt.Account(leverage=leverage, wallet=wallet, capital=100_000.0))


@pytest.mark.parametrize("wallet", ["separate", "shared"])
def test_a_summary_with_every_study_keeps_it_too(wallet: str) -> None:
    result = run(wallet=wallet)
    studies = study(result, ablate=True, ladder=True)
    values = summary(result, studies.as_json())
    assert all(values[name] is not None for name in ("sensitivity", "uncertainty", "worst_days", "ablation", "exposure_ladder"))
    assert any(row["draws"] > 1 for row in values["sensitivity"]["rows"])
    held_to(summary_schema(), values)


@pytest.mark.parametrize("paths", [0, 3])
def test_a_summary_with_an_evaluation_keeps_it_too(paths: int) -> None:
    market = bt.Market.from_frame(frames.bars(40 * 24, step=3_600_000, seed=3), frames.BTC, "1h")
    found = evaluation_study(bt.run(market, bt.StaticGrid()), paths=paths, horizon=3, draws=100, threads=2)
    values = summary(make_result(), Studies(evaluation=found).as_json())
    assert (values["evaluation"]["paths"] is None) == (paths == 0)
    held_to(summary_schema(), values)


def test_two_runs_keep_theirs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [str(make_result(seed=seed, bars=bars).save(tmp_path / str(seed))) for seed, bars in ((1, 200), (2, 11))]
    assert cli.main(["--compare", *folders, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["schema"] == {"name": "gridcore.comparison", "version": 1}
    held_to(comparison_schema(), values)


def test_a_check_keeps_its(tmp_path: Path) -> None:
    table = frames.bars(400)
    table.drop(index=range(100, 110)).to_csv(tmp_path / "binanceusdm_BTCUSDT_15m.csv", index=False)
    table.assign(high=0.0).to_csv(tmp_path / "binanceusdm_ETHUSDT_15m.csv", index=False)
    table.assign(close=table["close"] + 0.1, high=table["high"] + 0.1).to_csv(tmp_path / "bybit_BTCUSDT_15m.csv", index=False)
    settled = pd.DataFrame({"timestamp": frames.START + 32 * frames.QUARTER * np.arange(9), "rate": 1e-4})
    settled.drop(index=4).to_csv(tmp_path / "binanceusdm_BTCUSDT_funding.csv", index=False)
    frames.bars(6000, step=60_000).to_csv(tmp_path / "binanceusdm_BTCUSDT_1m.csv", index=False)
    (tmp_path / "notes.csv").write_text("nothing,here\n", encoding="utf-8")
    values = report_as_json(check_folder(tmp_path))
    assert all(values[name] for name in ("broken", "series", "funding", "sums", "venues", "uncovered", "unrecognised"))
    assert values["schema"]["name"] == "gridcore.check"
    held_to(check_schema(), values)


def test_a_key_too_many_or_of_another_type_is_seen() -> None:
    values = summary(make_result(bars=60))
    for change in ({"more": 1}, {"bars": "60"}, {"capital": None}, {"metrics": {}}, {"schema": {"name": "gridcore.summary", "version": 2}}):
        with pytest.raises(jsonschema.ValidationError):
            held_to(summary_schema(), values | change)


def leaves(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, one in schema.get("properties", {}).items():
        yield f"{path}{name}", one
        yield from leaves(one.get("items", one), f"{path}{name}.")


@pytest.mark.parametrize("make", SCHEMAS.values())
def test_schemas_are_schemas_and_numbers_have_units(make: Any) -> None:
    schema = make()
    jsonschema.Draft202012Validator.check_schema(schema)
    if make is check_schema:
        return  # its fields are told by the records of findings
    lacking = [path for path, one in leaves(schema) if "description" not in one and not path.startswith("schema.")]
    assert lacking == []
    kinds = [(path, one, one["anyOf"][0]["type"] if "anyOf" in one else one.get("type")) for path, one in leaves(schema)]
    numbers = [(path, one) for path, one, kind in kinds if "number" in ([kind] if isinstance(kind, str) else kind or [])]
    assert len(numbers) > 100
    assert [path for path, one in numbers if "unit" not in one] == []


def test_the_documents_are_those_of_the_schemas() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == json_document(), "run python -m backtest.parameter_reference"
    for path in SCHEMAS:
        assert path.read_text(encoding="utf-8") == schema_text(path), f"{path.name}: run python -m backtest.parameter_reference"
