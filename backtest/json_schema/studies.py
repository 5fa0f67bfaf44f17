"""Schemas of the studies in summary.json."""

from __future__ import annotations

from backtest.evaluation.rendering import ROWS
from backtest.json_schema.parts import Schema, count, flag, keyed, listed, number, record, stamped, text, texts
from engine.evaluation import Evaluation
from engine.risk_gates import UNDECIDED

NO_BARS = "no number: there were no bars, or it has no meaning"
NOT_MADE = "the study was not made"
NO_INTERVAL = "too few starts, or all draws alike"
QUOTE = "quote currency"
SENTENCES = "the same in words"
RETURN = number("total return", "fraction", NO_BARS)
DRAWDOWN = number("maximum drawdown, positive", "fraction", NO_BARS)
POINTS = number("total return less the run's", "percentage points", NO_BARS)
WHERE = text("`in bars`: drawdowns are along the walked path; `at closes`: several wallets, which are not walked in step")
LIQUIDATED = flag("whether any account or side was liquidated")


def sensitivity() -> Schema:
    """`sensitivity`."""
    row = {
        "name": text("short name of the assumption"),
        "changed": text("the assumption, as a phrase after `when`"),
        "total_return": RETURN,
        "max_drawdown": DRAWDOWN,
        "sharpe": number("Sharpe ratio of returns per bar, annualized", "ratio", NO_BARS),
        "change_points": POINTS,
        "sign_changed": flag("whether profit became loss or loss profit"),
        "liquidated": LIQUIDATED,
        "draws": count("runs behind the row, each with another touch_seed; with several the figures are their medians", "runs"),
        "total_return_low": number("5 % of the draws are lower", "fraction", "a single run, or no bars"),
        "total_return_high": number("5 % of the draws are higher", "fraction", "a single run, or no bars"),
    }
    scan = {
        "crossings": listed({"type": "number"}, "values at which the return crosses zero; empty: none in range"),
        "values": listed({"type": "number"}, "values that were run"),
        "total_returns": listed({"type": ["number", "null"]}, "total return at each value, fraction"),
    }
    path = {
        "ambiguous": count("bars with fills on both sides of their open, in which the order of events is a guess", "bars"),
        "bars_with_fills": count("bars with fills", "bars"),
    }
    fields = {
        "fragile": flag("whether the sign of the return changes in any row"),
        "sentences": texts(SENTENCES),
        "drawdown": WHERE,
        "run": record(row, "the run itself"),
        "rows": listed(record(row), "a row for each assumption"),
        "break_even_maker_fee": record(scan, "scan of the maker fee, a fraction", "it was not scanned"),
        "break_even_funding_multiple": record(scan, "scan of the multiple of funding", "not scanned, or no settlements"),
        "path_bars": record(path, "bars whose inner order could matter", "no event log"),
    }
    return record(fields, "the run under assumptions that bars cannot decide between", "not made, or the result could not be run again")


def uncertainty() -> Schema:
    """`uncertainty`."""

    def interval(what: str, unit: str) -> Schema:
        names = {"observed": "of the run", "low": "5 % of the draws are lower", "median": "of the draws", "high": "5 % are higher"}
        return record({name: number(words, unit, NO_BARS) for name, words in names.items()}, what)

    fields = {
        "schema": stamped(),
        "method": text("the bootstrap used"),
        "block_rule": text("the rule for the mean block length"),
        "mean_block_days": number("mean block length", "days", "fewer days than the least"),
        "days": count("days of the run", "days"),
        "draws": count("bootstrap draws"),
        "seed": count("seed of the draws"),
        "simulated": flag("whether the market was made up"),
        "liquidated": LIQUIDATED,
        "total_return": interval("total return", "fraction"),
        "sharpe_daily": interval("Sharpe ratio of daily returns, annualized", "ratio"),
        "max_drawdown_daily": interval("maximum drawdown at daily closes", "fraction"),
        "losing_share": number("share of draws that lose", "fraction", NO_BARS),
        "sentences": texts(SENTENCES),
    }
    return record(fields, "luck in the days of the run", "no bar traded, or no study was made")


def worst_days() -> Schema:
    """`worst_days`."""
    unknown = "a coin of a shared wallet without an event log"
    row = {
        "symbol": text("coin"),
        "day": text("UTC day, ISO date"),
        "market_return": number("the coin's return on the day", "fraction", NO_BARS),
        "strategy_return": number("return of the coin's wallet or share", "fraction", unknown),
        "portfolio_return": number("return of the whole run", "fraction", NO_BARS),
        "whole": flag("whether the run has all bars of the day"),
    }
    fields = {
        "schema": stamped(),
        "simulated": flag("whether the days are made up"),
        "rows": listed(record(row), "the worst days of each coin, worst first"),
        "known": listed(record(row), "known crashes within the range"),
        "outside": texts("known crashes outside of the range, ISO dates"),
        "sentences": texts(SENTENCES),
    }
    return record(fields, "the market's worst days and what the run made of them", "no bar traded, or no study was made")


