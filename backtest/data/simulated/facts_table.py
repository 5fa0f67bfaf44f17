"""The stylised facts of whole markets, as a table: one column a market, one row a fact."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from backtest.data.market import Market
from backtest.data.simulated import stylised_facts as facts
from backtest.data.timeframe import DAY, HOUR

_WEEK = 7 * DAY
_THREE_DAYS = 3 * DAY
_BASE_RATE = 0.0001
_EXTREME_RATE = 0.0005


def market_facts(market: Market) -> dict[str, float]:
    """Every stylised fact of one market, by name; NaN where the market is too short or has no such data."""
    bar = market.timeframe
    returns = facts.log_returns(market.close)
    size = np.abs(returns)
    time = market.time[1:]
    days = facts.log_returns(closes_every(market, DAY))
    prices = (market.open, market.high, market.low, market.close)
    made = {
        "volatility a year": float(returns.std() * np.sqrt(bar.bars_per_year)),
        "tail index, rises": facts.tail_index(returns),
        "tail index, falls": facts.tail_index(-returns),
        "excess kurtosis, bars": facts.excess_kurtosis(returns),
        "excess kurtosis, hours": facts.excess_kurtosis(facts.log_returns(closes_every(market, HOUR))),
        "excess kurtosis, days": facts.excess_kurtosis(days),
        "largest move, bar": float(size.max()),
        "largest move, day": float(np.abs(days).max()) if days.size else float("nan"),
        "autocorrelation of r, 1 bar": facts.autocorrelation(returns, 1),
    }
    for name, span in (("1 bar", bar.ms), ("1 hour", HOUR), ("1 day", DAY), ("1 week", _WEEK)):
        if span >= bar.ms:
            made[f"autocorrelation of |r|, {name}"] = facts.autocorrelation(size, span // bar.ms)
    made |= {
        "range over body": facts.range_to_body(*prices),
        "Parkinson over close to close": facts.parkinson_ratio(*prices),
        "leverage, 1 day ahead": facts.leverage_effect(returns, DAY // bar.ms),
        "busiest over quietest hour": facts.busiest_to_quietest_hour(time, size),
        "weekend over weekday": facts.weekend_to_weekday(time, size),
        "bars that never move": facts.flat_share(market.high, market.low),
        "bars that open over 1 bp off": facts.gap_share(market.open, market.close),
        "log volume with log range": facts.volume_volatility_correlation(market.high, market.low, market.volume),
    }
    return made | funding_facts(market)


def funding_facts(market: Market) -> dict[str, float]:
    """Facts of the settlements that are not synthetic: rates in basis points, shares, and what they have to do with price."""
    known = ~market.funding_is_synthetic
    rates, times = market.funding_rate[known], market.funding_time[known]
    if rates.size < 10:
        return {}
    row = (times - market.time[0]) // market.timeframe.ms - 1
    before = row - _THREE_DAYS // market.timeframe.ms
    there = before >= 0
    moves = np.log(market.close[row[there]] / market.close[before[there]])
    return {
        "funding, mean (bp)": float(1e4 * rates.mean()),
        "funding, deviation (bp)": float(1e4 * rates.std()),
        "funding, lowest (bp)": float(1e4 * rates.min()),
        "funding, highest (bp)": float(1e4 * rates.max()),
        "funding, autocorrelation, 1": facts.autocorrelation(rates, 1),
        "funding, autocorrelation, 1 week": facts.autocorrelation(rates, 21),
        "funding, share at 1 bp": float((np.abs(rates - _BASE_RATE) < 1e-9).mean()),
        "funding, share below 0": float((rates < 0).mean()),
        "funding, share above 5 bp": float((rates > _EXTREME_RATE).mean()),
        "funding with 3 days' move": facts.correlation(rates[there], moves),
    }


def pair_facts(one: Market, other: Market) -> dict[str, float]:
    """Correlation of two markets' returns over the bars that both have: of bars, of bars in the wildest tenth, and of days."""
    if one.timeframe != other.timeframe:
        raise ValueError(f"{one!r} and {other!r} have bars of different lengths")
    _, mine, theirs = np.intersect1d(one.time, other.time, assume_unique=True, return_indices=True)
    first, second = one.close[mine], other.close[theirs]
    returns, others = facts.log_returns(first), facts.log_returns(second)
    ends = (one.time[mine] + one.timeframe.ms) % DAY == 0
    span = DAY // one.timeframe.ms
    made = {
        "correlation, bars": facts.correlation(returns, others),
        "correlation, days": facts.correlation(facts.log_returns(first[ends]), facts.log_returns(second[ends])),
    }
    if returns.size > 100 * span:
        sums = np.cumsum(np.abs(returns))
        nervous = sums[span:] - sums[:-span]
        wild = nervous >= np.quantile(nervous, 0.9)
        calm = nervous <= np.quantile(nervous, 0.3)
        made["correlation, wildest tenth"] = facts.correlation(returns[span:][wild], others[span:][wild])
        made["correlation, calmest third"] = facts.correlation(returns[span:][calm], others[span:][calm])
    return made


def closes_every(market: Market, span: int) -> np.ndarray:
    """Closes of the bars that end on a multiple of `span` (ms)."""
    return market.close[(market.time + market.timeframe.ms) % span == 0]


def facts_table(columns: Mapping[str, Mapping[str, float]]) -> list[tuple[str, ...]]:
    """Rows of text: a heading, then one fact a row, a column for each mapping of facts; a dash where there is none."""
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    rows = [(name, *(_text(column.get(name, float("nan"))) for column in columns.values())) for name in names]
    return [("fact", *columns), *rows]


def _text(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3g}" if abs(value) >= 1e-3 or value == 0 else f"{value:.1e}"
