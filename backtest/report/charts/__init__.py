"""Charts of a result as matplotlib figures and PNG files. The same result gives the same bytes."""

from backtest.report.charts.catalogue import KINDS, caption, draw, pictures, write_charts
from backtest.report.charts.drawing import MAX_POINTS, decimated
from backtest.report.charts.overview import overview

__all__ = ["KINDS", "MAX_POINTS", "caption", "decimated", "draw", "overview", "pictures", "write_charts"]
