"""A check report for JSON: everything that was found, nothing cut short, times as ISO text UTC."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from backtest.data.check.findings import CheckReport, FundingFindings, SeriesFindings
from backtest.data.timeframe import utc_text
from backtest.json_schema.names import CHECK, stamp

# Fields of the findings that hold a time.
TIMES = {"time", "begin", "end", "first", "last", "last_off_tick", "lowest_time", "highest_time", "largest_time", "largest_volume_time"}
# Counts that the records work out themselves.
COUNTS = ("missing", "largest_gap", "silent_bars", "flat_bars")


def report_as_json(report: CheckReport) -> dict[str, Any]:
    """The whole report as what `json.dumps` takes: `schema`, `broken` (sentences), and the findings by the names of their fields.

    The fields are those of `backtest.data.check.findings`. Times are ISO text such as 2022-05-01T22:30Z; what is not known, such as
    a correlation of too few bars, is null.
    """
    return {**stamp(CHECK), "broken": list(report.broken), **_plain(report)}


def _plain(value: Any, field: str = "") -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        content = {name: _plain(getattr(value, name), name) for name in names}
        if isinstance(value, SeriesFindings):
            content |= {name: getattr(value, name) for name in COUNTS}
        if isinstance(value, (SeriesFindings, FundingFindings)):
            content["broken_rows"] = value.broken_rows
        return content
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    # `first` is a name or a price in some records.
    if field in TIMES and type(value) is int:
        return utc_text(value).replace(" ", "T") + "Z"
    return value
