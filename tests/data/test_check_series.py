"""The check of one series: a defect that is put into sound bars is found, where it is, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.data.check.bars import check_series, check_settlements
from backtest.data.check.findings import Gap, Range, SeriesFindings
from backtest.data.columns import BAR_FIELDS
from backtest.data.series import SeriesName
from backtest.data.timeframe import Timeframe
from engine.errors import InputError
from tests.backtest.frames import QUARTER, START, bars

BTC = SeriesName("binanceusdm", "BTCUSDT", "15m")
FUNDING = SeriesName("binanceusdm", "BTCUSDT", "funding")
HOURS = 3_600_000


def rows(count: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    frame = bars(count, seed=seed)
    return frame["timestamp"].to_numpy(np.int64, copy=True), np.stack([frame[field].to_numpy(np.float64) for field in BAR_FIELDS])


def check(time: np.ndarray, values: np.ndarray, name: SeriesName = BTC) -> SeriesFindings:
    return check_series(name, time, values, Timeframe.parse("15m"))


def at(row: int) -> int:
    return START + QUARTER * row


def test_sound_bars_raise_nothing():
    time, values = rows()
    found = check(time, values)
    assert (found.rows, found.first, found.last, found.end) == (300, at(0), at(299), at(300))
    assert (found.problems, found.gaps, found.silent, found.flat, found.extremes, found.jumps) == ((), (), (), (), (), ())
    assert (found.spikes, found.repeated, found.volume_breaks, found.duplicates) == ((), (), (), 0)
    assert not found.is_broken
    assert found.missing_pct == 0.0
    assert found.median_range_pct == pytest.approx(100 * np.median(values[1] / values[2] - 1))
    assert found.largest_volume == values[4].max()


def test_gaps_are_counted_in_missing_bars():
    time, values = rows()
    keep = np.ones(300, bool)
    keep[[10, 11, 12, 200]] = False
    found = check(time[keep], values[:, keep])
    assert found.gaps == (Gap(at(10), at(13), 3), Gap(at(200), at(201), 1))
    assert (found.missing, found.largest_gap) == (4, 3)
    assert found.missing_pct == pytest.approx(100 * 4 / 300)


def test_bars_without_volume_and_flat_bars_are_merged_into_ranges():
    time, values = rows()
    values[4, [5, 6, 7, 50]] = 0.0
    values[:4, [6, 7, 90]] = values[3, [6, 7, 90]]
    found = check(time, values)
    assert found.silent == (Range(at(5), at(8), 3), Range(at(50), at(51), 1))
    assert found.flat == (Range(at(6), at(8), 2), Range(at(90), at(91), 1))
    assert (found.silent_bars, found.flat_bars, found.flat_and_silent) == (4, 3, 2)


def test_a_gap_ends_a_range():
    time, values = rows()
    values[4, 5:9] = 0.0
    keep = np.arange(300) != 7
    assert [run.bars for run in check(time[keep], values[:, keep]).silent] == [2, 1]


def test_extreme_bars_come_widest_first():
    time, values = rows()
    values[1, 20] = values[2, 20] * 1.3
    values[1, 40] = values[2, 40] * 1.5
    found = check(time, values)
    assert [bar.time for bar in found.extremes] == [at(40), at(20)]
    assert [bar.range_pct for bar in found.extremes] == pytest.approx([50.0, 30.0])
    assert found.extremes[0].return_pct == pytest.approx(100 * (values[3, 40] / values[0, 40] - 1))


def test_ten_percent_is_no_extreme_where_bars_are_wide():
    time, values = rows()
    values[1], values[2] = values[[0, 3]].max(axis=0) * 1.03, values[[0, 3]].min(axis=0) * 0.97
    values[1, 8] = values[2, 8] * 1.12
    assert check(time, values).extremes == ()


def test_a_jump_is_found_with_the_bars_that_are_missing_before_it():
    time, values = rows()
    values[:4, 100:] *= 1.2
    values[:4, 200:] *= 1.2
    keep = np.ones(300, bool)
    keep[195:200] = False
    found = check(time[keep], values[:, keep])
    assert [(jump.time, jump.missing) for jump in found.jumps] == [(at(100), 0), (at(200), 5)]
    assert [jump.jump_pct for jump in found.jumps] == pytest.approx([20.0, 20.0], abs=1.0)
    assert found.spikes == ()


@pytest.mark.parametrize("factor", [10.0, 0.01, 1000.0])
def test_a_price_of_another_order_is_a_spike(factor):
    time, values = rows()
    values[:4, 60] *= factor
    found = check(time, values)
    assert [spike.time for spike in found.spikes] == [at(60)]
    assert found.spikes[0].factor == pytest.approx(factor, rel=0.05)
    assert found.spikes[0].neighbours == pytest.approx(np.sqrt(values[3, 59] * values[3, 61]))


@pytest.mark.parametrize("row", [0, 299])
def test_a_spike_at_an_end_is_found(row):
    time, values = rows()
    values[:4, row] *= 10.0
    assert [spike.time for spike in check(time, values).spikes] == [at(row)]


def test_repeated_bars_are_found_unless_nothing_trades():
    time, values = rows()
    values[:, 30:34] = values[:, [30]]
    values[:, 80:84] = values[:, [80]]
    values[4, 80:84] = 0.0
    found = check(time, values)
    assert found.repeated == (Range(at(31), at(34), 3),)
    assert found.longest_still == Range(at(30), at(34), 4)


def test_a_change_of_the_unit_of_volume_is_found():
    time, values = rows(600)
    values[4, 300:] *= 40_000.0
    found = check(time, values)
    assert len(found.volume_breaks) == 1
    assert found.volume_breaks[0].factor > 1000.0
    assert abs(found.volume_breaks[0].time - at(300)) <= 96 * QUARTER


def test_steps_of_prices_and_the_tick_of_the_table():
    time, values = rows()
    assert check(time, values).price_step.step == pytest.approx(0.1)
    assert check(time, values).price_step.on_tick_pct == 100.0
    values[3, 120] += 0.05
    values[1, 120] += 1.0
    step = check(time, values).price_step
    assert (step.step, step.tick_size, step.last_off_tick) == (0.05, 0.1, at(120))
    assert step.on_tick_pct == pytest.approx(100 * (1 - 1 / 1200))
    values[3, 120] = values[0, 120] + np.pi / 1e4
    assert check(time, values).price_step.step is None
    unknown = check(time, values, SeriesName("cme", "ES", "15m")).price_step
    assert (unknown.tick_size, unknown.on_tick_pct, unknown.last_off_tick) == (None, None, None)


def test_broken_rows_are_listed_and_left_out():
    time, values = rows()
    values[1, 3] = values[2, 3] / 2  # a high below the low
    values[3, 9] = np.nan
    time[20] += 1000  # off the grid
    found = check(time, values)
    (problem,) = found.problems
    assert problem.rows == 3
    assert found.is_broken
    assert found.broken_rows == 3
    assert [sentence.split(":")[0] for sentence in problem.sentences[:2]] == [
        "row 3 of binanceusdm BTCUSDT 15m (2024-01-01 00",
        "row 9 of binanceusdm BTCUSDT 15m (2024-01-01 02",
    ]
    assert "is not on the 15m grid" in problem.sentences[2]
    assert found.rows == 297
    assert [gap.bars for gap in found.gaps] == [1, 1, 1]


def test_a_row_that_breaks_two_rules_counts_once():
    time, values = rows()
    time[20] += 1000
    values[3, 20] = np.nan
    (problem,) = check(time, values).problems
    assert problem.rows == 1
    assert len(problem.sentences) == 1


def test_sentences_are_capped_and_the_count_is_not():
    time, values = rows()
    values[4, 50:90] = -1.0
    (problem,) = check(time, values).problems
    assert (problem.rows, len(problem.sentences)) == (40, 20)


def test_repeats_count_where_they_agree_and_break_a_rule_where_not():
    time, values = rows()
    order = np.r_[0:50, 49, 50:100, 99, 100:300]
    values, time = values[:, order].copy(), time[order]
    values[4, 101] += 1.0
    found = check(time, values)
    assert (found.rows, found.duplicates) == (300, 1)
    (problem,) = found.problems
    assert problem.rows == 1
    assert "row 101 of" in problem.sentences[0]
    assert "is there twice and the two differ: volume is" in problem.sentences[0]


def test_repeats_that_do_not_stand_together_are_met_too():
    time, values = rows(100)
    time, values = np.concatenate([time, time[:1]]), np.concatenate([values, values[:, :1]], axis=1)
    found = check(time, values)
    assert (found.rows, found.duplicates) == (100, 1)
    assert found.problems == ()
    values[0, -1] -= 0.1
    assert "is there twice and the two differ" in check(time, values).problems[0].sentences[0]


def test_nothing_usable_is_an_error():
    time, values = rows(10)
    with pytest.raises(InputError, match="cannot be right for it"):
        check_series(SeriesName("binanceusdm", "BTCUSDT", "5m"), time, values)
    with pytest.raises(InputError, match=r"values of binanceusdm BTCUSDT 15m have shape \(3, 10\)"):
        check(time, values[:3])
    with pytest.raises(InputError, match="with at least one row"):
        check(time[:0], values[:, :0])
    with pytest.raises(InputError, match="settlements are checked by check_settlements"):
        check_series(FUNDING, time, values[0])


def test_bars_of_the_mark_price_have_no_volume():
    time, values = rows()
    found = check(time, values[:4], SeriesName("binanceusdm", "BTCUSDT", "mark-15m"))
    assert (found.silent, found.repeated, found.volume_breaks) == ((), (), ())
    assert np.isnan(found.largest_volume)


def test_settlements():
    time = START + HOURS * np.array([0, 8, 16, 18, 20, 24, 48, 56])
    rates = np.array([1e-4, 2e-4, -0.02, 1e-4, 1e-4, 3e-3, 1e-4, 1e-4])
    found = check_settlements(FUNDING, time, rates)
    assert [(interval.minutes, interval.count) for interval in found.intervals] == [(120, 2), (240, 1), (480, 3), (1440, 1)]
    assert (found.intervals[0].first, found.intervals[0].last) == (time[3], time[4])
    assert [(gap.begin, gap.end) for gap in found.gaps] == [(time[5], time[6])]
    assert (found.lowest, found.lowest_time, found.highest, found.highest_time) == (-0.02, time[2], 3e-3, time[5])
    assert found.median == 1e-4
    broken = check_settlements(FUNDING, time, np.where(rates < 0, -2.0, rates))
    assert broken.problems[0].sentences == (
        "row 2 of binanceusdm BTCUSDT funding (2024-01-01 16:00): rate = -2 is refused: it must be a fraction, 0.0001 for 0.01 %",
    )
    assert broken.rows == 7


@settings(max_examples=15)
@given(st.sets(st.integers(1, 58), max_size=20), st.sets(st.integers(0, 59), max_size=20))
def test_gaps_and_silence_as_a_plain_loop_finds_them(missing, silent):
    time, values = rows(60)
    values[4, list(silent)] = 0.0
    keep = [row for row in range(60) if row not in missing]
    found = check(time[keep], values[:, keep])
    gaps, silences = [], []
    for listed, wanted in ((gaps, missing), (silences, silent - missing)):
        row = 0
        while row < 60:
            length = 0
            while row + length in wanted:
                length += 1
            if length:
                listed.append((at(row), length))
            row += length + 1
    assert [(gap.begin, gap.bars) for gap in found.gaps] == gaps
    assert [(run.begin, run.bars) for run in found.silent] == silences
