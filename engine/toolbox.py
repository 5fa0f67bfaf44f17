"""What a strategy's decision may use: the sides, the order functions, the tables of lots and orders.

A decision is `decide(parameters, row, account, state, instrument, terms, memory)`:

- `row`: indicators of the last closed bar. `parameters["name"]`: the strategy's own settings. `memory`: float64 to keep.
- `account["equity"]`, `account["wallet"]`: at the last close, quote currency.
- `state["mark"]`: the last close. `state["time"]`: open time of the coming bar, ms. `state["qty"][side]`,
  `state["cost"][side]` (sum of entry*qty), `state["lot_count"][side]`, `state["lots"][side, j]` with `entry`, `qty`, `open_time`,
  `funding`; lots stand worst first. Read them; the engine writes them.
- `instrument["tick_size"]`, `step_size`, `min_qty`, `min_notional`, `multiplier`, `weight`. `terms["exposure"]`, `fee_maker`, ...

Orders stay until they fill or are cancelled. Prices must be whole ticks (`floor_to`, `ceil_to`).
"""

from engine.exits import close_at_market, place_take_profit
from engine.orders import cancel_all_orders, cancel_book, cancel_entries, cancel_take_profits
from engine.quoting import PAST_LIMIT, PLACED, TOO_SMALL, crosses, place_bracket_entry, place_entry
from engine.records import LONG, MARKET_CLOSE_LABEL, SHORT
from engine.stops import place_stop, place_stop_stages
from gridcore.rounding import ceil_to, floor_to, tick_above, tick_below

__all__ = [
    "LONG",
    "MARKET_CLOSE_LABEL",
    "PAST_LIMIT",
    "PLACED",
    "SHORT",
    "TOO_SMALL",
    "cancel_all_orders",
    "cancel_book",
    "cancel_entries",
    "cancel_take_profits",
    "ceil_to",
    "close_at_market",
    "crosses",
    "floor_to",
    "place_bracket_entry",
    "place_entry",
    "place_stop",
    "place_stop_stages",
    "place_take_profit",
    "tick_above",
    "tick_below",
]
