"""Bugs to plant in a copy of the engine, and the search that must find each by comparing with the twin."""

from __future__ import annotations

import ast
import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("gridcore", "engine")
COPIED = (*PACKAGES, "tests/twin", "tests/agreement")


@dataclass(frozen=True)
class Mutation:
    """`old`, which stands exactly once in the compiled functions called `function`, becomes `new`."""

    bug: str
    function: str
    old: str
    new: str


MUTATIONS = (
    # the path and the order of fills
    Mutation("a tie of the extremes goes to the high", "high_comes_first", "- low) - PRICE_TOLERANCE", "- low) + PRICE_TOLERANCE"),
    Mutation(
        "take-profits fill before entries at the same price",
        "walk_to",
        "(entry_trigger - trigger) <= tolerance",
        "(entry_trigger - trigger) < -tolerance",
    ),
    Mutation("a touch fills although the price must trade through", "limit_trigger", "price + direction *", "price + 0.0 * direction *"),
    Mutation("a coin that falls tails is as good as heads", "fill_trigger", "+ direction * tick *", "+ 0.0 * tick *"),
    Mutation("both sides of the book share a coin", "fill_trigger", "1 if direction > 0.0 else 0", "0"),
    Mutation("the finer bars of a bar share a coin", "fill_trigger", ' + state["sub_bar"]', ""),
    Mutation("stops throw a coin as well", "fill_trigger", " or book // 2 == STOP", ""),
    Mutation("market orders slip in the account's favour", "execute", "else reference * (1.0 - sign", "else reference * (1.0 + sign"),
    Mutation("prunes pay the slippage of other market orders", "execute", '["label"] >= RECENTER_LABEL', '["label"] < RECENTER_LABEL'),
    Mutation("a gap bar fills queued orders", "exchange_together", "== TRADED and", ">= GAP and"),
    Mutation("an order fills twice the volume it may", "fillable", "* volume", "* volume * 2.0"),
    # lots and money
    Mutation("an event of a lot is of the next level", "note_level", "= level", "= level + 1"),
    Mutation("an exit's fee is paid out", "close_lot", "pnl - fee\n", "pnl + fee\n"),
    Mutation("levels of old grids are armed again", "remove_lot", ' and lot["generation"] == state["generation"]', ""),
    Mutation("a stop also closes lots opened after it was placed", "close_covered", 'lot["id"] >= order["covers_below"] or ', ""),
    Mutation("isolated margin stays when a part closes", "close_lot", '(state["qty"][side] / side_qty)', "1.0"),
    Mutation("longs are paid a positive funding rate", "settle_funding", "-sign * qty", "sign * qty"),
    Mutation("a gap bar pays no funding", "after_walk", "kinds[k, i] > 0", "kinds[k, i] > 1"),
    Mutation("a delisted lot pays no fee", "close_at_last", 'terms["fee_taker"]', "0.0"),
    # liquidation
    Mutation("a liquidation happens at the extreme", "cross_breach_price", "return price", "return end"),
    Mutation("the maintenance amount is forgotten", "maintenance_margin", '- tiers[row]["cum"]', ""),
    Mutation("a liquidation pays the taker fee", "liquidate_side", 'terms["liquidation_fee"]', 'terms["fee_taker"]'),
    Mutation("coins are not tested together", "walk_together", '["joint_test"] == 1', '["joint_test"] == 2'),
    Mutation("only later coins back the account", "rest_of_account", "if j != k", "if j > k"),
    Mutation("a shortfall is not credited", "settle_when_flat", '["wallet"] = 0.0', '["wallet"] = -missing'),
    Mutation("a liquidated account trades on", "finish_liquidation", 'after_liquidation"] == 0', 'after_liquidation"] == 2'),
    # decisions
    Mutation("a decision sees the bar it trades in", "run_alone", "i - 1 - laid", "i - laid"),
    Mutation("a decision's equity leaves out unrealized PnL", "close_bar", '["equity"] = equity', '["equity"] = account["wallet"]'),
    Mutation("the limits forget the entries already quoted", "rest_ladder", "resting += notional", "resting = notional"),
    Mutation("the margin test forgets the other coins' entries", "ready_to_decide", 'state["resting_notional"][LONG] +', "0.0 *"),
    Mutation("stop stage 2 stands before stage 1", "place_stages", "1.5 * distance", "0.5 * distance"),
    Mutation("the worst lot is the best", "worst_lot", 'range(state["lot_count"][side])', 'range(state["lot_count"][side] - 1, -1, -1)'),
    Mutation("inventory skews the grid the wrong way", "regenerate", "anchor - min(max(shift", "anchor + min(max(shift"),
    Mutation("lots that ride are rounded down", "quote_exits", "np.ceil(", "np.floor("),
    Mutation("a rebate lowers the least take-profit", "quote_exits", 'max(0.0, 2.0 * terms["fee_maker"])', '2.0 * terms["fee_maker"]'),
    Mutation("an uptrend's drift regenerates the grid", "decide", "drift = -drift", "drift = abs(drift)"),
    Mutation("a static grid's exit stands at the rung of its entry", "quote", 'lot["level"] - 1]', 'lot["level"]]'),
    # rules of a funded account
    Mutation("the daily loss counts from the capital", "begin_session", '= equity - gates["daily', '= account["capital"] - gates["daily'),
    Mutation("a balance of the day before does not trail", "begin_session", 'max(account["day_peak"], equity)', 'account["day_peak"]'),
    Mutation("the locked drawdown rises on", "watch_floors", 'min(account["path_peak"] -', 'max(account["path_peak"] -'),
    Mutation("exposure is weighed with the bar to come", "within_exposure", "ranges[k, i - 1]", "ranges[k, i]"),
    Mutation("a session's last bar trades on", "gates_before", "code == LAST_OF_SESSION", "code == CLOSED"),
    Mutation("the day in hand may be too large", "meet_targets", 'max(account["best_day"], of_day)', 'account["best_day"]'),
    Mutation("a pause ends and nothing is quoted", "pause_entries", 'state["changed"] = 1', 'state["changed"] = paused'),
)

# Runs in a process of its own, on the packages it finds beside itself: the first disagreement, or none.
SEARCH = """
import json
from tests.agreement.compared import compare_seed

found, runs = None, 0
for seed in range({seeds}):
    for kind, bars in {kinds!r}:
        runs += 1
        found = compare_seed(kind, seed, bars).difference or None
        if found:
            break
    if found:
        break
print(json.dumps([found, runs]))
"""
KINDS = (("ordinary", 80), ("violent", 60), ("wide", 60), ("evaluated", 80))


def places(root: Path, mutation: Mutation) -> list[tuple[Path, int, int, int]]:
    """Every place where the old text stands: file, first and last line of the function, and how often it stands there."""
    found = []
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            text = path.read_text()
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.FunctionDef) and node.name == mutation.function:
                    body = "".join(text.splitlines(keepends=True)[node.lineno - 1 : node.end_lineno])
                    if mutation.old in body:
                        found.append((path, node.lineno, node.end_lineno or 0, body.count(mutation.old)))
    return found


def copy_with(target: Path, mutation: Mutation | None) -> Path:
    """A copy of what a comparison needs, with the bug planted (None: as it is)."""
    for name in COPIED:
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    if mutation is not None:
        [(path, first, last, _)] = places(target, mutation)
        lines = path.read_text().splitlines(keepends=True)
        body = "".join(lines[first - 1 : last]).replace(mutation.old, mutation.new)
        path.write_text("".join(lines[: first - 1]) + body + "".join(lines[last:]))
    return target
