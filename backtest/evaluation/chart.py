"""The chart of an evaluation study: how many attempts have ended by each session, and how."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backtest.evaluation.rendering import percent, rules_in_words
from engine.risk_gates import OUTCOMES, PASSED, UNDECIDED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from backtest.evaluation.study import EvaluationStudy, Incidence

FILE = "evaluation.png"
# Told apart by line and lightness as well as by colour: dark and whole for passing, lighter and broken for the ways to fail.
STYLES = (("#14375e", "-", 2.4), ("#b2182b", "--", 1.6), ("#e08214", "-.", 1.6), ("#7f7f7f", ":", 2.0))


def _panel(axes: Axes, found: Incidence, title: str) -> None:
    days = np.arange(found.values.shape[1])
    for outcome in range(PASSED, len(OUTCOMES)):
        colour, line, width = STYLES[outcome - 1]
        name = OUTCOMES[outcome] if outcome == PASSED else f"failed: {OUTCOMES[outcome]}"
        label = f"{name} ({percent(found.at(outcome))} %)"
        axes.step(days, 100.0 * found.values[outcome - 1], where="post", color=colour, linestyle=line, linewidth=width, label=label)
    if np.isfinite(found.low[PASSED]):
        axes.errorbar(
            days[-1],
            100.0 * found.at(PASSED),
            yerr=[[100.0 * max(0.0, found.at(PASSED) - found.low[PASSED])], [100.0 * max(0.0, found.high[PASSED] - found.at(PASSED))]],
            color=STYLES[0][0],
            capsize=4,
            clip_on=False,
            label="passed, 5 to 95 %",
        )
    axes.plot([], [], " ", label=f"still open ({percent(found.at(UNDECIDED))} %)")
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlabel("sessions since the start")
    axes.set_xlim(0, max(int(days[-1]), 1))
    axes.set_ylim(0.0, 100.0)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2, fontsize=8, frameon=False)


def evaluation_chart(found: EvaluationStudy) -> Figure:
    """Cumulative incidence of passing and of each way to fail, over every start, and over drawn paths where there are any."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # here: `import backtest` should not wait for it
    from matplotlib.figure import Figure

    panels = [(found.starts, f"{found.starts.attempts:,} starts, worth about {found.effective_starts:,.0f} that do not overlap")]
    if found.paths is not None:
        panels.append((found.paths, f"{found.paths.attempts:,} paths of sessions drawn anew"))
    figure = Figure(figsize=(6.0 * len(panels), 5.4), layout="constrained")
    FigureCanvasAgg(figure)
    row = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (values, title) in zip(row, panels, strict=True):
        _panel(axes, values, title)
        axes.grid(color="0.92", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    row[0].set_ylabel("attempts that have ended so (%)")
    simulated = "SIMULATED: " if found.simulated else ""
    figure.suptitle(f"{simulated}{', '.join(found.symbols)}: attempts at the evaluation", fontweight="bold")
    figure.supxlabel(rules_in_words(found.evaluation), fontsize=8, color="0.35")
    return figure


def write_evaluation_chart(found: EvaluationStudy, folder: Path) -> None:
    """Write `evaluation.png` into the folder; the same study gives the same bytes."""
    metadata = {"Software": None, "Title": f"{', '.join(found.symbols)}: attempts at the evaluation"}
    evaluation_chart(found).savefig(folder / FILE, dpi=110, metadata=metadata)
