"""The table itself: the run, the same run under other assumptions, break-even points, and what they say in words."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import pandas as pd

from backtest.sensitivity.path_bars import PathBars
from backtest.sensitivity.scan import Scan

NOT_BOUNDS = "The rows are scenarios, not bounds: the truth may lie outside all of them."


def signed(value: float) -> str:
    """Two digits with a sign; what rounds to nothing is no loss."""
    return f"{round(value, 2) + 0.0:+,.2f}"


def signed_percent(value: float) -> str:
    """0.0512 as `+5.12 %`; NaN as a dash."""
    return "-" if math.isnan(value) else f"{signed(value * 100.0)} %"


@dataclass(frozen=True)
class Row:
    """One assumption and what the run gives under it.

    name: of the row. changed: a phrase that goes on after "when". total_return, max_drawdown: fractions; the drawdown is the one
    `Sensitivity.drawdown` names. sharpe: annualized, of bars. change_points: total return less the run's, in percentage points.
    sign_changed: whether the run made a profit or a loss and this row does not. liquidated: whether any account was.
    draws: runs behind the row, each with other luck; with several the figures are their medians, the sign is the median's, and
    liquidated says that any of them was. total_return_low, total_return_high: 5 and 95 % quantiles over the draws, None for one.
    """

    name: str
    changed: str
    total_return: float
    max_drawdown: float
    sharpe: float
    change_points: float
    sign_changed: bool
    liquidated: bool
    draws: int = 1
    total_return_low: float | None = None
    total_return_high: float | None = None

    @property
    def when(self) -> str:
        """`changed`, and that several draws have a median."""
        return self.changed if self.draws == 1 else f"{self.changed} (median of {self.draws} seeds)"

    @property
    def spread(self) -> str:
        """What the draws say beside their median; empty for one run."""
        if self.total_return_low is None or self.total_return_high is None:
            return ""
        low, high = signed_percent(self.total_return_low), signed_percent(self.total_return_high)
        return f"5 to 95 % of the seeds: {low} to {high}"


@dataclass(frozen=True)
class Sensitivity:
    """The sensitivity table of a result.

    run: the run itself as a row. rows: the scenarios, in order. drawdown: "in bars" (along the walked path, one wallet) or
    "at closes" (several). break_even_maker_fee, break_even_funding_multiple: None when not scanned, the latter also without
    settlements. path_bars: bars in which the order of events could matter, None without an event log. left_out: a sentence for
    each row that could not be had.
    """

    run: Row
    rows: tuple[Row, ...]
    drawdown: str
    break_even_maker_fee: Scan | None
    break_even_funding_multiple: Scan | None
    path_bars: PathBars | None
    left_out: tuple[str, ...]

    @property
    def fragile(self) -> bool:
        """Whether the total return has another sign than the run's in any row."""
        return any(row.sign_changed for row in self.rows)

    @property
    def turned(self) -> list[Row]:
        """The rows that change the sign, the largest change first."""
        return sorted((row for row in self.rows if row.sign_changed), key=lambda row: -abs(row.change_points))

    @property
    def headline(self) -> str:
        """The sentence for the first screen when the result is fragile, else an empty text."""
        if not self.fragile:
            return ""
        worst = self.turned[0]
        before, after = signed_percent(self.run.total_return), signed_percent(worst.total_return)
        return f"FRAGILE: the return of {before} becomes {after} when {worst.when}"

    def sentences(self) -> list[str]:
        """Everything the table says in words, gravest first: fragility, liquidations, what the rows are, break-even, path, gaps."""
        lines = [f"{self.headline}."] if self.fragile else []
        if len(self.turned) > 1:
            others = "; ".join(f"{signed_percent(row.total_return)} when {row.when}" for row in self.turned[1:])
            lines.append(f"Its sign changes in {len(self.turned)} of {len(self.rows)} rows, also to {others}.")
        ruined = [
            row.changed + (f" (at least one of {row.draws} seeds)" if row.draws > 1 else "")
            for row in self.rows
            if row.liquidated and not self.run.liquidated
        ]
        if ruined:
            lines.append(f"The run would have been LIQUIDATED when {'; when '.join(ruined)}.")
        lines.append(NOT_BOUNDS)
        lines += [f"When {row.when}, the return is {signed_percent(row.total_return)}; {row.spread}." for row in self.rows if row.spread]
        lines += [scan.sentence for scan in (self.break_even_maker_fee, self.break_even_funding_multiple) if scan is not None]
        if self.path_bars is not None:
            lines.append(self.path_bars.sentence)
        return [*lines, *self.left_out]

    @property
    def frame(self) -> pd.DataFrame:
        """The rows as a table, the run first; the columns are the fields of `Row`."""
        return pd.DataFrame([asdict(row) for row in (self.run, *self.rows)])
