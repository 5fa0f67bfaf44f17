"""The best set and the defaults on made-up markets that crash and chop: what the real bars may not have held."""

from __future__ import annotations

import numpy as np

from backtest.configuration import DataSettings
from backtest.data.load import load_markets
from backtest.data.timeframe import DAY, parse_utc
from backtest.optimization.cells import cells_of
from backtest.optimization.optimize import Outcome, Row
from backtest.optimization.parts import Part
from backtest.optimization.tables import BEST, DEFAULTS, SIMULATED
from engine.errors import InputError

SCENARIOS = ("crash", "flash_crash", "chop")
# A stretch of the simulated world with one event in it, on the 15th of February.
START, LENGTH_DAYS = "2024-01-25", 60


def stress_rows(outcome: Outcome, data: DataSettings, warmup: int) -> tuple[list[Row], str]:
    """A row for each scenario, coin and set, and a sentence when there are none: these coins have no simulated market."""
    begin = parse_utc(START, "start")
    part = Part(begin, begin + LENGTH_DAYS * DAY)
    rows: list[Row] = []
    try:
        for scenario in SCENARIOS:
            rows += _rows(outcome, data, warmup, scenario, part)
    except InputError as error:
        return [], f"The simulated scenarios are missing: {error}."
    return rows, ""


def _rows(outcome: Outcome, data: DataSettings, warmup: int, scenario: str, part: Part) -> list[Row]:
    from backtest.data.instrument import instrument_from_filters

    markets = load_markets(
        data.coins,
        part.begin,
        part.end,
        timeframe=data.timeframe,
        source="simulated",
        warmup=warmup,
        seed=data.seed,
        scenario=scenario,
        instruments=[instrument_from_filters(text) for text in data.filters],
    )
    rows = []
    for whose, strategy in ((BEST, outcome.best), (DEFAULTS, outcome.strategy)):
        for cell in cells_of(markets, part, outcome.account, warmup):
            run = cell.run(strategy, outcome.account, outcome.execution)
            held = float(np.mean([market.close[-1] / market.open[market.trade_from] - 1.0 for market in cell.aligned.markets]))
            rows.append(Row(whose, f"{SIMULATED} {scenario}", -1, part, cell.name, run.figures, held))
    return rows
