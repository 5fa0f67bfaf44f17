"""Random runs that visit the rare branches: arguments for `simulate`, made from a seed and from nothing else."""

from __future__ import annotations

import math
import random
from typing import Any

from tests.twin.cases import ADAPTIVE, MINUTES_15, STATIC
from tests.twin.records import ABSENT, GAP, TRADED

Candle = tuple[float, float, float, float, float]
FINER = 3  # sub-bars of a bar
TIERS: list[list[dict[str, float]]] = [
    [{"floor": 0.0, "cap": 1e12, "rate": 0.01, "cum": 0.0, "max_leverage": 100.0}],
    [
        {"floor": 0.0, "cap": 5e3, "rate": 0.004, "cum": 0.0, "max_leverage": 125.0},
        {"floor": 5e3, "cap": 25e3, "rate": 0.02, "cum": 80.0, "max_leverage": 30.0},
        {"floor": 25e3, "cap": 1e9, "rate": 0.05, "cum": 830.0, "max_leverage": 10.0},
    ],
]
RECKLESS: dict[str, Any] = {
    **{f"prune_{name}": False for name in ("deviance", "oldest", "gap", "offset")},
    "atr_sl_mult": 0.0,
    "max_position_pct": 5.0,
    "max_drawdown_pct": 10.0,
}

# Values far from the usual, up to the ends of what the declarations allow. A few of them are mixed into a run of the kind "wide".
FAR: dict[str, dict[str, tuple[Any, ...]]] = {
    "adaptive_grid": {
        "kama_period": (2, 20),
        "kama_fast": (1, 100),
        "kama_slow": (2, 1000),
        "atr_period": (1, 30),
        "z_period": (2, 40),
        "vol_period": (2, 50),
        "regime_threshold": (1e-6, 10.0),
        "er_trend_threshold": (0.0, 1.0),
        "grid_spacing_k": (0.01, 5.0, 100.0),
        "grid_levels": (20, 200),
        "order_pct": (1e-6, 0.001, 1.0),
        "spacing_floor": (1e-6, 0.05, 0.5),
        "regen_drift": (1e-3, 1000.0),
        "gamma": (1e-9, 30.0, 1000.0),
        "kappa": (1e-3, 0.05, 1000.0),
        "as_time_horizon": (0.5, 3000.0, 100_000.0),
        "skew_cap": (0.0, 1000.0),
        "tp_min_profit": (0.05, 0.5),
        "trailing_activation_er": (0.0, 1.0),
        "trailing_trigger_level": (200,),
        "halt_z_threshold": (-100.0, 0.5, 100.0),
        "resume_z_threshold": (-100.0, 2.0, 100.0),
        "deviance_sigma": (0.0, 1000.0),
        "max_position_age_hours": (0.0, 1e6),
        "gap_prune_mult": (0.0, 1e6),
        "funding_cost_ratio": (1e6,),
        "prune_depth_mult": (0.0, 1e6),
        "max_drawdown_pct": (1e-6, 0.5),
        "var_horizon_bars": (1e-3, 100_000.0),
        "atr_sl_mult": (0.05, 30.0, 1000.0),
        "max_position_pct": (1e-3, 100.0),
    },
    "static_grid": {
        "grid_levels": (40, 200),
        "step": (2e-4, 0.1, 0.49),
        "order_pct": (1e-6, 0.001, 1.0),
        "order_qty": (1e-3, 0.5, 1e12),
    },
}


def random_run(seed: int, bars: int = 150, kind: str = "ordinary") -> dict[str, Any]:
    """Keyword arguments of `simulate` for one random run of 1 to 3 instruments (seeds alternate the two strategies).

    Kinds: "ordinary"; "wide", with a few settings far from the usual; "violent", a leverage of 20 to 100 in a market of jumps,
    which visits every way to be liquidated; "evaluated", under the rules of a funded account.
    """
    run = ordinary_run(seed, bars, violent=kind == "violent" or (kind == "evaluated" and seed % 5 == 0))
    dice = random.Random(-1 - seed)
    # Dice of their own, so that the runs of a seed stay what they were.
    coins = random.Random(f"coins of {seed}")
    run["execution"].update(touch_probability=coins.choice((1.0, 1.0, 0.2, 0.5, 0.9)), touch_seed=coins.choice((0, 7, 2**53)))
    if kind == "violent":
        make_violent(dice, run)
    elif kind == "wide":
        make_wide(dice, run)
    elif kind == "evaluated":
        make_evaluated(dice, run)
    return run


