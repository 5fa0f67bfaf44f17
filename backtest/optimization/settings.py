"""What an optimization is asked to do: every setting's default, range and meaning, once."""

from __future__ import annotations

from typing import Any, Literal

from engine.parameters import Parameters, parameter

# The hard constraints of the preset `strict`.
STRICT: dict[str, float] = {
    "min_sharpe": 1.0,
    "max_drawdown": 0.20,
    "min_trades": 50,
    "min_win_rate": 0.45,
    "min_profit_factor": 1.1,
    "min_calmar": 0.5,
}
# Above this many trials the history that TPE reads at every draw costs more than the runs: CMA-ES then.
TPE_TRIALS = 500


class Optimization(Parameters):
    """How time is split, how parameters are searched, and how a set is scored."""

    mode: Literal["robust", "rolling"] = parameter(
        "robust", "robust: one set for all windows and coins; rolling: a new set for each window, the tests stitched together"
    )
    windows: int = parameter(3, "parts of the time before the holdout, each with a train and a test part", ge=1, le=50)
    anchored: bool = parameter(False, "rolling: every train part begins where the first does")
    holdout: float = parameter(0.3, "share of the time, its end, that is not touched before the last step", unit="fraction", ge=0.0, le=0.8)
    train_share: float = parameter(0.7, "share of a window that is its train part", unit="fraction", ge=0.1, le=0.9)
    purge_hours: float | None = parameter(
        None, "gap between train and test; default: the longest lot age of the search space", unit="hours", ge=0.0, le=1e5
    )
    trials: int = parameter(200, "sets of parameters that the sampler proposes", unit="sets", ge=0, le=10_000_000)
    design: int = parameter(256, "sets of the Sobol design that is run beside the search", unit="sets", ge=256, le=65_536)
    sampler: Literal["auto", "tpe", "cmaes", "gp", "random", "nsga2", "genetic"] = parameter(
        "auto", f"who proposes the sets; auto: tpe up to {TPE_TRIALS} trials, cmaes above"
    )
    objective: Literal["calmar", "sharpe", "sortino", "weighted"] = parameter("calmar", "what a part is scored by")
    score_under: float = parameter(
        1.0, "basis points beyond a limit price that the path must reach in every run of the optimizer", unit="bps", ge=0.0, le=1000.0
    )
    stability_penalty: float = parameter(0.5, "times the standard deviation of the scores across coins and windows", ge=0.0, le=100.0)
    complexity_penalty: float = parameter(0.1, "for each doubling of the round trips beyond trade_limit", ge=0.0, le=100.0)
    trade_limit: float = parameter(500.0, "round trips of a part that cost nothing", unit="per 30 days", gt=0.0, le=1e9)
    min_round_trips: int = parameter(20, "least round trips of each coin in each train part", unit="lots", ge=0, le=10**9)
    min_sharpe: float | None = parameter(None, "hard constraint on the median over coins and windows", ge=-100.0, le=100.0)
    max_drawdown: float | None = parameter(None, "hard constraint on the worst drawdown inside bars", unit="fraction", gt=0.0, le=1.0)
    min_trades: int | None = parameter(None, "hard constraint on the round trips of every coin and window", unit="lots", ge=0, le=10**9)
    min_win_rate: float | None = parameter(None, "hard constraint on the median share of exits that win", unit="fraction", ge=0.0, le=1.0)
    min_profit_factor: float | None = parameter(None, "hard constraint on the median profit factor of exits", ge=0.0, le=1e6)
    min_calmar: float | None = parameter(None, "hard constraint on the median growth a year over drawdown", ge=-1e6, le=1e6)
    batch: int = parameter(16, "sets that are asked for, run and stored together", unit="sets", ge=1, le=4096)
    seed: int = parameter(1, "seed of the design, the sampler and the plateau's draws", ge=0, le=2**31 - 1)

    @property
    def sampler_name(self) -> str:
        """The sampler that `auto` stands for."""
        if self.sampler != "auto":
            return self.sampler
        return "tpe" if self.trials <= TPE_TRIALS else "cmaes"

    def strict(self) -> Any:
        """These settings with the hard constraints of the preset `strict`."""
        return self.replace(**STRICT)
