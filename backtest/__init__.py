"""gridcore's public face: `import backtest as bt`.

A name is imported when it is first used: the command line answers `--help` and refuses a typo without waiting for the compiler.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backtest.bar_input import Fill
    from backtest.calibration import calibrate_fills
    from backtest.checks import check_lookahead, check_warmup
    from backtest.data.instrument import Instrument
    from backtest.data.load import load, load_markets
    from backtest.data.market import Market
    from backtest.evaluation.study import evaluation_study
    from backtest.order_log import order_log
    from backtest.report.heat_map import heat_map
    from backtest.result import Result
    from backtest.run import run
    from backtest.stepper import Stepper
    from backtest.strategy import Strategy
    from backtest.sweep import sweep
    from engine.account import Account
    from engine.errors import InputError, SourceError
    from engine.evaluation import Evaluation
    from engine.execution import Execution
    from engine.strategies.adaptive_grid_parameters import AdaptiveGrid
    from engine.strategies.static_grid_parameters import StaticGrid

__all__ = [
    "Account",
    "AdaptiveGrid",
    "Evaluation",
    "Execution",
    "Fill",
    "InputError",
    "Instrument",
    "Market",
    "Result",
    "SourceError",
    "StaticGrid",
    "Stepper",
    "Strategy",
    "calibrate_fills",
    "check_lookahead",
    "check_warmup",
    "evaluation_study",
    "heat_map",
    "load",
    "load_markets",
    "order_log",
    "run",
    "sweep",
]

# Where each name comes from; the imports above say the same to whoever checks types.
_HOME = {
    "Account": "engine.account",
    "AdaptiveGrid": "engine.strategies.adaptive_grid_parameters",
    "Evaluation": "engine.evaluation",
    "Execution": "engine.execution",
    "Fill": "backtest.bar_input",
    "InputError": "engine.errors",
    "Instrument": "backtest.data.instrument",
    "Market": "backtest.data.market",
    "Result": "backtest.result",
    "SourceError": "engine.errors",
    "StaticGrid": "engine.strategies.static_grid_parameters",
    "Stepper": "backtest.stepper",
    "Strategy": "backtest.strategy",
    "calibrate_fills": "backtest.calibration",
    "check_lookahead": "backtest.checks",
    "check_warmup": "backtest.checks",
    "evaluation_study": "backtest.evaluation.study",
    "heat_map": "backtest.report.heat_map",
    "load": "backtest.data.load",
    "load_markets": "backtest.data.load",
    "order_log": "backtest.order_log",
    "run": "backtest.run",
    "sweep": "backtest.sweep",
}


class _Face(ModuleType):
    """What `bt` is: `bt.run` stays the function when Python has imported the module `backtest.run` and would put that there."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_HOME[name]), name)
    setattr(sys.modules[__name__], name, found)
    return found


sys.modules[__name__].__class__ = _Face
