"""The exposure ladder on a terminal, in sentences, and as plain values for machines."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from backtest.exposure_ladder.ruin import DEFINITION
from backtest.exposure_ladder.study import highest
from backtest.report.formats import known
from backtest.report.study_tables import StudyRow, plain, study_table
from backtest.sensitivity.table import signed, signed_percent
from backtest.uncertainty.estimate import LEAST_DAYS, METHOD

if TYPE_CHECKING:
    from rich.table import Table

    from backtest.exposure_ladder.study import ExposureLadder, LadderRow

SCHEMA = 1
# The level at which the page begins to speak of ruin.
RISKY = 0.01
DISTANCE = (
    "To liquidation: the smallest move of all prices at once, against what was held, that would have liquidated the run. "
    "Made from bars, whose inner order is not known; inf: no such move."
)
ONE_HISTORY = "The bootstrap knows only the days of this run: a crash that is not among them is in no draw."


def _list(rows: list[LadderRow]) -> str:
    return ", ".join(f"{row.exposure:g}" for row in rows)


def _share(value: float) -> str:
    """A probability in percent; below a tenth of a percent it is told as such, since draws cannot tell it from zero."""
    if math.isnan(value):
        return "-"
    return "< 0.1" if value < 0.001 else f"{value * 100.0:,.1f}"


def _of_ruin(found: ExposureLadder) -> list[str]:
    lines = [f"{DEFINITION} Method: {METHOD}, {found.draws:,} draws."]
    if found.days < LEAST_DAYS:
        return [*lines, f"No probability of ruin: the run has {found.days} days, and fewer than {LEAST_DAYS} say too little."]
    risky = next((row for row in found.rows if row.ruin_probability >= RISKY), None)
    if risky is None:
        lines.append(f"At no level is the probability of ruin {RISKY * 100.0:g} % or more.")
    else:
        lines.append(f"The probability of ruin first reaches {RISKY * 100.0:g} % at exposure {risky.exposure:g}.")
    return [*lines, ONE_HISTORY]


def sentences(found: ExposureLadder) -> list[str]:
    """What the rows say, gravest first, and how they are to be read."""
    lines = []
    ruined = [row for row in found.rows if row.liquidated]
    if ruined:
        lines.append(f"LIQUIDATED at exposure {_list(ruined)}.")
    if found.indifferent:
        lines.append("Every level gives the same return: the strategy takes no notice of the exposure, or it never traded.")
    elif (best := highest(found.rows)) is not None:
        lines.append(f"The highest return, {signed_percent(best.total_return)}, is at exposure {best.exposure:g}.")
    raised = [row for row in found.rows if row.leverage > found.own_leverage]
    if raised:
        lines.append(f"Leverage {found.own_leverage:g} is raised to the exposure at {_list(raised)}, so that margin does not cut orders.")
    return [*lines, *_of_ruin(found), DISTANCE, *found.left_out]


def _row_of(row: LadderRow, own: bool) -> StudyRow:
    cells = (
        f"{row.exposure:g}",
        f"{row.leverage:g}",
        known(row.total_return * 100.0, signed),
        known(row.max_drawdown * 100.0, "{:,.2f}".format),
        known(row.nearest_liquidation_distance * 100.0, "{:,.2f}".format),
        _share(row.ruin_probability),
    )
    return StudyRow(cells, "LIQUIDATED" if row.liquidated else "", own)


def exposure_ladder_table(found: ExposureLadder) -> Table:
    """A row a level; the run's own exposure is marked by >. The words are those of `ExposureLadder.sentences`."""
    headings = ("exposure", "leverage", "return", f"drawdown\n{found.drawdown}", "to\nliquidation", "ruin")
    rows = [_row_of(row, row.exposure == found.own_exposure) for row in found.rows]
    return study_table("The same run at other exposures, in percent", headings, rows, words=0)


def as_json(found: ExposureLadder) -> dict[str, Any]:
    """Plain values in a stable order; null where a number has no meaning, the text inf for an infinite distance.

    `schema` counts up when a name or meaning changes.
    """
    return {
        "schema": SCHEMA,
        "drawdown": found.drawdown,
        "own_exposure": found.own_exposure,
        "own_leverage": found.own_leverage,
        "days": found.days,
        "draws": found.draws,
        "seed": found.seed,
        "method": METHOD,
        "rows": [{name: plain(value, infinite=True) for name, value in asdict(row).items()} for row in found.rows],
        "sentences": sentences(found),
    }
