"""The report page: well formed, alone in the world, the terminal's figures, nothing let out of its place, the same bytes twice."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import backtest as bt
from backtest.report.html import pictures, render_report, write_report
from backtest.report.html.details import exact
from backtest.report.html.elements import Cell, Table, figure
from backtest.report.terminal import ROWS, as_text
from backtest.result import Result
from backtest.sensitivity.path_bars import PathBars
from backtest.sensitivity.table import Row, Sensitivity
from backtest.studies import Studies
from backtest.uncertainty.estimate import Interval, Uncertainty
from engine.account import Account
from engine.errors import InputError
from engine.execution import Execution
from engine.strategies.adaptive_grid_parameters import AdaptiveGrid
from tests.conftest import COMPILED
from tests.results.ledgers import Book, make_market, make_result

VOID = {"meta", "link", "img", "br"}
NASTY = "</li></section><script>alert(1)</script> & \"quoted\" 'too' <img src=http://x.test/y> \udcff"

RUN = Row("this run", "", 0.125, 0.031, 1.5, 0.0, False, False)
ROWS_OF_STUDY = (
    Row("fills through 3 bp", "orders fill only 3 basis points beyond their price", -0.042, 0.06, -0.7, -16.7, True, False),
    Row("path low_first", "the low of every bar comes before its high", 0.12, 0.04, math.nan, -0.5, False, True),
)
LUCK = Uncertainty(Interval(0.125, -0.2, 0.11, 0.4), Interval(1.5, -0.5, 1.4, 3.0), Interval(0.03, 0.02, 0.05, 0.11), 0.25, 90, 500, 1, 3.0)
STUDIES = Studies(Sensitivity(RUN, ROWS_OF_STUDY, "in bars", None, None, PathBars(3, 40), ()), LUCK)


class Page(HTMLParser):
    """Walks a page strictly: each tag closes the one last opened. Keeps attributes, words by element, and tables by label."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: dict[str, list[str]] = {}
        self.tables: dict[str, list[tuple[str, list[str], list[float | None]]]] = {}
        self.feed(page)
        self.close()
        assert self.open == [], f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.attributes += [(tag, name, value) for name, value in given.items()]
        if tag not in VOID:
            self.open.append(tag)
        self.words.setdefault(tag, []).append("")
        if tag == "div" and "aria-label" in given:
            self.rows = self.tables.setdefault(given["aria-label"], [])
        if tag == "tr":
            self.rows.append((self.open[-2], [], []))
        if tag in ("td", "th"):
            self.rows[-1][1].append("")
            self.rows[-1][2].append(float(given["data-v"]) if "data-v" in given else None)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.words[tag][-1] += data
        if {"td", "th"} & set(self.open):
            self.rows[-1][1][-1] += data

    def values(self, tag: str, name: str) -> list[str]:
        return [value for element, key, value in self.attributes if element == tag and key == name]

    def body(self, label: str) -> dict[str, list[str]]:
        return {cells[0]: cells[1:] for part, cells, _ in self.tables[label] if part == "tbody"}


