"""gridcore's public face: `import backtest as bt`."""

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
