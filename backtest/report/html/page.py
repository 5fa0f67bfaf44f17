"""The page as a whole: one file, no network, the same bytes for the same result."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from backtest.data.atomic import make_folder, write_atomically
from backtest.report import findings
from backtest.report.html import details, doubt, profit, summary
from backtest.report.html.assets import document
from backtest.report.html.elements import Section, contents, paragraph, text
from backtest.report.html.pictures import pictures
from backtest.report.html.tables import table_section
from backtest.report.lot_tables import lot_tables
from engine.errors import InputError

if TYPE_CHECKING:
    from backtest.result import Result
    from backtest.studies import Studies


def _sections(result: Result, studies: Studies | None, drawn: Mapping[str, bytes] | None) -> list[Section]:
    """The parts below the first screen, in order; those with figures say SIMULATED again, for a page that is cut up."""
    mark = "SIMULATED: " if result.simulated else ""
    detail = [
        ("assumptions", "Assumptions", details.assumptions(result)),
        ("metrics", f"{mark}All metrics", details.metrics(result)),
        ("settings", "Settings", details.settings(result)),
        ("events", f"{mark}Events", details.events(result)),
    ]
    fine_print = "\n".join(f'<h3 id="{anchor}">{text(heading)}</h3>\n{body}' for anchor, heading, body in detail)
    return [
        Section("sensitivity", "The same run under other assumptions", doubt.sensitivity(studies), mark),
        Section("luck", "The luck in these days", doubt.luck(studies), mark),
        *_studies(studies, mark),
        Section("attribution", "Where the profit came from", profit.attribution(result), mark),
        Section("months", "Returns by month", profit.monthly(result), mark),
        Section("drawdowns", "The five worst drawdowns", profit.drawdowns(result), mark),
        Section("charts", "Charts", pictures(result, studies, drawn), mark),
        Section("fills", "Fills by coin", profit.fills(result), mark),
        *_lots(result, mark),
        Section("details", "Details", fine_print),
    ]


def _lots(result: Result, mark: str) -> list[Section]:
    """What became of the lots, a section for each table that has rows."""
    made = [(table, lines) for table, lines in lot_tables(result) if table is not None]
    return [table_section(f"lots-{place}", table, lines, mark) for place, (table, lines) in enumerate(made, start=1)]


def _studies(studies: Studies | None, mark: str) -> list[Section]:
    """A section for each study that was made beside the sensitivity table and the interval, with its sentences."""
    made = studies.tables() if studies is not None else []
    return [table_section(f"study-{place}", table, lines, mark) for place, (table, lines) in enumerate(made, start=1)]


def render_report(result: Result, studies: Studies | None = None, drawn: Mapping[str, bytes] | None = None) -> str:
    """The page as text; see `write_report`."""
    sections = _sections(result, studies, drawn)
    title = findings.title(result)
    header = f"""{summary.banner_html(result, studies)}
<h1>{text(title)}</h1>
{paragraph(findings.about(result), "source")}"""
    main = f"""<div class="first">
<div>{summary.headline(result).html()}</div>
<div><h2>Warnings</h2>{summary.doubts(result)}
{contents(sections)}</div>
</div>
{"".join(f"{section.html()}{chr(10)}" for section in sections)}"""
    return document(title, header, main)


def write_report(result: Result, path: str | Path, studies: Studies | None = None, drawn: Mapping[str, bytes] | None = None) -> Path:
    """Write the report of a result into one HTML file, whole or not at all, and return its path.

    studies: the sensitivity table and the interval (`backtest.studies.study`); without them the page says that they are missing.
    drawn: the charts as `backtest.report.charts.pictures` makes them, drawn if None.
    Everything is inline: pictures, style and script, so the file opens without a network. The same result and studies give the
    same bytes. Folders above are made; an older file is replaced. Raises InputError when the file cannot be written.
    """
    target = Path(path)
    page = render_report(result, studies, drawn)
    try:
        make_folder(target.parent)
        # A lone surrogate, which a note from a broken file may hold, has no bytes of its own.
        write_atomically(target, page.encode("utf-8", "replace"))
    except OSError as error:
        raise InputError(f"report {target} is refused: {error.strerror or error}") from None
    return target
