"""The check of the folder of real data against what the README there says, figure by figure."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backtest.data.check.findings import CheckReport, FundingFindings, SeriesFindings, SumFindings
from backtest.data.check.folder import check_folder
from backtest.data.timeframe import parse_utc, utc_text

pytestmark = pytest.mark.real_data

ROW = re.compile(
    r"\| `(?P<file>[^`]+\.parquet)` \| [^|]+ \| [^|]+ \| (?P<first>[^|]+) \| (?P<last>[^|]+) \| (?P<rows>[0-9,]+) "
    r"\| (?P<gaps>[0-9]+)(?: \((?P<largest>[0-9]+) bars\))? \|"
)
PAIR = re.compile(r"\* `(?P<file>[^`]+)`: (?P<compared>[0-9]+) / (?P<different>[0-9]+)")


@pytest.fixture(scope="module")
def report(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> CheckReport:
    # An empty cache: ticks are those of the built-in table, whatever was downloaded.
    return check_folder(real_data, cache_dir=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def readme(real_data: Path) -> str:
    return (real_data / "README.md").read_text(encoding="utf-8")


def of_files(report: CheckReport) -> dict[str, SeriesFindings | FundingFindings]:
    """Each series under the name of its file; no stretch of this folder is made of two."""
    found = {one.files[0]: one for one in (*report.series, *report.funding)}
    assert all(len(one.files) == 1 for one in found.values())
    assert len(found) == len(report.series) + len(report.funding)
    return found


def sums_to_15m(report: CheckReport) -> dict[str, SumFindings]:
    return {one.finer_files[0]: one for one in report.sums if one.coarse == "15m"}


def series(report: CheckReport, file: str) -> SeriesFindings:
    found = of_files(report)[f"{file}.parquet"]
    assert isinstance(found, SeriesFindings)
    return found


def at(text: str) -> int:
    return parse_utc(text.replace(" ", "T"), "time")


def test_rows_spans_and_gaps_are_those_of_the_tables(report: CheckReport, readme: str):
    told = {row["file"]: row for row in ROW.finditer(readme)}
    found = of_files(report)
    assert len(told) > 30
    assert set(told) == set(found)
    differing = {}
    for file, row in told.items():
        one = found[file]
        largest = one.largest_gap if isinstance(one, SeriesFindings) else 0
        mine = (utc_text(one.first), utc_text(one.last), one.rows, len(one.gaps), largest)
        its = (row["first"], row["last"], int(row["rows"].replace(",", "")), int(row["gaps"]), int(row["largest"] or 0))
        if mine != its:
            differing[file] = (mine, its)
    assert differing == {}


def test_every_row_keeps_the_rules_and_every_file_is_accounted_for(report: CheckReport, real_data: Path):
    assert report.broken == ()
    assert all(one.duplicates == one.overlap == 0 for one in of_files(report).values())
    seen = {*of_files(report), *(one.file for one in report.tiers), *(one.file for one in report.unrecognised)}
    assert seen == {path.name for path in real_data.iterdir()}
    assert {one.file for one in report.unrecognised} == {"README.md", "binanceusdm_btcusdt_depth_trades_20240808.jsonl.gz"}


def test_finer_bars_add_up_as_often_as_told(report: CheckReport, readme: str):
    told = {pair["file"]: (int(pair["compared"]), int(pair["different"])) for pair in PAIR.finditer(readme)}
    found = {file: (one.compared, one.bars) for file, one in sums_to_15m(report).items() if one.exchange == "binanceusdm"}
    assert len(told) > 15
    assert found == told


def test_the_bars_that_differ_are_those_told(report: CheckReport, readme: str):
    sentence = readme[readme.index("The few differences are at") :].split("\n")[0]
    whole = re.findall(r"(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2})(?: and (\d{2}:\d{2}))?", sentence)
    told = {f"{day} {hour}" for day, *hours in whole for hour in hours if hour}
    prices = [one for sums in sums_to_15m(report).values() if sums.exchange == "binanceusdm" for one in sums.prices]
    assert {utc_text(one.time) for one in prices} == told
    largest = float(re.search(r"the largest is ([0-9.]+) %", sentence)[1])
    assert round(max(abs(one.difference_pct) for one in prices), 2) == largest
    # The fault of the 1 m and 5 m bars at that time is the venue's: volume is missing in them.
    short = [one for sums in sums_to_15m(report).values() for one in sums.volumes if utc_text(one.time) == "2025-01-29 01:30"]
    assert len(short) == 6
    assert all(one.difference_pct < -20.0 for one in short)


def test_gaps_of_2021_are_the_venues(report: CheckReport):
    spot = [one for one in report.series if one.exchange == "binance_spot"]
    shared = [gap.venue for one in spot for gap in one.gaps if gap.begin >= at("2021-01-12 00:00") and gap.end < at("2021-09-13 00:00")]
    assert len(shared) > 12
    assert all(shared)


def test_bars_without_volume_are_those_told(report: CheckReport, readme: str):
    assert "2022-05-01 22:30, 2022-05-28 16:45 and 17:00, 2024-10-28 20:00 to 20:45" in readme
    for coin in ("BTC", "ETH", "SOL"):
        found = series(report, f"binanceusdm_{coin}USDT_15m")
        assert [(utc_text(run.begin), run.bars) for run in found.silent] == [
            ("2022-05-01 22:30", 1),
            ("2022-05-28 16:45", 2),
            ("2024-10-28 20:00", 4),
        ]
        assert found.silent == found.flat
        assert found.flat_and_silent == 7


@pytest.mark.parametrize(
    ("coin", "time", "percent"),
    [
        ("BTC", "2023-08-17 21:30", 12.7),
        ("BTC", "2023-10-23 22:30", 12.4),
        ("BTC", "2025-10-10 21:15", 10.9),
        ("ETH", "2025-02-03 02:00", 23.3),
        ("ETH", "2024-08-05 01:00", 20.2),
        ("SOL", "2022-11-09 18:45", 40.0),
        ("SOL", "2023-06-10 04:15", 30.2),
        ("SOL", "2022-12-29 22:30", 28.9),
        ("SOL", "2025-10-10 21:15", 31.4),
    ],
)
def test_extreme_bars_are_those_told(report: CheckReport, readme: str, coin: str, time: str, percent: float):
    assert str(percent) in readme
    assert time in readme
    found = {utc_text(bar.time): bar.range_pct for bar in series(report, f"binanceusdm_{coin}USDT_15m").extremes}
    assert round(found[time], 1) == percent


def test_funding_is_as_told(report: CheckReport, readme: str):
    found = {one.symbol: one for one in report.funding}
    assert "SOL has 98 two-hour and 3 four-hour intervals (2022-11-09 to 2022-11-18" in readme
    odd = [interval for interval in found["SOLUSDT"].intervals if interval.minutes != 480]
    assert [(interval.minutes, interval.count) for interval in odd] == [(120, 98), (240, 3)]
    assert utc_text(min(interval.first for interval in odd))[:10] == "2022-11-09"
    assert utc_text(max(interval.last for interval in odd))[:10] == "2022-11-18"
    assert found["SOLUSDT"].lowest == -0.02
    assert all(len(one.intervals) == 1 for symbol, one in found.items() if symbol != "SOLUSDT")
    bare = {one.symbol: (utc_text(one.begin), utc_text(one.end)) for one in report.uncovered if one.begin < at("2023-01-01 00:00")}
    assert bare == dict.fromkeys(("SOLUSDT", "BNBUSDT"), ("2022-01-01 00:00", "2022-06-25 00:00"))


def test_spot_against_perpetual_is_as_told(report: CheckReport, readme: str):
    assert "closes differ from the perpetual by a median of 0.03-0.08 %" in readme
    assert len(report.venues) == 5
    for one in report.venues:
        assert 0.03 <= round(one.median_pct, 2) <= 0.08
        assert one.offset_minutes == 0
        assert one.correlation > 0.99


def test_where_the_check_and_the_readme_disagree(report: CheckReport, readme: str):
    """The README gives spot volume as 8 to 16 % of the perpetual's; two of the five spans lie above that."""
    assert "Spot volume is about 8-16 % of perpetual volume" in readme
    shares = sorted((round(one.volume_pct, 1), one.symbol) for one in report.venues)
    assert shares == [(8.6, "ETHUSDT"), (11.2, "BTCUSDT"), (14.2, "BTCUSDT"), (17.2, "BTCUSDT"), (18.3, "SOLUSDT")]


