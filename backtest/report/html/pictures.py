"""The charts of a result as pictures inside the page."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING

from backtest.report.html.elements import paragraph, text

if TYPE_CHECKING:
    from backtest.result import Result
    from backtest.studies import Studies

# Most bytes of pictures in one page, so that a run of many coins still opens at once on a telephone.
MOST_BYTES = 4_000_000


def _drawn(result: Result, studies: Studies | None) -> dict[str, bytes]:
    """Each chart's file name and bytes: the portfolio first, then the coins in the order of the run."""
    from backtest.report.charts import pictures as drawn

    return drawn(result, studies)


def picture(blob: bytes, alt: str, caption: str) -> str:
    """A PNG inside the page, with what it shows for those who hear the page."""
    source = f"data:image/png;base64,{base64.b64encode(blob).decode()}"
    return f'<figure><img alt="{text(alt)}" src="{source}"><figcaption>{text(caption)}</figcaption></figure>'


def pictures(result: Result, studies: Studies | None = None, drawn: Mapping[str, bytes] | None = None) -> str:
    """The charts as figures; of more than MOST_BYTES the rest is named in a sentence. drawn: the charts, when they are there."""
    from backtest.report.charts import caption

    shown, left, used = [], [], 0
    for name, blob in (_drawn(result, studies) if drawn is None else drawn).items():
        subject = caption(name)
        if used + len(blob) > MOST_BYTES:
            left.append(subject)
            continue
        used += len(blob)
        shown.append(picture(blob, subject, subject))
    if left:
        words = f"Not on this page, to keep it small: {'; '.join(left)}. The run's folder has them."
        shown.append(paragraph(words))
    return "\n".join(shown) or paragraph("There are no charts: the parts of a shared wallet need the event log.")
