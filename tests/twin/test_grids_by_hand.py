"""The twin's two grids against arithmetic done by hand: stops, prunes, riding, trailing, halts, re-centring."""

from __future__ import annotations

import pytest

from tests.twin.cases import Case, Fill, long

FLAT = (100, 100, 100, 100)

ONE_FALL = [FLAT, FLAT, (100, 100, 97.5, 98)]  # bar 2 fills the adaptive grid's rungs 99.5, 98.5 and 97.5, one unit each
FILLED: list[Fill] = [(2, "BUY_OPEN_LONG", 99.5, 1.0), (2, "BUY_OPEN_LONG", 98.5, 1.0), (2, "BUY_OPEN_LONG", 97.5, 1.0)]


def test_both_stop_stages_in_one_bar_and_lots_stopped_in_part() -> None:
    # Average 98.5, two ATR: stage 1 at 96.5 for ceil(1.5) = 1.5, stage 2 at 98.5 - 3 = 95.5 for the other 1.5.
    # Worst first: lot 0 (99.5), half of lot 1, then its rest and lot 2. 96.5*0.99 = 95.535; 95.5*0.99 = 94.545.
    case = Case([*ONE_FALL, (98, 98, 95, 96)], "adaptive_grid", parameters={"atr_sl_mult": 2.0})
    assert case.fills() == [
        *FILLED,
        (3, "STOP_LONG", 95.535, 1.0),
        (3, "STOP_LONG", 95.535, 0.5),
        (3, "STOP_LONG", 94.545, 0.5),
        (3, "STOP_LONG", 94.545, 1.0),
    ]
    assert case.column("lot")[3:] == [0, 1, 1, 2]
    # (95.535-99.5) + 0.5*(95.535-98.5) + 0.5*(94.545-98.5) + (94.545-97.5) = -3.965 - 1.4825 - 1.9775 - 2.955
    assert case.equity[-1] == pytest.approx(1000.0 - 10.38, abs=1e-9)


def test_after_stage_one_only_stage_two_stands_for_all_that_is_left() -> None:
    # Bar 3 reaches 96.5 only: lot 0 and half of lot 1 go. The rest (0.5 at 98.5, 1 at 97.5) averages 97.8333...;
    # its stage 2 is floor(97.8333 - 3) = 94.8: not touched at 94.9 in bar 4, though a fresh stage 1 (95.8) would have been.
    case = Case(
        [*ONE_FALL, (98, 98, 96, 97), (97, 97, 94.9, 97), (97, 97, 94, 95)],
        "adaptive_grid",
        parameters={"atr_sl_mult": 2.0, "order_pct": 0.1, "max_position_pct": 0.3},
    )
    stops = [fill for fill in case.fills() if fill[1] == "STOP_LONG"]
    second = round(94.8 * 0.99, 9)
    assert stops == [
        (3, "STOP_LONG", 95.535, 1.0),
        (3, "STOP_LONG", 95.535, 0.5),
        (5, "STOP_LONG", second, 0.5),
        (5, "STOP_LONG", second, 1.0),
    ]


def test_a_single_lot_goes_whole_at_stage_one() -> None:
    # One lot at 99.5, two ATR: 97.5 for all of it; 97.5*0.99 = 96.525.
    case = Case([FLAT, FLAT, (100, 100, 99, 99), (99, 99, 97, 97)], "adaptive_grid", parameters={"atr_sl_mult": 2.0, "grid_levels": 1})
    assert case.fills() == [(2, "BUY_OPEN_LONG", 99.5, 1.0), (3, "STOP_LONG", 96.525, 1.0)]


def test_stage_one_is_fresh_again_once_the_side_was_flat() -> None:
    # Bar 3 passes 100 (no target) and falls to 97: stopped at 97.5*0.99. Bar 4 buys 99.5 again, bar 5 stops it the same way.
    table = [FLAT, FLAT, (100, 100, 99, 99), (99, 100, 97, 100), (100, 100, 99, 99), (99, 99, 97, 97)]
    case = Case(table, "adaptive_grid", parameters={"atr_sl_mult": 2.0, "grid_levels": 1})
    turn = ["BUY_OPEN_LONG", "STOP_LONG"]
    assert case.column("label") == turn * 2
    assert case.fills()[3] == (5, "STOP_LONG", 96.525, 1.0)


