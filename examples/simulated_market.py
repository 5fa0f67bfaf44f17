"""Would a simulated market fool a trader? Its stylised facts beside those of real bars, as a picture and a table.

python examples/simulated_market.py [--data-dir FOLDER] [--coin BTC] [--other ETH] [--scenario crash] [--seed 1] [--output facts.png]

Without a folder the simulated market stands alone; without an output there is no picture. --other is the coin that
correlations are measured with.
"""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.table import Table

import backtest as bt
from backtest.data.simulated.facts_chart import facts_chart
from backtest.data.simulated.facts_table import facts_table, market_facts, pair_facts


def main() -> None:
    """Load the markets, print the table and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", default=None)
    parser.add_argument("--coin", default="BTC")
    parser.add_argument("--other", default="ETH")
    parser.add_argument("--scenario", default="default")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", default=None, help="write the picture here")
    options = parser.parse_args()
    simulated = [
        bt.load(coin, start="2023-07-12", source="simulated", seed=options.seed, scenario=options.scenario)
        for coin in (options.coin, options.other)
    ]
    pairs = [simulated]
    if options.data_dir is not None:
        pairs.insert(0, [bt.load(coin, data_dir=options.data_dir) for coin in (options.coin, options.other)])
    columns = {
        ("SIMULATED " if one.simulated else "real ") + one.symbol: market_facts(one) | pair_facts(one, other) for one, other in pairs
    }
    heading, *rows = facts_table(columns)
    table = Table(title=f"Stylised facts; correlations with {options.other}", title_justify="left")
    for name in heading:
        table.add_column(name, justify="left" if name == heading[0] else "right")
    for row in rows:
        table.add_row(*row)
    Console(width=100).print(table)
    if options.output is not None:
        facts_chart([one for one, _ in pairs], options.output, [pair_facts(one, other) for one, other in pairs])
        print(f"The picture is in {options.output}.")


if __name__ == "__main__":
    main()
