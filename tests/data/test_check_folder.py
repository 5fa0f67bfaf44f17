"""The check of a folder: joined files, series against each other, what the terminal and JSON say."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from backtest.data.check.as_json import report_as_json
from backtest.data.check.findings import CheckReport
from backtest.data.check.folder import check_folder, check_parts
from backtest.data.check.stretches import Part, PartRows
from backtest.data.check.terminal import print_check
from backtest.data.columns import BAR_FIELDS, Origin
from backtest.data.series import SeriesName
from engine.errors import InputError, SourceError
from tests.backtest.frames import QUARTER, START, bars, grouped

MINUTE = 60_000
DAY = 96 * QUARTER
HOUR = 4 * QUARTER


def write(folder: Path, name: str, frame: pd.DataFrame) -> None:
    frame.to_parquet(folder / f"{name}.parquet")


def funding(count: int, start: int = START) -> pd.DataFrame:
    return pd.DataFrame({"timestamp": start + 8 * HOUR * np.arange(count), "rate": np.full(count, 1e-4)})


def shown(report: CheckReport, width: int = 100, details: bool = False) -> str:
    out = io.StringIO()
    print_check(report, Console(file=out, width=width), details=details)
    return out.getvalue()


def flat_text(report: CheckReport, **options) -> str:
    """What is shown, as one line, so that the folding of lines does not matter."""
    return " ".join(shown(report, **options).split())


def test_a_sound_folder(tmp_path):
    write(tmp_path, "binanceusdm_BTCUSDT_15m", bars(400))
    write(tmp_path, "binanceusdm_BTCUSDT_funding", funding(13))
    report = check_folder(tmp_path)
    assert report.broken == ()
    assert [found.name for found in report.series] == ["binanceusdm BTCUSDT 15m"]
    assert [found.rows for found in report.funding] == [13]
    assert (report.uncovered, report.sums, report.venues, report.unrecognised) == ((), (), (), ())
    assert "Nothing is broken: every row of the 2 series keeps the rules." in flat_text(report)


def test_a_missing_folder_is_a_source_error_and_an_empty_one_says_so(tmp_path):
    with pytest.raises(SourceError):
        check_folder(tmp_path / "none")
    assert "Nothing was checked" in flat_text(check_folder(tmp_path))


def test_coins_are_chosen_by_any_name(tmp_path):
    for symbol in ("BTCUSDT", "ETHUSDT", "ES"):
        write(tmp_path, f"venue_{symbol}_15m", bars(20))
    for coins, symbols in ((("btc",), ["BTCUSDT"]), (("ES", "ETH/USDT:USDT"), ["ES", "ETHUSDT"])):
        assert [found.symbol for found in check_folder(tmp_path, coins).series] == symbols
    with pytest.raises(InputError, match=r"coin = 'BTD' is refused: .* it has BTCUSDT"):
        check_folder(tmp_path, ["BTD"])


def test_files_that_follow_each_other_are_one_stretch_and_a_day_apart_two(tmp_path):
    frame = bars(960)
    write(tmp_path, "v_BTCUSDT_15m_1-2", frame.iloc[:200])
    write(tmp_path, "v_BTCUSDT_15m_2-3", frame.iloc[210:400])
    write(tmp_path, "v_BTCUSDT_15m_3-4", frame.iloc[600:])
    one, two = check_folder(tmp_path).series
    assert (one.rows, [gap.bars for gap in one.gaps], len(one.files)) == (390, [10], 2)
    assert (two.rows, two.gaps) == (360, ())


def test_overlaps_that_agree_are_counted_and_others_are_broken(tmp_path):
    frame = bars(300)
    write(tmp_path, "v_BTCUSDT_15m_1-2", frame.iloc[:200])
    write(tmp_path, "v_BTCUSDT_15m_2-3", frame.iloc[150:])
    (found,) = check_folder(tmp_path).series
    assert (found.rows, found.overlap, found.overlap_differs) == (300, 50, ())
    changed = frame.iloc[150:].copy()
    changed.loc[[160, 170], "volume"] += 1.0
    write(tmp_path, "v_BTCUSDT_15m_2-3", changed)
    report = check_folder(tmp_path)
    (found,) = report.series
    assert (found.overlap, [one.time for one in found.overlap_differs]) == (48, [START + 160 * QUARTER, START + 170 * QUARTER])
    assert report.broken == ("v BTCUSDT 15m: files overlap and differ in 2 rows",)
    assert "2024-01-02 16:00 volume" in flat_text(report)
    assert "BROKEN: 1 finding above would be refused, in 1 series that were checked." in flat_text(report)


def test_broken_rows_and_unusable_files_are_listed_and_the_rest_is_checked(tmp_path):
    frame = bars(100)
    frame.loc[30:34, "high"] = 1.0
    frame.to_csv(tmp_path / "v_BTCUSDT_15m.csv", index=False)
    write(tmp_path, "v_ETHUSDT_5m", bars(100))  # quarters of an hour under the name of five minutes
    (tmp_path / "v_SOLUSDT_15m.parquet").write_bytes(b"PAR1 no more")
    (tmp_path / "notes.txt").write_text("hello")
    report = check_folder(tmp_path)
    (found,) = report.series
    assert (found.symbol, found.rows, found.broken_rows) == ("BTCUSDT", 95, 5)
    assert "v_BTCUSDT_15m.csv: 5 rows break a rule" in report.broken
    assert {problem.file for problem in report.unreadable} == {"v_ETHUSDT_5m.parquet", "v_SOLUSDT_15m.parquet"}
    assert len(report.broken) == 3
    assert [file.file for file in report.unrecognised] == ["notes.txt"]
    text = flat_text(report)
    assert "line 32 of v_BTCUSDT_15m.csv (2024-01-01 07:30): the high is below the low" in text
    assert "and 2 more" in text
    assert "and 2 more" not in flat_text(report, details=True).split("Missing bars")[0]


def test_a_bar_that_has_not_closed_is_left_out_and_two_are_broken(tmp_path):
    write(tmp_path, "v_BTCUSDT_15m", bars(100))
    report = check_folder(tmp_path, now=START + 100 * QUARTER - 1)
    assert report.series[0].rows == 99
    assert "The last bar of v_BTCUSDT_15m.parquet, 2024-01-02 00:45 UTC, is unfinished and left out." in report.remarks
    report = check_folder(tmp_path, now=START + 99 * QUARTER - 1)
    assert "2 bars that have not closed at 2024-01-02 00:44:59.999 UTC" in report.broken[0]


def test_gaps_of_the_venue(tmp_path):
    keep = np.ones(300, bool)
    keep[100:104] = False
    for symbol, own in (("BTCUSDT", [150]), ("ETHUSDT", [])):
        frame = bars(300)
        write(tmp_path, f"v_{symbol}_15m", frame[keep & ~np.isin(np.arange(300), own)])
    minutes = bars(300 * 15, step=MINUTE)
    write(tmp_path, "v_SOLUSDT_1m", minutes[np.repeat(keep, 15)])
    write(tmp_path, "other_BTCUSDT_15m", bars(300)[keep])
    found = {series.name: [(gap.bars, gap.venue) for gap in series.gaps] for series in check_folder(tmp_path).series}
    assert found == {
        "v BTCUSDT 15m": [(4, True), (1, False)],
        "v ETHUSDT 15m": [(4, True)],
        "v SOLUSDT 1m": [(60, True)],
        "other BTCUSDT 15m": [(4, None)],
    }


def test_finer_bars_are_added_up(tmp_path):
    minutes = bars(15 * 200, step=MINUTE)
    coarse = grouped(minutes, 15)
    coarse.loc[10, "high"] += 0.5
    coarse.loc[20, "close"] += 0.1
    coarse.loc[20, "high"] += 0.2
    coarse.loc[30, "volume"] *= 1.1
    write(tmp_path, "v_BTCUSDT_15m", coarse)
    # A group with a missing minute is not compared; nor is the part of one at the begin.
    write(tmp_path, "v_BTCUSDT_1m", minutes[~np.isin(np.arange(3000), [0, 40 * 15 + 3])])
    (sums,) = check_folder(tmp_path).sums
    assert (sums.finer, sums.coarse, sums.compared, sums.bars, sums.volume_bars) == ("1m", "15m", 198, 2, 1)
    assert [(one.time, one.field) for one in sums.prices] == [
        (START + 10 * QUARTER, "high"),
        (START + 20 * QUARTER, "high"),
        (START + 20 * QUARTER, "close"),
    ]
    first = sums.prices[0]
    assert first.difference_pct == pytest.approx(100 * (first.finer / first.coarse - 1))
    assert (first.coarse, first.finer) == (coarse.loc[10, "high"], pytest.approx(coarse.loc[10, "high"] - 0.5))
    assert [(one.time, one.field) for one in sums.volumes] == [(START + 30 * QUARTER, "volume")]
    assert sums.volumes[0].difference_pct == pytest.approx(100 * (1 / 1.1 - 1))


def test_every_finer_timeframe_meets_every_coarser_one(tmp_path):
    minutes = bars(240, step=MINUTE)
    write(tmp_path, "v_BTCUSDT_1m", minutes)
    for name, size in (("5m", 5), ("15m", 15), ("1h", 60)):
        write(tmp_path, f"v_BTCUSDT_{name}", grouped(minutes, size))
    sums = check_folder(tmp_path).sums
    assert {(one.finer, one.coarse, one.compared) for one in sums} == {
        ("1m", "5m", 48),
        ("1m", "15m", 16),
        ("1m", "1h", 4),
        ("5m", "15m", 16),
        ("5m", "1h", 4),
        ("15m", "1h", 4),
    }
    assert not any(one.bars or one.volume_bars for one in sums)


def test_two_exchanges_are_compared_at_equal_closing_times(tmp_path):
    minutes = bars(15 * 400, step=MINUTE)
    write(tmp_path, "spot_BTCUSDT_1m", minutes)
    coarse = grouped(minutes, 15)
    coarse[["open", "high", "low", "close"]] *= 1.001
    coarse["volume"] *= 4.0
    write(tmp_path, "perp_BTCUSDT_15m", coarse)
    (venue,) = check_folder(tmp_path).venues
    assert (venue.first, venue.second, venue.compared) == ("perp 15m", "spot 1m", 400)
    assert venue.median_pct == pytest.approx(0.1)
    assert venue.volume_pct == pytest.approx(400.0)
    assert venue.correlation == pytest.approx(1.0)
    assert venue.offset_minutes == 0


@pytest.mark.parametrize("minutes", [0, 15, -300])
def test_a_clock_that_is_wrong_is_found(tmp_path, minutes):
    frame = bars(1000)
    other = frame.copy()
    other["timestamp"] += minutes * MINUTE
    frame.loc[500, ["open", "high", "low", "close"]] *= 100.0  # one wrong price must not hide the rest
    write(tmp_path, "v_BTCUSDT_15m", frame)
    write(tmp_path, "v_ETHUSDT_15m", other)
    write(tmp_path, "w_BTCUSDT_15m", other)
    report = check_folder(tmp_path)
    assert {(one.first, one.offset_minutes) for one in report.clocks} == {("BTCUSDT 15m", minutes), ("ETHUSDT 15m", -minutes)}
    assert [venue.offset_minutes for venue in report.venues] == [minutes]
    assert ("every clock agrees" in flat_text(report)) == (minutes == 0)


def test_coins_that_do_not_move_together_tell_nothing(tmp_path):
    write(tmp_path, "v_BTCUSDT_15m", bars(1000, seed=1))
    write(tmp_path, "v_ETHUSDT_15m", bars(1000, seed=2))
    assert check_folder(tmp_path).clocks == ()


def test_bars_without_funding_are_told_for_symbols_that_have_some(tmp_path):
    write(tmp_path, "v_BTCUSDT_15m", bars(960))
    write(tmp_path, "v_ETHUSDT_15m", bars(960))
    write(tmp_path, "v_BTCUSDT_funding", funding(10, START + 3 * DAY))
    (first, last) = check_folder(tmp_path).uncovered
    assert (first.symbol, first.begin, first.end) == ("BTCUSDT", START, START + 3 * DAY)
    assert (last.begin, last.end) == (START + 6 * DAY, START + 10 * DAY)


def test_broken_settlements_are_all_listed(tmp_path):
    frame = funding(20)
    frame.loc[[4, 9], "rate"] = 3.0
    write(tmp_path, "v_BTCUSDT_funding", frame)
    (found,) = check_folder(tmp_path).funding
    assert (found.rows, found.broken_rows) == (18, 2)
    assert len(found.gaps) == 2


def test_tiers(tmp_path):
    tier = {"notional_floor": 0, "notional_cap": 1000, "maint_margin_rate": 0.01, "cum": 0, "max_leverage": 50}
    second = {"notional_floor": 1000, "notional_cap": 9000, "maint_margin_rate": 0.02, "cum": 10, "max_leverage": 25}
    tables = {"BTC/USDT:USDT": [tier, second], "ETH/USDT:USDT": [tier, {**second, "cum": 11}], "SOL/USDT:USDT": [{**tier, "cap": 3}, tier]}
    path = tmp_path / "v_leverage_brackets.json"
    path.write_text(json.dumps({"brackets": tables}))
    report = check_folder(tmp_path)
    (tiers,) = report.tiers
    assert tiers.symbols == ("BTCUSDT",)
    assert [problem.split(":")[0] for problem in tiers.problems] == [f"{path.name}, ETH/USDT", f"{path.name}, SOL/USDT"]
    assert report.broken == tiers.problems
    for text in ("[1]", "{"):
        path.write_text(text)
        assert path.name in check_folder(tmp_path).broken[0]


def test_the_cache_is_checked_like_a_folder(tmp_path):
    folder = tmp_path / "binanceusdm" / "BTCUSDT" / "15m"
    folder.mkdir(parents=True)
    frame = bars(96 * 60)
    split = 96 * 31
    frame.iloc[:split].to_parquet(folder / "2024-01.parquet")
    frame.iloc[split:].to_parquet(folder / "2024-02.parquet")
    (folder / "2024-01.json").write_text("{}")
    (folder / "2024-03.parquet.unreadable").write_bytes(b"?")
    report = check_folder(tmp_path)
    (found,) = report.series
    assert (found.name, found.rows, len(found.files), found.gaps) == ("binanceusdm BTCUSDT 15m", 96 * 60, 2, ())
    assert [(file.file.split("/")[-1], file.reason) for file in report.unrecognised] == [
        ("2024-03.parquet.unreadable", "set aside as unreadable")
    ]


def test_parts_from_anywhere():
    frame = bars(50)
    values = np.stack([frame[field].to_numpy() for field in BAR_FIELDS])
    name = SeriesName("v", "BTCUSDT", "15m")

    def refuse() -> PartRows:
        raise SourceError("the disk is gone")

    parts = [
        Part(name, "first", lambda: PartRows(frame["timestamp"].to_numpy(), values, Origin("first"))),
        Part(name, "second", refuse),
    ]
    report = check_parts("memory", parts)
    assert report.series[0].rows == 50
    assert report.broken == ("the disk is gone",)


def test_json_holds_everything_and_no_number_that_json_has_not(tmp_path):
    frame = bars(300)
    frame.loc[40, ["high"]] *= 1.5
    frame.loc[50:51, "volume"] = 0.0
    write(tmp_path, "v_BTCUSDT_15m", frame[np.arange(300) != 70])
    write(tmp_path, "w_BTCUSDT_15m", bars(20))
    content = json.loads(json.dumps(report_as_json(check_folder(tmp_path)), allow_nan=False))
    found = content["series"][0]
    assert (found["first"], found["last"], found["rows"]) == ("2024-01-01T00:00Z", "2024-01-04T02:45Z", 299)
    assert found["gaps"] == [{"begin": "2024-01-01T17:30Z", "end": "2024-01-01T17:45Z", "bars": 1, "venue": None}]
    assert (found["missing"], found["largest_gap"], found["silent_bars"]) == (1, 1, 2)
    assert found["extremes"][0]["time"] == "2024-01-01T10:00Z"
    venue = content["venues"][0]
    assert (venue["first"], venue["correlation"], venue["offset_minutes"]) == ("v 15m", None, None)
    assert content["broken"] == []


@pytest.mark.parametrize("width", [80, 100, 160])
def test_no_line_is_wider_than_the_terminal_and_nothing_is_cut(tmp_path, width):
    frame = bars(2000)
    frame.loc[::7, "volume"] = 0.0
    write(tmp_path, "binanceusdm_BTCUSDT_15m", frame[np.arange(2000) % 50 != 3])
    write(tmp_path, "binanceusdm_BTCUSDT_funding", funding(40))
    text = shown(check_folder(tmp_path), width)
    assert max(map(len, text.splitlines())) <= width
    if width >= 100:
        assert "…" not in text
        assert "40 (1)" in text
