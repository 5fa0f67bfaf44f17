"""Market data from files: folders of named tables, the exchange's own archives, trades."""
