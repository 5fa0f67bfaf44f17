"""Random runs of the engine: attribution by source, side, coin, month and regime sums to the change of equity; so does the ledger."""

from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

import backtest as bt
from backtest.metrics import attribution_by
from backtest.metrics.attribution import PARTS, PARTS_BY_LABEL
from backtest.metrics.holdings import coins_of
from backtest.result import Result
from engine.records import LABELS, SHORTFALL_LABEL
from tests.backtest import frames

TOLERANCE = 1e-9
DAY_BEFORE_FEBRUARY = frames.START + 30 * 96 * frames.QUARTER


def random_markets(seed: int, coins: int) -> list[bt.Market]:
    """Jumpy walks over the end of a month, with random funding; the second coin is listed later and ends earlier, or does not."""
    random = np.random.default_rng(seed)
    markets = []
    for k in range(coins):
        bars = frames.bars(260, start=DAY_BEFORE_FEBRUARY, seed=seed + k)
        prices = ["open", "high", "low", "close"]
        steps = np.where(random.random(len(bars)) < 0.01, random.normal(0.0, 0.08, len(bars)), 0.0)
        bars[prices] = np.round(bars[prices].mul(np.exp(np.cumsum(steps)), axis=0), 1)
        bars["low"], bars["high"] = bars[prices].min(axis=1), bars[prices].max(axis=1)
        if k and random.random() < 0.5:
            bars = bars.iloc[30:-30].reset_index(drop=True)
        moments = np.arange(DAY_BEFORE_FEBRUARY, DAY_BEFORE_FEBRUARY + 260 * frames.QUARTER, 32 * frames.QUARTER)
        rates = pd.DataFrame({"timestamp": moments, "rate": random.normal(0.0, 1e-3, moments.size)})
        markets.append(bt.Market.from_frame(bars, (frames.BTC, frames.ETH)[k], "15m", funding=rates))
    return markets


def gross(result: Result) -> float:
    """What rounding is measured by: the larger of the capital and all gains and losses without their signs."""
    log = result.trades
    return max(result.capital, float((log["realized_pnl"].abs() + log["fee"].abs() + log["funding"].abs()).sum()))


def close_to(value: Any, other: Any, scale: float) -> None:
    np.testing.assert_allclose(value, other, rtol=0.0, atol=TOLERANCE * scale)


def check_ledger(result: Result, scale: float) -> None:
    """Every event moves the wallet by what it says, and equity at each close is the wallet and what is held at the close."""
    for ledger in result.ledgers:
        log = ledger.events
        close_to(log["wallet"], ledger.capital + np.cumsum(log["realized_pnl"] - log["fee"] + log["funding"]), scale)
        known = np.concatenate((np.array([ledger.capital]), log["wallet"]))
        equity = known[np.searchsorted(log["time"], ledger.time, side="right")]
        for coin in coins_of(result):
            if coin.ledger is ledger:
                equity = equity + coin.inventory().unrealized(coin.close)
        close_to(ledger.equity, equity, scale)


def check_sources_and_sides(result: Result, scale: float, change: float) -> None:
    """The table of the whole against sums over the log, by source and side; rows and columns sum to the change of equity."""
    table, log = result.attribution, result.trades
    for side in ("LONG", "SHORT"):
        mine = log[log["position_side"] == side]
        for part, labels in PARTS_BY_LABEL.items():
            of_part = mine["label"].isin([LABELS[label] for label in labels])
            close_to(table.loc[part, side], mine["realized_pnl"][of_part].sum(), scale)
        close_to(table.loc["fees", side], -mine["fee"].sum(), scale)
        close_to(table.loc["funding", side], mine["funding"].sum(), scale)
        lots = result.lots[result.lots["position_side"] == side]
        close_to(table.loc["open_positions", side], lots["unrealized_pnl"].sum(), scale)
    close_to(table.loc["shortfall", "account"], log["realized_pnl"][log["label"] == LABELS[SHORTFALL_LABEL]].sum(), scale)
    close_to(table[["LONG", "SHORT", "account"]].sum(axis=1), table["total"], scale)
    close_to(table.loc[list(PARTS)].sum(), table.loc["total"], scale)
    close_to(table.loc["total", "total"], change, scale)


def check_periods_and_coins(result: Result, by: tuple[str, ...], scale: float) -> None:
    """Each way of telling the profit apart sums to the table of the whole, part by part."""
    whole = result.attribution["total"]
    for one in by:
        table = attribution_by(result, one)
        close_to(table.iloc[:-1].sum(), whole[table.columns], scale)
        close_to(table[list(PARTS)].sum(axis=1), table["total"], scale)


def check(result: Result, by: tuple[str, ...]) -> None:
    scale = gross(result)
    change = float(result.equity_values[-1]) - result.capital
    check_ledger(result, scale)
    check_sources_and_sides(result, scale, change)
    check_periods_and_coins(result, by, scale)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    adaptive=st.booleans(),
    coins=st.sampled_from([1, 2]),
    wallet=st.sampled_from(["separate", "shared"]),
    margin=st.sampled_from(["cross", "isolated"]),
    leverage=st.sampled_from([1.0, 5.0, 50.0]),
    fees=st.sampled_from([(0.0002, 0.0005), (-0.00005, 0.0002)]),
    after=st.sampled_from(["stop", "continue"]),
)
def test_random_runs_sum_up(
    seed: int, adaptive: bool, coins: int, wallet: str, margin: str, leverage: float, fees: tuple[float, float], after: str
) -> None:
    strategy = bt.AdaptiveGrid(halt_z_threshold=-100.0) if adaptive else bt.StaticGrid(step=0.003, order_pct=0.1)
    account = bt.Account(capital=20_000.0, leverage=leverage, margin=margin, wallet=wallet, after_liquidation=after)
    result = bt.run(random_markets(seed, coins), strategy, account, bt.Execution(fee_maker=fees[0], fee_taker=fees[1]))
    by = ("day", "month", "year", "symbol", *(("regime",) if adaptive else ()))
    check(result, by)
    for symbol in result.symbols:
        if len(result.symbols) > 1 and wallet == "shared":
            part = result[symbol]
            check_sources_and_sides(part, gross(result), float(part.equity_values[-1]) - part.capital)
            check_periods_and_coins(part, by, gross(result))


def test_the_runs_hold_what_has_to_be_summed() -> None:
    """Liquidations, credits for a shortfall, funding, stops and prunes, two months, and several regimes do occur."""
    seen: set[str] = set()
    for seed, leverage in ((1, 50.0), (2, 50.0), (3, 50.0), (4, 50.0), (5, 5.0)):
        for strategy in (bt.StaticGrid(step=0.003, order_pct=0.3), bt.AdaptiveGrid(halt_z_threshold=-100.0)):
            account = bt.Account(capital=20_000.0, leverage=leverage, after_liquidation="continue")
            result = bt.run(random_markets(seed, 2), strategy, account)
            check(result, ("month",))
            assert len(attribution_by(result, "month")) == 3
            seen |= set(result.trades["label"])
    assert {"SELL_CLOSE_LONG", "BUY_CLOSE_SHORT", "FUNDING", "LIQUIDATION", "SHORTFALL", "STOP_LONG", "STOP_SHORT"} <= seen
    assert any(label.startswith("PRUNE") for label in seen)
