"""The exposure ladder: every level is a run, and ruin is counted in draws of its days."""

from __future__ import annotations

import io
import json
import math

import numpy as np
import pytest
from rich.console import Console

import backtest as bt
from backtest.exposure_ladder import LEVELS, as_json, exposure_ladder, exposure_ladder_table, ruin_probability
from backtest.exposure_ladder.ruin import lowest_growth
from backtest.metrics.equity import daily_returns
from backtest.uncertainty.block_length import mean_block_length
from backtest.uncertainty.bootstrap import drawn_days
from engine.errors import InputError
from tests.backtest import frames
from tests.backtest.stepping import bracket_strategy

GRID = bt.StaticGrid(step=0.004, grid_levels=6)


def market(count: int = 260, seed: int = 0, instrument: bt.Instrument = frames.BTC) -> bt.Market:
    return bt.Market.from_frame(frames.bars(count, seed=seed), instrument, "15m")


@pytest.mark.parametrize("account", [{}, {"wallet": "shared", "leverage": 4.0}, {"margin": "isolated", "leverage": 4.0, "exposure": 2.0}])
def test_every_level_is_a_run(account: dict[str, object]) -> None:
    terms = bt.Account(**account)
    markets = [market(150), market(140, 1, frames.ETH)]
    result = bt.run(markets, GRID, terms, log=False)
    found = exposure_ladder(result, draws=100, threads=2)
    assert [row.exposure for row in found.rows] == list(LEVELS)
    assert all(row.leverage == max(row.exposure, terms.leverage) for row in found.rows)
    for row in found.rows:
        direct = bt.run(markets, GRID, terms.replace(exposure=row.exposure, leverage=row.leverage))
        deepest = direct.metrics["max_drawdown" if len(direct.ledgers) == 1 else "max_drawdown_close"]
        assert (row.total_return, row.max_drawdown) == (direct.metrics["total_return"], deepest)
        assert row.liquidated == direct.liquidated
        assert row.ruin_probability == 1.0 if row.liquidated else math.isnan(row.ruin_probability)  # two days are too few
    assert len({row.total_return for row in found.rows}) == len(LEVELS)
    own = next((row for row in found.rows if row.exposure == found.own_exposure), None)
    if own is not None:
        assert own.total_return == result.metrics["total_return"]


HOUR = 3_600_000


def long_market(days: int = 62) -> bt.Market:
    """Days enough for the bootstrap, of hourly bars."""
    return bt.Market.from_frame(frames.bars(days * 24, step=HOUR), frames.BTC, "1h")


def crash(days: int = 62) -> bt.Market:
    """Quiet days, then a fall by two fifths within a day."""
    frame = frames.bars(days * 24, step=HOUR, seed=2)
    fall = np.ones(len(frame))
    fall[-24:] = np.linspace(1.0, 0.6, 24)
    for name in ("open", "high", "low", "close"):
        frame[name] = np.round(frame[name] * fall, 1)
    frame["high"] = frame[["open", "high", "low", "close"]].max(axis=1)
    frame["low"] = frame[["open", "high", "low", "close"]].min(axis=1)
    return bt.Market.from_frame(frame, frames.BTC, "1h")


def test_a_liquidated_level_is_ruined() -> None:
    grid = bt.StaticGrid(step=0.01, grid_levels=10, order_pct=0.1, allow_short=False)
    found = exposure_ladder(bt.run(crash(), grid), (1, 20), draws=200)
    low, high = found.rows
    assert not low.liquidated
    assert high.liquidated
    assert high.ruin_probability == 1.0
    assert low.ruin_probability < 1.0
    assert found.sentences()[0] == "LIQUIDATED at exposure 20."
    assert "LIQUIDATED" in printed(found).splitlines()[-2]


# --- ruin -------------------------------------------------------------------------------------------------------------------


def test_ruin_probability_by_plain_loops() -> None:
    returns = np.random.default_rng(4).normal(-0.004, 0.03, 90)
    days = drawn_days(np.random.default_rng(7), 200, returns.size, mean_block_length(returns))
    ruined = 0
    for draw in days:
        equity = 1.0
        for day in draw:
            equity *= 1.0 + returns[day]
            if equity < 0.5:
                ruined += 1
                break
    assert 0 < ruined < 200
    assert ruin_probability(returns, 200, 7) == ruined / 200


def test_ruin_is_deterministic_and_goes_by_the_seed() -> None:
    returns = np.random.default_rng(4).normal(-0.004, 0.03, 90)
    assert ruin_probability(returns, 1000, 1) == ruin_probability(returns, 1000, 1)
    assert ruin_probability(returns, 1000, 1) != ruin_probability(returns, 1000, 2)