def test_half_of_the_quantity_is_rounded_up_to_a_step() -> None:
    # Three lots of 0.1: half is 0.15, so stage 1 takes 0.2 (lots 0 and 1), stage 2 the last 0.1.
    case = Case([*ONE_FALL, (98, 98, 96, 96)], "adaptive_grid", parameters={"atr_sl_mult": 2.0, "order_pct": 0.01})
    assert case.fills()[3:] == [(3, "STOP_LONG", 95.535, 0.1)] * 2
    assert case.column("lot")[3:] == [0, 1]


def test_short_stops_are_the_mirror_image() -> None:
    # Sold at 100.5, 101.5, 102.5; average 101.5; stage 1 at 103.5 buys 1.5, worst (lowest) first: 103.5*1.01 = 104.535.
    # A tenth of 1000 is 0.995, 0.985 and 0.975 units: 0.9 each, 2.7 in all, half of it 1.35, rounded up 1.4.
    # (Average of equal quantities: 101.5 still.)
    case = Case(
        [FLAT, FLAT, (100, 102.5, 100, 102), (102, 103.5, 102, 103)],
        "adaptive_grid",
        parameters={"atr_sl_mult": 2.0, "allow_short": True},
        rows={1: {"regime": -1.0}, 2: {"regime": -1.0}},
    )
    assert case.fills()[3:] == [(3, "STOP_SHORT", 104.535, 0.9), (3, "STOP_SHORT", 104.535, 0.5)]
    assert case.column("lot")[3:] == [0, 1]


def test_lots_of_the_bar_are_not_covered_by_its_stop() -> None:
    # Lot 0 (99.5) has its stop at 97.5. Bar 3 first rises to its target 100.5, then buys 98.5 and falls through 97.5:
    # what the stop covered has gone, lot 1 was opened during the bar, nothing happens.
    table = [FLAT, FLAT, (100, 100, 99, 100), (100, 100.5, 97.4, 97.4)]
    case = Case(table, "adaptive_grid", parameters={"atr_sl_mult": 2.0, "grid_levels": 2})
    assert case.column("label") == ["BUY_OPEN_LONG", "SELL_CLOSE_LONG", "BUY_OPEN_LONG"]
    assert case.counters["stops_with_nothing_left"] == 1


def test_a_stop_needs_no_tick_through() -> None:
    case = Case([FLAT, (100, 100, 98, 98), (98, 98, 95, 95)], orders={1: [long(99.0, stop_loss=95.0)]}, execution={"through": 1.0})
    assert case.column("label") == ["BUY_OPEN_LONG", "STOP_LONG"]


def test_profit_pays_for_a_deep_lot() -> None:
    # Bar 3 sells lots 2 and 1 at 100.5 and 101.5: 3 + 3 = 6. Lot 0 (99.5) is 2.5 > 2 spacings deep at the close of 97 and its
    # loss of 2.5 <= 6: closed at the open of bar 4, 97*0.99 = 96.03. Without the gain nothing is closed.
    rise, fall = (98, 101.5, 97, 97), (98, 98, 97, 97)
    paid = Case([*ONE_FALL, rise, (97, 97, 97, 97)], "adaptive_grid", parameters={"prune_offset": True})
    assert paid.fills()[3:] == [(3, "SELL_CLOSE_LONG", 100.5, 1.0), (3, "SELL_CLOSE_LONG", 101.5, 1.0), (4, "PRUNE_OFFSET", 96.03, 1.0)]
    assert len(Case([*ONE_FALL, fall, (97, 97, 97, 97)], "adaptive_grid", parameters={"prune_offset": True}).events) == 3


@pytest.mark.parametrize(("rate", "pruned"), [(0.002, True), (0.0017, False)])
def test_funding_that_eats_the_profit_prunes_who_paid_most(rate: float, pruned: bool) -> None:
    # One order earns 100*1/98 = 1.0204, half of it is 0.5102. Three units at 98 pay 0.588 at 0.2 %, 0.4998 at 0.17 %.
    # All three lots paid the same: the first in rank, the cheapest, goes at the open of bar 3: 98*0.99.
    case = Case([*ONE_FALL, (98, 98, 98, 98)], "adaptive_grid", parameters={"prune_funding": True}, settlements={2: [(rate, 98.0)]})
    assert case.column("label")[3:] == ["FUNDING", "PRUNE_FUNDING"][: 1 + pruned]
    assert not pruned or (case.events[4]["lot"], round(case.events[4]["price"], 9)) == (2, 97.02)


