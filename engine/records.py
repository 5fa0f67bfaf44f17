"""Codes and record types of the machine: account, instrument, lots, orders, events. A unit per field.

The whole mutable state of a run is plain records of float64 and int64 fields, so that a snapshot is their bytes.
"""

from __future__ import annotations

import numpy as np

from engine.strategies.adaptive_grid_parameters import MAX_LEVELS
from gridcore.constants import MAX_TIERS, tier_dtype

# --- position sides: an index into every (2,) field; the sign is 1 - 2*side -------------------------------------------
LONG, SHORT = 0, 1

# --- what a bar is for an instrument -----------------------------------------------------------------------------------
ABSENT, GAP, TRADED = 0, 1, 2

# --- order kinds; a book holds one kind of one side, book = 2*kind + side ----------------------------------------------
ENTRY, TAKE_PROFIT, STOP, MARKET = 0, 1, 2, 3
LIQUIDATION_FILL = 4  # not an order: the exchange closes a side
BOOKS = 8
MARKET_BOOK = 2 * MARKET

# --- capacities of the fixed records -----------------------------------------------------------------------------------
MAX_LOTS = 1000  # open lots a side; also orders a book. Not a power of two: books whose starts lie 4 KB apart share cache lines
MAX_EVENTS = 8192  # events of one bar

# --- labels of events, in the order of LABELS --------------------------------------------------------------------------
LABELS = (
    "BUY_OPEN_LONG",
    "SELL_OPEN_SHORT",
    "SELL_CLOSE_LONG",
    "BUY_CLOSE_SHORT",
    "STOP_LONG",
    "STOP_SHORT",
    "PRUNE_DEVIANCE",
    "PRUNE_OLDEST",
    "PRUNE_GAP",
    "PRUNE_FUNDING",
    "PRUNE_OFFSET",
    "CIRCUIT_BREAKER_HALT",
    "CIRCUIT_BREAKER_RESUME",
    "TRAILING_SHIFT",
    "LIQUIDATION",
    "SHORTFALL",
    "FUNDING",
    "RECENTER",
    "DELISTED",
    "MARKET_CLOSE",
    "DAILY_LOSS_LIMIT",
    "EVALUATION_FAILED",
    "SESSION_END",
    "PROFIT_TARGET",
    "DAILY_TARGET",
    "EVALUATION_PASSED",
    "END_OF_RUN",
)
OPEN_LABEL = 0  # + side
TAKE_PROFIT_LABEL = 2  # + side
STOP_LABEL = 4  # + side
PRUNE_DEVIANCE, PRUNE_OLDEST, PRUNE_GAP, PRUNE_FUNDING, PRUNE_OFFSET = 6, 7, 8, 9, 10
HALT_LABEL, RESUME_LABEL, SHIFT_LABEL = 11, 12, 13
LIQUIDATION_LABEL, SHORTFALL_LABEL, FUNDING_LABEL, RECENTER_LABEL, DELISTED_LABEL, MARKET_CLOSE_LABEL = 14, 15, 16, 17, 18, 19
DAILY_LOSS_LABEL, FAILED_LABEL, SESSION_END_LABEL, PROFIT_TARGET_LABEL, DAILY_TARGET_LABEL, PASSED_LABEL = 20, 21, 22, 23, 24, 25
END_OF_RUN_LABEL = 26
SIDES = ("LONG", "SHORT", "")
NO_SIDE = 2

# --- status of a run: trouble is a code, Python raises -------------------------------------------------------------------
OK, LOG_FULL, TOO_MANY_LOTS, TOO_MANY_EVENTS, TOO_MANY_ORDERS = 0, 1, 2, 3, 4

f8, i8, i4, i1 = np.float64, np.int64, np.int32, np.int8

