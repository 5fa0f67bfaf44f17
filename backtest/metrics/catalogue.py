"""The list of metrics: name, unit and definition of each, once, and how a result's values are put together."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from backtest.configuration import strategy_parameters
from backtest.lots import OPEN
from backtest.metrics import benchmark as against
from backtest.metrics import distribution as daily_shape
from backtest.metrics import equity as curve
from backtest.metrics import lots as of_lots
from backtest.metrics.attribution import GATE_CLOSES, PARTS
from backtest.metrics.drawdowns import recovery_bars
from backtest.metrics.holdings import average_lots_held, net_exposure, time_at_cap
from backtest.metrics.months import month_of, period_returns
from backtest.metrics.open_inventory import inventory_metrics
from engine.parameters import Parameters
from engine.records import (
    HALT_LABEL,
    LABELS,
    MARKET_CLOSE_LABEL,
    OPEN_LABEL,
    PRUNE_DEVIANCE,
    PRUNE_FUNDING,
    PRUNE_GAP,
    PRUNE_OFFSET,
    PRUNE_OLDEST,
    RECENTER_LABEL,
    SHIFT_LABEL,
    SHORTFALL_LABEL,
    STOP_LABEL,
)

if TYPE_CHECKING:
    from backtest.result import Result


class Metric(NamedTuple):
    """Unit and definition of a metric. A `fraction` of 0.15 is 15 %."""

    unit: str
    definition: str


PRUNES = {
    "prunes_deviance": PRUNE_DEVIANCE,
    "prunes_oldest": PRUNE_OLDEST,
    "prunes_gap": PRUNE_GAP,
    "prunes_funding": PRUNE_FUNDING,
    "prunes_offset": PRUNE_OFFSET,
}

# Labels of orders that fill; a delisting and a liquidation are the exchange's own doing.
FILLS = (*range(OPEN_LABEL, PRUNE_OFFSET + 1), RECENTER_LABEL, MARKET_CLOSE_LABEL, *GATE_CLOSES)

# Metrics of what was held at each close, which the loop's totals do not hold.
OF_HOLDINGS = (
    *("net_exposure_average", "return_at_net_exposure", "excess_at_net_exposure", "beta_at_net_exposure", "alpha_at_net_exposure"),
    *("lots_held_average", "level_use_average", "time_at_cap"),
)
# Metrics that are made from the event log.
NEED_THE_LOG = (
    *("win_rate", "win_rate_closed", "profit_factor", "profit_factor_closed", "expectancy", "average_hold_hours", "payoff"),
    *("largest_win", "largest_loss", "gross_profit", "gross_loss"),
    *OF_HOLDINGS,
    "nearest_liquidation_distance",
    *("open_lots", "open_notional", "open_lots_average_age_hours", "open_lots_oldest_age_hours"),
    *("lots_older_than_day", "lots_older_than_week"),
)

METRICS: dict[str, Metric] = {
    "total_return": Metric("fraction", "equity at the last close over the capital, less 1"),
    "cagr": Metric("fraction per year", "annualized total return, by bars of a 365-day year"),
    "buy_and_hold_return": Metric(
        "fraction", "last close over the open of the first bar, less 1, without costs; coins in the run's proportions"
    ),
    "excess_return": Metric("fraction", "total return less buy-and-hold return"),
    "final_equity": Metric("quote", "wallet and unrealized PnL at the last close"),
    "best_day": Metric("fraction", "largest return of a UTC day"),
    "worst_day": Metric("fraction", "smallest return of a UTC day"),
    "best_month": Metric("fraction", "largest return of a UTC calendar month; the first and last may be in part"),
    "worst_month": Metric("fraction", "smallest return of a UTC calendar month; the first and last may be in part"),
    "beta": Metric("ratio", "covariance of daily returns with those of buy and hold, over the variance of these"),
    "alpha": Metric(
        "fraction per year", "mean daily return beyond beta times buy and hold's, compounded over 365 days; risk-free rate zero"
    ),
    "net_exposure_average": Metric("ratio", "mean of long less short notional over equity at closes, 0 without equity"),
    "return_at_net_exposure": Metric(
        "fraction", "buy and hold with the average net exposure as its share of the capital, the rest idle, not rebalanced"
    ),
    "excess_at_net_exposure": Metric("fraction", "total return less that return"),
    "beta_at_net_exposure": Metric("ratio", "beta against that holding; NaN when it stands still"),
    "alpha_at_net_exposure": Metric("fraction per year", "alpha against that holding; NaN when it stands still"),
    "volatility": Metric("fraction per sqrt(year)", "sample standard deviation of returns per bar, times sqrt(bars per year)"),
    "sharpe": Metric("ratio", "mean over sample standard deviation of returns per bar, times sqrt(bars per year); risk-free rate zero"),
    "sharpe_daily": Metric("ratio", "the same of returns per UTC day, times sqrt(365)"),
    "sortino": Metric("ratio", "mean over downside deviation (root mean square of the returns below zero, over all bars), annualized"),
    "calmar": Metric("ratio", "CAGR over the maximum drawdown at closes"),
    "value_at_risk": Metric("fraction", "loss that 5 % of UTC days exceed (interpolated quantile of daily returns); positive for a loss"),
    "expected_shortfall": Metric("fraction", "mean loss of the worst 1 + floor(0.05*(days - 1)) UTC days; positive for a loss"),
    "skew": Metric("ratio", "third standardized moment of daily returns, of the population (no correction for bias)"),
    "kurtosis": Metric("ratio", "fourth standardized moment of daily returns less 3 (excess), of the population (no correction for bias)"),
    "ulcer_index": Metric("fraction", "root mean square of the drawdowns at closes"),
    "max_drawdown": Metric(
        "fraction", "deepest fall of equity from its peak along the walked path inside bars; known for one whole wallet only, else NaN"
    ),
    "max_drawdown_close": Metric("fraction", "deepest fall of equity from its peak, at closes; positive"),
    "average_drawdown": Metric("fraction", "mean over the drawdowns of the deepest point of each, at closes"),
    "longest_drawdown_bars": Metric("bars", "longest stay below the peak, at closes"),
    "longest_drawdown_days": Metric("days", "the same in days"),
    "max_drawdown_recovery_bars": Metric(
        "bars", "from the deepest close of the maximum drawdown to the first close at the peak again; NaN when it was not made good"
    ),
    "max_drawdown_recovery_days": Metric("days", "the same in days"),
    "time_under_water": Metric("fraction", "share of bars that close below the peak"),
    "longs_opened": Metric("lots", "long lots opened"),
    "shorts_opened": Metric("lots", "short lots opened"),
    "longs_closed": Metric("lots", "long lots closed completely"),
    "shorts_closed": Metric("lots", "short lots closed completely"),
    "stops_long": Metric("closes", "closes of long lots by a stop, partial ones too"),
    "stops_short": Metric("closes", "closes of short lots by a stop, partial ones too"),
    "win_rate": Metric("fraction", "share of lots with a net result above zero, open ones marked at the last close"),
    "win_rate_closed": Metric("fraction", "the same of closed lots only"),
    "profit_factor": Metric("ratio", "net wins over net losses of lots, open ones marked at the last close; infinite without losses"),
    "profit_factor_closed": Metric("ratio", "the same of closed lots only"),
    "win_rate_exits": Metric(
        "fraction", "share of exits that won after both fees and before funding; counted in the loop, needs no event log"
    ),
    "profit_factor_exits": Metric("ratio", "wins over losses of exits after both fees and before funding; needs no event log"),
    "expectancy": Metric("quote", "mean net result of a closed lot: price PnL, fees, funding"),
    "average_hold_hours": Metric("hours", "mean time from the bar that opened a closed lot to the one that closed it"),
    "payoff": Metric("ratio", "mean win over mean loss of closed lots"),
    "largest_win": Metric("quote", "largest net win of a closed lot"),
    "largest_loss": Metric("quote", "largest net loss of a closed lot, as a positive number"),
    "gross_profit": Metric("quote", "sum of the net wins of closed lots"),
    "gross_loss": Metric("quote", "sum of the net losses of closed lots, as a positive number"),
    "fees": Metric("quote", "fees paid less rebates"),
    "funding_paid": Metric("quote", "funding paid, as a positive number"),
    "funding_received": Metric("quote", "funding received"),
    "funding_net": Metric("quote", "funding received less paid"),
    "funding_share": Metric(
        "fraction", "net funding over the gross profit of exits after both fees and before funding; negative when paid on balance"
    ),
    "turnover": Metric("quote", "notional of all fills"),
    "turnover_ratio": Metric("ratio", "turnover over capital"),
    "maker_share": Metric("fraction", "share of the turnover filled by resting limit orders"),
    "slippage_cost": Metric("quote", "given up against the path price by market orders and stops"),
    "entries_placed": Metric("orders", "entry orders placed; those that rest on over a re-quote count once"),
    "fill_rate": Metric("fraction", "entry orders filled over entry orders placed"),
    "orders_placed": Metric(
        "orders", "orders placed of every kind: entries, take-profits, stops, market orders; a re-priced one counts anew"
    ),
    "order_churn": Metric("ratio", "orders placed of every kind over fills; a market order or stop that closes several lots fills each"),
    "rungs_wanted": Metric("rungs", "grid rungs the strategy wanted to quote, counted whenever a ladder is placed anew"),
    "rungs_dropped": Metric("fraction", "share of them dropped for step size, minimum quantity or minimum notional"),
    "max_lots_held": Metric("lots", "most lots one side of one coin held at once"),
    "lots_held_average": Metric("lots", "mean of the lots one side of one coin holds, over the closes at which it holds any"),
    "level_use_max": Metric(
        "ratio", "most lots held over the strategy's grid_levels; above 1 when levels were armed anew; NaN without levels"
    ),
    "level_use_average": Metric("ratio", "average lots held over grid_levels; NaN without levels"),
    "open_lots": Metric("lots", "lots open at the end"),
    "open_notional": Metric("quote", "notional of the lots open at the end, at the last close"),
    "open_lots_average_age_hours": Metric("hours", "mean age of the lots open at the end, from the open of the bar that opened each"),
    "open_lots_oldest_age_hours": Metric("hours", "age of the oldest of them"),
    "lots_older_than_day": Metric("fraction", "of all lots standing at closes, the share that had stood a day or more by then"),
    "lots_older_than_week": Metric("fraction", "the same for a week"),
    "time_at_cap": Metric(
        "fraction",
        "share of closes, over all coins, at which a side has less room below max_position_pct than one order of order_pct; "
        "NaN for strategies without both and for one coin's part of a shared wallet",
    ),
    "cap_hits": Metric(
        "ladders", "ladders of entries that a limit of position or margin cut short; NaN for strategies that do not count them"
    ),
    "leverage_max": Metric("ratio", "highest gross notional over equity at a close"),
    "exposure_average": Metric("ratio", "mean of gross notional over equity at closes"),
    "time_in_position": Metric("fraction", "share of bars that close with a lot open"),
    "prunes": Metric("closes", "lots closed by any pruning method"),
    "prunes_deviance": Metric("closes", "lots closed because price was far from KAMA"),
    "prunes_oldest": Metric("closes", "lots closed for their age"),
    "prunes_gap": Metric("closes", "lots closed because they were deep under water"),
    "prunes_funding": Metric("closes", "lots closed because funding ate the profit"),
    "prunes_offset": Metric("closes", "losing lots closed against past grid profit"),
    "halts": Metric("events", "circuit-breaker halts"),
    "shifts": Metric("events", "trailing shifts of the grid"),
    "var_blocked_bars": Metric("bars", "decisions at which value at risk blocked entries; NaN for strategies without that gate"),
    "spacing_floor_share": Metric(
        "fraction", "share of decisions at which the floor decides the grid spacing; NaN for strategies without one"
    ),
    "liquidations": Metric("events", "accounts (cross margin) or sides (isolated) liquidated"),
    "nearest_liquidation_distance": Metric(
        "fraction",
        "smallest move of all prices of a wallet at once, against what it held, that would have liquidated it, from the close or the "
        "extremes of any bar; 0 after a liquidation, inf when no move would have, NaN when nothing was held and for one coin's part of "
        "a shared wallet",
    ),
    "shortfall": Metric("quote", "negative wallets credited to zero; outside win and loss statistics"),
    "settlements": Metric("events", "funding settlements that fell into the run, over all coins"),
    "gap_bars": Metric("bars", "bars without trading, over all coins"),
    **{f"pnl_{part}": Metric("quote", f"part of the change of equity: {part.replace('_', ' ')}") for part in PARTS},
}


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0.0 else math.nan


def _levels(result: Result) -> float:
    """Levels a side of the strategy's grid; NaN for a strategy that has no such parameter."""
    own = result.strategy
    levels = (vars(own) if isinstance(own, Parameters) else strategy_parameters(own)).get("grid_levels")
    return float(levels) if isinstance(levels, (int, float)) else math.nan


