"""How far the path assumed inside a bar matters: 15-minute bars alone against the same bars walked on finer ones.

python examples/path_assumption.py --data-dir FOLDER [--sub-bars 5m] [--start 2024-01-01] [--end 2024-12-31] [--coins BTC SOL]

Without a folder it runs on the simulated market, whose finer bars are known.
"""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.table import Table

import backtest as bt


def main() -> None:
    """Run each coin under the three assumed paths and on its finer bars, and print the results side by side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", default=None)
    parser.add_argument("--coins", nargs="+", default=["BTC", "ETH", "SOL"])
    parser.add_argument("--start", default=None)
    parser.add_argument("--end", default=None)
    parser.add_argument("--sub-bars", default="5m")
    options = parser.parse_args()
    where = {"start": options.start, "end": options.end, "data_dir": options.data_dir}
    table = Table(title=f"15m bars alone against 15m bars walked on {options.sub_bars} bars", title_justify="left")
    for heading in ("coin", "path inside a bar", "total return", "max drawdown", "fills", "stops", "fees"):
        table.add_column(heading, justify="left" if heading in ("coin", "path inside a bar") else "right")
    for coin in options.coins:
        finer = bt.load(coin, sub_bars=options.sub_bars, **where)
        # The same stretch of bars for all: the one that the finer bars cover.
        start, end = int(finer.time[finer.trade_from]), int(finer.end_time)
        coarse = bt.load(coin, start=start, end=end, data_dir=options.data_dir)
        runs = {
            path: bt.run(coarse, bt.AdaptiveGrid(), execution=bt.Execution(path=path)) for path in ("nearest", "low_first", "high_first")
        }
        runs[f"walked on {options.sub_bars} bars"] = bt.run(finer, bt.AdaptiveGrid())
        for name, result in runs.items():
            metrics = result.metrics
            labels = result.trades["label"].value_counts()
            table.add_row(
                coin + (" (SIMULATED)" if coarse.simulated else ""),
                name,
                f"{100 * metrics['total_return']:.2f} %",
                f"{100 * metrics['max_drawdown']:.2f} %",
                f"{sum(labels.get(label, 0) for label in ('BUY_OPEN_LONG', 'SELL_OPEN_SHORT', 'SELL_CLOSE_LONG', 'BUY_CLOSE_SHORT')):,}",
                f"{labels.get('STOP_LONG', 0) + labels.get('STOP_SHORT', 0):,}",
                f"{metrics['fees']:,.0f}",
            )
        for note in runs[f"walked on {options.sub_bars} bars"].notes:
            table.caption = f"{table.caption or ''}{note}\n"
        table.add_section()
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
