"""Metrics of a run: pure functions on equity curves and lots, the attribution of profit, and the catalogue of names."""

from backtest.metrics.attribution import attribution
from backtest.metrics.attribution_by import attribution_by
from backtest.metrics.catalogue import METRICS, Metric, compute_metrics
from backtest.metrics.drawdowns import worst_drawdowns
from backtest.metrics.months import monthly_returns

__all__ = ["METRICS", "Metric", "attribution", "attribution_by", "compute_metrics", "monthly_returns", "worst_drawdowns"]
