"""Hold the fills of an account against the engine's, and take over the settings that they suggest.

The account here is SIMULATED, for nobody's fills may be published: a static grid whose limit orders filled only where the path
went 2 basis points beyond them. With your own fills, make the same table from your exchange's order history.
"""

from __future__ import annotations

import pandas as pd

import backtest as bt

BEYOND_BPS = 2.0


def orders_of_an_account(market: bt.Market) -> pd.DataFrame:
    """The limit orders of a grid and what became of them, as an exchange's order history has them."""
    result = bt.run(market, bt.StaticGrid(grid_levels=6, step=0.003), execution=bt.Execution(through_bps=BEYOND_BPS))
    log = bt.order_log(result)
    log = log[log["kind"].isin(["ENTRY", "TAKE_PROFIT"])]
    placed = log[log["action"] == "PLACE"].set_index("order")
    fills = log[log["action"] == "FILL"].set_index("order")
    ends = log[log["action"].isin(["CANCEL", "EXPIRE"])].set_index("order")
    opens = placed["kind"] == "ENTRY"
    buys = opens == (placed["position_side"] == "LONG")
    table = pd.DataFrame(
        {
            "kind": "LIMIT",
            "side": buys.map({True: "BUY", False: "SELL"}),
            "position_side": placed["position_side"].astype(str),
            "price": placed["price"],
            "order_price": placed["price"],
            "qty": fills["qty"].groupby(level=0).sum().reindex(placed.index, fill_value=0.0),
            "placed_at": placed["time"],
            "time": fills["time"].groupby(level=0).first().reindex(placed.index) + pd.Timedelta(minutes=5),
            "canceled_at": ends["time"].reindex(placed.index),
        }
    )
    table = table[(table["qty"] > 0.0) | table["canceled_at"].notna()]  # without those that rest still
    return table.reset_index(names="order_id")


def main() -> None:
    """Calibrate against a touch, and run again with what it suggests."""
    market = bt.load("BTC", source="simulated", start="2025-06-01", end="2025-07-01", timeframe="15m")
    found = bt.calibrate_fills(orders_of_an_account(market), market)
    print(found)
    grid = bt.StaticGrid(grid_levels=6, step=0.003)
    for name, execution in (("fills at a touch", found.execution), ("as suggested", found.suggested())):
        print(f"{name}: total return {100.0 * bt.run(market, grid, execution=execution).metrics['total_return']:.2f} %")


if __name__ == "__main__":
    main()
