"""The public face in a minute: a market, a run, what came of it, and the same run on other terms.

Run it with `python examples/quickstart.py [FOLDER]`: the run is saved in the folder when one is given.
"""

from __future__ import annotations

import sys

import backtest as bt

SHOWN = ["total_return", "buy_and_hold_return", "max_drawdown", "sharpe", "fees", "funding_net"]


def main(folder: str | None = None) -> int:
    """Run the flagship on a simulated quarter and print what it did."""
    # A market by name; `data_dir="..."` takes your own files, and `bt.load` says in `market.source` what it took.
    market = bt.load("BTC", start="2025-10-01", end="2026-01-01", source="simulated")

    # The same from a DataFrame: an index of UTC open times and the columns open, high, low, close, volume.
    btc = bt.Instrument(symbol="BTCUSDT", tick_size=0.1, step_size=0.001, min_qty=0.001, min_notional=100.0)
    frame = market.to_frame()
    own = bt.Market.from_frame(frame, instrument=btc, timeframe="15m", funding=None)
    print(own)

    result = bt.run(
        market,
        bt.AdaptiveGrid(grid_levels=12),
        account=bt.Account(capital=10_000.0, leverage=1.0, wallet="separate", margin="cross"),
        execution=bt.Execution(fee_maker=0.0002, fee_taker=0.0005, slippage=0.0002, through=0, path="nearest"),
    )
    print(result)
    print("\nthe last events:")
    print(result.trades.tail(5)[["time", "label", "position_side", "price", "qty", "realized_pnl", "wallet"]].to_string(index=False))
    print("\nthe last lots closed:")
    print(result.lots.dropna(subset=["closed"]).tail(5).to_string(index=False))

    # Would it stand if orders filled only when the price goes three basis points beyond them?
    strict = bt.run(market, bt.AdaptiveGrid(grid_levels=12), execution=bt.Execution(through_bps=3.0))
    print("\nfilled at a touch (this) and three basis points beyond it (other):")
    print(result.compare(strict).loc[SHOWN].to_string(float_format="{:.4f}".format))

    # Two coins on one wallet: the orders of each are sized by its share of the equity.
    pair = [bt.load(coin, start="2025-10-01", end="2026-01-01", source="simulated") for coin in ("BTC", "ETH")]
    both = bt.run(pair, bt.AdaptiveGrid(), account=bt.Account(wallet="shared"))
    print("\ntwo coins on one wallet:")
    for name, part in (("together", both), *((symbol, both[symbol]) for symbol in both.symbols)):
        print(f"  {name:9} {part.metrics['total_return']:8.2%}")

    if folder is not None:
        result.save(folder)
        again = bt.Result.load(folder)
        print(f"\nsaved, and read back with {len(again.trades):,} events")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
