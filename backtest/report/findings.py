"""What a result has to say in words: what it is about, warnings, gates that never fired, assumptions behind the numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from backtest.configuration import fee_preset, strategy_name, strategy_parameters
from backtest.data.timeframe import utc_text

if TYPE_CHECKING:
    from backtest.result import Result

# From this share of dropped rungs on, the run is not the grid that was asked for.
DROPPED_WARNING = 0.05
NO_BARS = "NO BARS: the markets have none behind the warm-up, so nothing was traded and there is nothing to judge"

# Gate by name: the metric that counts it, and the parameter that switches it on ("" when it has none).
GATES = {
    "circuit breaker": ("halts", "halt_z_threshold"),
    "trailing": ("shifts", "trailing_activation_er"),
    "VaR gate": ("var_blocked_bars", "max_drawdown_pct"),
    "stops": ("stops", "atr_sl_mult"),
    "prune by deviance": ("prunes_deviance", "prune_deviance"),
    "prune by age": ("prunes_oldest", "prune_oldest"),
    "prune by gap": ("prunes_gap", "prune_gap"),
    "prune by funding": ("prunes_funding", "prune_funding"),
    "prune by offset": ("prunes_offset", "prune_offset"),
}


def percent(value: float, digits: int = 2) -> str:
    """0.0512 as `5.12 %`; NaN as a dash."""
    return "-" if math.isnan(value) else f"{value * 100.0:.{digits}f} %"


def number(value: float) -> str:
    """A float as short as it can be told apart: 1, 0.5, 12.25."""
    return f"{value:g}"


def title(result: Result) -> str:
    """Strategy and coins; says SIMULATED, LIQUIDATED and the market-maker preset when they apply."""
    text = f"{strategy_name(result.strategy)} on {', '.join(result.symbols)}"
    if fee_preset(result.execution) == "market_maker":
        text += ", market_maker fees"
    if result.liquidated:
        text = f"LIQUIDATED: {text}"
    return f"SIMULATED: {text}" if result.simulated else text


def about(result: Result) -> str:
    """Source, range traded, bars and timeframe in one line."""
    # A source ends with the span of its bars, warm-up included; `assumptions` has it in full.
    sources = list(dict.fromkeys(str(market.source).rsplit(": ", 1)[0] for market in result.markets if market.source))
    if len(sources) > 1:  # files differ by coin; their kind says enough here
        sources = list(dict.fromkeys(source.split(" (")[0] for source in sources))
    source = "; ".join(sources) or "unnamed source"
    if result.time.size == 0:
        return f"{source} | no bars traded"
    first, end = utc_text(result.time[0]), utc_text(result.time[-1] + result.timeframe.ms)
    return f"{source} | {first} to {end} UTC | {result.time.size:,} bars of {result.timeframe}"


def nothing_quoted(result: Result) -> list[str]:
    """Coins on which every wanted rung was dropped: there is no result to speak of."""
    lines = []
    for symbol, state in zip(result.symbols, result.states, strict=True):
        if state["wanted_rungs"] > 0 and state["dropped_rungs"] == state["wanted_rungs"]:
            lines.append(
                f"{symbol}: NOTHING WAS QUOTED, all {int(state['wanted_rungs']):,} wanted rungs fell below step size, "
                "minimum quantity or minimum notional; raise capital, order_pct or exposure"
            )
    return lines


def warnings(result: Result) -> list[str]:
    """What puts the result in doubt, gravest first, one sentence each."""
    lines = [] if result.time.size else [NO_BARS]
    if result.liquidated:
        count = sum(int(ledger.account["liquidations"]) for ledger in result.ledgers)
        coins = ", ".join(symbol for ledger in result.ledgers if ledger.account["liquidations"] > 0 for symbol in ledger.symbols)
        lines.append(f"LIQUIDATED: {count} {'time' if count == 1 else 'times'} ({coins})")
    for symbol, state in zip(result.symbols, result.states, strict=True):
        wanted, dropped = int(state["wanted_rungs"]), int(state["dropped_rungs"])
        if wanted > dropped > DROPPED_WARNING * wanted:
            lines.append(
                f"{symbol}: {dropped / wanted:.1%} of wanted rungs were dropped for step size, minimum quantity or minimum notional; "
                "the grid ran thinner than asked for"
            )
        if state["tier_cap_hits"] > 0:
            hits = int(state["tier_cap_hits"])
            lines.append(f"{symbol}: {hits:,} ladders were cut short where the margin tiers cap the side's notional at this leverage")
    lines += [str(note) for note in result.notes]
    # What holds for several coins is said once.
    coins_of: dict[str, list[str]] = {}
    for symbol, market in zip(result.symbols, result.markets, strict=True):
        for note in map(str, market.notes):
            coins_of.setdefault(note, []).append(symbol)
    lines += [note if any(coin in note for coin in coins) else f"{', '.join(coins)}: {note}" for note, coins in coins_of.items()]
    return list(dict.fromkeys(lines))


def is_on(switch: str, value: object) -> bool:
    """Whether a gate's parameter has it switched on: a switch that is true, or any number but a stop distance of 0."""
    return value is not None and value is not False and not (switch == "atr_sl_mult" and value == 0.0)


