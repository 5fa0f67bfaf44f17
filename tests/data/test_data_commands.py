"""`python -m backtest.data`: what each command prints, writes and refuses, against the made-up exchange."""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from backtest.data import download
from backtest.data.cache.instruments import save_instruments
from backtest.data.cache.inventory import StoredSeries
from backtest.data.cache.ranges import Span
from backtest.data.cache.store import Cache
from backtest.data.command_cache import print_list
from backtest.data.commands import build_parser, main
from backtest.data.exchange.client import ADDRESS
from backtest.data.exchange.venue import open_venue
from backtest.data.instrument import Instrument
from backtest.data.progress import Lines, watcher
from backtest.data.series import SeriesName
from tests.data.fake_exchange import FakeExchange
from tests.data.fake_faults import Fault
from tests.data.fake_market import all_coins, day

NOW = day("2024-03-01T12:07")
BARS = SeriesName("binanceusdm", "BTCUSDT", "15m")


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeExchange]:
    monkeypatch.setattr(download, "open_venue", functools.partial(open_venue, sleep=lambda _: None))
    with FakeExchange(now=NOW) as server:
        monkeypatch.setenv(ADDRESS, server.address)
        yield server


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRIDCORE_DATA_DIR", raising=False)
    return tmp_path


def fetch(*more: str) -> int:
    return main(["fetch", "BTC", "--start", "2024-02-27", *more])


def test_fetch_says_what_it_did_and_a_second_time_nothing(exchange: FakeExchange, capsys: pytest.CaptureFixture[str], place: Path) -> None:
    assert fetch() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "binanceusdm BTCUSDT 15m: 336 new rows in 1 page, 2024-02-27 00:00 to 2024-03-01 12:00 UTC"
    assert [line.split(":")[0].split()[-1] for line in lines] == ["15m", "mark-15m", "funding"]
    assert (place / "data/cache/binanceusdm/BTCUSDT/15m/2024-02.parquet").is_file()
    asked = len(exchange.row_requests)
    assert fetch() == 0
    out = capsys.readouterr().out
    assert out.count("nothing to fetch, everything is stored") == 3
    assert len(exchange.row_requests) == asked
    exchange.now = day("2024-03-02T12:07")
    assert fetch("--no-mark", "--no-funding") == 0
    assert capsys.readouterr().out.startswith(
        "binanceusdm BTCUSDT 15m: 96 new rows in 1 page, 2024-03-01 12:00 to 2024-03-02 12:00 UTC, 3 stored rows compared and equal"
    )


def test_fetch_several_timeframes_quietly(exchange: FakeExchange, capsys: pytest.CaptureFixture[str], place: Path) -> None:
    assert fetch("--timeframe", "1h", "4h", "--no-mark", "--no-funding", "--quiet") == 0
    assert capsys.readouterr() == ("", "")
    assert sorted(path.name for path in (place / "data/cache/binanceusdm/BTCUSDT").iterdir()) == ["1h", "4h"]


