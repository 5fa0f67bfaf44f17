"""One wallet's outcome, as the loop hands it over, and one coin's part of a shared wallet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from backtest.inventory import inventory
from engine.records import FUNDING_LABEL, LIQUIDATION_LABEL, account_dtype


@dataclass(frozen=True, eq=False)
class Ledger:
    """What one wallet went through, and what it held at the end.

    time: int64 ms [bars], open times of the bars from the first that may trade to the last.
    first_bar: index of time[0] in the market arrays (and so the `bar` of its events).
    equity: float64 [bars], quote currency, at each close.
    events: event_dtype [events], the complete log in order; empty when recording was off.
    account: account_dtype record at the end. states: state_dtype [instruments] at the end.
    memory: per instrument the strategy's own counters by name. symbols: per instrument.
    """

    time: np.ndarray
    first_bar: int
    equity: np.ndarray
    events: np.ndarray
    account: np.void
    states: np.ndarray
    memory: list[dict[str, Any]]
    symbols: tuple[str, ...]

    @property
    def capital(self) -> float:
        """Wallet balance before the first bar, quote currency."""
        return float(self.account["capital"])

    @property
    def has_log(self) -> bool:
        """Whether the event log was recorded (a run without events has nothing to record)."""
        return bool(self.events.size > 0 or self.account["events"] == 0)


def closes_on(time: np.ndarray, market: Any) -> np.ndarray:
    """A market's closes at the bars of `time` [bars]: the last one known, NaN before its first bar."""
    row = np.searchsorted(market.time, time, side="right") - 1
    if market.close.size == 0:
        return np.full(time.size, np.nan)
    return np.where(row >= 0, market.close[np.maximum(row, 0)], np.nan)


def _on_bars(time: np.ndarray, market: Any, values: np.ndarray) -> np.ndarray:
    """A market's values at the bars of `time` [bars]; the last close known where it has no such bar."""
    out = closes_on(time, market)
    row = np.searchsorted(market.time, time)
    there = row < market.time.size
    there[there] = market.time[row[there]] == time[there]
    out[there] = values[row[there]]
    return out


def highs_on(time: np.ndarray, market: Any) -> np.ndarray:
    """A market's highs at the bars of `time` [bars]: the last close known where it has no bar, NaN before its first one."""
    return _on_bars(time, market, market.high)


def lows_on(time: np.ndarray, market: Any) -> np.ndarray:
    """A market's lows at the bars of `time` [bars]: the last close known where it has no bar, NaN before its first one."""
    return _on_bars(time, market, market.low)


def coin_of_shared(ledger: Ledger, index: int, market: Any, share: float) -> Ledger:
    """One coin's part of a shared wallet as a ledger of its own, so that the parts of all coins sum to the whole.

    share: the part of the capital that counts as the coin's, 0 to 1. What only the whole wallet knows (drawdown along the
    path, maker notional, slippage) is NaN. Needs the event log.
    """
    log = ledger.events[ledger.events["instrument"] == index].copy()
    log["instrument"] = 0
    multiplier = market.instrument.contract_multiplier
    held = inventory(log, ledger.time, multiplier, market.instrument.step_size)
    close = closes_on(ledger.time, market)
    capital = ledger.capital * share
    wallet = capital + held.cash
    equity = wallet + held.unrealized(close)
    gross = held.gross_notional(close)
    leverage = np.divide(gross, equity, out=np.zeros(gross.size), where=equity > 0.0)
    fills = log["lot"] >= 0
    funding = log["funding"][log["label"] == FUNDING_LABEL]
    liquidated = log[log["label"] == LIQUIDATION_LABEL]
    account = np.zeros(1, dtype=account_dtype)[0]
    account["capital"] = capital
    account["wallet"] = wallet[-1] if wallet.size else capital
    account["equity"] = equity[-1] if equity.size else capital
    account["fees"] = log["fee"].sum()
    account["funding_received"] = funding[funding > 0.0].sum()
    account["funding_paid"] = -funding[funding < 0.0].sum()
    account["turnover"] = (log["price"] * log["qty"])[fills].sum() * multiplier
    account["events"] = log.size
    account["bars"] = ledger.time.size
    account["exposure_sum"] = leverage.sum()
    account["leverage_max"] = leverage.max(initial=0.0)
    account["bars_in_position"] = np.count_nonzero(gross)
    account["liquidations"] = np.unique(liquidated["bar"]).size
    account["stopped"] = ledger.account["stopped"]
    for unknown in ("path_drawdown_max", "maker_notional", "slippage_cost"):
        account[unknown] = np.nan
    return Ledger(
        ledger.time,
        ledger.first_bar,
        equity,
        log,
        account,
        ledger.states[index : index + 1],
        [ledger.memory[index]],
        (ledger.symbols[index],),
    )