def _from_curve(result: Result) -> dict[str, float]:
    values, capital, per_year = result.equity_values, result.capital, curve.bars_per_year(result.timeframe.ms)
    returns = curve.returns_per_bar(values, capital)
    daily = curve.daily_returns(result.time, values, capital)
    drawdown = curve.drawdowns(values, capital)
    longest = curve.longest_drawdown_bars(drawdown)
    held = float(result.buy_and_hold_values[-1] / capital - 1.0) if values.size else math.nan
    total, annual = curve.total_return(values, capital), curve.cagr(values, capital, per_year)
    deepest, recovery = curve.max_drawdown(drawdown), recovery_bars(drawdown)
    _, monthly = period_returns(month_of(result.time), values, capital)
    holding = curve.daily_returns(result.time, result.buy_and_hold_values, capital)
    return {
        "total_return": total,
        "cagr": annual,
        "buy_and_hold_return": held,
        "excess_return": total - held,
        "final_equity": float(values[-1]) if values.size else capital,
        "best_day": curve.best(daily),
        "worst_day": curve.worst(daily),
        "best_month": curve.best(monthly),
        "worst_month": curve.worst(monthly),
        "beta": against.beta(daily, holding),
        "alpha": against.alpha(daily, holding),
        "value_at_risk": daily_shape.value_at_risk(daily),
        "expected_shortfall": daily_shape.expected_shortfall(daily),
        "skew": daily_shape.skewness(daily),
        "kurtosis": daily_shape.excess_kurtosis(daily),
        "ulcer_index": curve.ulcer_index(drawdown),
        "volatility": curve.volatility(returns, per_year),
        "sharpe": curve.sharpe(returns, per_year),
        "sharpe_daily": curve.sharpe(daily, curve.DAYS_PER_YEAR),
        "sortino": curve.sortino(returns, per_year),
        "calmar": curve.calmar(annual, deepest),
        "max_drawdown_close": deepest,
        "average_drawdown": curve.average_drawdown(drawdown),
        "longest_drawdown_bars": longest,
        "longest_drawdown_days": longest * result.timeframe.ms / curve.DAY_MS,
        "max_drawdown_recovery_bars": recovery,
        "max_drawdown_recovery_days": recovery * result.timeframe.ms / curve.DAY_MS,
        "time_under_water": curve.time_under_water(drawdown),
    }


