"""Schemas of the studies in summary.json."""

from __future__ import annotations

from backtest.json_schema.parts import Schema, count, flag, keyed, listed, number, record, stamped, text, texts

NO_BARS = "no number: there were no bars, or it has no meaning"
NOT_MADE = "the study was not made"
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
        "draws": count("runs behind the row, each with other luck; the figures are their medians"),
        "total_return_low": number("5 % of the draws are lower", "fraction", "the row is one run"),
        "total_return_high": number("5 % of the draws are higher", "fraction", "the row is one run"),
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


def evaluation() -> Schema:
    """`evaluation`."""
    unknown = "no interval is made: of drawn paths, of too few starts, and where all came out alike"
    share = number("probability by the horizon", "fraction")
    low, high = number("5 % of the draws are lower", "fraction", unknown), number("5 % are higher", "fraction", unknown)
    open_end = record({"probability": share, "low": low, "high": high}, "still undecided at the horizon")
    ended = {
        "probability": share,
        "low": low,
        "high": high,
        "median_session": number("median length of the attempts that end so", "sessions", "none does"),
        "by_session": listed({"type": "number"}, "probability of having ended so by session 0, 1, ..., horizon; fractions"),
    }
    incidence = {
        "attempts": count("attempts made"),
        "unfinished": count("attempts that the end of the bars cut off; they are censored, not left out"),
        "mean_sessions": number("mean length of an attempt", "sessions", "no attempts"),
        "outcomes": keyed({"anyOf": [record(ended), open_end]}, "how attempts end, by outcome"),
    }
    names = {"value": "expected value", "low": "5 % of the draws are lower", "high": "5 % are higher"}
    value = {name: number(words, "quote", unknown) for name, words in names.items()}
    fields = {
        "schema": stamped(),
        "method": text("the estimator and the bootstrap used"),
        "rules": keyed({}, "the settings of [evaluation]; null: the rule is off"),
        "symbols": texts("coins"),
        "simulated": flag("whether the market was made up"),
        "capital": number("what an attempt begins with", "quote"),
        "horizon": count("how long an attempt is followed", "sessions"),
        "effective_starts": number("how many starts would not overlap", "starts"),
        "mean_block": number("starts that stay together in the draws", "starts"),
        "draws": count("bootstrap draws"),
        "seed": count("seed of the draws"),
        "starts": record(incidence, "over every start of a session"),
        "paths": record(incidence, "over paths drawn from whole sessions", "none were asked for, or none could be drawn"),
        "expected_value": record(value, "of one try with its fees and resets"),
        "sentences": texts(SENTENCES),
    }
    return record(fields, "attempts at a funded account's evaluation", NOT_MADE)
