"""The simulated market of a request: seeded paths with the stylised facts of real coins, and named scenarios.

How the price is made: `backtest.data.simulated.path`; volatility: `.volatility`; premium, funding and mark price:
`.premium`; what a scenario lays over it: `.scenarios`; how it compares with real coins: `.stylised_facts`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from backtest.data.instrument import Instrument
from backtest.data.market import Market
from backtest.data.request import Request
from backtest.data.simulated.path import coin_path, minute_bars
from backtest.data.simulated.premium import funding_settlements, mark_closes
from backtest.data.simulated.scenarios import DEFAULT, Scenario, scenario_of
from backtest.data.simulated.world import DEFAULT_START, WORLD_END, WORLD_START
from backtest.data.sub_bars import SubBars
from backtest.data.timeframe import MINUTE, Timeframe, utc_text

__all__ = ["DEFAULT_START", "WORLD_END", "WORLD_START", "grouped", "load_simulated", "simulated_bars"]


def simulated_bars(instrument: Instrument, seed: int, begin: int, stop: int, scenario: str = DEFAULT) -> tuple[np.ndarray, np.ndarray]:
    """One-minute bars that open in [begin, stop), whole minutes ms UTC inside the world, of the coin's simulated path.

    Returns times (int64 ms, (minutes,)) and open, high, low, close, volume (float64, (5, minutes)); prices are whole
    ticks, an open is the close before unless the scenario has the price jump there, volumes are whole steps, and 0 only while
    the venue stands still. The same seed,
    coin and scenario give the same path, whatever the dates. Raises InputError for an unknown scenario.
    """
    return minute_bars(coin_path(instrument, seed, scenario_of(scenario)), begin, stop)


def grouped(time: np.ndarray, values: np.ndarray, timeframe: Timeframe) -> tuple[np.ndarray, np.ndarray]:
    """One-minute bars as bars of `timeframe`: first open, greatest high, least low, last close, sum of volume.

    The minutes must be whole groups that begin on the timeframe's grid.
    """
    size = timeframe.ms // MINUTE
    groups = values.reshape(5, -1, size)
    made = np.stack([groups[0, :, 0], groups[1].max(axis=1), groups[2].min(axis=1), groups[3, :, -1], groups[4].sum(axis=1)])
    return np.ascontiguousarray(time[::size]), made


def load_simulated(request: Request) -> Market:
    """The simulated market of a request; without a start, the last year of the simulated world trades.

    Raises InputError for dates outside the world and for an unknown scenario.
    """
    timeframe, scenario = request.timeframe, scenario_of(request.scenario)
    if request.overlap(WORLD_START, WORLD_END) <= 0:
        raise request.refuse_range(f"{utc_text(WORLD_START)} to {utc_text(WORLD_END)} (SIMULATED)")
    wish = request
    if request.start is None and (request.end is None or request.end > DEFAULT_START):
        wish = replace(request, start=DEFAULT_START)
    window = wish.window(WORLD_START, WORLD_END)
    stop = -(-window.stop // timeframe.ms) * timeframe.ms
    path = coin_path(request.instrument, request.seed, scenario)
    time, minutes = minute_bars(path, window.begin, stop)
    finer = request.sub_timeframe
    bar_time, bars = grouped(time, minutes, timeframe)
    market = Market.from_arrays(
        request.instrument,
        timeframe,
        bar_time,
        bars,
        funding=pd.DataFrame(dict(zip(("time", "rate"), funding_settlements(path), strict=True))),
        marks=(bar_time, mark_closes(path, window.begin, stop)[timeframe.ms // MINUTE - 1 :: timeframe.ms // MINUTE]),
        sub_bars=None if finer is None else SubBars.from_arrays(*grouped(time, minutes, finer), finer),
    )
    made = f"scenario {scenario.name} ({scenario.contains}), seed {request.seed}, {scenario.edge}"
    return replace(
        market,
        trade_from=(window.trade_time - window.begin) // timeframe.ms,
        source=f"SIMULATED market, {made}: {market.span_text}",
        simulated=True,
        remarks=(
            "SIMULATED: none of these prices ever happened; funding rates and mark prices come from a simulated premium.",
            *_event_remarks(scenario, window.trade_time, stop),
            *window.remarks,
        ),
    )


def _event_remarks(scenario: Scenario, begin: int, stop: int) -> list[str]:
    """Which events of a scenario lie within the time that trades, ms UTC: a stress test without its stress is none."""
    if not scenario.has_events:
        return []
    times = [utc_text(time) for time in scenario.events_between(begin, stop)]
    if times:
        return [f"SIMULATED: events of scenario {scenario.name} begin at {', '.join(times)} UTC."]
    every = ", ".join(utc_text(time) for time in scenario.events_between(WORLD_START, WORLD_END))
    dates = f"{utc_text(begin)} and {utc_text(stop)} UTC"
    return [f"SIMULATED: no event of scenario {scenario.name} begins between {dates}; they begin at {every}."]
