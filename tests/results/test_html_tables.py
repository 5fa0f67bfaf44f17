"""Tables of the terminal and frames as tables of the page, and the section that shows each study."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from rich.table import Table as TerminalTable

from backtest.ablation import Ablation
from backtest.ablation.study import AblationRow
from backtest.exposure_ladder import ExposureLadder
from backtest.exposure_ladder.study import LadderRow
from backtest.report.html import pictures, render_report
from backtest.report.html.tables import from_frame, from_terminal, number, table_section
from backtest.report.study_tables import StudyRow, study_table
from backtest.report.worst_days import worst_days
from backtest.studies import Studies
from tests.results.ledgers import make_result
from tests.results.test_html_report import Page

NAN = math.nan
RUN = AblationRow("this run", {}, 0.1, 0.05, 0.0, 0.0, 0.2, False)
WITHOUT = AblationRow("skew", {"skew": (True, False)}, -1234.5, 0.5, -123460.0, 45.0, NAN, True, 1200)


@pytest.mark.parametrize(
    ("shown", "value"),
    [("+1,234.50", 1234.5), ("-3.2 %", -3.2), ("< 0.1", 0.1), ("7", 7.0), ("inf", math.inf), ("-", NAN), ("", NAN), ("12 lots", NAN)],
)
def test_numbers_of_cells(shown: str, value: float) -> None:
    assert number(shown) == value or (math.isnan(value) and math.isnan(number(shown)))


def test_a_terminal_table_sorts_by_its_figures() -> None:
    rows = [StudyRow(("this run", "+1.00"), own=True), StudyRow(("<skew>", "-1,200.00"), "LIQUIDATED"), StudyRow(("none", "-"))]
    made = from_terminal(study_table("By module", ("without", "return\n%"), rows))
    assert made.label == "By module"
    assert made.headings == ["without", "return %", "remark"]
    assert from_terminal(study_table("By module", ("without", "return"), rows[:1])).headings == ["without", "return"]
    run, skew, none = made.groups[0]
    assert (run[0].shown, run[0].strong, run[1].value) == ("this run", True, 1.0)
    assert (skew[1].value, skew[2].shown, skew[2].strong, skew[0].strong) == (-1200.0, "LIQUIDATED", True, False)
    assert math.isnan(none[1].value or 0.0)
    assert made.sortable
    assert "&lt;skew&gt;" in made.html()


def test_an_empty_terminal_table_keeps_its_headings() -> None:
    table = TerminalTable("level", "fills", title="Fills by level")
    assert from_terminal(table).headings == ["level", "fills"]
    section = table_section("levels", table, ["No lot was opened."], "SIMULATED: ")
    assert (section.heading, section.prefix) == ("Fills by level", "SIMULATED: ")
    assert "No lot was opened." in section.body


def test_a_frame_becomes_a_table() -> None:
    frame = pd.DataFrame({"count": [3, 1200], "pnl": [1.5, np.nan], "how": ["a", None]}, index=pd.Index(["x_y", "z"], name="prune_kind"))
    made = from_frame(frame, "prunes", {"pnl": "{:+.2f}".format})
    assert made.headings == ["prune kind", "count", "pnl", "how"]
    first, second = made.groups[0]
    assert [cell.shown for cell in first] == ["x y", "3", "+1.50", "a"]
    assert [cell.shown for cell in second] == ["z", "1,200", "-", "-"]
    assert second[1].value == 1200.0


def test_each_study_has_a_section(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "_drawn", lambda result, studies: {})
    result = make_result(bars=400)
    ladder = ExposureLadder((LadderRow(1.0, 1.0, 0.1, 0.05, False, 0.0, 0.4),), 1.0, 1.0, "in bars", 90, 100, 1, ())
    studies = Studies(None, None, "", worst_days(result), Ablation(RUN, (WITHOUT,), (), "in bars", ()), ladder)
    page = Page(render_report(result, studies))
    headings = page.words["h2"]
    for words in ("The same run without one module at a time, in percent", "The same run at other exposures, in percent"):
        assert f"SIMULATED: {words}" in headings
    assert "SIMULATED: The market's worst days, in percent" in headings
    assert page.body("The same run without one module at a time, in percent")["skew"][:2] == ["1,200", "-123,450.00"]
    for sentence in (
        (*studies.ablation.sentences(), *studies.exposure_ladder.sentences()) if studies.ablation and studies.exposure_ladder else ()
    ):
        assert sentence in page.words["p"]