instrument_dtype = np.dtype(
    [
        ("tick_size", f8),  # quote currency
        ("step_size", f8),  # base units or contracts
        ("min_qty", f8),  # base units or contracts
        ("min_notional", f8),  # quote currency
        ("multiplier", f8),  # base units of one contract
        ("weight", f8),  # share of the account's equity that sizes this instrument's orders
        ("leverage_cap", f8),  # highest notional of a side that the tiers allow at the account's leverage, quote currency
        ("top_rate", f8),  # highest maintenance rate of the tiers, fraction
        ("tier_count", i8),
        ("tiers", tier_dtype, (MAX_TIERS,)),
    ],
    align=True,
)

# The terms of the run: what account and execution settings say, copied once.
terms_dtype = np.dtype(
    [
        ("fee_maker", f8),  # fractions of notional
        ("fee_taker", f8),
        ("liquidation_fee", f8),
        ("slippage", f8),  # fractions of price
        ("slippage_stop", f8),
        ("through", f8),  # ticks
        ("through_fraction", f8),  # fraction of the limit price
        ("touch_probability", f8),  # chance that a limit order fills without a tick more, 1: no coin is thrown
        ("max_volume_share", f8),  # share of a bar's volume, 0: no limit
        ("leverage", f8),
        ("exposure", f8),
        ("timeframe", i8),  # milliseconds
        ("path", i8),  # engine.execution.PATH_*
        ("isolated", i8),  # 0 cross, 1 isolated
        ("continue_after_liquidation", i8),
        ("close_at_end", i8),  # 1: what is open after the last bar is closed at its close
        ("joint_test", i8),  # 1: shared wallets are also tested with all coins at their extremes
        ("instruments", i8),
        ("touch_seed", i8),
    ],
    align=True,
)

account_dtype = np.dtype(
    [
        ("wallet", f8),  # quote currency
        ("capital", f8),
        ("equity", f8),  # at the last close
        ("others_notional", f8),  # lots and resting entries of the instruments that are not deciding now
        ("realized", f8),  # sums over events, quote currency
        ("fees", f8),
        ("funding_received", f8),
        ("funding_paid", f8),
        ("shortfall", f8),
        ("stopped", i8),  # 1: takes no more entries
        ("status", i8),
        # online statistics, of returns per bar at closes
        ("bars", i8),
        ("return_sum", f8),
        ("return_square_sum", f8),
        ("downside_square_sum", f8),
        ("exposure_sum", f8),  # gross notional over equity, summed over bars
        ("bars_in_position", i8),
        ("leverage_max", f8),  # highest gross notional over equity at a close
        # drawdown at closes
        ("peak", f8),
        ("drawdown_max", f8),  # fraction of peak
        ("under_water", i8),  # bars since the peak
        ("under_water_max", i8),
        # drawdown along the walked path
        ("path_peak", f8),
        ("path_drawdown_max", f8),
        ("turnover", f8),  # notional of all fills
        ("maker_notional", f8),
        ("slippage_cost", f8),  # given up against the path price
        ("liquidations", i8),  # accounts or sides liquidated
        ("events", i8),
        # gates of an evaluation (engine.risk_gates); all zero without one
        ("gated", i8),  # 1: rules stand above the strategy
        ("paused", i8),  # 1: entries are refused
        ("closing", i8),  # label under which everything is being closed, 0: nothing is
        ("outcome", i8),  # engine.risk_gates.OUTCOMES
        ("outcome_time", i8),  # open time of the bar that decided, ms
        ("session", i8),  # number of the session in hand, -1 before the first
        ("session_count", i8),  # sessions begun
        ("trading_days", i8),  # past sessions with a fill
        ("day_over", i8),  # 1: the day's target is reached, 2: the day's loss
        ("daily_breached", i8),
        ("trailing_breached", i8),
        ("day_start", f8),  # equity before the session, quote currency
        ("day_turnover", f8),  # turnover before the session
        ("day_peak", f8),  # highest equity before a session, at least the capital
        ("best_day", f8),  # largest gain of a past session
        ("daily_floor", f8),  # equity that breaches the daily loss limit
        ("trailing_floor", f8),  # equity that breaches the end-of-day trailing drawdown
        ("trailing_distance", f8),  # intraday: distance from the path's peak; infinite: end of day
        ("floor_lock", f8),  # the trailing floor rises no higher
    ],
    align=True,
)

