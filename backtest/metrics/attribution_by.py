"""Where the profit came from, by month, coin or any label of the bars; the rows sum to the change of equity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from backtest.metrics.attribution import PARTS, PARTS_BY_LABEL
from backtest.metrics.holdings import Coin, coins_of
from engine.errors import InputError
from engine.records import SHORTFALL_LABEL

if TYPE_CHECKING:
    from backtest.result import Result

PERIODS = {"day": "D", "month": "M", "year": "Y"}
ALLOWED = (*PERIODS, "symbol", "regime")
TOTAL = "total"


def _labels_by_symbol(result: Result, by: Any) -> dict[str, np.ndarray]:
    """A label for each bar of `result.time`, by coin."""
    if isinstance(by, str):
        if by == "symbol":
            return {symbol: np.full(result.time.size, symbol, dtype=object) for symbol in result.symbols}
        if by == "regime":
            from backtest.metrics.regimes import regimes  # late: it runs the indicators, and so knows what makes results

            return regimes(result)
        if by not in PERIODS:
            raise InputError(f"by = {by!r} is refused: it must be {', '.join(ALLOWED)}, or a label for each bar")
        moments = result.time.astype("datetime64[ms]").astype(f"datetime64[{PERIODS[by]}]")
        return dict.fromkeys(result.symbols, np.datetime_as_string(moments).astype(object))
    given = by if isinstance(by, Mapping) else dict.fromkeys(result.symbols, by)
    missing = [symbol for symbol in result.symbols if symbol not in given]
    if missing:
        raise InputError(f"by has no labels for {missing[0]}: it must have one for each bar of every coin")
    labels = {symbol: np.asarray(given[symbol]).astype(str).astype(object) for symbol in result.symbols}
    for symbol, values in labels.items():
        if values.shape != (result.time.size,):
            raise InputError(f"by has {values.size} labels for {symbol}: it must have one for each of the {result.time.size} bars")
        if TOTAL in values:
            raise InputError(f"by has the label {TOTAL!r}, which is the name of the last row: another word is needed")
    return labels


def _names_in_order(labels: dict[str, np.ndarray], by: Any) -> list[str]:
    """The labels that occur: coins as in the run, regimes from falling to rising, else sorted."""
    found = {str(name) for values in labels.values() for name in values}
    if isinstance(by, str) and by == "symbol":
        return list(labels)
    if isinstance(by, str) and by == "regime":
        from backtest.metrics.regimes import ORDER

        return [name for name in ORDER if name in found]
    return sorted(found)


def _unrealized_steps(coin: Coin, state: np.void) -> np.ndarray:
    """Change of unrealized PnL over each bar [bars]; their sum is what the engine's state says at the end."""
    unrealized = coin.inventory().unrealized(coin.close)
    multiplier = coin.market.instrument.contract_multiplier
    if unrealized.size:
        value = [multiplier * float(state["mark"] * state["qty"][side] - state["cost"][side]) for side in (0, 1)]
        held = [value[side] if state["lot_count"][side] > 0 else 0.0 for side in (0, 1)]
        unrealized[-1] = held[0] - held[1]
    return np.diff(unrealized, prepend=0.0)


def _parts_of(coin: Coin, codes: np.ndarray, groups: int) -> np.ndarray:
    """Quote currency by part and group [parts, groups]. codes: int64 [bars of the wallet], the group of each bar."""
    log = coin.log
    table = np.zeros((len(PARTS), groups))
    if codes.size == 0:
        return table
    group = codes[np.clip(np.searchsorted(coin.ledger.time, log["time"]), 0, codes.size - 1)]

    def summed(values: np.ndarray) -> np.ndarray:
        return np.bincount(group, weights=values, minlength=groups)

    pnl, label = log["realized_pnl"], log["label"]
    for row, labels in enumerate(PARTS_BY_LABEL.values()):
        table[row] = summed(np.where(np.isin(label, labels), pnl, 0.0))
    table[PARTS.index("shortfall")] = summed(np.where(label == SHORTFALL_LABEL, pnl, 0.0))
    table[PARTS.index("funding")] = summed(log["funding"])
    table[PARTS.index("fees")] = -summed(log["fee"])
    steps = _unrealized_steps(coin, coin.ledger.states[coin.place])
    table[PARTS.index("open_positions")] = np.bincount(codes, weights=steps, minlength=groups)
    return table


def attribution_by(result: Result, by: str | Sequence[Any] | Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """Quote currency by label (rows in order, then total) and part (columns as `attribution` has rows, then total).

    by: `day`, `month`, `year` (UTC, of the bar's open time), `symbol`, or `regime` (of the adaptive grid, see
    `backtest.metrics.regimes`); or a label for each bar of `result.time`, the same for all coins or by symbol.
    `open_positions` is the change of unrealized PnL over the label's bars. The columns sum to `Result.attribution`, up to
    rounding of binary fractions. Raises InputError without the event log, and where there are no regimes.
    """
    if not result.has_log:
        raise InputError("attribution_by needs the event log, which this run did not record")
    labels = _labels_by_symbol(result, by)
    names = _names_in_order(labels, by)
    place = {name: code for code, name in enumerate(names)}
    values = np.zeros((len(PARTS), len(names)))
    for coin in coins_of(result):
        mine = labels[coin.symbol][np.searchsorted(result.time, coin.ledger.time)]
        codes = np.array([place[str(name)] for name in mine], dtype=np.int64)
        values += _parts_of(coin, codes, len(names))
    title = by if isinstance(by, str) else "label"
    table = pd.DataFrame(values.T, index=pd.Index(names, name=title, dtype=object), columns=list(PARTS))
    table[TOTAL] = table.sum(axis=1)
    table.loc[TOTAL] = table.sum()
    return table
