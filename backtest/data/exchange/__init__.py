"""Market data from exchanges, by ccxt: bars, mark-price bars, funding, filters and margin tiers."""
