"""The cache of market data: monthly Parquet files on disk, of which only what is missing is fetched."""
