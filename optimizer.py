"""Search for parameters and weigh the evidence: `python optimizer.py --coins BTC ETH --trials 200 --windows 3`."""

import sys

from backtest.optimization.command import main

if __name__ == "__main__":
    sys.exit(main())
