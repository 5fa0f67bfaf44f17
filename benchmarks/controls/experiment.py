"""One seed of a control: a market, the whole optimizer on it, and what the verdict and each of its tests said."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from backtest.data.market import Market
from backtest.optimization.evidence.deflated_sharpe import DeflatedSharpe, expected_maximum, probabilistic_sharpe
from backtest.optimization.optimize import Optimizer
from backtest.optimization.records import MemoryStore
from backtest.optimization.settings import Optimization
from backtest.optimization.space import search_space
from benchmarks.controls.markets import Clock, made_up, shuffled_days
from engine.account import Account
from engine.errors import InputError
from engine.execution import Execution
from engine.strategies.adaptive_grid_parameters import AdaptiveGrid
from engine.strategies.static_grid_parameters import StaticGrid

STRATEGIES: dict[str, type[StaticGrid | AdaptiveGrid]] = {"static_grid": StaticGrid, "adaptive_grid": AdaptiveGrid}
# Warm-up bars before the first part, enough for every set of the adaptive grid's space.
WARMUP = {"static_grid": 1, "adaptive_grid": 24 * 30}
PURGE_HOURS = 24.0
FREE = Execution(fee_maker=0.0, fee_taker=0.0, slippage=0.0)
DRIFT = 1.0
HALF_LIFE_BARS = 3  # of a planted edge
REAL_START = "2022-01-12"

Make = Callable[[int, "Plan"], Market]


@dataclass(frozen=True)
class Plan:
    """How large an experiment is; what a finding rests on besides its market and seed. data_dir: real bars, for real days only."""

    days: int = 200
    timeframe: str = "1h"
    finer: int = 2
    trials: int = 64
    windows: int = 2
    strategy: str = "static_grid"
    data_dir: str = ""

    @property
    def clock(self) -> Clock:
        """The bars of a made-up market."""
        return Clock(self.days, self.timeframe, self.finer)

    @property
    def setup(self) -> str:
        """The plan in one word, by which findings of other plans are told apart."""
        return f"{self.strategy}-{self.days}d-{self.timeframe}-{self.finer}-{self.trials}t-{self.windows}w"


@dataclass(frozen=True)
class Control:
    """A kind of market: what it is, how one is made from a seed, the terms it is traded on, and whether an edge was planted."""

    name: str
    meaning: str
    make: Make
    execution: Execution
    planted: bool = False
    score_under: float = 1.0


def _made_up(seed: int, plan: Plan, reverting: float = 0.0) -> Market:
    return made_up(seed, plan.clock, reverting=reverting, half_life_hours=HALF_LIFE_BARS * plan.clock.hours)


def _drifting(seed: int, plan: Plan) -> Market:
    return made_up(seed, plan.clock, drift=DRIFT if seed % 2 == 0 else -DRIFT)


@lru_cache(1)
def _real(data_dir: str) -> Market:
    from backtest.data.load import load_markets

    if not data_dir or not Path(data_dir).is_dir():
        raise InputError(f"data_dir = {data_dir!r} is refused: the market real_days needs a folder of real 15-minute bars of BTC")
    return load_markets(["BTC"], REAL_START, None, data_dir=data_dir)[0]


def _real_days(seed: int, plan: Plan) -> Market:
    return shuffled_days(_real(plan.data_dir), seed, plan.days)


_WITHOUT = (
    Control("martingale", "no edge; the default fees", _made_up, Execution()),
    Control("free", "no edge; no fees and no slippage, fills through 1 bp", _made_up, FREE),
    Control("fair", "no edge; no fees, no slippage, fills at a touch: every set earns zero on average", _made_up, FREE, score_under=0.0),
    Control("drift", "no edge beside a drift of the log price of 1 a year, up and down by turns; the default fees", _drifting, Execution()),
    Control("real_days", "real 15-minute bars of BTC, whole days in random order; the default fees", _real_days, Execution()),
)
PLANTED_PREFIX = "planted:"


def control(name: str) -> Control:
    """A control by name; `planted:0.5` has half of each step's variance come back. Raises InputError for others."""
    for one in _WITHOUT:
        if one.name == name:
            return one
    try:
        share = float(name.removeprefix(PLANTED_PREFIX)) if name.startswith(PLANTED_PREFIX) else -1.0
    except ValueError:
        share = -1.0
    if not 0.0 < share <= 1.0:
        known = ", ".join(one.name for one in _WITHOUT)
        raise InputError(f"market = {name!r} is refused: it must be one of {known}, or planted:S with S above 0 and at most 1")
    meaning = f"{share:.0%} of the variance of each step comes back, half of it in {HALF_LIFE_BARS} bars; the default fees"
    return Control(name, meaning, partial(_made_up, reverting=share), Execution(), planted=True)


def settings_of(plan: Plan, seed: int, of: Control) -> Optimization:
    """The settings of the optimizer: the defaults, but for few trials and the control's fills."""
    return Optimization(trials=plan.trials, windows=plan.windows, seed=seed, score_under=of.score_under)


def _rounded(value: float) -> float | None:
    """Six digits; None for what is not known, which JSON has no number for."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _with_the_whole_spread(of: DeflatedSharpe) -> float:
    """The deflated Sharpe ratio with the design's variance as it is, true differences between sets taken for luck."""
    return probabilistic_sharpe(of.sharpe, expected_maximum(of.trials, of.design_variance), of.days, of.skew, of.kurtosis)


def finding(of: Control, seed: int, plan: Plan) -> dict[str, Any]:
    """Run the whole optimizer on one market of a control. The same seed and plan give the same record."""
    strategy = STRATEGIES[plan.strategy]
    warmup = WARMUP[plan.strategy]
    outcome = Optimizer(
        [of.make(seed, plan)], strategy(), Account(), of.execution, settings_of(plan, seed, of), search_space(strategy),
        MemoryStore(), warmup, PURGE_HOURS, threads=1,
    ).run()  # fmt: skip
    proof, deflated = outcome.proof, outcome.proof.deflated_sharpe
    return {
        "market": of.name,
        "setup": plan.setup,
        "seed": seed,
        "label": proof.verdict.label,
        "because": list(proof.verdict.because),
        "failed": list(proof.verdict.failed),
        "values": {test.name: _rounded(test.value) for test in proof.verdict.tests},
        "feasible": bool(outcome.choices[-1].trial.feasible),
        "train_sharpe": _rounded(deflated.sharpe_a_year) if deflated else None,
        "deflated_by_whole_spread": _rounded(_with_the_whole_spread(deflated)) if deflated else None,
        "parameters": dict(outcome.choices[-1].parameters),
    }