def test_a_prune_waits_for_the_next_real_open() -> None:
    # Close 95: the worst lot (99.5) is 4.5 > 3 spacings deep. Bar 4 is a gap; one lot a bar: at its close 95 the next worst
    # (98.5, 3.5 deep) is queued for bar 5, too. Both fill at the open of bar 5: 94*0.99 = 93.06. Then 97.5 is only 2.5 deep.
    fall = [FLAT, FLAT, (100, 100, 95, 95), None, (94, 95, 94, 95), (95, 95, 95, 95)]
    case = Case(fall, "adaptive_grid", parameters={"prune_gap": True})
    assert case.fills()[:5] == [*FILLED, (4, "PRUNE_GAP", 93.06, 1.0), (4, "PRUNE_GAP", 93.06, 1.0)]
    assert case.column("lot")[3:5] == [0, 1]
    assert case.counters["gap_bars_with_pending_market_orders"] == 1


def test_riding_lots_carry_no_take_profit() -> None:
    # A trend with ER 0.9: ceil(0.25*3) = 1 of three lots rides, the last in ascending order of entry (99.5).
    # The others take 100.5 and 101.5; the bar runs to 110 and lot 0 stays.
    case = Case(
        [FLAT, FLAT, (100, 100, 97.5, 100), (100, 110, 100, 110)],
        "adaptive_grid",
        rows={2: {"regime": 1.0, "er": 0.9}},
    )
    assert case.fills() == [*FILLED, (3, "SELL_CLOSE_LONG", 100.5, 1.0), (3, "SELL_CLOSE_LONG", 101.5, 1.0)]
    assert case.column("lot")[3:] == [2, 1]


def test_trailing_moves_the_anchor_half_way() -> None:
    # Grid at 100: sell levels 100.5, 101.5, 102.5. A close of 105 in a trend: anchor 100 + 0.5*(105 - 102.5) = 101.25.
    # The new buy levels are floor(100.75) = 100.7, 99.7 (99.75), 98.7.
    case = Case(
        [FLAT, FLAT, (100, 105, 100, 105), (105, 105, 100, 100)],
        "adaptive_grid",
        rows={2: {"regime": 1.0, "er": 0.9}},
    )
    assert case.fills() == [(3, "TRAILING_SHIFT", 101.25, 0.0), (3, "BUY_OPEN_LONG", 100.7, 0.9)]  # 100/100.7 = 0.993


def test_halt_cancels_entries_and_resuming_quotes_them_anew() -> None:
    # Row 2 halts bar 3 (its low of 90 buys nothing), row 3 resumes at its close of 95: buy levels 94.5, 93.5, 92.5.
    case = Case(
        [FLAT, FLAT, FLAT, (100, 100, 90, 95), (95, 95, 94, 95)],
        "adaptive_grid",
        rows={2: {"z": -3.5}, 3: {"z": -0.5}},
    )
    assert case.fills() == [
        (3, "CIRCUIT_BREAKER_HALT", 100.0, 0.0),
        (4, "CIRCUIT_BREAKER_RESUME", 95.0, 0.0),
        (4, "BUY_OPEN_LONG", 94.5, 1.0),
    ]


def test_static_grid_turns_a_rung_over_and_recentres() -> None:
    # Anchor 100: buys at 99 and 98; a lot of rung 1 sells at 100, of rung 2 at 99, from the next bar on.
    # Bar 4 closes at 97, below 98: rung 2's lot and rung 1's are closed at the open of bar 5, 97*0.99 = 96.03, best first.
    # The new anchor is 97: buys at floor(96.03) = 96.0 and floor(95.06) = 95.0.
    case = Case(
        [FLAT, (100, 100, 99, 99.5), (99.5, 100, 99.2, 99.5), (99.5, 99.5, 99, 99), (99, 99, 97, 97), (97, 97, 95.5, 97)],
        "static_grid",
    )
    assert case.fills() == [
        (1, "BUY_OPEN_LONG", 99.0, 1.0),
        (2, "SELL_CLOSE_LONG", 100.0, 1.0),
        (3, "BUY_OPEN_LONG", 99.0, 1.0),  # armed again by the sale
        (4, "BUY_OPEN_LONG", 98.0, 1.0),
        (5, "RECENTER", 96.03, 1.0),
        (5, "RECENTER", 96.03, 1.0),
        (5, "BUY_OPEN_LONG", 96.0, 1.0),
    ]
    assert case.column("lot") == [0, 0, 1, 2, 2, 1, 3]