def _from_holdings(result: Result) -> dict[str, float]:
    if not result.has_log or result.time.size == 0:
        return dict.fromkeys(OF_HOLDINGS, math.nan)
    capital, held = result.capital, result.buy_and_hold_values
    exposure, lots = float(np.mean(net_exposure(result))), average_lots_held(result)
    holding = against.held_at_exposure(held, capital, exposure)
    daily = curve.daily_returns(result.time, result.equity_values, capital)
    daily_holding = curve.daily_returns(result.time, holding, capital)
    at_exposure = curve.total_return(holding, capital)
    return {
        "net_exposure_average": exposure,
        "return_at_net_exposure": at_exposure,
        "excess_at_net_exposure": curve.total_return(result.equity_values, capital) - at_exposure,
        "beta_at_net_exposure": against.beta(daily, daily_holding),
        "alpha_at_net_exposure": against.alpha(daily, daily_holding),
        "lots_held_average": lots,
        "level_use_average": _ratio(lots, _levels(result)),
        "time_at_cap": time_at_cap(result),
    }


def _from_lots(result: Result) -> dict[str, float]:
    if not result.has_log:
        return dict.fromkeys(NEED_THE_LOG, math.nan)
    lots = result.lots
    done = (lots["how"] != OPEN).to_numpy()
    net = lots["net"].to_numpy()
    closed = net[done]
    opened_at = lots["opened"].dt.tz_localize(None).to_numpy().astype("datetime64[ms]").astype(np.int64)
    closed_at = lots["closed"].dt.tz_localize(None).to_numpy().astype("datetime64[ms]").astype(np.int64)
    return {
        "win_rate": of_lots.win_rate(net),
        "win_rate_closed": of_lots.win_rate(closed),
        "profit_factor": of_lots.profit_factor(net),
        "profit_factor_closed": of_lots.profit_factor(closed),
        "expectancy": of_lots.expectancy(closed),
        "average_hold_hours": of_lots.average_hold_hours(opened_at[done], closed_at[done]),
        "payoff": of_lots.payoff(closed),
        "largest_win": of_lots.largest_win(closed),
        "largest_loss": of_lots.largest_loss(closed),
        "gross_profit": of_lots.gross_profit(closed),
        "gross_loss": of_lots.gross_loss(closed),
        **inventory_metrics(result),
        "nearest_liquidation_distance": result.liquidation_distance.smallest,
    }


