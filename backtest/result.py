"""The outcome of a run: metrics, equity, trades and lots, as pandas objects, for the whole and for each coin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from backtest.data.timeframe import Timeframe
from backtest.inventory import inventory
from backtest.ledger import Ledger, closes_on, coin_of_shared
from backtest.lots import empty_lots, lots_of, utc
from backtest.metrics import METRICS, attribution, compute_metrics
from backtest.metrics.equity import drawdowns, returns_per_bar
from backtest.step_tables import events_frame
from engine.account import Account
from engine.errors import InputError
from engine.evaluation import Evaluation
from engine.execution import Execution

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from backtest.configuration import DataSettings
    from backtest.metrics.liquidation_distance import LiquidationDistance
    from backtest.sensitivity.study import Scans
    from backtest.sensitivity.table import Sensitivity
    from backtest.studies import Studies
    from backtest.uncertainty.estimate import Uncertainty

__all__ = ["Ledger", "Result"]


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """What a strategy did on one or several markets.

    strategy: the built-in parameters, or a user's strategy with `name` and `parameters`. account, execution: the terms.
    markets: one a coin. ledgers: one a coin (separate wallets) or one for all (shared). weights: each coin's share.
    notes: findings of the run itself, one sentence each, that the report prints beside the markets' own.
    evaluation: the rules of a funded account that stood above the strategy, None for none.

    `result["BTCUSDT"]` is one coin's Result. In a shared wallet a coin's equity is its share of the capital and its own
    gains, so that the coins sum to the whole.
    """

    strategy: Any
    account: Account
    execution: Execution
    markets: Sequence[Any]
    ledgers: Sequence[Ledger]
    weights: Sequence[float]
    notes: tuple[str, ...] = ()
    evaluation: Evaluation | None = None

    # --- what it is about ---------------------------------------------------------------------------------------------

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """The coins' symbols, in the order of the run."""
        return tuple(symbol for ledger in self.ledgers for symbol in ledger.symbols)

    @property
    def is_shared(self) -> bool:
        """Whether several coins stand on one wallet."""
        return len(self.ledgers) == 1 and len(self.symbols) > 1

    @property
    def timeframe(self) -> Timeframe:
        """Length of a bar."""
        return Timeframe.parse(self.markets[0].timeframe)

    @property
    def simulated(self) -> bool:
        """Whether the market was made up."""
        return any(bool(market.simulated) for market in self.markets)

    @property
    def liquidated(self) -> bool:
        """Whether any account or side was liquidated."""
        return any(int(ledger.account["liquidations"]) > 0 for ledger in self.ledgers)

    @property
    def has_log(self) -> bool:
        """Whether the event log was recorded; without it there are no trades and lots."""
        return all(ledger.has_log for ledger in self.ledgers)

    @property
    def capital(self) -> float:
        """Capital of all wallets together, quote currency."""
        return float(sum(ledger.capital for ledger in self.ledgers))

    @property
    def states(self) -> list[np.void]:
        """The engine's state of each coin at the end (state_dtype records)."""
        return [state for ledger in self.ledgers for state in ledger.states]

    @property
    def memory(self) -> list[dict[str, Any]]:
        """The strategy's counters of each coin."""
        return [memory for ledger in self.ledgers for memory in ledger.memory]

    @cached_property
    def _places(self) -> list[tuple[Ledger, int, Any]]:
        """Ledger, index in it, and market of each coin."""
        places = [(ledger, index) for ledger in self.ledgers for index in range(len(ledger.symbols))]
        return [(ledger, index, market) for (ledger, index), market in zip(places, self.markets, strict=True)]

    # --- curves ---------------------------------------------------------------------------------------------------------

    @cached_property
    def time(self) -> np.ndarray:
        """Open times of the bars [bars], int64 ms: the union over wallets."""
        if len(self.ledgers) == 1:
            return self.ledgers[0].time
        return np.unique(np.concatenate([ledger.time for ledger in self.ledgers]))

    def _on_all_bars(self, ledger: Ledger, values: np.ndarray, before: float) -> np.ndarray:
        """A wallet's values on the bars of all: `before` until it starts, its last one after it ends."""
        row = np.searchsorted(ledger.time, self.time, side="right") - 1
        return np.concatenate((np.array([before]), values))[row + 1]

    @cached_property
    def equity_values(self) -> np.ndarray:
        """Equity at each close [bars], quote currency: the sum over wallets."""
        if len(self.ledgers) == 1:
            return self.ledgers[0].equity
        return np.asarray(sum(self._on_all_bars(ledger, ledger.equity, ledger.capital) for ledger in self.ledgers))

    @cached_property
    def buy_and_hold_values(self) -> np.ndarray:
        """The capital put into the coins at the open of the first bar and held, at each close [bars], quote currency, without costs."""
        capitals = np.array([ledger.capital for ledger in self.ledgers] if not self.is_shared else self.weights, dtype=np.float64)
        shares = capitals / capitals.sum()
        total = np.zeros(self.time.size)
        if total.size == 0:
            return total
        for share, market in zip(shares, self.markets, strict=True):
            start = min(int(np.searchsorted(market.time, self.time[0])), market.time.size - 1)
            grown = closes_on(self.time, market) / market.open[start]
            grown[self.time < market.time[start]] = 1.0
            total += share * grown
        return total * self.capital

    @cached_property
    def gross_notional_values(self) -> np.ndarray:
        """Gross notional of all coins at each close [bars], quote currency. Needs the event log."""
        total = np.zeros(self.time.size)
        for ledger, index, market in self._places:
            log = ledger.events[ledger.events["instrument"] == index]
            held = inventory(log, ledger.time, market.instrument.contract_multiplier, market.instrument.step_size)
            gross = held.gross_notional(closes_on(ledger.time, market))
            total += self._on_all_bars(ledger, gross, 0.0)
        return total

    def _series(self, values: np.ndarray, name: str) -> pd.Series:
        return pd.Series(values, index=utc(self.time).rename("time"), name=name)

    @cached_property
    def equity(self) -> pd.Series:
        """Equity at each bar's close, quote currency; the index is the bars' open times, UTC."""
        return self._series(self.equity_values, "equity")

    @cached_property
    def returns(self) -> pd.Series:
        """Returns per bar; the first is against the capital."""
        return self._series(returns_per_bar(self.equity_values, self.capital), "returns")

    @cached_property
    def drawdown(self) -> pd.Series:
        """Drawdown at each close, a positive fraction of the peak."""
        return self._series(drawdowns(self.equity_values, self.capital), "drawdown")

    @cached_property
    def buy_and_hold(self) -> pd.Series:
        """The same capital held in the coins, quote currency."""
        return self._series(self.buy_and_hold_values, "buy_and_hold")

    @cached_property
    def liquidation_distance(self) -> LiquidationDistance:
        """How far prices were from a liquidation: `at_close`, `nearest` [bars], `smallest`; see the class. Needs the event log."""
        from backtest.metrics.liquidation_distance import LiquidationDistance

        return LiquidationDistance(self)

    # --- tables ---------------------------------------------------------------------------------------------------------

    @cached_property
    def metrics(self) -> Mapping[str, float]:
        """Metric by name; `backtest.metrics.METRICS` has the unit and definition of each."""
        return MappingProxyType(compute_metrics(self))

    @cached_property
    def attribution(self) -> pd.DataFrame:
        """Change of equity by part and side, quote currency; see `backtest.metrics.attribution`."""
        return attribution(self.states, [market.instrument.contract_multiplier for market in self.markets])

    @cached_property
    def trades(self) -> pd.DataFrame:
        """The event log: time, bar, symbol, label, position_side, price, qty, fee, realized_pnl, funding, wallet, lot, level.

        `level` is the grid level that opened the lot, 0 the nearest, -1 for none.
        In order of time; separate wallets one after the other within a bar, `wallet` being each coin's own.
        """
        log = np.concatenate([ledger.events for ledger in self.ledgers])
        offsets = np.cumsum([0] + [len(ledger.symbols) for ledger in self.ledgers[:-1]])
        coin = log["instrument"] + np.repeat(offsets, [ledger.events.size for ledger in self.ledgers])
        if len(self.ledgers) > 1:
            order = np.argsort(log["time"], kind="stable")
            log, coin = log[order], coin[order]
        return events_frame(log, self.symbols, coin)

    @cached_property
    def lots(self) -> pd.DataFrame:
        """One row a lot, in order of opening within a coin; see `backtest.lots.lots_of` for the columns."""
        tables = []
        for ledger, index, market in self._places:
            log = ledger.events[ledger.events["instrument"] == index]
            last_bar = ledger.first_bar + ledger.time.size - 1
            instrument = market.instrument
            mark = float(ledger.states[index]["mark"])
            table = lots_of(log, ledger.symbols[index], mark, last_bar, instrument.contract_multiplier, instrument.step_size)
            if len(table):
                tables.append(table)
        return pd.concat(tables, ignore_index=True) if tables else empty_lots()

    # --- parts and comparison ---------------------------------------------------------------------------------------------

    def __getitem__(self, symbol: str) -> Result:
        """One coin's Result, by its symbol."""
        if symbol not in self.symbols:
            raise InputError(f"{symbol!r} is not a coin of this result; it has {', '.join(self.symbols)}")
        if len(self.symbols) == 1:
            return self
        coins: dict[str, Result] = self.__dict__.setdefault("_coins", {})
        if symbol not in coins:
            place = self.symbols.index(symbol)
            ledger, index, market = self._places[place]
            if self.is_shared:
                if not self.has_log:
                    raise InputError(f"{symbol}: one coin's part of a shared wallet needs the event log, which this run did not record")
                share = self.weights[place] / sum(self.weights)
                ledger = coin_of_shared(ledger, index, market, share)
            coins[symbol] = replace(self, markets=[market], ledgers=[ledger], weights=(self.weights[place],), notes=())
        return coins[symbol]

    def compare(self, other: Result) -> pd.DataFrame:
        """Metrics of this result, the other one, and the difference (other less this)."""
        table = pd.DataFrame({"this": dict(self.metrics), "other": dict(other.metrics)}, index=list(METRICS))
        table["difference"] = table["other"] - table["this"]
        return table

    @property
    def monthly_returns(self) -> pd.DataFrame:
        """Returns by month: years as rows, 1 to 12 and `year` as columns, fractions."""
        from backtest.metrics import monthly_returns

        return monthly_returns(self)

    def worst_drawdowns(self, n: int = 5) -> pd.DataFrame:
        """The deepest drawdowns at closes: from, trough, to, depth, bars."""
        from backtest.metrics import worst_drawdowns

        return worst_drawdowns(self, n)

    def attribution_by(self, by: Any) -> pd.DataFrame:
        """Profit by `day`, `month`, `year`, `symbol`, `regime`, or a label per bar; see `backtest.metrics.attribution_by`."""
        from backtest.metrics import attribution_by

        return attribution_by(self, by)

    def prune_outcomes(self) -> pd.DataFrame:
        """What each pruning method realized and what its lots would have made 1, 4 and 24 hours later; needs the event log."""
        from backtest.metrics.prune_outcomes import prune_outcomes

        return prune_outcomes(self)

    def fills_by_level(self) -> pd.DataFrame:
        """Lots opened by coin, side and grid level (0 the nearest, -1 none), and what came of them; needs the event log."""
        from backtest.metrics.grid_levels import fills_by_level

        return fills_by_level(self)

    def open_inventory(self) -> pd.DataFrame:
        """The lots open at the end by coin and side: quantity, result, age, distance to break-even; needs the event log."""
        from backtest.metrics.open_inventory import open_inventory

        return open_inventory(self)

    def sensitivity(self, scans: Scans = "full", threads: int | None = None) -> Sensitivity:
        """The same run under assumptions that bars cannot decide between; see `backtest.sensitivity`. Raises InputError."""
        from backtest.sensitivity import sensitivity

        return sensitivity(self, threads, scans=scans)

    def uncertainty(self, draws: int = 2000, seed: int = 1) -> Uncertainty:
        """Intervals of return, Sharpe ratio and drawdown by block bootstrap of the days; see `backtest.uncertainty`."""
        from backtest.uncertainty import uncertainty

        return uncertainty(self, draws, seed)

    # --- showing and keeping ------------------------------------------------------------------------------------------------

    def plot(self, kind: str = "overview", studies: Studies | None = None) -> Figure:
        """A figure; kind: one of `backtest.report.charts.KINDS`, docs/charts.md shows how to read each. Raises InputError.

        studies: holds the sensitivity table for kind="sensitivity", made if None.
        """
        from backtest.report.charts import draw

        return draw(self, kind, studies)

    def report(self, path: str | Path, studies: Studies | None = None) -> Path:
        """Write the result as one HTML page that needs no network; studies: as `backtest.studies.study` makes them, made if None.

        Raises InputError when it cannot be written.
        """
        from backtest.report.html import write_report
        from backtest.studies import study

        return write_report(self, path, study(self) if studies is None else studies)

    def save(self, folder: str | Path, data: DataSettings | None = None, charts: bool = False) -> Path:
        """Write summary.json, trades.csv, equity.parquet, lots.csv, config.toml and run.json into a new or empty folder.

        data: where the market came from, for config.toml. Raises InputError when the folder holds something already.
        """
        from backtest.storage import write_result

        return write_result(self, Path(folder), data, charts)

    @classmethod
    def load(cls, folder: str | Path) -> Result:
        """A saved result, read from its files. Raises InputError when they are missing or broken."""
        from backtest.saved import read_result

        return read_result(Path(folder))

    def __repr__(self) -> str:
        from backtest.report.terminal import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from backtest.report.notebook import as_html

        return as_html(self)
