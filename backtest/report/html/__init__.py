"""The report page: one HTML file that needs no network, with every table and chart of a result."""

from backtest.report.html.page import render_report, write_report

__all__ = ["render_report", "write_report"]