@pytest.mark.parametrize(
    ("argv", "code", "sentence"),
    [
        (["fetch", "PEPE"], 2, "did you mean 1000PEPE?"),
        (["fetch", "BTC", "--start", "2030-01-01"], 2, "start = 2030-01-01 00:00 is refused: it is 2024-03-01 12:07 UTC on binanceusdm"),
        (["fetch", "BTC", "--start", "2024-02-01", "--end", "2024-01-01"], 2, "it must be before end"),
        (["fetch", "BTC", "--timeframe", "7m"], 2, "timeframe = '7m' is refused"),
        (["fetch", "BTC", "--exchange", "binanceusd"], 2, "did you mean binanceusdm"),
        (["fetch", "BTC", "--exchange-url", "ftp://127.0.0.1"], 2, "address = 'ftp://127.0.0.1' is refused"),
        (["fetch", "BTC", "--exchange-url", "http://192.0.2.1"], 3, "GRIDCORE_OFFLINE is set"),
        (["fetch", "BTC", "--refesh"], 2, "--refesh is not an option; did you mean --refresh?"),
        (["fetch"], 2, "the following arguments are required: COIN"),
        (["fecth"], 2, "invalid choice: 'fecth'"),
        ([], 2, "the following arguments are required: COMMAND"),
        (["export", "BTC", "--output", "x.csv"], 3, "the cache has no binanceusdm BTCUSDT 15m"),
        (["export", "BTC", "--output", "x.txt"], 2, "it must be a .csv or .parquet file"),
        (["export", "BTC", "--content", "tick", "--output", "x.csv"], 2, "timeframe = 'tick' is refused"),
        (["import", "nowhere.csv"], 2, "nowhere.csv is refused: there is no such file or folder"),
        (["check", "--data-dir", "nowhere"], 2, "--data-dir nowhere is refused: there is no such folder"),
        (["check", "--cache-dir", "nowhere"], 2, "--cache-dir nowhere is refused: there is no such folder"),
        (["list", "--cache-dir", "nowhere"], 2, "--cache-dir nowhere is refused: there is no such folder"),
        (["check"], 3, "there is nothing to check: the cache data/cache is empty; python -m backtest.data fetch BTC downloads"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    argv: list[str], code: int, sentence: str, exchange: FakeExchange, capsys: pytest.CaptureFixture[str], place: Path
) -> None:
    assert main(argv) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert sentence in err
    assert err.count("\n") == 1
    assert list(place.rglob("*.parquet")) == []


def test_list_shows_the_cache(exchange: FakeExchange, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    assert "is empty" in capsys.readouterr().out
    exchange.left_out = {"BTCUSDT": [(day("2024-02-28"), day("2024-02-28T01:00"))]}
    fetch("--quiet")
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "cache data/cache, times UTC"
    assert "binanceusdm" in lines
    (line,) = [line.split() for line in lines if " 15m " in line]
    assert line == ["BTCUSDT", "15m", "2024-02-27", "00:00", "2024-03-01", "11:45", "332", "1", "(4)", line[-1]]
    assert "rows come from" not in "".join(lines)
    assert main(["list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {one["series"]: one["rows"] for one in listed}["binanceusdm BTCUSDT 15m"] == 332


def test_list_says_where_rows_come_from_that_are_not_the_exchange_s(capsys: pytest.CaptureFixture[str], place: Path) -> None:
    Cache().store(BARS, *all_coins()["BTCUSDT"].expected(900_000, day("2024-02-01"), day("2024-02-02"), NOW), origin="import: mine.csv")
    assert main(["list"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "binanceusdm BTCUSDT 15m: rows come from import: mine.csv"


@pytest.mark.parametrize("width", [80, 100, 160])
def test_list_cuts_nothing_off_and_fills_no_line_with_blanks(width: int) -> None:
    def stored(symbol: str, content: str, rows: int, gaps: int, bars: int) -> StoredSeries:
        gap = Span(day("2024-01-02"), day("2024-01-03"))
        series = SeriesName("binanceusdm", symbol, content)
        return StoredSeries(
            series, day("2019-09-10"), day("2024-03-01"), rows, (), (gap,) * gaps, bars, bars, 98_700_000, ("exchange",), (), ()
        )

    found = [stored("1000PEPEUSDT", "mark-15m", 2_345_678, 12, 1440), stored("BTCUSDT", "1m", 2_345_678, 0, 0)]
    out = io.StringIO()
    print_list(Path("data/cache"), found, Console(file=out, width=width))
    lines = out.getvalue().splitlines()
    assert "…" not in out.getvalue()
    assert max(map(len, lines)) <= width
    assert all(line == line.rstrip() for line in lines)
    (line,) = [line.split() for line in lines if "PEPE" in line]
    hour = [] if width == 80 else ["00:00"]
    assert line == ["1000PEPEUSDT", "mark-15m", "2019-09-10", *hour, "2024-03-01", *hour, "2,345,678", "12", "(1,440)", "98.7"]


def test_check_of_nothing_is_no_success(capsys: pytest.CaptureFixture[str], place: Path) -> None:
    folder = place / "files"
    folder.mkdir()
    assert main(["check", "--data-dir", "files"]) == 3
    assert capsys.readouterr() == ("", "error: there is nothing to check: files has no files\n")
    for name in ("a.txt", "b.txt", "c.txt", "d.txt"):
        (folder / name).write_text("?")
    assert main(["check", "--data-dir", "files", "--json"]) == 3
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "no file of files was recognised as market data, it has a.txt, b.txt, c.txt and 1 more" in err
    assert main(["check", "--cache-dir", "files/a.txt"]) == 2
    assert "--cache-dir files/a.txt is refused: it is no folder" in capsys.readouterr().err
    (place / "empty").mkdir()
    assert main(["list", "--cache-dir", "empty"]) == 0
    assert "the cache empty is empty" in capsys.readouterr().out
    assert main(["check", "--cache-dir", "empty"]) == 3
    assert "the cache empty is empty" in capsys.readouterr().err


def test_check_of_the_cache_has_the_ticks_of_its_instruments(capsys: pytest.CaptureFixture[str], place: Path) -> None:
    rows = all_coins()["BTCUSDT"].expected(900_000, day("2024-02-01"), day("2024-02-02"), NOW)
    for cache_dir in ("data/cache", "other"):
        Cache(cache_dir).store(BARS, *rows)
        save_instruments(cache_dir, "binanceusdm", [Instrument("BTCUSDT", 7.77, 0.001, 0.001, 5.0)], NOW)
    for options in ([], ["--cache-dir", "other"]):
        assert main(["check", *options]) == 0
        assert "no multiple of the tick 7.77 (binanceusdm on 2024-03-01)" in capsys.readouterr().out
    main(["export", "BTC", "--output", str(place)])
    assert main(["check", "--data-dir", str(place)]) == 0
    assert "no multiple of the tick 7.77 (binanceusdm on 2024-03-01)" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_export_then_import_gives_the_same_rows(
    suffix: str, exchange: FakeExchange, capsys: pytest.CaptureFixture[str], place: Path
) -> None:
    fetch("--quiet")
    file = place / f"binanceusdm_BTCUSDT_15m{suffix}"
    assert main(["export", "BTC", "--start", "2024-02-28", "--output", str(file)]) == 0
    assert capsys.readouterr().out.startswith("binanceusdm BTCUSDT 15m: 240 rows from 2024-02-28 00:00 to 2024-03-01 11:45 UTC")
    assert main(["export", "BTC", "--output", str(file)]) == 2
    assert "it is there already" in capsys.readouterr().err
    assert main(["import", str(file), "--cache-dir", "other"]) == 0
    out = capsys.readouterr().out
    assert "240 rows from 2024-02-28 00:00 to 2024-03-01 11:45 UTC, 240 of them new" in out
    time, values = Cache("other").read(BARS)
    stored_time, stored = Cache().read(BARS, day("2024-02-28"))
    assert np.array_equal(time, stored_time)
    assert np.array_equal(values, stored)
    assert main(["import", str(file), "--cache-dir", "other"]) == 0
    assert "0 of them new" in capsys.readouterr().out


def test_import_of_a_file_without_a_telling_name(capsys: pytest.CaptureFixture[str], place: Path) -> None:
    time, values = all_coins()["BTCUSDT"].expected(900_000, day("2024-02-01"), day("2024-02-02"), NOW)
    frame = pd.DataFrame({"timestamp": time, **dict(zip(("open", "high", "low", "close", "volume"), values, strict=True))})
    hole = frame.drop(index=[5, 6])
    hole.to_csv("mine.csv", index=False)
    assert main(["import", "mine.csv"]) == 2
    assert "no file was recognised" in capsys.readouterr().err
    assert main(["import", "mine.csv", "--symbol", "BTC", "--timeframe", "15m"]) == 0
    assert "94 rows" in capsys.readouterr().out
    # A hole in a file is not the exchange's word that nothing is there: it is asked for later.
    assert Cache().missing(BARS, int(time[0]), day("2024-02-02")) == ((int(time[5]), int(time[7])),)


def test_import_refuses_rows_that_contradict_those_stored(exchange: FakeExchange, capsys: pytest.CaptureFixture[str], place: Path) -> None:
    fetch("--quiet")
    main(["export", "BTC", "--output", "binanceusdm_BTCUSDT_15m.csv"])
    frame = pd.read_csv("binanceusdm_BTCUSDT_15m.csv")
    frame.loc[7, "volume"] += 1.0
    frame.to_csv("binanceusdm_BTCUSDT_15m.csv", index=False)
    before = {path: path.read_bytes() for path in (place / "data").rglob("*.*")}
    assert main(["import", "binanceusdm_BTCUSDT_15m.csv"]) == 2
    assert "contradicts what is stored of binanceusdm BTCUSDT 15m" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in (place / "data").rglob("*.*")} == before


def test_check_of_the_cache_and_of_a_broken_file(exchange: FakeExchange, capsys: pytest.CaptureFixture[str], place: Path) -> None:
    fetch("--quiet")
    assert main(["check"]) == 0
    assert "Nothing is broken: every row of the 3 series keeps the rules." in capsys.readouterr().out
    folder = place / "files"
    folder.mkdir()
    main(["export", "BTC", "--output", str(folder / "binanceusdm_BTCUSDT_15m.csv")])
    frame = pd.read_csv(folder / "binanceusdm_BTCUSDT_15m.csv")
    frame.loc[3, "high"] = frame.loc[3, "low"] / 2
    frame.to_csv(folder / "binanceusdm_BTCUSDT_15m.csv", index=False)
    capsys.readouterr()
    assert main(["check", "--data-dir", str(folder)]) == 1
    assert "2024-02-27 00:45" in capsys.readouterr().out
    assert main(["check", "--data-dir", str(folder), "--json"]) == 1
    assert "the high is below the low" in capsys.readouterr().out


def test_help_names_every_command_and_option(capsys: pytest.CaptureFixture[str]) -> None:
    for command, options in {
        "fetch": "start end timeframe exchange cache-dir exchange-url refresh no-funding no-mark quiet",
        "list": "cache-dir json",
        "check": "data-dir exchange cache-dir details json",
        "import": "exchange cache-dir symbol timeframe quiet",
        "export": "content start end exchange cache-dir output force",
    }.items():
        with pytest.raises(SystemExit):
            build_parser().parse([command, "--help"])
        out = capsys.readouterr().out
        for option in options.split():
            assert f"--{option}" in out, (command, option)


def test_lines_are_few_and_tell_the_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    stream, now = io.StringIO(), [0.0]
    tell = Lines(stream, lambda: now[0]).watch("BTCUSDT 15m")
    for second in range(31):
        now[0] = float(second)
        tell(100 * second, 3000)
    lines = stream.getvalue().splitlines()
    assert lines == [
        "BTCUSDT 15m: 1,000 of 3,000 rows, 33 %, 100 rows/s, 20 s left",
        "BTCUSDT 15m: 2,000 of 3,000 rows, 67 %, 100 rows/s, 10 s left",
        "BTCUSDT 15m: 3,000 of 3,000 rows",
    ]


def test_a_terminal_gets_bars() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    with watcher(stream=stream) as watching:
        tell = watching.watch("BTCUSDT 15m")
        tell(500, 1000)
        watching.say("the exchange asks to wait")
        tell(1000, 1000)
    assert "1,000 of 1,000 rows" in stream.getvalue()
    assert "the exchange asks to wait" in stream.getvalue()


def test_mark_prices_that_are_refused_leave_the_rest(exchange: FakeExchange, capsys: pytest.CaptureFixture[str]) -> None:
    exchange.faults = [Fault("no service", when=lambda request: request.path.endswith("markPriceKlines"), times=1e9)]
    assert fetch("--quiet") == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: binanceusdm BTCUSDT mark-15m was not fetched: binanceusdm does not serve the country")
    assert Cache().read(BARS)[0].size == 336
    assert Cache().read(SeriesName("binanceusdm", "BTCUSDT", "funding"))[0].size > 0


def test_a_coin_that_is_not_listed_gets_no_advice_that_cannot_help(exchange: FakeExchange, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", "BCT"]) == 2
    err = capsys.readouterr().err
    assert "did you mean BTC" in err
    assert "--filters" not in err
