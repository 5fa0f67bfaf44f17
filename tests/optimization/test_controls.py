"""The control markets are what they say, and on a few of them: no edge is called robust, a strong one is found."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

import backtest as bt
from backtest.align import align
from backtest.data.timeframe import DAY
from benchmarks.controls.experiment import Plan, control, finding
from benchmarks.controls.fills import marked_fills, mean_and_error
from benchmarks.controls.findings import read, run, write
from benchmarks.controls.markets import PRICE, Clock, made_up, shuffled_days
from benchmarks.controls.table import lower_bound, markdown, spared, upper_bound
from engine.errors import InputError

SMALL = Clock(days=10, timeframe="1h", finer=4)


def test_bars_are_made_of_their_finer_bars() -> None:
    market = made_up(3, SMALL)
    assert (align([market]).sub_rows[0] == 4 * np.arange(240)).all()
    assert market.simulated
    assert market.funding_time.size == 0
    assert market.sub_bars is not None
    np.testing.assert_array_equal(market.open[1:], market.close[:-1])
    assert (market.sub_bars.high > np.maximum(market.sub_bars.open, market.sub_bars.close)).all()
    assert (market.sub_bars.low < np.minimum(market.sub_bars.open, market.sub_bars.close)).all()


def test_the_same_seed_gives_the_same_market_and_another_another() -> None:
    first, again, other = made_up(3, SMALL), made_up(3, SMALL), made_up(4, SMALL)
    np.testing.assert_array_equal(first.low, again.low)
    assert not np.array_equal(first.close, other.close)
    np.testing.assert_array_equal(first.close, made_up(3, SMALL, bridges=False).close)


@pytest.mark.parametrize("drift", [0.0, 2.0])
def test_the_expected_price_is_the_price_of_the_beginning(drift: float) -> None:
    """Not the log price: half a variance lies between them."""
    clock = Clock(days=60, timeframe="4h", finer=1)
    last = np.array([made_up(seed, clock, drift=drift).close[-1] for seed in range(1_600)]) / PRICE / math.exp(drift * 60 / 365)
    assert abs(last.mean() - 1.0) < 3.0 * last.std(ddof=1) / 40.0
    assert np.log(last).mean() < -3.0 * np.log(last).std(ddof=1) / 40.0


def test_the_bridge_reaches_a_price_as_often_as_a_path_of_small_steps() -> None:
    """The highest point of an hour, drawn at once, and by sixty minutes with bridges of their own."""
    coarse, fine = (made_up(1, Clock(days=700, timeframe="1h", finer=finer)) for finer in (1, 60))
    reach = [np.log(market.high / market.open) for market in (coarse, fine)]
    for share in (0.25, 0.5, 0.9):
        a, b = (float(np.quantile(one, share)) for one in reach)
        assert a == pytest.approx(b, rel=0.06)


def test_a_share_of_the_variance_comes_back() -> None:
    market = made_up(1, Clock(days=2000, timeframe="1h", finer=1), reverting=0.5, half_life_hours=3.0)
    log = np.log(market.close)
    short, long = (np.var(log[lag:] - log[:-lag]) / lag for lag in (1, 24))
    keep = 0.5 ** (1.0 / 3.0)
    expected = [0.5 + 0.5 * 2.0 * (1.0 - keep**lag) / (1.0 - keep * keep) / lag for lag in (1, 24)]
    assert long / short == pytest.approx(expected[1] / expected[0], rel=0.08)


def test_fills_win_and_lose_nothing_by_construction() -> None:
    found = [marked_fills(made_up(seed, Clock(60, "1h", 2)), 0.01) for seed in range(20)]
    for kind in (0, 1):
        mean, error = mean_and_error([one[kind] for one in found])
        assert abs(mean) < 3.0 * error
        assert error < 2.0
    bare = [marked_fills(made_up(seed, Clock(60, "1h", 2), bridges=False), 0.01) for seed in range(5)]
    mean, error = mean_and_error([one[0] for one in bare])
    assert mean < -5.0 * error < 0.0


def test_shuffled_days_keep_what_happens_inside_a_day() -> None:
    real = made_up(5, Clock(days=12, timeframe="4h", finer=1))
    made = shuffled_days(real, 1, 11)
    assert len(made) == 11 * 6
    moves = np.diff(np.log(real.close)).reshape(-1)[5:]
    again = np.concatenate([[math.log(made.close[0] / PRICE)], np.diff(np.log(made.close))])
    np.testing.assert_allclose(np.sort(again), np.sort(moves), atol=1e-12)
    by_day = {tuple(np.round(day, 9)) for day in moves.reshape(11, 6)}
    assert {tuple(np.round(day, 9)) for day in again.reshape(11, 6)} == by_day
    assert not np.allclose(again, moves)
    np.testing.assert_allclose(np.sort(made.high / made.close), np.sort((real.high / real.close)[6:]), rtol=1e-12)
    assert made.time[0] % DAY == 0
    with pytest.raises(InputError, match="days = 12 is refused: CONTROLUSDT has 11 whole days"):
        shuffled_days(real, 1, 12)


@pytest.mark.parametrize("name", ["nothing", "planted:0", "planted:1.5", "planted:x", "planted"])
def test_unknown_markets_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="is refused: it must be one of martingale, free, fair, drift, real_days, or planted:S"):
        control(name)


def test_real_days_need_a_folder() -> None:
    with pytest.raises(InputError, match="needs a folder of real 15-minute bars"):
        control("real_days").make(0, Plan())


def test_bounds_of_a_share() -> None:
    """At most 12 robust of 200 keep the bound below 10 %."""
    assert upper_bound(0, 200) == pytest.approx(1.0 - 0.05 ** (1 / 200), rel=1e-9)
    assert upper_bound(12, 200) < 0.10 < upper_bound(13, 200)
    assert (upper_bound(5, 5), upper_bound(0, 0), lower_bound(0, 5)) == (1.0, 1.0, 0.0)
    assert lower_bound(5, 5) == pytest.approx(0.05 ** (1 / 5), rel=1e-9)


def _made(seed: int, label: str, failed: list[str]) -> dict[str, object]:
    values = {"deflated Sharpe ratio": 0.5, "plateau share": 1.0}
    return {"market": "fair", "setup": Plan().setup, "seed": seed, "label": label, "failed": failed, "values": values}


def test_tables_count() -> None:
    found = [
        _made(0, "robust", []),
        _made(1, "overfit", ["plateau share"]),
        _made(2, "fragile", ["deflated Sharpe ratio", "plateau share"]),
    ]
    text = markdown(found, Plan(), ["fair"])
    assert "| fair | 3 | 1 | 0 | 1 | 1 | 1.7% | 86.5% |" in text
    assert "| fair | 67% (1) | 33% (2) |" in text
    assert spared(found[1], "plateau share")
    assert not spared(found[2], "plateau share")


def test_findings_go_on_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "lines.jsonl"
    write(file, [_made(1, "fragile", []), _made(0, "overfit", [])])
    with file.open("a") as lines:
        lines.write('{"market": "fair", "se')
    assert [one["seed"] for one in read(file)] == [0, 1]
    assert read(tmp_path / "none.jsonl") == []
    found = run(["fair"], 2, Plan(), file, 1, lambda _: pytest.fail("nothing was missing"))
    assert [one["label"] for one in found] == ["overfit", "fragile"]
    assert [json.loads(line)["seed"] for line in file.read_text().splitlines()] == [0, 1]


# One window, few trials and long bars: some seconds a seed. Everything is seeded, so that these counts cannot flicker.
SHORT = Plan(days=200, timeframe="4h", finer=2, windows=1, trials=16)
LONG = Plan(days=1_200, timeframe="4h", finer=1, windows=1, trials=16)


def test_no_edge_is_not_called_robust() -> None:
    found = [finding(control(name), seed, SHORT) for name, seed in (("martingale", 0), ("fair", 1), ("free", 2))]
    assert [one["label"] for one in found].count("robust") == 0
    assert len({json.dumps(one["parameters"]) for one in found}) == 3


def test_a_strong_edge_is_found_in_most() -> None:
    found = [finding(control("planted:1"), seed, LONG) for seed in range(4)]
    assert [one["label"] for one in found].count("robust") >= 3, [(one["label"], one["failed"]) for one in found]
    # With true differences between sets taken for luck, the deflated Sharpe ratio would have passed none of them.
    assert max(one["deflated_by_whole_spread"] for one in found) < 0.95


def test_the_same_seed_gives_the_same_finding() -> None:
    one = finding(control("drift"), 1, SHORT)
    assert one == finding(control("drift"), 1, SHORT)
    assert json.loads(json.dumps(one, allow_nan=False)) == one


def test_an_edge_is_there_when_it_is_planted() -> None:
    """Sharpe of the default static grid, without costs."""

    def of(reverting: float) -> float:
        markets = [made_up(seed, Clock(100, "1h", 2), reverting=reverting) for seed in range(4)]
        return float(np.mean([bt.run(one, bt.StaticGrid(), execution=control("fair").execution).metrics["sharpe"] for one in markets]))

    assert of(0.75) > 3.0 > of(0.0)
