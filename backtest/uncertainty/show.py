"""The uncertainty of a result as sentences, as a table, and as plain values for machines."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from backtest.uncertainty.estimate import LEAST_DAYS, Interval, Uncertainty

if TYPE_CHECKING:
    from rich.table import Table

SCHEMA = 1


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{value * 100.0:,.1f} %"


def _signed(value: float) -> str:
    return "-" if math.isnan(value) else f"{value * 100.0:+,.0f} %".replace("-0 %", "0 %").replace("+0 %", "0 %")


def _ratio(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:,.2f}"


def _days(count: float) -> str:
    whole = f"{count:,.0f}"
    return f"{whole} day" if whole == "1" else f"{whole} days"


def sentences(found: Uncertainty) -> list[str]:
    """What the numbers say and do not say; one sentence each or two that belong together."""
    if not found.known:
        return [f"No intervals: the run has {_days(found.days)}, and fewer than {LEAST_DAYS} say too little about luck."]
    back, sharpe, depth = found.total_return, found.sharpe, found.max_drawdown
    drawn = f"With blocks of {_days(found.mean_block)} on average drawn {found.draws:,} times"
    between = f"the return over {_days(found.days)} lies between {_signed(back.low)} and {_signed(back.high)} (5 to 95 %)"
    lines = [f"{drawn}, {between}; {found.losing_share * 100.0:.0f} % of the draws lose money."]
    if not math.isnan(sharpe.low):
        lines.append(f"The daily Sharpe lies between {_ratio(sharpe.low)} and {_ratio(sharpe.high)}.")
    lines.append(f"The maximum drawdown at daily closes lies between {_percent(depth.low)} and {_percent(depth.high)}.")
    lines.append("It shows the luck in these days, not what other markets would do.")
    if found.liquidated:
        lines.append("The run was liquidated: draws that miss that day look better than the strategy was.")
    return lines


def uncertainty_table(found: Uncertainty) -> Table:
    """The run's own figure beside the 5 %, 50 % and 95 % points of the draws."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    title = "SIMULATED: the luck in these days" if found.simulated else "The luck in these days"
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left", title_style="bold")
    table.add_column("")
    for heading in ("this run", "5 %", "median", "95 %"):
        table.add_column(heading, justify="right", min_width=10)
    rows = (
        ("total return", _percent, found.total_return),
        ("Sharpe, daily", _ratio, found.sharpe),
        ("max drawdown, daily", _percent, found.max_drawdown),
    )
    for name, show, interval in rows:
        table.add_row(name, *(show(value) for value in interval))
    return table


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _interval(interval: Interval) -> dict[str, float | None]:
    return {name: _plain(value) for name, value in interval._asdict().items()}


def as_json(found: Uncertainty) -> dict[str, Any]:
    """Plain values, ready for JSON; null where there is no number. `schema` counts up when a name or meaning changes."""
    return {
        "schema": SCHEMA,
        "method": found.method,
        "block_rule": found.block_rule,
        "mean_block_days": _plain(found.mean_block),
        "days": found.days,
        "draws": found.draws,
        "seed": found.seed,
        "simulated": found.simulated,
        "liquidated": found.liquidated,
        "total_return": _interval(found.total_return),
        "sharpe_daily": _interval(found.sharpe),
        "max_drawdown_daily": _interval(found.max_drawdown),
        "losing_share": _plain(found.losing_share),
        "sentences": sentences(found),
    }
