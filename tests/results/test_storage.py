"""Saved results: read back the same, the same bytes each time, every headline figure to be made from the files alone."""

import hashlib
import json
import math
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from backtest.configuration import Configuration, DataSettings
from backtest.output import write_run, write_whole
from backtest.result import Result
from engine.errors import InputError
from tests.results.ledgers import make_result

CASES = {
    "one": {"symbols": ("BTCUSDT",)},
    "separate": {"symbols": ("BTCUSDT", "ETHUSDT"), "multiplier": 0.1},
    "shared": {"symbols": ("BTCUSDT", "ETHUSDT"), "shared": True},
    "liquidated": {"symbols": ("BTCUSDT",), "liquidate_at": 150},
    "idle": {"symbols": ("BTCUSDT",), "bars": 11},
}
FILES = {"summary.json", "run.json", "trades.csv", "lots.csv", "equity.parquet", "config.toml"}
READ = ("run.json", "trades.csv", "equity.parquet", "config.toml")


@pytest.fixture(params=list(CASES))
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Result, Path]:
    result = make_result(**CASES[request.param])
    return result, result.save(tmp_path / "run")


def test_reads_back_the_same(case: tuple[Result, Path]) -> None:
    result, folder = case
    again = Result.load(folder)
    assert {path.name for path in folder.iterdir()} == FILES
    assert repr(again) == repr(result)
    np.testing.assert_array_equal(list(again.metrics.values()), list(result.metrics.values()))
    pd.testing.assert_frame_equal(again.trades, result.trades)
    pd.testing.assert_frame_equal(again.lots, result.lots)
    pd.testing.assert_series_equal(again.equity, result.equity)
    pd.testing.assert_frame_equal(again.attribution, result.attribution)
    assert again.strategy == result.strategy
    assert (again.account, again.execution) == (result.account, result.execution)


def test_the_headline_can_be_made_from_the_files(case: tuple[Result, Path]) -> None:
    _, folder = case
    told = json.loads((folder / "summary.json").read_text())
    trades = pd.read_csv(folder / "trades.csv", keep_default_na=False)
    lots = pd.read_csv(folder / "lots.csv")
    curves = pq.read_table(folder / "equity.parquet").to_pandas()
    metrics, parts, capital = told["metrics"], told["attribution"]["total"], told["capital"]
    equity = curves["equity"]
    assert metrics["total_return"] == pytest.approx(equity.iloc[-1] / capital - 1.0)
    depth = 1.0 - equity / equity.cummax().clip(lower=capital)
    assert metrics["max_drawdown_close"] == pytest.approx(depth.max())
    assert metrics["fees"] == pytest.approx(trades["fee"].sum())
    assert metrics["funding_net"] == pytest.approx(trades["funding"].sum())
    assert metrics["buy_and_hold_return"] == pytest.approx(curves["buy_and_hold"].iloc[-1] / capital - 1.0)
    realized = trades.groupby("label")["realized_pnl"].sum()
    by_part = {
        "grid_profit": ["SELL_CLOSE_LONG", "BUY_CLOSE_SHORT"],
        "stops": ["STOP_LONG", "STOP_SHORT"],
        "prunes": [label for label in realized.index if label.startswith("PRUNE")],
        "market_closes": ["RECENTER", "DELISTED", "MARKET_CLOSE", "END_OF_RUN"],
        "liquidations": ["LIQUIDATION"],
        "shortfall": ["SHORTFALL"],
    }
    for part, labels in by_part.items():
        assert parts[part] == pytest.approx(realized.reindex(labels).sum(), abs=1e-9), part
    assert parts["open_positions"] == pytest.approx(lots["unrealized_pnl"].sum(), abs=1e-7)
    assert parts["total"] == pytest.approx(equity.iloc[-1] - capital, abs=1e-7)
    wallets = trades.groupby("symbol")["wallet"].last() if "equity_ETHUSDT" in curves else trades["wallet"].tail(1)
    untouched = capital if len(trades) == 0 else 0.0
    assert wallets.sum() + untouched + parts["open_positions"] == pytest.approx(equity.iloc[-1])


def test_the_same_result_gives_the_same_bytes(tmp_path: Path) -> None:
    def digests(folder: Path) -> dict[str, str]:
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}

    first = digests(make_result(("BTCUSDT", "ETHUSDT"), bars=120).save(tmp_path / "a", charts=True))
    second = digests(make_result(("BTCUSDT", "ETHUSDT"), bars=120).save(tmp_path / "b", charts=True))
    assert first == second
    assert set(first) >= FILES | {"chart_BTCUSDT.png", "chart_ETHUSDT.png", "chart_portfolio.png", "chart_portfolio_months.png"}
    other = digests(make_result(("BTCUSDT", "ETHUSDT"), bars=120, seed=5).save(tmp_path / "c", charts=True))
    assert not any(first[name] == other[name] for name in FILES - {"config.toml"})


