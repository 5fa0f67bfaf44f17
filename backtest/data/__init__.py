"""Market data: where bars, funding and instruments come from, and the rules they must keep."""
