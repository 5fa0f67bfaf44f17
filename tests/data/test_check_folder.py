"""The check of a folder: joined files, series against each other, what the terminal and JSON say."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from backtest.data.built_in import filters_origin
from backtest.data.cache.instruments import save_instruments
from backtest.data.check.as_json import report_as_json
from backtest.data.check.findings import CheckReport
from backtest.data.check.folder import check_folder, check_parts
from backtest.data.check.stretches import Part, PartRows
from backtest.data.check.terminal import print_check
from backtest.data.columns import BAR_FIELDS, Origin
from backtest.data.instrument import Instrument
from backtest.data.printed_table import GroupedTable, print_fitting
from backtest.data.series import SeriesName
from backtest.data.timeframe import parse_utc, utc_text
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
    assert "v BTCUSDT 15m: 2 rows differ between files that overlap" in flat_text(report)
    assert "BROKEN: 1 finding above that a run would refuse; 1 series was checked." in flat_text(report)
    changed.loc[160, "volume"] -= 1.0
    write(tmp_path, "v_BTCUSDT_15m_2-3", changed)
    report = check_folder(tmp_path)
    assert report.broken == ("v BTCUSDT 15m: files overlap and differ in 1 row",)
    assert "v BTCUSDT 15m: 1 row differs between files that overlap" in flat_text(report)


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
    assert "BROKEN: 3 findings above that a run would refuse; 1 series was checked." in text


def test_nothing_but_an_unreadable_file(tmp_path):
    (tmp_path / "v_SOLUSDT_15m.parquet").write_bytes(b"PAR1 no more")
    assert "BROKEN: 1 finding above that a run would refuse; no series could be checked." in flat_text(check_folder(tmp_path))


def test_a_bar_that_has_not_closed_is_left_out_and_two_are_broken(tmp_path):
    write(tmp_path, "v_BTCUSDT_15m", bars(100))
    report = check_folder(tmp_path, now=START + 100 * QUARTER - 1)
    assert report.series[0].rows == 99
    assert "The last bar of v_BTCUSDT_15m.parquet, 2024-01-02 00:45 UTC, is unfinished and left out." in report.remarks
    report = check_folder(tmp_path, now=START + 99 * QUARTER - 1)
    assert "is one of 2 bars that have not closed at 2024-01-02 00:44:59.999 UTC" in report.broken[0]
    write(tmp_path, "v_BTCUSDT_15m", bars(1))
    report = check_folder(tmp_path, now=START + QUARTER - 1)
    assert "row 0 of v_BTCUSDT_15m.parquet (2024-01-01 00:00) has not closed" in report.broken[0]


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
    title, text = shown(check_folder(tmp_path), width).split("\n", 1)
    assert title == f"Market data in {tmp_path}"  # a path is as long as it is
    assert max(map(len, text.splitlines())) <= width
    assert not [line for line in text.splitlines() if line != line.rstrip()]
    assert "…" not in text
    for cell in ("40 (1)", "1,960", "2024-01-01 00:00", "2024-01-21 19:45", "0.0100", "binanceusdm\n"):
        assert cell in text


@pytest.mark.parametrize("width", [20, 40, 80])
def test_long_names_and_numbers_are_folded_and_keep_every_character(width):
    table = GroupedTable(("coin", "from"), ("rows", "gaps"))
    rows = {"binanceusdm_at_length": "1000000MOGUSDT", "cme": "ES"}
    for heading, coin in rows.items():
        table.add(heading, [coin, "2024-01-01 00:00", "123,456,789,012", "1,234 (56,789)"])
    out = io.StringIO()
    print_fitting([table], Console(file=out, width=width))
    lines = out.getvalue().splitlines()
    assert [line for line in lines if line in rows] == list(rows)
    assert max(len(line) for line in lines if line not in rows) <= width
    letters = sorted("".join(lines).replace(" ", "").replace("─", ""))
    wanted = "coinfromrowsgaps" + "".join([*rows, *rows.values()]) + 2 * "2024-01-0100:00123,456,789,0121,234(56,789)"
    assert letters == sorted(wanted)


BTC_TICK = Instrument("BTCUSDT", 0.25, 0.001, 0.001, 100.0)


def test_the_tick_last_read_from_the_exchange_wins_over_the_built_in_table(tmp_path):
    files, cache = tmp_path / "files", tmp_path / "cache"
    files.mkdir()
    for exchange, symbol in (("binanceusdm", "BTCUSDT"), ("bybit", "BTCUSDT"), ("other", "BTCUSDT"), ("other", "ES")):
        write(files, f"{exchange}_{symbol}_15m", bars(300))
    save_instruments(cache, "binanceusdm", [BTC_TICK], parse_utc("2024-03-01", "time"))
    save_instruments(cache, "bybit", [BTC_TICK.replace(tick_size=0.1)], parse_utc("2024-04-02", "time"))
    report = check_folder(files, cache_dir=cache)
    ticks = {found.name: (found.price_step.tick_size, found.price_step.tick_origin) for found in report.series}
    assert ticks == {
        "binanceusdm BTCUSDT 15m": (0.25, "binanceusdm on 2024-03-01"),
        "bybit BTCUSDT 15m": (0.1, "bybit on 2024-04-02"),
        "other BTCUSDT 15m": (0.25, "binanceusdm on 2024-03-01"),
        "other ES 15m": (None, None),
    }
    assert "no multiple of the tick 0.25 (binanceusdm on 2024-03-01), the last at" in flat_text(report)
    assert "bybit BTC: " not in flat_text(report)
    (built_in,) = check_folder(files, ["BTC"], cache_dir=tmp_path / "none").series[:1]
    assert (built_in.price_step.tick_size, built_in.price_step.tick_origin) == (0.1, filters_origin())


def test_the_built_in_table_stands_in_for_instruments_that_are_unreadable(tmp_path):
    write(tmp_path, "binanceusdm_BTCUSDT_15m", bars(30))
    cache = tmp_path / "cache"
    (cache / "binanceusdm").mkdir(parents=True)
    (cache / "binanceusdm" / "instruments.json").write_text("{")
    report = check_folder(tmp_path, cache_dir=cache)
    assert report.series[0].price_step.tick_origin == filters_origin()
    (remark,) = [remark for remark in report.remarks if "instruments.json" in remark]
    assert remark.endswith("fetch the instruments again; until then the built-in table stands in.")


def test_the_short_text_has_a_line_a_coin_and_the_details_have_every_finding(tmp_path):
    frame = bars(960)
    for row in range(20, 800, 20):
        frame.loc[row, "high"] *= 1.5
    frame.loc[[100, 101, 300], "volume"] = 0.0
    keep = ~np.isin(np.arange(960), [500, 600, 601, 602])
    write(tmp_path, "v_BTCUSDT_15m", frame[keep])
    write(tmp_path, "v_BTCUSDT_1h", grouped(frame, 4))
    write(tmp_path, "v_ETHUSDT_15m", frame[keep])
    report = check_folder(tmp_path, cache_dir=tmp_path)
    text = flat_text(report, width=200)
    assert "v BTC: 39 bars of 1h, 37 of 15m, the widest 2024-01-05 19:00 51.6 % (-0.6 %)" in text
    assert "v BTC, ETH: 2 gaps of 15m, all the venue's, the longest 2024-01-07 06:00 (45 minutes)" in text
    assert "v BTC, ETH: no volume at 2 times, the longest 2024-01-02 01:00 (30 minutes)" in text
    assert "--details lists every finding, one by one." in text
    full = flat_text(report, width=200, details=True)
    assert "--details" not in full
    for found in report.series:
        for time in [one.time for one in found.extremes] + [run.begin for run in (*found.gaps, *found.silent)]:
            assert utc_text(time) in full.split("Missing bars")[1]


def test_one_of_anything_is_in_the_singular(tmp_path):
    frame = bars(960)
    frame.loc[100, "volume"] = 0.0
    frame.loc[200, "high"] *= 1.5
    coarse = grouped(frame, 4)
    coarse.loc[30, "high"] *= 1.001
    coarse.loc[40, "volume"] *= 2.0
    for name, rows in (("v_BTCUSDT_15m", frame[np.arange(960) != 500]), ("v_BTCUSDT_1h", coarse)):
        write(tmp_path, name, rows)
    write(tmp_path, "v_BTCUSDT_funding", pd.DataFrame({"timestamp": START + HOUR * np.array([0, 8, 16, 18, 26]), "rate": 1e-4}))
    report = check_folder(tmp_path, cache_dir=tmp_path)
    short, full = flat_text(report, width=200), flat_text(report, width=200, details=True)
    assert "v BTC: 1 gap of 15m, with no other coin to compare, 2024-01-06 05:00 (15 minutes)" in short
    assert "v BTC 15m: 1 bar (0.104 %) in 1 gap, with no other coin to compare: 2024-01-06 05:00" in full
    assert "no volume at 1 time, 2024-01-02 01:00 (15 minutes)" in short
    assert "1 bar without volume: 2024-01-02 01:00" in full
    for text in (short, full):
        assert text.count("1 of 239 bars differs") == 2
        assert "1 interval of 2 h before 2024-01-01 18:00" in text
        assert not re.search(r"(?<![0-9.,])1 (bars|gaps|times|rows|intervals|findings)", text)


def test_repeats_anywhere_and_names_of_other_days_are_judged_as_a_run_does(tmp_path: Path) -> None:
    time = 1_704_067_200_000 + 900_000 * np.arange(40)
    price = 100.0 + np.arange(40.0)
    frame = pd.DataFrame({"timestamp": time, "open": price, "high": price + 1, "low": price - 1, "close": price, "volume": 1.0})
    twice = pd.concat([frame, frame.iloc[10:20]])
    twice.to_csv(tmp_path / "binanceusdm_BTCUSDT_15m.csv", index=False)
    report = check_folder(tmp_path)
    assert report.broken == ()
    assert report.series[0].rows == 40
    twice.iloc[-1, 5] = 7.0
    twice.to_csv(tmp_path / "binanceusdm_BTCUSDT_15m.csv", index=False)
    assert len(check_folder(tmp_path).broken) == 1
    (tmp_path / "binanceusdm_BTCUSDT_15m.csv").unlink()
    frame.to_csv(tmp_path / "BTCUSDT-15m-2025-01.csv", index=False)
    (problem,) = check_folder(tmp_path).unreadable
    assert "which is not in 2025-01" in problem.sentences[0]
