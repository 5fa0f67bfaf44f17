"""The sensitivity table: every row is a run of its own, and the words say what the rows say."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import backtest as bt
from backtest.configuration import FEE_PRESETS
from backtest.data.settlements import market_settlements
from backtest.sensitivity import Row, Sensitivity, as_json, sensitivity, sensitivity_table
from backtest.sensitivity.again import Again, Outcome
from backtest.sensitivity.close_out import closed_out
from backtest.sensitivity.scenarios import NO_SUB_BARS, Scenario, changed_market
from backtest.sensitivity.study import _row_of_draws
from backtest.sensitivity.table import NOT_BOUNDS
from tests.backtest import frames
from tests.backtest.stepping import bracket_strategy

COARSE = frames.QUARTER
GRID = bt.StaticGrid(step=0.004, grid_levels=3)
HALF = "fills at half of touches"


def market(count: int = 260, seed: int = 0, instrument: bt.Instrument = frames.BTC, real_funding: bool = False) -> bt.Market:
    """A random market; with `real_funding` its settlements have a history."""
    funding = None
    if real_funding:
        times = frames.START + 8 * 3_600_000 * np.arange(1, count * COARSE // (8 * 3_600_000) + 1)
        funding = pd.DataFrame({"time": pd.to_datetime(times, unit="ms", utc=True), "rate": np.linspace(-0.001, 0.002, times.size)})
    return bt.Market.from_frame(frames.bars(count, seed=seed), instrument, "15m", funding=funding)


def steady(low: float, count: int = 40) -> bt.Market:
    """Bars that open and close at 40 000 and fall to `low` in between."""
    shape = {"open": 40_000.0, "high": 40_000.0, "low": low, "close": 40_000.0, "volume": 1_000.0}
    time = frames.START + COARSE * np.arange(count, dtype=np.int64)
    return bt.Market.from_frame(pd.DataFrame({"timestamp": time, **shape}), frames.BTC, "15m", funding=0)


def same(first: float, second: float) -> bool:
    return first == second or (math.isnan(first) and math.isnan(second))


def printed(table: Sensitivity, width: int) -> str:
    sink = io.StringIO()
    Console(file=sink, width=width).print(sensitivity_table(table))
    return sink.getvalue()


def check_row(row: Row, direct: bt.Result) -> None:
    metrics = direct.metrics
    deepest = metrics["max_drawdown"] if len(direct.ledgers) == 1 else metrics["max_drawdown_close"]
    told = (row.total_return, row.max_drawdown, row.sharpe, row.liquidated)
    assert all(map(same, told[:3], (metrics["total_return"], deepest, metrics["sharpe"]))), row.name
    assert row.liquidated == direct.liquidated


def settings_by_name(execution: bt.Execution, account: bt.Account) -> dict[str, tuple[bt.Execution, bt.Account]]:
    """The rows that change settings alone, written out."""
    maker, taker = FEE_PRESETS["market_maker"]
    base = execution.slippage_stop if execution.slippage_stop is not None else execution.slippage
    limited = execution.replace(max_volume_share=0.01)
    return {
        "market-maker fees": (execution.replace(fee_maker=maker, fee_taker=taker), account),
        "fills through 1 tick": (execution.replace(through=1.0), account),
        "fills through 1 bp": (execution.replace(through_bps=1.0), account),
        "fills through 3 bp": (execution.replace(through_bps=3.0), account),
        "fills through 5 bp": (execution.replace(through_bps=5.0), account),
        "path low_first": (execution.replace(path="low_first"), account),
        "path high_first": (execution.replace(path="high_first"), account),
        "stop slippage x3": (execution.replace(slippage_stop=3 * base), account),
        "stop slippage x10": (execution.replace(slippage_stop=10 * base), account),
        "at most 1 % of volume": (limited, account),
        "capital x10, 1 % volume": (limited, account.replace(capital=10 * account.capital)),
        "capital x100, 1 % volume": (limited, account.replace(capital=100 * account.capital)),
    }


CASES = [
    (bt.AdaptiveGrid(), {"leverage": 3.0}, None),
    (bt.AdaptiveGrid(), {"wallet": "shared", "leverage": 3.0}, [0.6, 0.3]),
    (GRID, {"margin": "isolated", "leverage": 20.0}, None),
    (GRID, {"wallet": "shared"}, None),
    (None, {}, None),
]


@pytest.mark.parametrize(("strategy", "account", "weights"), CASES, ids=["adaptive", "shared", "isolated", "static", "own"])
def test_every_row_is_a_run(strategy: object, account: dict[str, object], weights: list[float] | None) -> None:
    strategy, terms = strategy or bracket_strategy(), bt.Account(**account)
    execution = bt.Execution(slippage_stop=0.0004)
    markets = [market(real_funding=True), market(240, 1, frames.ETH)]
    result = bt.run(markets, strategy, terms, execution, weights=weights, log=False)
    table = sensitivity(result, scans="none", threads=2)
    check_row(table.run, result)
    rows = {row.name: row for row in table.rows}
    written = settings_by_name(execution, terms)
    assert set(rows) == {*written, HALF, "synthetic funding", "no funding", "open lots closed out"}
    for name, (changed, capital) in written.items():
        check_row(rows[name], bt.run(markets, strategy, capital, changed, weights=weights))
    unknown = [market(), market(240, 1, frames.ETH)]
    free = [replace(one, funding_time=one.time[:0], funding_rate=one.close[:0], funding_is_synthetic=np.zeros(0, bool)) for one in markets]
    check_row(rows["synthetic funding"], bt.run(unknown, strategy, terms, execution, weights=weights))
    check_row(rows["no funding"], bt.run(free, strategy, terms, execution, weights=weights))
    assert len({row.total_return for row in table.rows}) > 5  # the settings count
    for row in table.rows:
        assert row.change_points == pytest.approx(100.0 * (row.total_return - table.run.total_return))
        assert row.sign_changed == (row.total_return * table.run.total_return < 0.0)


def test_synthetic_rates_are_those_of_the_market_itself() -> None:
    one = market(real_funding=True)
    made = changed_market(one, "synthetic funding")
    time, rates, _ = market_settlements(one.time, one.close, one.timeframe, None)
    assert np.array_equal(made.funding_time, time)
    assert np.array_equal(made.funding_rate, rates)
    assert not np.array_equal(made.funding_rate, one.funding_rate)


def test_without_finer_bars() -> None:
    fine = frames.bars(240 * 3, step=COARSE // 3)
    coarse = frames.grouped(fine, 3)
    one = bt.Market.from_frame(coarse, frames.BTC, "15m", sub_bars=fine)
    strategy = bracket_strategy()  # its exits go live with the next finer bar
    table = sensitivity(bt.run(one, strategy), scans="none")
    row = next(row for row in table.rows if row.name == NO_SUB_BARS)
    check_row(row, bt.run(bt.Market.from_frame(coarse, frames.BTC, "15m"), strategy))
    assert row.total_return != table.run.total_return
    # All funding is synthetic here already, so there is no row that says so.
    assert "synthetic funding" not in {row.name for row in table.rows}


def test_rows_that_are_the_run_itself_are_not_there() -> None:
    maker, taker = FEE_PRESETS["market_maker"]
    execution = bt.Execution(fee_maker=maker, fee_taker=taker, through_bps=3.0, path="low_first", slippage=0.0)
    table = sensitivity(bt.run(steady(39_000.0), GRID, execution=execution), scans="none")
    names = [row.name for row in table.rows]
    assert names[:6] == ["regular fees", "fills at a touch", HALF, "fills through 1 tick", "fills through 1 bp", "fills through 5 bp"]
    assert "path low_first" not in names
    assert "path nearest" in names
    assert not any("slippage" in name for name in names)
    assert table.left_out == ("Left out, more slippage on stops: the run has none that could be multiplied.",)
    # Without settlements real funding has no row to leave out, and none is what the run has.
    assert "synthetic funding" in names
    assert "no funding" not in names


def test_a_scenario_out_of_range_is_left_out_in_words() -> None:
    table = sensitivity(bt.run(steady(39_000.0), GRID, bt.Account(capital=1e14), bt.Execution(slippage=0.1)), scans="none")
    names = {row.name for row in table.rows}
    assert "capital x10, 1 % volume" in names
    assert "capital x100, 1 % volume" not in names
    assert [sentence.split(":")[0] for sentence in table.left_out] == [
        "Left out, stop slippage x10",
        "Left out, capital x100, 1 % volume",
    ]


def test_order_sizes_in_units_grow_with_the_capital() -> None:
    grid = GRID.replace(order_qty=0.01)
    table = sensitivity(bt.run(steady(39_000.0), grid), scans="none")
    row = next(row for row in table.rows if row.name.startswith("capital x10,"))
    check_row(
        row, bt.run(steady(39_000.0), grid.replace(order_qty=0.1), bt.Account(capital=100_000.0), bt.Execution(max_volume_share=0.01))
    )


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_numbers_do_not_depend_on_threads(threads: int) -> None:
    result = bt.run(market(120), GRID)
    seen: list[tuple[int, int]] = []
    table = sensitivity(result, threads, scans="coarse", watch=lambda done, total: seen.append((done, total)))
    assert table == sensitivity(result, 1, scans="coarse")
    assert [done for done, _ in seen] == list(range(1, len(seen) + 1))
    assert seen[-1] == (len(seen), len(seen))


# --- fills by chance ------------------------------------------------------------------------------------------------------


def touched(count: int = 60) -> bt.Market:
    """Every low is the rung of `RUNG` exactly, and every high one above the target of its lot."""
    shape = {"open": 40_000.0, "high": 40_010.0, "low": 39_600.0, "close": 40_000.0, "volume": 1_000.0}
    time = frames.START + COARSE * np.arange(count, dtype=np.int64)
    return bt.Market.from_frame(pd.DataFrame({"timestamp": time, **shape}), frames.BTC, "15m", funding=0)


RUNG = bt.StaticGrid(step=0.01, grid_levels=1, allow_short=False)


def row_of(table: Sensitivity, name: str) -> Row:
    return next(row for row in table.rows if row.name == name)


@pytest.mark.parametrize("execution", [bt.Execution(), bt.Execution(through_bps=2.0), bt.Execution(touch_probability=0.3, touch_seed=99)])
def test_half_of_the_touches_is_the_median_of_32_runs(execution: bt.Execution) -> None:
    table = sensitivity(bt.run(touched(), RUNG, execution=execution), scans="none")
    by_chance = execution.replace(touch_probability=0.5, through=0.0, through_bps=0.0)
    runs = [bt.run(touched(), RUNG, execution=by_chance.replace(touch_seed=seed)).metrics for seed in range(32)]
    row = row_of(table, HALF)
    gains = sorted(run["total_return"] for run in runs)
    assert row.draws == 32
    assert row.total_return == (gains[15] + gains[16]) / 2.0
    assert row.max_drawdown == np.median([run["max_drawdown"] for run in runs])
    assert row.sharpe == np.median([run["sharpe"] for run in runs])
    assert (row.total_return_low, row.total_return_high) == tuple(np.quantile(gains, (0.05, 0.95)))
    assert gains[0] < row.total_return_low < row.total_return < row.total_return_high < gains[-1]
    # The other rows on fills throw no coin, whatever the run does.
    check_row(row_of(table, "fills through 1 tick"), bt.run(touched(), RUNG, execution=bt.Execution(through=1.0)))
    assert ("fills at a touch" in {one.name for one in table.rows}) == (execution != bt.Execution())


def test_the_range_of_the_seeds_is_told() -> None:
    table = sensitivity(bt.run(touched(), RUNG), scans="none")
    row = row_of(table, HALF)
    low, middle, high = (f"{value * 100.0:+.2f}" for value in (row.total_return_low, row.total_return, row.total_return_high))
    assert (
        f"When a mere touch fills an order with probability one half (median of 32 seeds), the return is {middle} %; "
        f"5 to 95 % of the seeds: {low} % to {high} %."
    ) in table.sentences()
    lines = [line.split() for line in printed(table, 80).splitlines()]
    place = next(i for i, line in enumerate(lines) if line[:4] == HALF.split()[:4])
    change = f"{(row.total_return_low - table.run.total_return) * 100.0:+.2f}"
    assert lines[place][5] == middle
    assert lines[place + 1] == ["5", "%", "of", "32", "seeds", low, change]
    assert lines[place + 2][5] == high
    plain = next(one for one in as_json(table)["rows"] if one["name"] == HALF)
    assert (plain["draws"], plain["total_return_low"], plain["total_return_high"]) == (32, row.total_return_low, row.total_return_high)
    assert [one["draws"] for one in as_json(table)["rows"] if one["name"] != HALF] == [1] * (len(table.rows) - 1)
    assert as_json(table)["run"]["total_return_low"] is None


def test_the_sign_of_the_median_decides_on_fragility() -> None:
    lost = Row(HALF, "a coin decides", -0.01, 0.1, 1.0, -3.0, True, True, 32, -0.02, 0.05)
    table = Sensitivity(plain_row("this run", 0.02, 0.0), (lost,), "in bars", None, None, None, ())
    assert table.headline == "FRAGILE: the return of +2.00 % becomes -1.00 % when a coin decides (median of 32 seeds)"
    assert "The run would have been LIQUIDATED when a coin decides (at least one of 32 seeds)." in table.sentences()
    # Seventeen seeds lose a little and fifteen win much: the mean is a profit, the median is not.
    outcomes = [Outcome(gain, 0.1, 1.0, liquidated=False) for gain in [-0.01] * 17 + [0.5] * 15]
    scenario = Scenario(HALF, "a coin decides", RUNG, bt.Account(), bt.Execution(), draws=32)
    row = _row_of_draws(scenario, outcomes, Outcome(0.02, 0.1, 1.0, liquidated=False))
    assert (row.total_return, row.total_return_low, row.total_return_high, row.sign_changed) == (-0.01, -0.01, 0.5, True)
    assert not _row_of_draws(scenario, outcomes[1:] + outcomes[-1:] * 2, Outcome(0.02, 0.1, 1.0, liquidated=False)).sign_changed


# --- open lots ----------------------------------------------------------------------------------------------------------


def test_closing_out_is_what_delisting_charges() -> None:
    short, long = market(200), market(260, 1, frames.ETH)
    execution = bt.Execution(slippage=0.0, slippage_stop=0.0)
    alone = bt.run(short, GRID, execution=execution)
    assert alone.states[0]["qty"].sum() > 0.0
    delisted = bt.run([short, long], GRID, execution=execution)["BTCUSDT"]
    assert delisted.states[0]["qty"].sum() == 0.0
    found = closed_out(alone)
    assert found.total_return == pytest.approx(delisted.metrics["total_return"], rel=1e-12)
    assert found.total_return < alone.metrics["total_return"]


@pytest.mark.parametrize("side", [0, 1])
def test_closing_out_pays_slippage_and_the_fee_on_the_slipped_price(side: int) -> None:
    result = bt.run(market(200), GRID, execution=bt.Execution(slippage=0.002, fee_taker=0.001))
    state = result.states[0]
    state["qty"][1 - side] = 0.0
    state["qty"][side] = 0.5
    mark = float(state["mark"])
    price = mark * (0.998 if side == 0 else 1.002)
    cost = 0.5 * abs(mark - price) + 0.5 * price * 0.001
    found = closed_out(result)
    assert found.total_return == pytest.approx((result.equity_values[-1] - cost) / 10_000.0 - 1.0)
    curve = result.equity_values.copy()
    curve[-1] -= cost
    returns = np.diff(np.concatenate([[10_000.0], curve])) / np.concatenate([[10_000.0], curve[:-1]])
    assert found.sharpe == pytest.approx(returns.mean() / returns.std(ddof=1) * math.sqrt(35_040))
    deepest = 1.0 - curve[-1] / max(10_000.0, result.ledgers[0].account["path_peak"])
    assert found.max_drawdown == pytest.approx(max(deepest, result.metrics["max_drawdown"]))


# --- fragile --------------------------------------------------------------------------------------------------------------


def test_profit_that_hangs_on_a_touch_is_fragile() -> None:
    """Every low is the rung exactly: at a touch each bar earns, a tick further nothing fills."""
    grid = bt.StaticGrid(step=0.01, grid_levels=1, allow_short=False)
    table = sensitivity(bt.run(steady(39_600.0), grid), scans="none")
    assert table.run.total_return > 0.0
    assert table.fragile
    assert {row.name for row in table.turned} == {f"fills through {much}" for much in ("1 tick", "1 bp", "3 bp", "5 bp")}
    first = table.sentences()[0]
    gained = f"{table.run.total_return * 100.0:+.2f} %"
    assert first == f"FRAGILE: the return of {gained} becomes +0.00 % when orders fill only one tick beyond their price."
    assert table.headline == first[:-1]
    assert table.sentences()[1].startswith("Its sign changes in 4 of ")
    assert NOT_BOUNDS in table.sentences()
    assert printed(table, 100).count("sign changes") == 4


def test_profit_that_stands_is_not_fragile() -> None:
    grid = bt.StaticGrid(step=0.01, grid_levels=1, allow_short=False)
    table = sensitivity(bt.run(steady(39_000.0), grid), scans="none")
    assert table.run.total_return > 0.0
    assert not table.fragile
    assert table.headline == ""
    assert not any("FRAGILE" in sentence for sentence in table.sentences())


def test_a_run_without_trades_has_no_sign_to_change() -> None:
    table = sensitivity(bt.run(steady(39_990.0), GRID), scans="none")
    assert table.run.total_return == 0.0
    assert not table.fragile
    assert math.isnan(table.run.sharpe)


def plain_row(name: str, total_return: float, points: float, *, turned: bool = False, liquidated: bool = False) -> Row:
    return Row(name, f"{name} is changed", total_return, 0.1, 1.0, points, turned, liquidated)


def test_the_largest_change_comes_first() -> None:
    rows = (plain_row("a", -0.01, -3.0, turned=True), plain_row("b", -0.5, -52.0, turned=True, liquidated=True), plain_row("c", 0.3, 28.0))
    table = Sensitivity(plain_row("this run", 0.02, 0.0), rows, "in bars", None, None, None, ("Left out, d: no.",))
    assert table.sentences() == [
        "FRAGILE: the return of +2.00 % becomes -50.00 % when b is changed.",
        "Its sign changes in 2 of 3 rows, also to -1.00 % when a is changed.",
        "The run would have been LIQUIDATED when b is changed.",
        NOT_BOUNDS,
        "Left out, d: no.",
    ]


# --- showing --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [80, 100])
def test_the_table_fits(width: int) -> None:
    table = sensitivity(bt.run(market(200), bt.AdaptiveGrid(), bt.Account(leverage=20.0)), scans="none")
    lines = printed(table, width).splitlines()
    assert max(map(len, lines)) <= width
    assert sum("> this run" in line for line in lines) == 1
    for row in table.rows:
        line = next(line for line in lines if line.strip().startswith(row.name))
        assert ("sign changes" in line) == row.sign_changed  # in one piece
    assert table.fragile


def test_json_and_frame_hold_the_same() -> None:
    table = sensitivity(bt.run(market(120), GRID), scans="coarse")
    plain = json.loads(json.dumps(as_json(table), allow_nan=False))
    frame = table.frame
    assert [row["name"] for row in [plain["run"], *plain["rows"]]] == frame["name"].tolist()
    assert [row["total_return"] for row in [plain["run"], *plain["rows"]]] == frame["total_return"].tolist()
    assert plain["fragile"] is table.fragile
    assert plain["break_even_maker_fee"]["values"] == list(table.break_even_maker_fee.values)
    assert plain["path_bars"]["bars_with_fills"] == table.path_bars.traded


def test_json_of_what_is_unknown() -> None:
    plain = as_json(sensitivity(bt.run(steady(39_990.0), GRID), scans="none"))
    assert plain["run"]["sharpe"] is None
    assert plain["break_even_maker_fee"] is None
    assert json.dumps(plain, allow_nan=False)


# --- what cannot be run again --------------------------------------------------------------------------------------------


def test_a_loaded_result_is_refused(tmp_path: Path) -> None:
    result = bt.run(market(120), GRID)
    with pytest.raises(bt.InputError, match="BTCUSDT: the result was read from files, which hold no whole bars"):
        sensitivity(bt.Result.load(result.save(tmp_path / "run")))


def test_a_part_of_a_shared_wallet_is_refused() -> None:
    result = bt.run([market(120), market(120, 1, frames.ETH)], GRID, bt.Account(wallet="shared"))
    with pytest.raises(bt.InputError, match="a part of a larger run needs the whole"):
        Again(result["ETHUSDT"])


def test_a_coin_with_a_wallet_of_its_own_is_not() -> None:
    result = bt.run([market(120), market(120, 1, frames.ETH)], GRID)["ETHUSDT"]
    check_row(sensitivity(result, scans="none").run, bt.run(market(120, 1, frames.ETH), GRID))


@pytest.mark.parametrize("wrong", [0, True, 1.5])
def test_wrong_threads(wrong: int) -> None:
    with pytest.raises(bt.InputError, match="threads"):
        sensitivity(bt.run(steady(39_990.0), GRID), wrong)


def test_wrong_scans() -> None:
    with pytest.raises(bt.InputError, match="scans = 'some' is refused: it must be one of full, coarse, none"):
        sensitivity(bt.run(steady(39_990.0), GRID), scans="some")
