"""Schemas of summary.json, which `--json` prints, and of two runs compared."""

from __future__ import annotations

from backtest.json_schema import studies
from backtest.json_schema.names import COMPARISON, SUMMARY
from backtest.json_schema.parts import Schema, count, flag, keyed, listed, number, record, text, texts, whole
from backtest.metrics import METRICS
from backtest.metrics.attribution import COLUMNS, PARTS
from backtest.metrics.prune_outcomes import HOURS

UNKNOWN = "no meaning for this run, or not recorded"
NO_LOG = "the run kept no event log"
QUOTE = "quote currency"


def _metrics(meaning: str) -> Schema:
    return record({name: number(one.definition, one.unit, UNKNOWN, infinite=True) for name, one in METRICS.items()}, meaning)


def _attribution() -> Schema:
    side = record({part: number(part.replace("_", " "), QUOTE) for part in (*PARTS, "total")})
    return record(dict.fromkeys(COLUMNS, side), "change of equity by side (account: of no side) and part; the parts sum to `total`")


def _coin_and_side() -> dict[str, Schema]:
    return {"symbol": text("coin"), "position_side": text("`LONG` or `SHORT`")}


def _prunes() -> Schema:
    row = {
        "symbol": text("coin"),
        "kind": text("label of the pruning method"),
        "closes": count("lots closed, parts too", "closes"),
        "qty": number("quantity closed", "base units or contracts"),
        "notional": number("of the prunes", QUOTE),
        "realized_pnl": number("price PnL of the prunes", QUOTE),
        "fees": number("fees of the prunes", QUOTE),
    }
    for hours in HOURS:
        meaning = f"what the same lots would have made from the prune to the close {hours} h later, fees and funding left out"
        row[f"missed_{hours}h"] = number(meaning, QUOTE, "no price is known")
        row[f"unknown_{hours}h"] = count("closes whose later price is not known; they are in no sum", "closes")
    return listed(record(row), "what each pruning method cost (above zero) or saved (below)", NO_LOG)


def _levels() -> Schema:
    row = {
        **_coin_and_side(),
        "level": count("grid level that opened the lots, 0: the nearest to the middle, -1: entries without a level"),
        "opened": count("lots opened by it", "lots"),
        "taken_at_profit": count("of these, closed by their take-profit", "lots"),
        "closed_otherwise": count("closed by anything else", "lots"),
        "still_open": count("open at the end", "lots"),
        "realized_pnl": number("price PnL of their closes", QUOTE),
        "net": number("with fees, funding, and open lots at the last close", QUOTE),
    }
    return listed(record(row), "fills by grid level", NO_LOG)


def _open_inventory() -> Schema:
    row = {
        **_coin_and_side(),
        "lots": count("lots open at the end", "lots"),
        "qty": number("of them", "base units or contracts"),
        "notional": number("at the last close", QUOTE),
        "unrealized_pnl": number("at the last close", QUOTE),
        "average_entry": number("entry price, by quantity", QUOTE),
        "mark": number("last close", QUOTE),
        "entry_distance": number("average entry over mark, less 1", "fraction"),
        "break_even_move": number("move of the price at which the lots come out even, fees and funding paid", "fraction"),
        "average_age_hours": number("mean age of the lots", "hours"),
        "oldest_age_hours": number("age of the oldest lot", "hours"),
    }
    return listed(record(row), "the lots that the run ends with", NO_LOG)


def summary_schema() -> Schema:
    """Of summary.json."""
    fields = {
        "title": text("one line, with SIMULATED where that is so"),
        "about": text("source, span and number of bars"),
        "simulated": flag("whether the market was made up"),
        "liquidated": flag("whether any account or side was liquidated"),
        "strategy": text("name of the strategy"),
        "symbols": texts("coins, in the order of the run"),
        "timeframe": text("length of a bar, such as 15m"),
        "bars": count("bars from the first that may trade", "bars"),
        "first_bar": text("open time of the first bar, UTC", "no bar traded"),
        "last_bar": text("open time of the last bar, UTC", "no bar traded"),
        "capital": number("of all wallets together", QUOTE),
        "warnings": texts("what casts doubt on the result, gravest first"),
        "never_fired": texts("gates and modules that never acted"),
        "assumptions": keyed({"type": "string"}, "what was assumed, by subject"),
        "metrics": _metrics("the metrics of docs/metrics.md"),
        "coins": keyed(_metrics("of one coin"), "the metrics of each coin; empty for a single coin"),
        "attribution": _attribution(),
        "prune_outcomes": _prunes(),
        "fills_by_level": _levels(),
        "open_inventory": _open_inventory(),
        "fragile": flag("whether the sign of the return changes in a row of the sensitivity table", "there is no such table"),
        "sensitivity": studies.sensitivity(),
        "uncertainty": studies.uncertainty(),
        "worst_days": studies.worst_days(),
        "ablation": studies.ablation(),
        "exposure_ladder": studies.exposure_ladder(),
        "evaluation": studies.evaluation(),
    }
    return whole(SUMMARY, "A run: `main.py --json` and summary.json in its folder.", fields)


def comparison_schema() -> Schema:
    """Of two runs compared."""
    words = {"this": "of the first run", "other": "of the second run", "difference": "second less first"}
    unknown = "no meaning for this run, not recorded, or infinite"
    metrics = {
        name: record({key: number(meaning, one.unit, unknown) for key, meaning in words.items()}, one.definition)
        for name, one in METRICS.items()
    }
    setting = {
        "type": "array",
        "prefixItems": [{"type": "string"}, {}, {}],
        "minItems": 3,
        "maxItems": 3,
        "description": "name, value of the first run, value of the second; null: the run has no such setting, or it is none",
    }
    fields = {
        "runs": texts("the two run folders, as they were given"),
        "metrics": record(metrics, "every metric of both runs"),
        "settings": listed(setting, "the settings in which the two differ"),
    }
    return whole(COMPARISON, "Two runs: `main.py --compare RUN RUN --json`.", fields)
