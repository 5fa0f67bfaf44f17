"""The market regime that the adaptive grid saw at each bar, for telling profit apart by it."""

from __future__ import annotations

import math

import numpy as np

from backtest.align import align
from backtest.ledger import Ledger
from backtest.metrics.holdings import coins_of
from backtest.result import Result
from backtest.run import instrument_terms, wallet_feed
from backtest.strategy import program_of
from engine.errors import InputError
from engine.machine import Machine
from engine.strategies import adaptive_grid as grid
from engine.strategies.adaptive_grid_parameters import AdaptiveGrid
from gridcore.regime import classify_regime

UNKNOWN = "unknown"  # bars before the indicators are known
NAMES = {-2: "breakout down", -1: "downtrend", 0: "noise", 1: "uptrend", 2: "breakout up"}
ORDER = (*NAMES.values(), UNKNOWN)


def _classified(slope: np.ndarray, er: np.ndarray, strategy: AdaptiveGrid) -> np.ndarray:
    """Names of the regimes [bars] of KAMA slope (ATR per bar) and efficiency ratio."""
    threshold, er_threshold = strategy.regime_threshold, strategy.er_trend_threshold
    known = ~(np.isnan(slope) | np.isnan(er))
    pairs = zip(slope.tolist(), er.tolist(), known.tolist(), strict=True)
    names = [NAMES[int(classify_regime(one, other, threshold, er_threshold))] if ready else UNKNOWN for one, other, ready in pairs]
    return np.array(names, dtype=object)


def _of_wallet(result: Result, ledger: Ledger) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Bars of a wallet (open times, int64 ms) and names of their regimes by symbol; a bar's is known at the close before it."""
    strategy = result.strategy
    coins = [coin for coin in coins_of(result) if coin.ledger is ledger]
    aligned = align([coin.market for coin in coins])
    end = max(int(market.end_time) for market in result.markets)
    feed, _, start, stop = wallet_feed(aligned, strategy.warmup_bars(), end)
    terms = [instrument_terms(coin.market.instrument, coin.weight) for coin in coins]
    records = [strategy.record()] * len(coins)
    machine = Machine.build(program_of(strategy), records, terms, result.account, result.execution, aligned.timeframe.ms, recording=False)
    columns = machine.indicators(feed)
    before = np.concatenate((np.full((len(coins), columns.shape[1], 1), math.nan), columns), axis=2)[:, :, start:stop]
    names = {coin.symbol: _classified(x[grid.SLOPE], x[grid.ER], strategy) for coin, x in zip(coins, before, strict=True)}
    return feed.time[start:stop], names


def regimes(result: Result) -> dict[str, np.ndarray]:
    """The adaptive grid's regime at each bar of `result.time`, by symbol: one of ORDER [bars].

    Bar `i` has the regime that the indicators of bar `i-1` say. Raises InputError for another strategy, which has no regimes, and
    for a result read from files, which has no highs and lows.
    """
    if not isinstance(result.strategy, AdaptiveGrid):
        raise InputError("regimes are those of the adaptive grid, and this result is of another strategy: give a label for each bar")
    if not all(hasattr(market, "high") and hasattr(market, "end_time") for market in result.markets):
        raise InputError("regimes need the highs and lows of the market, which this result does not hold: give a label for each bar")
    labels = {symbol: np.full(result.time.size, UNKNOWN, dtype=object) for symbol in result.symbols}
    for ledger in result.ledgers:
        time, named = _of_wallet(result, ledger)
        there = np.isin(time, result.time)
        for symbol, names in named.items():
            labels[symbol][np.searchsorted(result.time, time[there])] = names[there]
    return labels
