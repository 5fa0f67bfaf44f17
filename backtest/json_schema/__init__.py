"""What `--json` prints, as JSON Schema (draft 2020-12): name and version of each document, and every key with type, unit and meaning."""

from backtest.json_schema.names import CHECK, COMPARISON, SUMMARY, stamp

__all__ = ["CHECK", "COMPARISON", "SUMMARY", "stamp"]
