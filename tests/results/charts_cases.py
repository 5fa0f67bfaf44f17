"""Results that are hard to draw, made up, and every chart of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from backtest.data.instrument import Instrument
from backtest.report.charts import KINDS, draw
from backtest.report.charts.liquidation import liquidation
from backtest.result import Result
from backtest.sensitivity.table import Row, Sensitivity
from backtest.studies import Studies
from engine.account import Account
from engine.execution import Execution
from engine.strategies.adaptive_grid_parameters import AdaptiveGrid
from tests.results.ledgers import Book, PlainMarket, make_market, make_result, random_ledger


def scaled(factor: float, money: float = 1.0, bars: int = 400) -> Result:
    """Prices of 1,000 times `factor`; capital of 10,000 and orders times `money`."""
    plain = make_market(bars=bars)
    instrument = Instrument("BTCUSDT", 0.1 * factor, 0.001, 0.001, 5.0, contract_multiplier=money / factor)
    market = replace(plain, instrument=instrument, open=plain.open * factor, close=plain.close * factor)
    ledger = random_ledger([market], capital=10_000.0 * money)
    return Result(AdaptiveGrid(), Account(), Execution(), [market], [ledger], [1.0])


def without_trades(bars: int = 288) -> Result:
    """Three days on which nothing filled."""
    market = make_market(bars=bars)
    book = Book([market], market.time, 10_000.0, Execution())
    for book.bar in range(bars):
        book.mark([float(market.close[book.bar])])
    return Result(AdaptiveGrid(), Account(), Execution(), [market], [book.ledger(0)], [1.0])


def years(bars: int = 140_000) -> Result:
    """Four years of 15 minutes with tens of thousands of fills, made quickly: the market of one random walk."""
    random = np.random.default_rng(3)
    close = np.round(1000.0 * np.exp(np.cumsum(random.normal(0.0, 0.004, bars))), 1)
    market: PlainMarket = replace(make_market(bars=bars), open=np.concatenate(([1000.0], close[:-1])), close=close, simulated=False)
    return Result(AdaptiveGrid(), Account(), Execution(), [market], [random_ledger([market], capital=1e6)], [1.0])


CASES: dict[str, Callable[[], Result]] = {
    "ordinary": lambda: make_result(bars=2000),
    "years": years,
    "without_trades": without_trades,
    "liquidated_at_once": lambda: make_result(bars=300, liquidate_at=20),
    "one_bar": lambda: make_result(bars=11),
    "tiny_price": lambda: scaled(1e-8),
    "great_price": lambda: scaled(100.0),
    "great_money": lambda: scaled(1.0, 1e9),
    "shared": lambda: make_result(("BTCUSDT", "ETHUSDT", "SOLUSDT"), shared=True, bars=600),
    "many_coins": lambda: make_result(tuple(f"COIN{place}USDT" for place in range(12)), bars=120),
}

RUN = Row("this run", "", 0.125, 0.031, 1.5, 0.0, False, False)
CHANGES = (0.127, 0.1251, -0.04, 0.09, 12.5, -0.99, float("nan"), 0.125)
ROWS = tuple(
    Row(f"capital x{10**place}, 1 % volume", "", value, 0.1, 1.0, 0.0, value < 0.0, value < -0.5) for place, value in enumerate(CHANGES)
)
STUDIES = Studies(Sensitivity(RUN, ROWS, "in bars", None, None, None, ()))


def distances(result: Result) -> pd.DataFrame:
    """A made-up distance to liquidation: gaps, nearly nothing, and far away."""
    random = np.random.default_rng(5)
    close = np.abs(np.cumsum(random.normal(0.0, 0.01, result.time.size)) + 0.4)
    close[: close.size // 5] = np.nan
    close[-close.size // 6 :] = np.inf
    return pd.DataFrame({"at_close": close, "nearest": close * 0.9})


def charts_of(result: Result) -> dict[str, Figure]:
    """Every chart that the result can have, by kind."""
    made = {"liquidation": liquidation(result, distances(result))}
    for kind, chart in KINDS.items():
        wanting = (kind == "worst_drawdown" and not (result.drawdown > 0.0).any()) or (chart.single and len(result.symbols) > 1)
        if kind != "liquidation" and not wanting:
            made[kind] = draw(result, kind, STUDIES)
    return made


@cache
def case(name: str) -> Result:
    """One of CASES, made once."""
    return CASES[name]()