def make_violent(dice: random.Random, run: dict[str, Any]) -> None:
    """High leverage in an account that goes on after a liquidation, large fees and slippage, sometimes stops and prunes."""
    run["account"].update(
        leverage=dice.choice((20.0, 50.0, 100.0)),
        exposure=dice.choice((None, None, 20.0)),
        margin=dice.choice(("cross", "cross", "cross", "isolated")),
        after_liquidation=dice.choice(("stop", "continue", "continue")),
    )
    run["execution"].update(
        slippage=dice.choice((0.0, 0.0, 0.05)),
        slippage_stop=dice.choice((None, 0.01)),
        liquidation_fee=dice.choice((0.0, 0.0125, 0.05)),
    )
    run["trade_from"] = dice.choice((0, 12))
    pruned, stopped = dice.random() < 0.3, dice.random() < 0.5
    for own in run["parameters"] if run["strategy"] == "adaptive_grid" else []:
        own.update(atr_sl_mult=dice.choice((0.3, 1.0)) if stopped else 0.0, halt_z_threshold=-100.0)
        own.update({name: pruned and dice.random() < 0.5 for name in own if name.startswith("prune_") and isinstance(own[name], bool)})


def make_wide(dice: random.Random, run: dict[str, Any]) -> None:
    """One to four settings of each instrument's strategy take a value far from the usual; sometimes of the terms too."""
    for own in run["parameters"]:
        for name in dice.sample(list(FAR[run["strategy"]]), dice.randint(1, 4)):
            own[name] = dice.choice(FAR[run["strategy"]][name])
    if dice.random() < 0.3:
        run["account"]["exposure"] = dice.choice((0.05, 20.0, 150.0))
    if dice.random() < 0.3:
        fees = (-0.01, 0.05)
        run["execution"].update(fee_maker=dice.choice(fees), fee_taker=dice.choice(fees), liquidation_fee=dice.choice((0.0, 0.2)))
    if dice.random() < 0.3:
        run["execution"].update(through=dice.choice((0.5, 20.0)), through_bps=dice.choice((0.0, 100.0, 1000.0)))
    if dice.random() < 0.3:
        run["execution"].update(slippage=dice.choice((0.2, 0.49)), max_volume_share=dice.choice((0.0, 0.01, 1.0)))


def make_evaluated(dice: random.Random, run: dict[str, Any]) -> None:
    """Tight limits and near targets, any of them off, over sessions of some bars with pauses between them."""
    capital = run["account"]["capital"]

    def share(*shares: float) -> float | None:
        found = dice.choice((None, *shares))
        return None if found is None else found * capital

    run["evaluation"] = {
        "daily_loss_limit": share(0.002, 0.01, 0.03),
        "daily_loss_fails": dice.random() < 0.3,
        "trailing_drawdown": share(0.01, 0.03, 0.1),
        "trailing_basis": dice.choice(("end_of_day", "intraday")),
        "locks_at_start": dice.random() < 0.5,
        "exposure_cap": share(0.0005, 0.002, 0.01),
        "atr_period": dice.choice((1, 3, 14)),
        "daily_target": share(0.001, 0.005),
        "profit_target": share(0.001, 0.005, 0.02),
        "minimum_days": dice.choice((0, 0, 3)),
        "largest_day_share": dice.choice((None, None, 0.4)),
        "flat_at_session_end": dice.random() < 0.5,
    }
    length, pause, first = dice.choice((7, 20, 40)), dice.choice((0, 0, 3)), dice.randrange(10)
    sessions = []
    for i in range(len(run["time"])):
        number, inside = divmod(i - first, length + pause)
        sessions.append((max(number, -1), 0 if number < 0 or inside >= length else 2 if inside == length - 1 else 1))
    run["sessions"] = sessions


