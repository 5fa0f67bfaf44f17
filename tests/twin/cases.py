"""Small markets for hand-worked cases: a table of candles in, a table of fills out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.twin.simulate import simulate

MINUTES_15 = 900_000
ROUND_TERMS: dict[str, Any] = {
    "symbol": "CASE",
    "tick_size": 0.1,
    "step_size": 0.1,
    "min_qty": 0.1,
    "min_notional": 1.0,
    "contract_multiplier": 1.0,
    "tiers": [{"floor": 0.0, "cap": 1e9, "rate": 0.01, "cum": 0.0, "max_leverage": 100.0}],
    "weight": 1.0,
}
ACCOUNT: dict[str, Any] = {
    "capital": 1000.0,
    "leverage": 1.0,
    "exposure": None,
    "wallet": "shared",
    "margin": "cross",
    "after_liquidation": "stop",
    "joint": "worst",
}
EXECUTION: dict[str, Any] = {
    "fee_maker": 0.0,
    "fee_taker": 0.0,
    "slippage": 0.01,
    "slippage_stop": None,
    "through": 0.0,
    "through_bps": 0.0,
    "touch_probability": 1.0,
    "touch_seed": 0,
    "path": "nearest",
    "liquidation_fee": 0.005,
    "max_volume_share": 0.0,
}
# Exits, prunes and gates off; a case switches on what it is about. With kappa 2 and gamma 0 the spread is one ATR.
ADAPTIVE: dict[str, Any] = {
    "grid_spacing_k": 1.0,
    "grid_levels": 3,
    "order_pct": 0.1,
    "spacing_floor": 0.005,
    "regen_drift": 1000.0,
    "gamma": 0.0,
    "kappa": 2.0,
    "as_time_horizon": 96.0,
    "skew_cap": 5.0,
    "tp_min_profit": 0.0,
    "trailing_activation_er": 0.65,
    "trailing_reserve_pct": 0.25,
    "trailing_trigger_level": 0,
    "halt_z_threshold": -3.0,
    "resume_z_threshold": -1.0,
    "deviance_sigma": 3.0,
    "max_position_age_hours": 24.0,
    "gap_prune_mult": 3.0,
    "funding_cost_ratio": 0.5,
    "prune_depth_mult": 2.0,
    "prune_deviance": False,
    "prune_oldest": False,
    "prune_gap": False,
    "prune_funding": False,
    "prune_offset": False,
    "max_drawdown_pct": 10.0,
    "var_horizon_bars": 96.0,
    "atr_sl_mult": 0.0,
    "max_position_pct": 100.0,
    "allow_short": False,
}
STATIC: dict[str, Any] = {"grid_levels": 2, "step": 0.01, "order_pct": 0.1, "order_qty": 1.0, "allow_short": False}

# A candle: open, high, low, close; None is a gap, "-" is absent.
Candles = list[Any]
Fill = tuple[int, str, float, float]


class Case:
    """One run and short ways to look at it."""

    def __init__(
        self,
        candles: Candles | list[Candles],
        strategy: Any = "own",
        orders: dict[int | tuple[int, int], list[dict[str, Any]]] | None = None,
        parameters: dict[str, Any] | None = None,
        account: dict[str, Any] | None = None,
        execution: dict[str, Any] | None = None,
        terms: dict[str, Any] | None = None,
        settlements: dict[int | tuple[int, int], list[tuple[float, float]]] | None = None,
        sub_bars: dict[int, list[Any]] | None = None,
        volume: float = 1000.0,
        rows: dict[int, dict[str, float]] | None = None,
    ) -> None:
        tables = candles if isinstance(candles[0], list) else [candles]
        count, length = len(tables), len(tables[0])
        bars, kinds = zip(*(columns(table, volume) for table in tables), strict=True)
        defaults = {"adaptive_grid": ADAPTIVE, "static_grid": STATIC}.get(strategy, {})
        paid = settlements or {}
        indicators = None
        if strategy == "adaptive_grid":
            # By default nothing moves: KAMA at the close, ATR 1, a quiet regime.
            quiet = {"atr": 1.0, "er": 0.0, "z": 0.0, "sigma": 0.001, "regime": 0.0}
            indicators = [[{"close": c, "kama": c, **quiet, **(rows or {}).get(i, {})} for i, c in enumerate(one["close"])] for one in bars]
        self.events, self.equity, self.counters = simulate(
            strategy=scripted(orders or {}) if strategy == "own" else strategy,
            parameters=[{**defaults, **(parameters or {})}] * count,
            account={**ACCOUNT, **(account or {})},
            execution={**EXECUTION, **(execution or {})},
            instruments=[{**ROUND_TERMS, "weight": 1.0 / count, **(terms or {})}] * count,
            time=[bar * MINUTES_15 for bar in range(length)],
            timeframe_ms=MINUTES_15,
            bars=list(bars),
            kinds=list(kinds),
            settlements=[[paid.get((k, i), paid.get(i, [])) for i in range(length)] for k in range(count)],
            sub_bars=[{i: [(*c, volume) for c in fine] for i, fine in (sub_bars or {}).items()}] * count,
            trade_from=1,
            indicators=indicators,
        )

    def fills(self) -> list[Fill]:
        """The log as (bar, label, price, qty), to 9 decimals."""
        return [(e["bar"], e["label"], round(e["price"], 9), round(e["qty"], 9)) for e in self.events]

    def column(self, name: str) -> list[Any]:
        """One column of the log."""
        return [event[name] for event in self.events]


def columns(table: Candles, volume: float) -> tuple[dict[str, list[float]], list[int]]:
    """Candles as columns on the common grid; gaps flat at the close before them."""
    rows: list[tuple[float, ...]] = []
    kinds: list[int] = []
    for candle in table:
        if candle == "-":
            rows.append((float("nan"),) * 5)
        elif candle is None:
            rows.append((rows[-1][3],) * 4 + (0.0,))
        else:
            rows.append((*map(float, candle), volume))
        kinds.append(0 if candle == "-" else 1 if candle is None else 2)
    return {name: [row[k] for row in rows] for k, name in enumerate(("open", "high", "low", "close", "volume"))}, kinds


def scripted(orders: dict[int | tuple[int, int], list[dict[str, Any]]]) -> Callable[[dict[str, Any]], list[dict[str, Any]]]:
    """A strategy that reads its entries from a table by bar, or by (instrument, bar)."""

    def decide(view: dict[str, Any]) -> list[dict[str, Any]]:
        return orders.get((view["instrument"], view["bar"]), orders.get(view["bar"], []))

    return decide


def long(price: float, qty: float = 1.0, **exits: float) -> dict[str, Any]:
    """A long entry."""
    return {"side": "LONG", "price": price, "qty": qty, **exits}


def short(price: float, qty: float = 1.0, **exits: float) -> dict[str, Any]:
    """A short entry."""
    return {"side": "SHORT", "price": price, "qty": qty, **exits}
