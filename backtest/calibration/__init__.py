"""A user's real fills held against what the engine would have filled on the bars of the same market."""

from backtest.calibration.rendering import calibration_tables
from backtest.calibration.study import FillCalibration, Suggestion, calibrate_fills

__all__ = ["FillCalibration", "Suggestion", "calibrate_fills", "calibration_tables"]
