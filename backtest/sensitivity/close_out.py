"""What is left of a result when the lots still open at its end are closed at market."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backtest.sensitivity.again import Outcome, outcome, portfolio_equity

if TYPE_CHECKING:
    from backtest.result import Result


def close_out_cost(result: Result) -> float:
    """Cost of closing all open lots at the last mark, quote currency, as a positive number.

    A side of quantity q (base units) at mark p pays slippage s and then the taker fee f on the slipped price:
    `q*p*(s + (1 - sign*s)*f)`, sign +1 for longs, which sell below the mark, -1 for shorts, which buy above it.
    """
    slippage, fee = result.execution.slippage, result.execution.fee_taker
    cost = 0.0
    for state, market in zip(result.states, result.markets, strict=True):
        for side, sign in enumerate((1.0, -1.0)):
            notional = float(state["qty"][side]) * market.instrument.contract_multiplier * float(state["mark"])
            if notional > 0.0:
                cost += notional * (slippage + (1.0 - sign * slippage) * fee)
    return cost


def closed_out(result: Result) -> Outcome:
    """The row of a result whose open lots are closed at market after the last close; computed, not run.

    The cost lowers the equity of the last close; return, Sharpe and drawdown follow from that curve.
    """
    values = portfolio_equity(result).copy()
    if values.size == 0:
        return outcome(result)
    values[-1] -= close_out_cost(result)
    after = outcome(result, values)
    if len(result.ledgers) > 1:
        return after
    peak = float(result.ledgers[0].account["path_peak"])
    return after._replace(max_drawdown=max(after.max_drawdown, (peak - float(values[-1])) / peak))
