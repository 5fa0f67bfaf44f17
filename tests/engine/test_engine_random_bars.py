"""Hypothesis draws bars and settings, leverage 20 to 100 among them; every bar keeps the ledger, and liquidations happen."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agreement.compared import IEEE_RULES
from tests.engine.ledger_checks import CheckedRun
from tests.twin.cases import ADAPTIVE, MINUTES_15, STATIC
from tests.twin.random_runs import TIERS
from tests.twin.records import GAP, TRADED

pytestmark = IEEE_RULES

TICK = 0.01
Shock = tuple[int, float]  # bar, jump of its open as a fraction


def bars_of(seed: int, length: int, size: float, drift: float, shocks: list[Shock]) -> tuple[dict[str, list[float]], list[int]]:
    """Candles on ticks from 100 on: steps of `size` (a fraction) with a drift, shocks where they are told, a gap now and then."""
    dice = random.Random(seed)
    jumps = dict(shocks)
    rows, kinds = [], []
    before = 100.0
    for i in range(length):
        opened = before * (1.0 + jumps.get(i, dice.choice((0.0, 0.0, dice.uniform(-size, size)))))
        closed = opened * (1.0 + drift + dice.gauss(0.0, size))
        up, down = 1.0 + dice.uniform(0.0, size), 1.0 - dice.uniform(0.0, size)
        prices = [opened, max(opened, closed) * up, min(opened, closed) * down, closed]
        gap = i > 0 and dice.random() < 0.05
        if gap:
            prices = [before] * 4
        prices = [max(1.0, round(price / TICK)) * TICK for price in prices]
        rows.append([*prices, 0.0 if gap else 1000.0])
        kinds.append(GAP if gap else TRADED)
        before = prices[3]
    return {name: [row[k] for row in rows] for k, name in enumerate(("open", "high", "low", "close", "volume"))}, kinds


GRIDS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "adaptive_grid": {
        "grid_levels": st.integers(1, 30),
        "order_pct": st.floats(0.001, 1.0),
        "spacing_floor": st.floats(1e-4, 0.05),
        "grid_spacing_k": st.floats(0.05, 3.0),
        "regen_drift": st.floats(0.1, 10.0),
        "gamma": st.floats(0.0, 10.0),
        "kappa": st.floats(0.05, 50.0),
        "skew_cap": st.floats(0.0, 10.0),
        "halt_z_threshold": st.floats(-10.0, 0.0),
        "trailing_reserve_pct": st.floats(0.0, 1.0),
        "max_drawdown_pct": st.floats(0.01, 10.0),
        "atr_sl_mult": st.floats(0.0, 5.0),
        "max_position_pct": st.floats(0.05, 5.0),
        "allow_short": st.booleans(),
        **{f"prune_{name}": st.booleans() for name in ("deviance", "oldest", "gap", "funding", "offset")},
    },
    "static_grid": {
        "grid_levels": st.integers(1, 30),
        "step": st.floats(5e-4, 0.05),
        "order_pct": st.floats(0.001, 1.0),
        "order_qty": st.just(0.0),
        "allow_short": st.booleans(),
    },
}
WINDOWS = {
    "kama_period": 3,
    "kama_fast": 2,
    "kama_slow": 30,
    "atr_period": 3,
    "z_period": 4,
    "vol_period": 5,
    "regime_threshold": 0.3,
    "er_trend_threshold": 0.4,
}


@st.composite
def runs(draw: st.DrawFn, leverages: st.SearchStrategy[float], reckless: bool) -> dict[str, Any]:
    """Arguments of the twin's `simulate` for one or two instruments; a reckless one orders much and stops nothing out."""
    name = draw(st.sampled_from(list(GRIDS)))
    count, size = draw(st.integers(1, 2)), draw(st.sampled_from((0.002, 0.01, 0.04)))
    length = draw(st.integers(20, 60))
    own = {key: draw(strategy) for key, strategy in GRIDS[name].items()}
    if reckless:
        own["order_pct"] = draw(st.floats(0.1, 1.0))
        if name == "adaptive_grid":
            own |= {"atr_sl_mult": 0.0, "max_drawdown_pct": 10.0, "max_position_pct": 5.0, "prune_deviance": False, "prune_gap": False}
    parameters = {**(ADAPTIVE | WINDOWS if name == "adaptive_grid" else STATIC), **own}
    seeds, drifts = st.integers(0, 10**6), st.floats(-0.3 * size, 0.3 * size)
    # A reckless account meets at least one shock that can end it: what hypothesis draws changes with the code it looks at.
    jump = st.sampled_from((-0.6, -0.3, 0.4, 0.8)) if reckless else st.floats(-0.3, 0.3)
    shocks = st.lists(st.tuples(st.integers(12 if reckless else 1, length - 1), jump), min_size=2 * reckless, max_size=3)
    tables = [bars_of(draw(seeds), length, size, draw(drifts), draw(shocks)) for _ in range(count)]
    terms = {
        "symbol": "DRAWN",
        "tick_size": TICK,
        "step_size": 0.001,
        "min_qty": 0.001,
        "min_notional": 1.0,
        "contract_multiplier": draw(st.sampled_from((1.0, 0.1))),
        "tiers": draw(st.sampled_from(TIERS)),
        "weight": 1.0 / count,
    }
    rates = st.lists(st.tuples(st.floats(-0.01, 0.01), st.just(100.0)), max_size=2)
    return {
        "strategy": name,
        "parameters": [parameters] * count,
        "account": {
            "capital": draw(st.floats(200.0, 1e5)),
            "leverage": draw(leverages),
            "exposure": None if reckless else draw(st.none() | st.floats(0.5, 100.0)),
            "wallet": "shared",
            "margin": draw(st.sampled_from(("cross", "isolated"))),
            "after_liquidation": draw(st.sampled_from(("stop", "continue"))),
            "joint": draw(st.sampled_from(("worst", "sequential"))),
        },
        "execution": {
            "fee_maker": draw(st.floats(-0.001, 0.002)),
            "fee_taker": draw(st.floats(0.0, 0.002)),
            "slippage": draw(st.floats(0.0, 0.02)),
            "slippage_stop": draw(st.none() | st.floats(0.0, 0.02)),
            "through": draw(st.sampled_from((0.0, 1.0))),
            "through_bps": draw(st.sampled_from((0.0, 5.0))),
            "path": draw(st.sampled_from(("nearest", "low_first", "high_first"))),
            "liquidation_fee": draw(st.sampled_from((0.0125, 0.03)) if reckless else st.floats(0.0, 0.02)),
            "max_volume_share": draw(st.sampled_from((0.0, 0.0, 0.01))),
        },
        "instruments": [terms] * count,
        "time": [1_700_000_100_000 + i * MINUTES_15 for i in range(length)],
        "timeframe_ms": MINUTES_15,
        "bars": [table for table, _ in tables],
        "kinds": [kinds for _, kinds in tables],
        "settlements": [[draw(rates) if i % 16 == 8 else [] for i in range(length)] for _ in range(count)],
        "sub_bars": [{}] * count,
        "trade_from": draw(st.sampled_from((0, 7))),
    }


def met_by_all(leverages: st.SearchStrategy[float], reckless: bool) -> Counter[str]:
    """Check every run that hypothesis draws; what all of them met together."""
    met: Counter[str] = Counter()

    @given(runs(leverages, reckless))
    def check(run: dict[str, Any]) -> None:
        met.update(CheckedRun(run).check_all())

    check()
    return met


def many_examples() -> bool:
    """Whether the profile draws enough for what is rare to happen."""
    return settings().max_examples >= 60


def test_any_bars_and_settings_keep_the_ledger() -> None:
    met = met_by_all(st.floats(1.0, 10.0), reckless=False)
    assert met["BUY_OPEN_LONG"] >= (100 if many_examples() else 10)


def test_any_bars_at_high_leverage_keep_the_ledger_and_liquidate() -> None:
    met = met_by_all(st.floats(20.0, 100.0), reckless=True)
    assert met["LIQUIDATION"] >= (5 if many_examples() else 1)
    assert met["SHORTFALL"] >= (1 if many_examples() else 0)