lot_dtype = np.dtype(
    [
        ("entry", f8),  # price
        ("qty", f8),  # base units or contracts
        ("entry_fee", f8),  # quote currency, of what is still open
        ("funding", f8),  # paid less received, quote currency, of what is still open
        ("open_time", i8),  # open time of the bar of its fill, ms
        ("id", i8),
        ("level", i8),  # level of the grid that opened it, -1: none
        ("generation", i8),
        ("pending", i8),  # 1: a market order to close it is queued
        ("take_profit", f8),  # own exits, NaN: none
        ("stop_loss", f8),
        ("exits_waiting", i8),  # 1: own exits go live at the next (sub-)bar
        ("least_exit", f8),  # a strategy's own bound on its exit price, which holds for the lot's life; 0: not reckoned yet
    ],
    align=True,
)

order_dtype = np.dtype(
    [
        ("trigger", f8),  # path price at which it fills
        ("price", f8),  # limit or stop price; NaN for market orders
        ("qty", f8),
        ("id", i8),
        ("lot", i8),  # lot it closes; -1: opens one, or (stops) closes what it covers
        ("covers_below", i8),  # a stop covers the lots with smaller ids
        ("take_profit", f8),  # own exits that the lot gets on fill
        ("stop_loss", f8),
        ("level", i4),
        ("label", i1),
        ("stage", i1),  # 1 or 2 for the two stops of a side, else 0
        ("alive", i1),
        ("attached", i1),  # 1: a lot's own exit, which re-quoting leaves alone
    ],
    align=True,
)

