"""The charts of a result as pictures inside the page."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from backtest.report.charts import write_charts
from backtest.report.html.elements import paragraph, text

if TYPE_CHECKING:
    from backtest.result import Result

# Most bytes of pictures in one page, so that a run of many coins still opens at once on a telephone.
MOST_BYTES = 4_000_000


def _in_order(result: Result, names: list[str]) -> list[str]:
    """The portfolio first, then the coins in the order of the run, each with all its pictures."""
    subjects = ["portfolio", *result.symbols]

    def place(name: str) -> tuple[int, str]:
        words = name.removeprefix("chart_").removesuffix(".png")
        fits = [number for number, subject in enumerate(subjects) if words == subject or words.startswith(f"{subject}_")]
        return (fits[0] if fits else len(subjects), name)

    return sorted(names, key=place)


def _drawn(result: Result) -> dict[str, bytes]:
    """Each chart's file name and bytes."""
    with tempfile.TemporaryDirectory(prefix="report-") as folder:
        write_charts(result, Path(folder))
        found = {path.name: path.read_bytes() for path in Path(folder).glob("*.png")}
    return {name: found[name] for name in _in_order(result, list(found))}


def pictures(result: Result) -> str:
    """The charts as figures; of more than MOST_BYTES the rest is named in a sentence."""
    shown, left, used = [], [], 0
    for name, blob in _drawn(result).items():
        subject = name.removeprefix("chart_").removesuffix(".png").replace("_", " ")
        if used + len(blob) > MOST_BYTES:
            left.append(subject)
            continue
        used += len(blob)
        source = f"data:image/png;base64,{base64.b64encode(blob).decode()}"
        shown.append(f'<figure><img alt="Chart of {text(subject)}" src="{source}"><figcaption>{text(subject)}</figcaption></figure>')
    if left:
        words = f"Not on this page, to keep it small: the charts of {', '.join(left)}. The run's folder has them."
        shown.append(paragraph(words))
    return "\n".join(shown) or paragraph("There are no charts: the parts of a shared wallet need the event log.")
