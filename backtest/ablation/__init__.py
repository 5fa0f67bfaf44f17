"""Ablation: the run with each module of the adaptive grid off in turn."""

from backtest.ablation.modules import MODULES, Module
from backtest.ablation.rendering import ablation_table, as_json
from backtest.ablation.study import Ablation, AblationRow, ablation
from backtest.ablation.trend_days import trend_capture

__all__ = ["MODULES", "Ablation", "AblationRow", "Module", "ablation", "ablation_table", "as_json", "trend_capture"]
