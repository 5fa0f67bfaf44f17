"""The sensitivity table: the same run again under assumptions that nobody can verify from bars."""

from backtest.sensitivity.path_bars import PathBars, count_path_bars
from backtest.sensitivity.rendering import as_json, sensitivity_table
from backtest.sensitivity.scan import Scan
from backtest.sensitivity.study import sensitivity
from backtest.sensitivity.table import Row, Sensitivity

__all__ = ["PathBars", "Row", "Scan", "Sensitivity", "as_json", "count_path_bars", "sensitivity", "sensitivity_table"]
