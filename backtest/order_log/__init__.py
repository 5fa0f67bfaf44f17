"""Every placement, cancel, fill and refusal of a run."""

from backtest.order_log.record import ACTIONS, REASONS
from backtest.order_log.study import check_replayable, order_log
from backtest.order_log.table import COLUMNS, write_order_log

__all__ = ["ACTIONS", "COLUMNS", "REASONS", "check_replayable", "order_log", "write_order_log"]
