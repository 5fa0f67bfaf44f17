"""How far luck alone could have moved a result: block-bootstrap intervals of return, Sharpe and drawdown."""

from backtest.uncertainty.estimate import Interval, Uncertainty, uncertainty
from backtest.uncertainty.show import as_json, uncertainty_table

__all__ = ["Interval", "Uncertainty", "as_json", "uncertainty", "uncertainty_table"]
