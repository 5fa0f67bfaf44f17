"""The evidence of an optimization, as pure functions: arrays of daily returns and scores in, small frozen records out."""

from backtest.optimization.evidence.daily import a_year, sharpe, sharpes
from backtest.optimization.evidence.deflated_sharpe import (
    DeflatedSharpe,
    deflated_sharpe,
    expected_maximum,
    probabilistic_sharpe,
    smallest_detectable_sharpe,
)
from backtest.optimization.evidence.design import sobol_design
from backtest.optimization.evidence.holdout import Holdout, holdout
from backtest.optimization.evidence.overfitting import Overfitting, overfitting
from backtest.optimization.evidence.plateau import Plateau, Winner, choose_winner, neighbours, plateau
from backtest.optimization.evidence.verdict import Criterion, Evidence, Verdict, verdict
from backtest.optimization.evidence.walk_forward import WalkForward, walk_forward

__all__ = [
    "Criterion",
    "DeflatedSharpe",
    "Evidence",
    "Holdout",
    "Overfitting",
    "Plateau",
    "Verdict",
    "WalkForward",
    "Winner",
    "a_year",
    "choose_winner",
    "deflated_sharpe",
    "expected_maximum",
    "holdout",
    "neighbours",
    "overfitting",
    "plateau",
    "probabilistic_sharpe",
    "sharpe",
    "sharpes",
    "smallest_detectable_sharpe",
    "sobol_design",
    "verdict",
    "walk_forward",
]