def test_what_the_readme_does_not_say(report: CheckReport):
    """Five quarters of an hour of April 2021 in which minutes and quarter hours of spot BTC differ; a tick that has changed."""
    (spot,) = [one for one in report.sums if one.exchange == "binance_spot"]
    assert (spot.symbol, spot.compared, spot.bars) == ("BTCUSDT", 3333, 5)
    assert max(abs(one.difference_pct) for one in spot.prices) < 0.1
    step = series(report, "binanceusdm_BTCUSDT_15m").price_step
    assert (step.step, utc_text(step.last_off_tick or 0)) == (0.01, "2022-04-11 17:00")


def test_futures_are_as_told(report: CheckReport, readme: str):
    assert "42 single missing bars" in readme
    assert "42-44 bars have volume 0" in readme
    for name in ("ES", "NQ"):
        found = series(report, f"cme_{name}_5m_202602-202604")
        assert found.silent_bars in (42, 44)
        (extreme,) = found.extremes
        assert utc_text(extreme.time) == "2026-03-23 11:05"
        # The README gives the bar's move, not its range.
        assert round(extreme.return_pct, 1) == 3.3
    assert [sum(gap.bars == 1 for gap in series(report, f"cme_{name}_5m_202602-202604").gaps) for name in ("ES", "NQ")] == [42, 42]


def test_tiers_are_sound(report: CheckReport, readme: str):
    assert "brackets of 15 USD-M symbols" in readme
    (tiers,) = report.tiers
    assert len(tiers.symbols) == 15
    assert tiers.problems == ()


def test_nothing_odd_but_the_weekend_of_the_clock_change(report: CheckReport):
    odd = [(one.symbol, utc_text(jump.time)) for one in report.series for jump in one.jumps]
    assert odd == [("ES", "2026-03-08 22:05"), ("NQ", "2026-03-08 22:10")]
    assert not any(one.spikes or one.repeated or one.volume_breaks for one in report.series)
    assert len(report.clocks) > 20
    assert all(one.offset_minutes == 0 for one in report.clocks)