state_dtype = np.dtype(
    [
        ("instrument", i8),  # index of the instrument
        ("tick_size", f8),  # of the instrument, quote currency
        ("time", i8),  # open time of the bar in hand, ms
        ("bar", i8),
        ("sub_bar", i8),  # which finer bar is walked, 0: the first, or the bar itself
        ("mark", f8),  # where the price stands
        ("mark_before", f8),  # set aside during the joint test
        ("ended", i8),  # 1: an isolated liquidation ended this bar for the instrument
        ("changed", i8),  # 1: something filled since the last decision
        ("up_trigger", f8),  # no trigger lies nearer above and below, infinite: none at all
        ("down_trigger", f8),
        ("near", f8, (MARKET_BOOK,)),  # trigger of each book's next living order, infinite: none
        ("qty", f8, (2,)),  # sums over the lots of a side
        ("cost", f8, (2,)),  # sum of entry*qty
        ("lot_count", i8, (2,)),
        ("oldest_time", i8, (2,)),  # open time of the oldest lot of a side
        ("lot_funding", f8, (2,)),  # sum of the lots' funding
        ("margin", f8, (2,)),  # isolated margin
        ("stage_one_fired", i8, (2,)),
        ("grid_profit", f8, (2,)),  # net take-profit gain, quote currency
        ("offset_buffer", f8, (2,)),
        ("resting_notional", f8, (2,)),  # of the entries of a side that rest
        ("order_count", i8, (BOOKS,)),
        ("head", i8, (BOOKS,)),  # first order that may still be alive
        ("cursor", i8, (BOOKS,)),  # first order not yet tried in this (sub-)bar
        ("attached_count", i8),
        ("exits_waiting", i8),
        ("next_order_id", i8),
        ("next_lot_id", i8),
        ("generation", i8),
        ("rearmed", i8),  # 1: a level was armed since the entries were last quoted
        # stops of two stages that are decided and not yet written into their books (engine.quoting.plan_stop_stages)
        ("planned_lots", i8, (2,)),  # lots they cover, 0: nothing is planned
        ("planned_average", f8, (2,)),  # average entry of those
        ("planned_qty", f8, (2,)),
        ("planned_distance", f8, (2,)),  # of stage 1 from the average
        ("planned_below", i8, (2,)),  # lots with smaller ids are covered
        ("planned_fired", i8, (2,)),  # 1: stage 1 has fired, stage 2 stands alone
        ("planned_orders", i8, (2,)),  # how many orders the plan will be
        ("planned_fresh", i8, (2,)),  # 1: no lot of the side has changed since
        # rungs of a ladder that rest and are not yet written into their books (engine.quoting.rest_nearest)
        ("next_rung", i8, (2,)),  # first of them
        ("last_rung", i8, (2,)),  # one past the last; equal: none
        # exits of a side's best lots that rest and are not yet written (engine.quoting.rest_ranked_exits)
        ("next_exit", i8, (2,)),  # rank of the first of them
        ("last_exit", i8, (2,)),  # one past the last rank; equal: none
        ("exits_below", i8, (2,)),  # lots with smaller ids have a rank
        ("least_gain", f8),  # the least they gain, share of the entry
        ("exit_close", f8, (2,)),  # last close when they were quoted
        ("exit_entry", f8, (2,)),  # entry and id of the lot of the last exit written
        ("exit_lot", i8, (2,)),
        ("rungs", i8),  # levels of the strategy's ladder
        ("rung_total", f8, (2,)),  # notional of the whole ladder, quote currency; NaN: unknown, or a rung is too small for an order
        # counters
        ("wanted_rungs", i8),
        ("dropped_rungs", i8),
        ("tier_cap_hits", i8),
        ("orders_placed", i8),
        ("entries_placed", i8),
        ("entries_filled", i8),
        ("settlements", i8),
        ("lots_max", i8),
        ("label_counts", i8, (len(LABELS), 2)),  # events by label and side
        ("label_pnl", f8, (len(LABELS), 2)),  # realized PnL by label and side
        ("fees", f8, (2,)),
        ("funding", f8, (2,)),
        ("winning_closes", i8, (2,)),
        ("losing_closes", i8, (2,)),
        ("gross_profit", f8),
        ("gross_loss", f8),
        ("gap_bars", i8),
        ("armed", np.uint8, (2, MAX_LEVELS)),
        ("rung_price", f8, (2, MAX_LEVELS)),  # of the strategy's ladder, nearest first
        ("rung_qty", f8, (2, MAX_LEVELS)),
        # the big tables last, so that what every bar reads lies close together
        ("lots", lot_dtype, (2, MAX_LOTS)),  # worst first: the lot that closes next is the last
        ("orders", order_dtype, (BOOKS, MAX_LOTS)),
    ],
    align=True,
)

event_dtype = np.dtype(
    [
        ("time", i8),  # open time of the bar, ms
        ("bar", i8),
        ("instrument", i8),
        ("label", i8),
        ("side", i8),  # 0 LONG, 1 SHORT, 2 none
        ("price", f8),
        ("qty", f8),
        ("fee", f8),
        ("realized_pnl", f8),
        ("funding", f8),  # received +, paid -
        ("wallet", f8),  # after the event
        ("lot", i8),  # -1: none
        ("level", i8),  # level of the grid that opened the lot, 0: nearest, -1: none
    ],
    align=True,
)

fill_dtype = np.dtype(
    [
        ("instrument", i8),
        ("order_id", i8),  # -1: the exchange's own doing (a liquidation)
        ("kind", i8),
        ("side", i8),
        ("price", f8),
        ("qty", f8),
        ("fee", f8),
        ("maker", i8),
        ("mark", f8),  # path price when it filled
    ],
    align=True,
)

journal_dtype = np.dtype(
    [
        ("recording", i8),  # 1: events are kept
        ("keep_fills", i8),  # 1: fills are kept for the caller
        ("event_count", i8),
        ("fill_count", i8),
        ("events", event_dtype, (MAX_EVENTS,)),
        ("fills", fill_dtype, (MAX_EVENTS,)),
    ],
    align=True,
)
