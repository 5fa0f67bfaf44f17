"""Metrics of a run: pure functions on equity curves and lots, the attribution of profit, and the catalogue of names."""

from backtest.metrics.attribution import attribution
from backtest.metrics.catalogue import METRICS, Metric, compute_metrics

__all__ = ["METRICS", "Metric", "attribution", "compute_metrics"]