def _from_accounts(result: Result) -> dict[str, float]:
    accounts = [ledger.account for ledger in result.ledgers]

    def total(name: str) -> float:
        return float(sum(float(account[name]) for account in accounts))

    values = {
        "fees": total("fees"),
        "funding_paid": total("funding_paid"),
        "funding_received": total("funding_received"),
        "funding_net": total("funding_received") - total("funding_paid"),
        "turnover": total("turnover"),
        "turnover_ratio": _ratio(total("turnover"), result.capital),
        "maker_share": _ratio(total("maker_notional"), total("turnover")),
        "slippage_cost": total("slippage_cost"),
        "liquidations": total("liquidations"),
    }
    if len(accounts) == 1:
        account, bars = accounts[0], float(accounts[0]["bars"])
        values["max_drawdown"] = float(account["path_drawdown_max"])
        values["leverage_max"] = float(account["leverage_max"])
        values["exposure_average"] = _ratio(float(account["exposure_sum"]), bars)
        values["time_in_position"] = _ratio(float(account["bars_in_position"]), bars)
        return values
    # Several wallets are not walked in step: no drawdown inside bars, and exposure from the positions at closes.
    values["max_drawdown"] = math.nan
    gross = result.gross_notional_values if result.has_log else np.zeros(0)
    leverage = np.divide(gross, result.equity_values, out=np.zeros(gross.size), where=result.equity_values > 0.0) if gross.size else gross
    values["leverage_max"] = float(leverage.max()) if leverage.size else math.nan
    values["exposure_average"] = float(leverage.mean()) if leverage.size else math.nan
    values["time_in_position"] = float(np.mean(gross > 0.0)) if gross.size else math.nan
    return values


