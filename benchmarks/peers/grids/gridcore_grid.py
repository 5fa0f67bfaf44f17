"""The grid in gridcore, through `bt.run` as a whole: the call a user makes, log and equity included."""

from __future__ import annotations

import sys
import tomllib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import backtest as bt
from benchmarks.peers.grid import BAR_MS, CLOSE, OPEN, Grid, fill_dtype
from benchmarks.peers.worker import Contestant, serve
from engine.records import OPEN_LABEL, RECENTER_LABEL, TAKE_PROFIT_LABEL

START = pd.Timestamp("2022-01-01", tz="UTC")  # names the bars; nothing in the run depends on it


# --- user code ---------------------------------------------------------------------------------------------------------
def prepare(bars: np.ndarray, grid: Grid) -> tuple[Any, ...]:
    """A market of these bars without funding, and the settings."""
    time = pd.date_range(START, periods=bars.shape[1], freq="15min")
    frame = pd.DataFrame(bars.T, index=time, columns=["open", "high", "low", "close", "volume"])
    instrument = bt.Instrument(symbol="BTCUSDT", tick_size=grid.tick, step_size=0.001, min_qty=0.001, min_notional=5.0)
    market = bt.Market.from_frame(frame, instrument, "15m", funding=0)
    strategy = bt.StaticGrid(grid_levels=grid.levels, step=grid.spacing, order_qty=grid.qty)
    execution = bt.Execution(fee_maker=grid.fee_maker, fee_taker=grid.fee_taker, slippage=0.0)
    return market, strategy, bt.Account(capital=grid.capital), execution


def run(prepared: tuple[Any, ...], log: bool = True) -> bt.Result:
    """The whole call."""
    return bt.run(*prepared, log=log)


# --- end of user code --------------------------------------------------------------------------------------------------


def fills(result: bt.Result) -> np.ndarray:
    """Fills of the event log; none without a log."""
    events = result.ledgers[0].events
    labels = events["label"]
    opens = (labels >= OPEN_LABEL) & (labels < TAKE_PROFIT_LABEL)
    closes = ((labels >= TAKE_PROFIT_LABEL) & (labels < TAKE_PROFIT_LABEL + 2)) | (labels == RECENTER_LABEL)
    chosen = events[opens | closes]
    found = np.empty(len(chosen), fill_dtype)
    found["bar"] = (chosen["time"] - int(START.timestamp() * 1000)) // BAR_MS
    found["action"] = np.where(opens[opens | closes], OPEN, CLOSE)
    for name in ("side", "price", "qty"):
        found[name] = chosen[name]
    return found


def contestant(log: bool = True) -> Contestant:
    """As a contestant, with or without its event log."""
    project = tomllib.loads((Path(__file__).resolve().parents[3] / "pyproject.toml").read_text())["project"]
    version = f"gridcore {project['version']}"
    return Contestant(prepare, partial(run, log=log), fills, version=version, equity=lambda result: float(result.equity_values[-1]))


if __name__ == "__main__":
    without = "--no-log" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--no-log"]
    serve(contestant(log=not without))