def ablation() -> Schema:
    """`ablation`."""
    setting = {"type": ["number", "boolean"]}
    row = {
        "name": text("module that is off"),
        "total_return": RETURN,
        "max_drawdown": DRAWDOWN,
        "change_points": POINTS,
        "drawdown_points": number("maximum drawdown less the run's", "percentage points", NO_BARS),
        "trend_capture": number("return on days of trend over what the coin moved on them", "ratio", "no such days"),
        "liquidated": LIQUIDATED,
        "times": count("how often the module acted in the run", "", "not counted"),
        "still": count("how often it acted with the module off"),
        "changes": keyed(record({"run": setting, "here": setting}), "parameters that differ: value in the run and here"),
    }
    fields = {
        "schema": stamped(),
        "drawdown": WHERE,
        "run": record(row, "the run itself"),
        "rows": listed(record(row), "a row for each module"),
        "off": texts("modules that are off in the run itself"),
        "sentences": texts(SENTENCES),
    }
    return record(fields, "the run with each module off in turn", NOT_MADE)


def exposure_ladder() -> Schema:
    """`exposure_ladder`."""
    row = {
        "exposure": number("multiple of the equity that sizes orders and the position cap", "ratio"),
        "leverage": number("leverage it ran with", "ratio"),
        "total_return": RETURN,
        "max_drawdown": DRAWDOWN,
        "liquidated": LIQUIDATED,
        "ruin_probability": number("share of draws in which equity falls below half of the capital", "fraction", "fewer than 60 days"),
        "nearest_liquidation_distance": number(
            "smallest move of all prices at once that would have liquidated the run", "fraction", "nothing was held", infinite=True
        ),
    }
    fields = {
        "schema": stamped(),
        "drawdown": WHERE,
        "own_exposure": number("exposure of the run itself", "ratio"),
        "own_leverage": number("leverage of the run itself", "ratio"),
        "days": count("days of the run", "days"),
        "draws": count("bootstrap draws"),
        "seed": count("seed of the draws"),
        "method": text("the bootstrap used"),
        "rows": listed(record(row), "a row for each exposure, rising"),
        "sentences": texts(SENTENCES),
    }
    return record(fields, "the run at several exposures", NOT_MADE)


def _attempts(meaning: str, null: str = "") -> Schema:
    """`evaluation.starts` and `evaluation.paths`."""
    unknown = "no interval is made: of drawn paths, of too few starts, and where all came out alike"
    common = {
        "probability": number("that an attempt has ended so by the horizon", "fraction"),
        "low": number("5 % of the draws are lower", "fraction", unknown),
        "high": number("5 % are higher", "fraction", unknown),
    }
    ended = {
        **common,
        "median_session": number("median session of those that end so", "sessions", "none does"),
        "by_session": listed({"type": "number"}, "probability by session 0, 1, ..., horizon, fraction"),
    }
    ends = {name: record(common if outcome == UNDECIDED else ended, f"attempts by the horizon: {name}") for outcome, name in ROWS}
    fields = {
        "attempts": count("attempts made", "attempts"),
        "unfinished": count("of them cut off by the end of the bars", "attempts"),
        "mean_sessions": number("mean length of an attempt", "sessions"),
        "outcomes": record(ends, "how they ended"),
    }
    return record(fields, meaning, null)


def evaluation() -> Schema:
    """`evaluation`."""
    expected = {
        "value": number("payout less fees of a try with its resets", QUOTE),
        "low": number("5 % of the draws are lower", QUOTE, NO_INTERVAL),
        "high": number("5 % are higher", QUOTE, NO_INTERVAL),
    }
    rules = {name: {"description": str(field.description)} for name, field in Evaluation.model_fields.items()}
    fields = {
        "schema": stamped(),
        "method": text("how the probabilities and their intervals are made"),
        "rules": record(rules, "the settings of [evaluation]; null: the rule is off"),
        "symbols": texts("coins of the account"),
        "simulated": flag("whether the market was made up"),
        "capital": number("an attempt begins with", QUOTE),
        "horizon": count("sessions after which an attempt is left open", "sessions"),
        "effective_starts": number("how many starts would not overlap", "attempts"),
        "mean_block": number("starts that stay together in a draw, on average", "sessions"),
        "draws": count("draws of starts"),
        "seed": count("seed of the draws and the paths"),
        "starts": _attempts("attempts from every session of the bars"),
        "paths": _attempts("attempts on paths of sessions drawn anew", "none were made"),
        "expected_value": record(expected, "of one try"),
        "sentences": texts(SENTENCES),
    }
    return record(fields, "how often a funded account's evaluation is passed", NOT_MADE)
