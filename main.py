"""Backtest one or many coins: `python main.py --coins BTC ETH --start 2024-01-01`."""

import sys

from backtest.cli import main

if __name__ == "__main__":
    sys.exit(main())