def _from_states(result: Result) -> dict[str, float]:
    states = result.states
    counts = np.sum([state["label_counts"].sum(axis=1) for state in states], axis=0).tolist() if states else [0] * len(LABELS)

    def total(name: str) -> float:
        values = (state[name].tolist() for state in states)
        return float(sum(float(sum(value) if isinstance(value, list) else value) for value in values))

    def events(label: int) -> float:
        return float(counts[label])

    def remembered(name: str) -> float:
        known = [float(memory[name]) for memory in result.memory if name in memory]
        return sum(known) if known else math.nan

    values = {name: total(name) for name in ("orders_placed", "entries_placed", "settlements", "gap_bars")}
    for side, word in enumerate(("longs", "shorts")):
        opened = float(sum(int(state["label_counts"][OPEN_LABEL + side, side]) for state in states))
        values[f"{word}_opened"] = opened
        values[f"{word}_closed"] = opened - float(sum(int(state["lot_count"][side]) for state in states))
        values[f"stops_{word[:-1]}"] = events(STOP_LABEL + side)
    wins, losses = total("winning_closes"), total("losing_closes")
    profit, loss = total("gross_profit"), total("gross_loss")
    values["win_rate_exits"] = _ratio(wins, wins + losses)
    values["profit_factor_exits"] = profit / loss if loss > 0.0 else (math.inf if profit > 0.0 else math.nan)
    fills = sum(events(label) for label in FILLS)
    values["funding_share"] = _ratio(total("funding"), profit)
    values["order_churn"] = _ratio(values["orders_placed"], fills)
    values["fill_rate"] = _ratio(total("entries_filled"), total("entries_placed"))
    values["rungs_wanted"] = total("wanted_rungs")
    values["rungs_dropped"] = _ratio(total("dropped_rungs"), total("wanted_rungs"))
    values["max_lots_held"] = float(max((int(state["lots_max"]) for state in states), default=0))
    values["level_use_max"] = _ratio(values["max_lots_held"], _levels(result))
    values["cap_hits"] = remembered("cap_hits")
    for name, label in PRUNES.items():
        values[name] = events(label)
    values["prunes"] = sum(values[name] for name in PRUNES)
    values["halts"] = events(HALT_LABEL)
    values["shifts"] = events(SHIFT_LABEL)
    values["var_blocked_bars"] = remembered("var_blocked_bars")
    values["spacing_floor_share"] = _ratio(remembered("floor_bars"), remembered("decisions"))
    values["shortfall"] = float(sum(float(state["label_pnl"][SHORTFALL_LABEL].sum()) for state in states))
    return values


def compute_metrics(result: Result) -> dict[str, float]:
    """Every metric of METRICS, in that order; NaN where it has no meaning or the run did not record what it needs."""
    values = {
        **_from_curve(result),
        **_from_holdings(result),
        **_from_lots(result),
        **_from_accounts(result),
        **_from_states(result),
    }
    parts = result.attribution["total"]
    values.update({f"pnl_{part}": float(parts[part]) for part in PARTS})
    return {name: values[name] for name in METRICS}
