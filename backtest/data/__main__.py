"""`python -m backtest.data fetch|list|check|import|export ...`: market data for people."""

import sys

from backtest.data.commands import main

if __name__ == "__main__":
    sys.exit(main())