def gates_that_never_fired(result: Result) -> list[str]:
    """Names of the strategy's gates that are on and never fired on any coin."""
    parameters = strategy_parameters(result.strategy)
    counts = dict(result.metrics)
    counts["stops"] = counts["stops_long"] + counts["stops_short"]
    return [name for name, (metric, switch) in GATES.items() if is_on(switch, parameters.get(switch)) and counts[metric] == 0]


def ladder_use(result: Result) -> list[str]:
    """How far the grid's own settings came into play: gates, spacing floor, depth; one sentence each."""
    lines = []
    silent = gates_that_never_fired(result)
    if silent:
        lines.append(f"Never fired: {', '.join(silent)}.")
    floors, depths = [], []
    levels = strategy_parameters(result.strategy).get("grid_levels")
    for symbol, state, memory in zip(result.symbols, result.states, result.memory, strict=True):
        decisions = float(memory.get("decisions", 0))
        if decisions > 0 and "floor_bars" in memory:
            floors.append(f"{symbol} {percent(float(memory['floor_bars']) / decisions, 0)}")
        depths.append(f"{symbol} {int(state['lots_max'])}")
    if floors:
        lines.append(f"Bars on which the spacing floor decides: {', '.join(floors)}.")
    lines.append(f"Most lots held on a side: {', '.join(depths)}{f' (levels: {levels})' if levels is not None else ''}.")
    return lines


def assumptions(result: Result) -> dict[str, str]:
    """What was assumed and moves the result, by subject; given or defaults alike."""
    account, execution = result.account, result.execution
    preset = fee_preset(execution)
    beyond = [f"{number(execution.through)} ticks"] if execution.through else []
    beyond += [f"{number(execution.through_bps)} bps"] if execution.through_bps else []
    fills = f"when traded through by {' and '.join(beyond)}" if beyond else "at a touch of the limit price"
    if execution.touch_probability < 1.0:
        fills += f", with probability {percent(execution.touch_probability)}, else one tick further (seed {execution.touch_seed})"
    stop_slippage = execution.slippage if execution.slippage_stop is None else execution.slippage_stop
    exposure = account.leverage if account.exposure is None else account.exposure
    sub_bars = [market for market in result.markets if getattr(market, "sub_bars", None) is not None]
    coins = len(result.symbols)
    each = " a coin" if account.wallet == "separate" and coins > 1 else ""
    lines = {
        "fees": f"maker {percent(execution.fee_maker, 3)}, taker {percent(execution.fee_taker, 3)}" + (f" ({preset})" if preset else ""),
        "fills": fills,
        "path inside a bar": execution.path + (", finer bars where complete" if sub_bars else ""),
        "slippage": f"market orders {percent(execution.slippage, 3)}, stops and prunes {percent(stop_slippage, 3)}",
        "capital": f"{account.capital:,.2f}{each}, {account.wallet} wallet{'s' if each else ''}, {account.margin} margin",
        "leverage": f"{number(account.leverage)}x for margin, exposure {number(exposure)}x for order size and cap",
        "liquidation": f"fee {percent(execution.liquidation_fee, 2)}, then {account.after_liquidation}",
        "volume": f"an order fills at most {percent(execution.max_volume_share)} of a bar's volume"
        if execution.max_volume_share
        else "orders fill whole, whatever the bar's volume",
    }
    for symbol, market in zip(result.symbols, result.markets, strict=True):
        if market.source:
            lines[f"data of {symbol}"] = str(market.source)
    if result.is_shared:
        share = ", ".join(f"{symbol} {weight:.3g}" for symbol, weight in zip(result.symbols, result.weights, strict=True))
        lines["shared wallet"] = f"weights {share}; liquidation test {account.joint}"
    if result.evaluation is not None:
        from backtest.evaluation.rendering import rules_in_words  # here: it needs what imports this module

        rules = result.evaluation
        flat = ", flat at their end" if rules.flat_at_session_end else ""
        hours = f"sessions {rules.session_start} to {rules.session_end} {rules.session_time_zone}{flat}"
        lines["rules above it"] = f"{rules_in_words(rules)}; {hours}"
    return lines
