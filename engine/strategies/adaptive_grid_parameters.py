"""Parameters of the adaptive grid: default, range, unit, meaning and search range of each, stated once."""

from __future__ import annotations

from typing import ClassVar

from engine.parameters import Parameters, Rule, parameter

MAX_LEVELS = 200


class AdaptiveGrid(Parameters):
    """The flagship: a volatility-adaptive long/short grid with trailing, inventory skew, pruning and a circuit breaker."""

    name: ClassVar[str] = "adaptive_grid"
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("kama_fast", "kama_slow"),
        Rule("halt_z_threshold", "resume_z_threshold", equal=True),  # the other way round a halt would end a bar later
    )

    kama_period: int = parameter(10, "window of the efficiency ratio in KAMA", unit="bars", ge=2, le=500, search=(5, 30))
    kama_fast: int = parameter(2, "fast smoothing period of KAMA", unit="bars", ge=1, le=100, search=(2, 5))
    kama_slow: int = parameter(30, "slow smoothing period of KAMA", unit="bars", ge=2, le=1000, search=(20, 60))
    atr_period: int = parameter(14, "Wilder period of the average true range", unit="bars", ge=1, le=500, search=(7, 30))
    z_period: int = parameter(20, "window of the mean in the Z-score", unit="bars", ge=2, le=1000, search=(10, 60))
    vol_period: int = parameter(96, "window of the volatility of log returns", unit="bars", ge=2, le=5000, search=(48, 288))
    regime_threshold: float = parameter(
        0.15, "KAMA slope, in ATR per bar, that makes a trend; twice it is a breakout", unit="ATR/bar", gt=0.0, le=10.0, search=(0.05, 0.5)
    )
    er_trend_threshold: float = parameter(0.5, "efficiency ratio a trend needs", ge=0.0, le=1.0, search=(0.3, 0.7))
    grid_spacing_k: float = parameter(1.0, "grid spacing in ATR", unit="ATR", gt=0.0, le=100.0, search=(0.4, 2.5), log=True)
    grid_levels: int = parameter(10, "levels a side", unit="levels", ge=1, le=MAX_LEVELS, search=(4, 20))
    order_pct: float = parameter(0.03, "notional of one order", unit="share of equity", gt=0.0, le=1.0, search=(0.01, 0.06), log=True)
    spacing_floor: float = parameter(0.005, "least grid spacing", unit="share of price", gt=0.0, le=0.5, search=(0.002, 0.02), log=True)
    regen_drift: float = parameter(
        1.0, "distance from the anchor that regenerates the grid", unit="spacings", gt=0.0, le=1000.0, search=(0.5, 4.0)
    )
    gamma: float = parameter(0.5, "Avellaneda-Stoikov risk aversion; larger skews more", ge=0.0, le=1000.0, search=(0.05, 2.0), log=True)
    kappa: float = parameter(1.5, "order-arrival decay", unit="1/ATR", gt=0.0, le=1000.0, search=(0.5, 5.0), log=True)
    as_time_horizon: float = parameter(96, "Avellaneda-Stoikov horizon", unit="bars", gt=0.0, le=100_000.0, search=(24, 288), log=True)
    skew_cap: float = parameter(5.0, "largest shift of the reservation price", unit="spacings", ge=0.0, le=1000.0, search=(1.0, 8.0))
    tp_min_profit: float = parameter(
        0.0, "least take-profit beyond entry and both maker fees", unit="share of price", ge=0.0, le=0.5, search=(0.0, 0.005)
    )
    trailing_activation_er: float = parameter(
        0.65, "efficiency ratio that lets the grid trail and lots ride", ge=0.0, le=1.0, search=(0.4, 0.9)
    )
    trailing_reserve_pct: float = parameter(
        0.25, "share of the long lots that ride a trend", unit="share of lots", ge=0.0, le=1.0, search=(0.0, 0.6)
    )
    trailing_trigger_level: int = parameter(
        0, "sell level whose crossing trails the grid; 0 is the top one", unit="level", ge=0, le=MAX_LEVELS
    )
    halt_z_threshold: float = parameter(-3.0, "Z-score below which entries halt", unit="ATR", ge=-100.0, le=100.0, search=(-5.0, -1.5))
    resume_z_threshold: float = parameter(-1.0, "Z-score above which they resume", unit="ATR", ge=-100.0, le=100.0, search=(-2.0, 0.0))
    deviance_sigma: float = parameter(3.0, "prune: distance of price from KAMA", unit="ATR", ge=0.0, le=1000.0, search=(1.5, 6.0))
    max_position_age_hours: float = parameter(24, "prune: age of the oldest lot", unit="hours", ge=0.0, le=1e6, search=(6, 168), log=True)
    gap_prune_mult: float = parameter(3.0, "prune: depth of the worst lot", unit="spacings", ge=0.0, le=1e6, search=(2.0, 12.0))
    funding_cost_ratio: float = parameter(0.5, "prune: funding paid against grid profit", ge=0.0, le=1e6, search=(0.1, 1.0))
    prune_depth_mult: float = parameter(
        2.0, "prune: depth of a lot that profit may offset", unit="spacings", ge=0.0, le=1e6, search=(1.0, 8.0)
    )
    prune_deviance: bool = parameter(True, "close the worst lot when price is far from KAMA")
    prune_oldest: bool = parameter(True, "close lots past their age")
    prune_gap: bool = parameter(True, "close the worst lot when it is deep under water")
    prune_funding: bool = parameter(True, "close the lot that paid most funding when funding eats the profit")
    prune_offset: bool = parameter(True, "close a losing lot that past grid profit can pay for")
    max_drawdown_pct: float = parameter(
        0.15, "value at risk above which entries are blocked", unit="share of equity", gt=0.0, le=10.0, search=(0.05, 0.4)
    )
    var_horizon_bars: float = parameter(96, "horizon of the value at risk", unit="bars", gt=0.0, le=100_000.0)
    atr_sl_mult: float = parameter(3.5, "stop distance from the average entry; 0 is off", unit="ATR", ge=0.0, le=1000.0, search=(2.0, 12.0))
    max_position_pct: float = parameter(0.7, "largest notional of a side", unit="share of equity", gt=0.0, le=100.0, search=(0.2, 1.0))
    allow_short: bool = parameter(True, "also sell short")

    def warmup_bars(self) -> int:
        """Bars that stand before the first one that may trade: enough for every window and for Wilder's mean to settle."""
        return max(self.vol_period + 1, self.z_period, 24 * max(self.atr_period, self.kama_period))
