"""The random runs keep the ledger (checked in the twin after every bar) and visit every branch that is easy to miss."""

from __future__ import annotations

from tests.twin import simulate
from tests.twin.random_runs import random_run

RARE = [
    "PRUNE_DEVIANCE",
    "PRUNE_OLDEST",
    "PRUNE_GAP",
    "PRUNE_FUNDING",
    "PRUNE_OFFSET",
    "RECENTER",
    "DELISTED",
    "SHORTFALL",
    "STOP_LONG",
    "STOP_SHORT",
    "lots_stopped_in_part",
    "stops_with_nothing_left",
    "wanted_rungs",
    "dropped_rungs",
    "position_cap_hits",
    "margin_hits",
    "tier_cap_hits",
    "var_blocked_decisions",
    "decisions_without_inputs",
    "halts",
    "resumes",
    "shifts",
    "upward_drifts_ignored",
    "skews_capped",
    "riding_lots_quoted",
    "joint_liquidations",
    "liquidations_on_path_down",
    "liquidations_on_path_up",
    "liquidations_at_open",
    "liquidations_after_fill",
    "liquidations_isolated_long",
    "liquidations_isolated_short",
    "gap_bars_with_pending_market_orders",
    "fills_limited_by_volume",
    "bars_walked_finer",
]


def test_the_random_runs_visit_every_rare_branch() -> None:
    missing = set(RARE)
    for seed in range(300):
        missing -= {name for name, times in simulate(**random_run(seed))[2].items() if times}
        if not missing:
            break
    assert missing == set()


def test_the_future_does_not_move_the_past() -> None:
    cut, moved = 100, 0
    for seed in range(12):
        run = random_run(seed)
        events, equity, _ = simulate(**run)
        for table in run["bars"]:
            for name in ("open", "high", "low", "close"):
                table[name][cut:] = [value * 1.5 for value in table[name][cut:]]
        run["sub_bars"] = [{bar: candles for bar, candles in one.items() if bar < cut} for one in run["sub_bars"]]
        later_events, later_equity, _ = simulate(**run)
        assert later_equity[:cut] == equity[:cut]
        assert [e for e in later_events if e["bar"] < cut] == [e for e in events if e["bar"] < cut]
        moved += later_equity[cut:] != equity[cut:]
    assert moved >= 6  # the others had stopped or held nothing: the change of the future is a real one