def ordinary_run(seed: int, bars: int, violent: bool) -> dict[str, Any]:
    """A run before its kind is made of it; a violent one is reckless and its prices jump."""
    dice = random.Random(seed)
    strategy = "adaptive_grid" if seed % 4 else "static_grid"
    reckless = dice.random() < 0.35 or violent  # as much as the margin allows, and nothing that closes it in time
    count = dice.choice((1, 2, 2, 3) if reckless else (1, 1, 1, 2, 2, 3))
    finer = dice.random() < 0.3
    shared_shock = [dice.gauss(0.0, 1.0) for _ in range(bars * FINER)]
    volatility = dice.choice((0.006, 0.012) if reckless else (0.0015, 0.004, 0.01))
    if violent:
        volatility = dice.choice((0.01, 0.03, 0.03))
    instruments, tables, kinds, sub_bars, settlements = [], [], [], [], []
    for _ in range(count):
        terms = random_terms(dice, count)
        fine = random_walk(dice, terms, shared_shock, volatility, jumping=0.5 if violent else 0.1)
        table, kind, sets = coarse_bars(dice, fine, bars)
        if count > 1 and dice.random() < 0.3:
            absent_outside(dice, table, kind)
        instruments.append(terms)
        tables.append(table)
        kinds.append(kind)
        sub_bars.append({i: candles for i, candles in sets.items() if finer and kind[i] == TRADED and dice.random() < 0.95})
        settlements.append(random_settlements(dice, table, kind))
    leverage = dice.choice((10.0, 20.0) if reckless else (1.0, 1.0, 2.0, 5.0))
    parameters = [random_adaptive(dice) if strategy == "adaptive_grid" else random_static(dice) for _ in range(count)]
    if reckless and strategy == "adaptive_grid":
        parameters = [{**own, **RECKLESS, "order_pct": dice.choice((0.1, 0.3))} for own in parameters]
    return {
        "strategy": strategy,
        "parameters": parameters,
        "account": {
            "capital": dice.choice((1000.0, 10_000.0)),
            "leverage": leverage,
            "exposure": None if reckless else dice.choice((None, None, 1.0, 3.0)),
            "wallet": "shared",
            "margin": dice.choice(("cross", "cross", "isolated")),
            "after_liquidation": dice.choice(("stop", "continue")),
            "joint": dice.choice(("worst", "worst", "sequential")),
        },
        "execution": random_execution(dice),
        "instruments": instruments,
        "time": [1_700_000_100_000 // MINUTES_15 * MINUTES_15 + i * MINUTES_15 for i in range(bars)],
        "timeframe_ms": MINUTES_15,
        "bars": tables,
        "kinds": kinds,
        "settlements": settlements,
        "sub_bars": sub_bars,
        "trade_from": dice.choice((0, 1, 20, 40)),
    }


def random_terms(dice: random.Random, count: int) -> dict[str, Any]:
    """Tick, step, minima, multiplier, tiers and weight of an instrument whose price begins near `start`."""
    start = dice.choice((0.9, 100.0, 30_000.0))
    return {
        "symbol": "RANDOM",
        "tick_size": start * dice.choice((1e-5, 1e-4, 1e-3)),
        "step_size": dice.choice((1e-3, 1e-2, 0.1)) * 100.0 / start,
        "min_qty": dice.choice((1e-3, 0.1)) * 100.0 / start,
        "min_notional": dice.choice((1.0, 5.0, 50.0)),
        "contract_multiplier": dice.choice((1.0, 1.0, 0.1)),
        "tiers": dice.choice(TIERS),
        "weight": 1.0 / count,
        "start": start,
    }


def random_walk(dice: random.Random, terms: dict[str, Any], shock: list[float], volatility: float, jumping: float) -> list[Candle]:
    """Fine candles on the tick grid with fat tails, jumps between them (a share `jumping` large), runs, and some without volume."""
    tick, price, candles, drift = terms["tick_size"], terms["start"], [], 0.0
    for common in shock:
        if dice.random() < 0.03:
            drift = dice.choice((0.0, 0.0, 0.5, -0.5)) * volatility
        tail = 8.0 if dice.random() < 0.01 else 1.0
        jump = 5.0 if dice.random() < jumping else 0.5
        opened = price * math.exp(volatility * jump * dice.gauss(0.0, 1.0)) if dice.random() < 0.15 else price
        closed = opened * math.exp(drift + volatility * tail * (0.7 * common + 0.7 * dice.gauss(0.0, 1.0)) / 1.5)
        reach = [math.exp(-volatility * abs(dice.gauss(0.0, 0.7))) for _ in range(2)]
        o, c = (max(1.0, round(x / tick)) * tick for x in (opened, closed))
        high = max(round(max(o, c) / reach[0] / tick) * tick, o, c)
        low = min(max(1.0, round(min(o, c) * reach[1] / tick)) * tick, o, c)
        volume = 0.0 if dice.random() < 0.02 else dice.uniform(0.5, 200.0) * terms["step_size"]
        candles.append((o, high, low, c, volume))
        price = c
    return candles


def coarse_bars(dice: random.Random, fine: list[Candle], bars: int) -> tuple[dict[str, list[float]], list[int], dict[int, list[Candle]]]:
    """Bars of `FINER` candles each, a few of them gaps; and the finer candles of the others."""
    rows: list[Candle] = []
    kinds: list[int] = []
    sets: dict[int, list[Candle]] = {}
    for i in range(bars):
        part = fine[i * FINER : (i + 1) * FINER]
        volume = sum(candle[4] for candle in part)
        if i > 0 and (dice.random() < 0.03 or volume == 0.0):
            before = rows[-1][3]
            rows.append((before, before, before, before, 0.0))
            kinds.append(GAP)
            continue
        rows.append((part[0][0], max(c[1] for c in part), min(c[2] for c in part), part[-1][3], volume))
        kinds.append(TRADED)
        sets[i] = part
    table = {name: [row[k] for row in rows] for k, name in enumerate(("open", "high", "low", "close", "volume"))}
    return table, kinds, sets


def absent_outside(dice: random.Random, table: dict[str, list[float]], kinds: list[int]) -> None:
    """An instrument that is listed late, or ends before the others do; it begins with a traded bar."""
    bars = len(kinds)
    first, last = dice.choice((0, dice.randrange(1, bars // 3))), dice.choice((bars - 1, dice.randrange(2 * bars // 3, bars)))
    while kinds[first] != TRADED:
        first += 1
    for i in [*range(first), *range(last + 1, bars)]:
        kinds[i] = ABSENT
        for values in table.values():
            values[i] = math.nan


def random_settlements(dice: random.Random, table: dict[str, list[float]], kinds: list[int]) -> list[list[tuple[float, float]]]:
    """Mostly none, sometimes one or two in a bar, some with a rate of zero, some large."""
    out: list[list[tuple[float, float]]] = []
    for i, kind in enumerate(kinds):
        settled = []
        while kind != ABSENT and dice.random() < 0.12:
            rate = dice.choice((0.0, 1e-4, -1e-4, 1e-3, 5e-3))
            settled.append((rate, table["close"][i] * dice.choice((1.0, 0.999, 1.002))))
        out.append(settled)
    return out


def random_execution(dice: random.Random) -> dict[str, Any]:
    """Fees with rebates, slippage, touch or through, the three paths, sometimes a volume share."""
    return {
        "fee_maker": dice.choice((0.0, 2e-4, -5e-5)),
        "fee_taker": dice.choice((0.0, 5e-4)),
        "slippage": dice.choice((0.0, 2e-4, 0.01)),
        "slippage_stop": dice.choice((None, None, 0.002)),
        "through": dice.choice((0.0, 0.0, 1.0)),
        "through_bps": dice.choice((0.0, 0.0, 3.0)),
        "path": dice.choice(("nearest", "nearest", "low_first", "high_first")),
        "liquidation_fee": dice.choice((0.0, 0.0125)),
        "max_volume_share": dice.choice((0.0, 0.0, 0.0, 0.2)),
    }


def random_adaptive(dice: random.Random) -> dict[str, Any]:
    """Short windows and low thresholds, so that every gate opens and closes within a few bars."""
    return {
        **ADAPTIVE,
        "kama_period": dice.choice((3, 5)),
        "kama_fast": 2,
        "kama_slow": 30,
        "atr_period": dice.choice((3, 5)),
        "z_period": dice.choice((4, 8)),
        "vol_period": dice.choice((4, 10)),
        "regime_threshold": dice.choice((0.05, 0.3, 1.0)),
        "er_trend_threshold": dice.choice((0.2, 0.5)),
        "grid_spacing_k": dice.choice((0.3, 1.0)),
        "grid_levels": dice.choice((1, 3, 6)),
        "order_pct": dice.choice((0.03, 0.1, 0.3)),
        "spacing_floor": dice.choice((0.001, 0.005)),
        "regen_drift": dice.choice((1.0, 3.0, 100.0)),
        "gamma": dice.choice((0.0, 0.5, 5.0)),
        "kappa": dice.choice((0.7, 1.5, 5.0)),
        "skew_cap": dice.choice((0.5, 5.0)),
        "tp_min_profit": dice.choice((0.0, 0.002)),
        "trailing_activation_er": dice.choice((0.3, 0.65)),
        "trailing_reserve_pct": dice.choice((0.0, 0.25, 1.0)),
        "trailing_trigger_level": dice.choice((0, 1, 2, 50)),
        "halt_z_threshold": dice.choice((-3.0, -1.0, -0.3)),
        "resume_z_threshold": dice.choice((-1.0, 0.0, 0.3)),
        "deviance_sigma": dice.choice((1.0, 3.0)),
        "max_position_age_hours": dice.choice((1.0, 6.0)),
        "gap_prune_mult": dice.choice((1.0, 3.0)),
        "funding_cost_ratio": dice.choice((0.0, 0.1, 0.5)),
        "prune_depth_mult": dice.choice((0.2, 2.0)),
        **{f"prune_{name}": dice.random() < 0.4 for name in ("deviance", "oldest", "gap", "funding", "offset")},
        "max_drawdown_pct": dice.choice((0.02, 0.15, 10.0)),
        "var_horizon_bars": dice.choice((1.0, 96.0)),
        "atr_sl_mult": dice.choice((0.0, 1.0, 3.5)),
        "max_position_pct": dice.choice((0.3, 0.7, 5.0)),
        "allow_short": dice.random() < 0.7,
    }


def random_static(dice: random.Random) -> dict[str, Any]:
    """Near rungs, sized by a share of equity."""
    return {
        **STATIC,
        "grid_levels": dice.choice((1, 3, 8)),
        "step": dice.choice((0.002, 0.005, 0.02)),
        "order_pct": dice.choice((0.05, 0.3)),
        "order_qty": 0.0,
        "allow_short": dice.random() < 0.7,
    }