def test_files_hold_no_paths_and_say_simulated(tmp_path: Path) -> None:
    source = f"files of binanceusdm ({tmp_path}/binanceusdm_BTCUSDT_15m.parquet): BTC/USDT"
    result = make_result(notes=(f"brackets from {tmp_path}/brackets.json",), source=source)
    folder = result.save(tmp_path / "run", data=DataSettings(data_dir=str(tmp_path)))
    for path in folder.iterdir():
        assert str(tmp_path).encode() not in path.read_bytes(), path.name
    summary = json.loads((folder / "summary.json").read_text())
    assert "(binanceusdm_BTCUSDT_15m.parquet): BTC/USDT" in summary["assumptions"]["data of BTCUSDT"]
    assert summary["simulated"] is True
    assert summary["title"].startswith("SIMULATED")
    assert pq.read_schema(folder / "equity.parquet").metadata[b"simulated"] == b"true"
    assert (folder / "config.toml").read_text().startswith("# SIMULATED")


def test_the_configuration_runs_again_without_the_folder_only_when_it_is_given(tmp_path: Path) -> None:
    absolute = make_result(simulated=False).save(tmp_path / "a", data=DataSettings(data_dir=str(tmp_path), start="2024-01-01"))
    again = Configuration.read(absolute / "config.toml")
    # With source auto and no folder it would silently be a simulated run.
    first = "2024-01-01 02:30"  # the bars begin after the start that was asked for
    assert (again.data.source, again.data.data_dir, again.data.start) == ("files", None, first)
    relative = make_result(simulated=False).save(tmp_path / "b", data=DataSettings(data_dir="bars"))
    again = Configuration.read(relative / "config.toml")
    # Both ends are written down: the folder may have grown when the run is made again.
    assert again.data.end is not None
    # So are filters that are not the built-in ones: those of an exchange change.
    assert again.data.filters == ("BTC=0.1,0.001,0.001,5",)
    assert again.data == DataSettings(data_dir="bars", source="files", start=first, end=again.data.end, filters=again.data.filters)
    made_up = make_result().save(tmp_path / "c", data=DataSettings())
    assert Configuration.read(made_up / "config.toml").data == DataSettings(source="simulated")


def test_a_users_own_strategy_keeps_name_and_parameters(tmp_path: Path) -> None:
    mine = SimpleNamespace(name="mine", parameters={"width": 0.5})
    again = Result.load(make_result(strategy=mine).save(tmp_path / "run"))
    assert (again.strategy.name, again.strategy.parameters) == ("mine", {"width": 0.5})


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    result = make_result(bars=60)
    (tmp_path / "run").mkdir()
    result.save(tmp_path / "run")  # an empty folder is fine
    with pytest.raises(InputError, match="must be new or empty"):
        result.save(tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_run_folders_get_names_of_their_own(tmp_path: Path) -> None:
    result, settings = make_result(bars=60), Configuration(data=DataSettings(source="simulated"))
    folders = [write_run(result, settings, tmp_path, charts=False) for _ in range(3)]
    assert len(set(folders)) == 3
    for folder in folders:
        assert re.fullmatch(rf"\d{{8}}T\d{{6}}Z-{settings.digest()}(-\d)?", folder.name)
    assert len({(folder / "summary.json").read_bytes() for folder in folders}) == 1


def test_a_failed_writing_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_whole(tmp_path / "run", fail)
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"--output .* is refused"):
        write_run(make_result(bars=60), Configuration(), tmp_path / "file", charts=False)


@pytest.mark.parametrize("name", READ)
def test_a_missing_or_broken_file_is_one_sentence(name: str, tmp_path: Path) -> None:
    folder = make_result(bars=60).save(tmp_path / "run")
    (folder / name).write_text('{"broken')
    with pytest.raises(InputError, match="is not a whole saved result"):
        Result.load(folder)
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"{name} is missing"):
        Result.load(folder)


def test_a_log_cut_short_is_refused(tmp_path: Path) -> None:
    folder = make_result(bars=60).save(tmp_path / "run")
    lines = (folder / "trades.csv").read_text().splitlines(keepends=True)
    (folder / "trades.csv").write_text("".join(lines[:-1]))
    with pytest.raises(InputError, match=f"trades.csv has {len(lines) - 2} rows, the run had {len(lines) - 1} events"):
        Result.load(folder)


def test_what_is_not_finite_survives(tmp_path: Path) -> None:
    result = make_result(("BTCUSDT", "ETHUSDT"), shared=True, bars=60)
    result.states[0]["up_trigger"], result.states[0]["down_trigger"] = np.inf, -np.inf
    result.states[1]["mark"] = np.nan
    result.memory[0]["anchor"] = math.nan
    again = Result.load(result.save(tmp_path / "run"))
    assert (again.states[0]["up_trigger"], again.states[0]["down_trigger"]) == (np.inf, -np.inf)
    assert math.isnan(again.states[1]["mark"])
    assert math.isnan(again.memory[0]["anchor"])
    coin = Result.load(result["BTCUSDT"].save(tmp_path / "coin"))
    assert math.isnan(coin.metrics["max_drawdown"])