def test_ruin_at_the_ends() -> None:
    assert ruin_probability(np.full(100, 0.001)) == 0.0
    assert ruin_probability(np.full(100, -0.02)) == 1.0
    assert math.isnan(ruin_probability(np.full(59, -0.02)))


def test_lowest_growth() -> None:
    rows = np.array([[-0.4, 1.0, 0.1], [0.5, -2.0, 3.0], [1e308, 1e308, -1.0]])
    assert lowest_growth(rows).tolist() == pytest.approx([0.6, 0.0, 0.0])


def test_ruin_of_a_level_is_that_of_its_days() -> None:
    result = bt.run(long_market(), GRID)
    found = exposure_ladder(result, (1, 12), draws=300, seed=5)
    direct = bt.run(long_market(), GRID, bt.Account(exposure=12.0, leverage=12.0))
    wanted = ruin_probability(daily_returns(direct.time, direct.equity_values, direct.capital), 300, 5)
    assert found.rows[1].ruin_probability == (1.0 if direct.liquidated else wanted)


# --- bad input, threads, words ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"levels": ()}, "levels = .* is refused: it must be a list of rising numbers above 0, at most 150"),
        ({"levels": (1, 1)}, "levels = .* is refused"),
        ({"levels": (2, 1)}, "levels = .* is refused"),
        ({"levels": (0, 1)}, "levels = .* is refused because of 0"),
        ({"levels": (1, 151)}, "levels = .* is refused because of 151"),
        ({"levels": (1, math.nan)}, "levels = .* is refused because of nan"),
        ({"levels": (1, "2")}, "levels = .* is refused because of '2'"),
        ({"levels": 3}, "levels = 3 is refused"),
        ({"draws": 99}, "draws = 99 is refused"),
        ({"seed": -1}, "seed = -1 is refused"),
        ({"threads": 0}, "threads = 0 is refused"),
    ],
)
def test_bad_input_gets_one_sentence(options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        exposure_ladder(bt.run(market(50), GRID), **options)


def test_a_level_beyond_the_tiers_is_left_out_in_words() -> None:
    found = exposure_ladder(bt.run(market(100), GRID), (1, 2, 149))
    assert [row.exposure for row in found.rows] == [1.0, 2.0]
    assert len(found.left_out) == 1
    assert found.left_out[0].startswith("Left out, exposure 149: ")
    assert found.left_out[0] in found.sentences()


def test_a_strategy_that_takes_no_notice() -> None:
    for strategy in (bracket_strategy(), GRID.replace(order_qty=0.01)):
        found = exposure_ladder(bt.run(market(100), strategy), (1, 2))
        assert found.indifferent
        assert any(sentence.startswith("Every level gives the same return") for sentence in found.sentences())
    assert not exposure_ladder(bt.run(market(100), GRID), (1, 2)).indifferent


def test_the_numbers_do_not_depend_on_threads_and_progress_is_told() -> None:
    result = bt.run(long_market(61), GRID)
    seen: list[tuple[int, int]] = []
    one = exposure_ladder(result, (1, 3, 9), lambda done, total: seen.append((done, total)), draws=100, threads=1)
    assert one == exposure_ladder(result, (1, 3, 9), draws=100, threads=3)
    assert seen == [(1, 3), (2, 3), (3, 3)]


def printed(found: object, width: int = 80) -> str:
    sink = io.StringIO()
    Console(file=sink, width=width).print(exposure_ladder_table(found))
    return sink.getvalue()


def test_table_json_and_sentences() -> None:
    found = exposure_ladder(bt.run(market(100), GRID, bt.Account(leverage=3.0)))
    lines = printed(found).splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split()[:2] for line in lines if line.strip().startswith(">")] == [[">", "3"]]
    plain = json.loads(json.dumps(as_json(found), allow_nan=False))
    assert [row["total_return"] for row in plain["rows"]] == found.frame["total_return"].tolist()
    assert plain["rows"][0]["ruin_probability"] is None
    said = found.sentences()
    assert plain["sentences"] == said
    best = max(found.rows, key=lambda row: row.total_return)
    assert f"The highest return, {best.total_return * 100.0:+.2f} %, is at exposure {best.exposure:g}." in said
    assert "Leverage 3 is raised to the exposure at 5, 7, 10, 15, 20, so that margin does not cut orders." in said
    assert any(line.startswith("To liquidation: the smallest move") for line in said)
    assert "No probability of ruin: the run has 2 days, and fewer than 60 say too little." in said