def page_of(result: Result, studies: Studies | None = None) -> Page:
    """The page, parsed, after the checks that hold for every page."""
    page = render_report(result, studies)
    assert page.startswith("<!DOCTYPE html>\n")
    parsed = Page(page)
    ids = [value for _, name, value in parsed.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {link.removeprefix("#") for link in parsed.values("a", "href")} <= set(ids)
    for _, name, value in parsed.attributes:
        assert re.fullmatch("style|srcset|action|on.*", name) is None
        if name in ("src", "href"):
            assert value.startswith(("#", "data:image/png;base64,")) or value == "data:,"
    for label, rows in parsed.tables.items():
        assert len({len(cells) for _, cells, _ in rows}) == 1, label
    return parsed


def quiet_result(bars: int = 50) -> Result:
    """Bars on which nothing was traded."""
    market = make_market(bars=bars)
    book = Book([market], market.time, 10_000.0, Execution())
    for book.bar in range(bars):
        book.mark([float(market.close[book.bar])])
    return Result(AdaptiveGrid(), Account(), Execution(), [market], [book.ledger(0)], [1.0])


def without_log(result: Result) -> Result:
    return replace(result, ledgers=[replace(ledger, events=ledger.events[:0]) for ledger in result.ledgers])


@pytest.fixture
def no_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """For pages whose words are in question: drawing takes nearly all the time."""
    monkeypatch.setattr(pictures, "_drawn", lambda result, studies: {})


@pytest.fixture(scope="module")
def result() -> Result:
    return make_result(("BTCUSDT", "ETHUSDT"), bars=300)


@pytest.fixture(scope="module")
def page(result: Result) -> Page:
    return page_of(result, STUDIES)


def test_the_walker_sees_a_broken_page() -> None:
    for broken in ("<p><b>x</p></b>", "<div>", "</p>"):
        with pytest.raises(AssertionError):
            Page(broken)


def test_the_headline_is_the_terminals(result: Result, page: Page) -> None:
    printed = {}
    for line in as_text(result, width=200).splitlines():
        name, *figures = re.split(r"\s{2,}", line.strip())
        printed.setdefault(name, figures)
    shown = page.body("headline figures")
    names = [row[0] for row in ROWS if row is not None]
    assert list(shown) == names
    assert {name: shown[name] for name in names} == {name: printed[name] for name in names}
    assert page.tables["headline figures"][0][1] == ["", "PORTFOLIO", "BTCUSDT", "ETHUSDT"]


def test_parts_stand_in_their_order_and_the_contents_name_them(page: Page) -> None:
    headings = [words.removeprefix("SIMULATED: ") for words in page.words["h2"]]
    assert headings[:2] == ["Warnings", "Contents"]
    assert (
        page.words["a"]
        == headings[2:]
        == [
            "The same run under other assumptions",
            "The luck in these days",
            "Where the profit came from",
            "Returns by month",
            "The five worst drawdowns",
            "Charts",
            "Fills by coin",
            "Trapped inventory: lots open at the end",
            "Fills by grid level: lots opened, level 1 the nearest to the middle",
            "Prunes: what was realized, and what holding on would have made",
            "Details",
        ]
    )


def test_the_studies_are_shown_with_their_sentences(page: Page) -> None:
    assert STUDIES.sensitivity is not None
    rows = page.body("sensitivity table")
    sharpe = ["-16.70", "6.00", "-0.70", "sign changes", "when orders fill only 3 basis points beyond their price"]
    assert rows["fills through 3 bp"] == ["-4.20", *sharpe]
    assert rows["path low_first"][3:5] == ["-", "LIQUIDATED"]
    assert rows["this run"][:2] == ["+12.50", ""]
    assert set(STUDIES.sensitivity.sentences()) <= set(page.words["p"])
    assert page.body("intervals")["total return"] == ["12.50 %", "-20.00 %", "11.00 %", "40.00 %"]
    assert any(line.startswith("With blocks of 3 days") for line in page.words["p"])
    assert page.words["p"][1] == STUDIES.headline  # right after SIMULATED


@pytest.mark.usefixtures("no_charts")
def test_missing_studies_are_said(result: Result) -> None:
    assert "The sensitivity table was not made for this page." in page_of(result).words["p"]
    left_out = Studies(left_out="The sensitivity table is missing: no reason.")
    assert left_out.left_out in page_of(result, left_out).words["p"]


@pytest.mark.parametrize("label", ["part", "month", "symbol"])
def test_attribution_sums_to_the_change_of_equity(result: Result, page: Page, label: str) -> None:
    gained = result.metrics["final_equity"] - result.capital
    rows = page.tables[label]
    assert [cells[0] for part, cells, _ in rows if part == "tfoot"] == ["total"]
    for part in ("tbody", "tfoot"):
        total = sum(values[-1] or 0.0 for where, _, values in rows if where == part)
        assert total == pytest.approx(gained, abs=1e-6)
    for _, cells, values in rows[1:]:
        assert cells[1:] == [f"{value + 0.0:,.2f}".replace("-0.00", "0.00") for value in values[1:] if value is not None]


def test_details_hold_every_metric_and_setting(result: Result, page: Page) -> None:
    assert list(page.body("all metrics")) == list(result.metrics)
    settings = page.body("settings")
    for name, value in result.execution.model_dump().items():
        assert settings[f"execution.{name}"] == ["none" if value is None else str(value)]
    assert settings["strategy"] == ["adaptive_grid"]
    assert "fees" in page.body("assumptions")


def test_coins_of_fills_add_up_to_the_portfolio(page: Page) -> None:
    (*coins, total) = [values for part, _, values in page.tables["fills by coin"] if part in ("tbody", "tfoot")]
    assert [cells[0] for _, cells, _ in page.tables["fills by coin"]] == ["coin", "BTCUSDT", "ETHUSDT", "PORTFOLIO"]
    for column in (1, 3, 4, 7, 11, 12):
        assert sum(values[column] or 0.0 for values in coins) == pytest.approx(total[column])
    assert total[3]


def test_charts_are_inline_pictures(page: Page) -> None:
    sources = page.values("img", "src")
    names = page.values("img", "alt")
    subjects = [name.partition(":")[0] for name in names]
    order = ["portfolio", "BTCUSDT", "ETHUSDT"]
    assert subjects == [subject for subject in order for _ in range(subjects.count(subject))]
    assert {f"portfolio: {kind}" for kind in ("notional held and leverage", "the same run under other assumptions")} < set(names)
    assert [subjects.count(subject) for subject in order[1:]] == [2, 2]
    assert names == page.words["figcaption"]
    assert len(set(names)) == len(names)
    assert all(base64.b64decode(source.split(",")[1]).startswith(b"\x89PNG") for source in sources)


def test_charts_beyond_the_limit_are_named(result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = dict.fromkeys(("chart_portfolio.png", "chart_BTCUSDT.png", "chart_ETHUSDT.png"), b"picture")
    monkeypatch.setattr(pictures, "_drawn", lambda result, studies: drawn)
    monkeypatch.setattr(pictures, "MOST_BYTES", 7)
    parsed = page_of(result)
    assert parsed.values("img", "alt") == ["portfolio: price with fills, equity against buy and hold, drawdown"]
    words = (
        "Not on this page, to keep it small: BTCUSDT: price with fills, equity against buy and hold, drawdown; "
        "ETHUSDT: price with fills, equity against buy and hold, drawdown. The run's folder has them."
    )
    assert words in parsed.words["p"]


def test_a_browser_may_run_this_script_and_style_only(page: Page) -> None:
    policy = page.values("meta", "content")[0]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(page.words[tag][0].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_nasty_notes_and_sources_stay_words(tmp_path: Path) -> None:
    made = make_result(bars=60, notes=(NASTY,), source=f"from {NASTY}", simulated=False)
    parsed = page_of(made)
    assert len(parsed.words["script"]) == 1
    assert f"BTCUSDT: {NASTY}" in parsed.words["li"]
    assert len(parsed.words["img"]) == len(parsed.words["figcaption"])  # the charts alone
    assert b"alert(1)</script>" not in write_report(made, tmp_path / "report.html").read_bytes()


def test_the_same_result_gives_the_same_bytes(tmp_path: Path) -> None:
    first = write_report(make_result(bars=80), tmp_path / "a" / "b" / "report.html", STUDIES)
    second = write_report(make_result(bars=80), str(tmp_path / "report.html"), STUDIES)
    assert first == tmp_path / "a" / "b" / "report.html"
    assert first.read_bytes() == second.read_bytes()
    assert [path.name for path in first.parent.iterdir()] == ["report.html"]


@pytest.mark.usefixtures("no_charts")
def test_an_older_report_is_replaced_and_a_bad_place_refused(tmp_path: Path) -> None:
    made = quiet_result()
    place = tmp_path / "report.html"
    place.write_text("old")
    assert write_report(made, place).read_bytes().startswith(b"<!DOCTYPE html>")
    with pytest.raises(InputError, match=r"report .* is refused: Not a directory|report .* is refused: File exists"):
        write_report(made, place / "report.html")


def test_simulated_is_said_at_the_top_and_over_every_part(page: Page) -> None:
    assert page.words["p"][0].startswith("SIMULATED: ")
    assert page.words["h1"][0].startswith("SIMULATED: ")
    assert all(words.startswith("SIMULATED: ") for words in page.words["h2"][2:-1])
    assert {"SIMULATED: All metrics", "SIMULATED: Events"} <= set(page.words["h3"])


@pytest.mark.usefixtures("no_charts")
def test_simulated_is_not_said_of_a_real_market() -> None:
    assert "SIMULATED" not in render_report(make_result(bars=60, simulated=False, source="files of an exchange"))


def test_no_bars() -> None:
    parsed = page_of(make_result(skip=400))
    assert "No warnings." not in parsed.words["p"]
    assert any(line.startswith("NO BARS: ") for line in parsed.words["li"])
    assert parsed.body("headline figures")["final equity"] == ["10,000.00"]
    assert {"No bar traded, so there are no months.", "Nothing happened: no order filled."} <= set(parsed.words["p"])


def test_no_trades() -> None:
    parsed = page_of(quiet_result())
    assert parsed.body("headline figures")["total return"] == ["0.00 %"]
    assert {"Equity never closed below its peak.", "Nothing happened: no order filled."} <= set(parsed.words["p"])
    assert parsed.body("fills by coin")["BTCUSDT"][2] == "0"


def test_liquidated() -> None:
    parsed = page_of(make_result(bars=200, liquidate_at=100))
    assert parsed.words["p"][1] == "LIQUIDATED: 1 time (BTCUSDT)"
    assert not any(line.startswith("LIQUIDATED") for line in parsed.words["li"])
    assert parsed.body("headline figures")["liquidations"] == ["1"]
    assert "liquidations" in parsed.body("part")


@pytest.mark.usefixtures("no_charts")
def test_nothing_quoted_is_a_banner() -> None:
    made = quiet_result()
    made.ledgers[0].states["wanted_rungs"] = made.ledgers[0].states["dropped_rungs"] = 7
    assert page_of(made).words["p"][1].startswith("BTCUSDT: NOTHING WAS QUOTED")


@pytest.mark.usefixtures("no_charts")
@pytest.mark.parametrize("shared", [False, True])
def test_without_the_event_log(shared: bool) -> None:
    parsed = page_of(without_log(make_result(("BTCUSDT", "ETHUSDT"), shared=shared, bars=100)))
    assert "This run did not record its events." in parsed.words["p"]
    assert "Not to be had: attribution_by needs the event log, which this run did not record." in parsed.words["p"]
    assert "grid profit" in parsed.body("part")


def test_many_events_are_shown_at_both_ends(tmp_path: Path) -> None:
    made = make_result(bars=3_000)
    (ledger,) = made.ledgers
    # A history that goes on: more bars would take the plain bookkeeping long.
    extra = np.repeat(ledger.events[ledger.events["lot"] < 0][:1], 30_000)
    extra["time"], extra["bar"] = ledger.events["time"][-1], ledger.events["bar"][-1]
    made = replace(made, ledgers=[replace(ledger, events=np.concatenate((ledger.events, extra)))])
    path = write_report(made, tmp_path / "report.html")
    assert path.stat().st_size < 6_000_000
    parsed = Page(path.read_text("utf-8"))
    count = len(made.trades)
    assert count > 30_000
    events = [cells for part, cells, _ in parsed.tables["events"] if part == "tbody"]
    assert len(events) == 400
    assert events[0][0] == f"{made.trades['time'].iloc[0]:%Y-%m-%d %H:%M}"
    assert events[-1][0] == f"{made.trades['time'].iloc[-1]:%Y-%m-%d %H:%M}"
    words = f"The first and the last 200 of {count:,} events; trades.csv in the run's folder has all of them."
    assert any(line.startswith(words) for line in parsed.words["p"])


@pytest.mark.parametrize(("value", "shown"), [(1e-05, "0.00001"), (100_000.0, "100000"), (0.1, "0.1"), (math.nan, "-")])
def test_prices_are_written_out(value: float, shown: str) -> None:
    assert exact(value) == shown


def test_cells_sort_by_their_number_and_nan_has_none() -> None:
    table = Table("a <b>", ["name", "value"], [[[Cell("x"), figure(1234.5, "{:,.0f}".format)], [Cell("y"), figure(math.nan, exact)]]])
    html = table.html()
    assert '<td class="n" data-v="1234.5">1,234</td>' in html
    assert '<td class="n">-</td>' in html
    assert '<table class="sortable"><thead><tr><th scope="col">name</th><th scope="col" class="n">value</th>' in html
    assert 'aria-label="a &lt;b&gt;"' in html
    signs = Table("signs", ["a", "b", "c"], [[[Cell("x"), figure(-2.0, exact), Cell("- / -", math.nan)]]]).html()
    assert '<td class="n loss" data-v="-2.0">-2</td><td class="n">- / -</td>' in signs
    grouped = Table("two", ["name"], [[[Cell("x")], [Cell("y")]], [[Cell("z")]]])
    assert "sortable" not in grouped.html()  # sorting would mix the groups


@pytest.mark.skipif(not COMPILED, reason="a run takes too long without the compiler")
@pytest.mark.usefixtures("no_charts")
def test_regimes_of_a_run() -> None:
    market = bt.load("BTC", source="simulated", start="2025-06-01", end="2025-07-01", timeframe="1h")
    made = bt.run(market, bt.AdaptiveGrid())
    parsed = page_of(made)
    assert "noise" in parsed.body("regime")
    total = [values[-1] for part, _, values in parsed.tables["regime"] if part == "tfoot"]
    assert total == [pytest.approx(made.metrics["final_equity"] - made.capital, abs=1e-6)]
