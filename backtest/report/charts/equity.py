"""Equity against buy-and-hold with the drawdown beneath."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from backtest.metrics.equity import drawdowns
from backtest.report import findings
from backtest.report.charts import drawing

if TYPE_CHECKING:
    from backtest.result import Result


# The drawdown axis reaches this far at least, percent: rounding is no drawdown.
SHALLOWEST = 0.01


def draw_own_equity(axes: Axes, result: Result, rows: np.ndarray) -> None:
    """The panel of the bars `rows` of a run: equity alone, so that a fall of some percent is seen."""
    own = result.equity_values[rows]
    drawing.line(axes, result.time[rows], own, color=drawing.ACCENT, linewidth=1.3)
    change = f" ({own[-1] / own[0] - 1.0:+,.2%} from the first close shown to the last)" if own[0] > 0.0 else ""
    drawing.subtitle(axes, f"equity{change}")
    axes.set_ylabel("equity (quote)")
    drawing.plain_numbers(axes.yaxis, 5)


def draw_equity(axes: Axes, result: Result, rows: np.ndarray) -> None:
    """The panel of the bars `rows`: equity and buy-and-hold, logarithmic where one dwarfs the other."""
    total, held = result.metrics["total_return"], result.metrics["buy_and_hold_return"]
    time, own, market = result.time[rows], result.equity_values[rows], result.buy_and_hold_values[rows]
    drawing.line(axes, time, market, color="0.5", linewidth=1.0, linestyle="--", label=f"buy and hold ({held:+,.1%} in the run)")
    drawing.line(axes, time, own, color=drawing.ACCENT, linewidth=1.3, label=f"equity ({total:+,.1%} in the run)")
    axes.axhline(result.capital, color="0.7", linewidth=0.8, linestyle=":", zorder=0, label="capital")
    words = "equity against buy and hold"
    drawn = np.concatenate((own, market))
    drawn = drawn[np.isfinite(drawn)]
    if drawn.size and drawn.min() > 0.0 and drawn.max() > drawing.LOGARITHMIC_FROM * drawn.min():
        # On a linear axis the flatter of the two curves would look like no curve at all.
        drawing.logarithmic(axes)
        words += ", logarithmic"
    else:
        drawing.plain_numbers(axes.yaxis, 5)
    drawing.subtitle(axes, words)
    axes.set_ylabel("equity (quote)")
    drawing.legend_above(axes)


def draw_drawdown(axes: Axes, result: Result, rows: np.ndarray) -> None:
    """The panel of the bars `rows`: drawdown at closes below the peak of the whole run so far."""
    depth = -100.0 * drawdowns(result.equity_values, result.capital)[rows]
    kept = drawing.decimated(depth)
    times = drawing.dates(result.time[rows][kept])
    axes.fill_between(times, depth[kept], 0.0, color=drawing.LOSS, alpha=0.35, linewidth=0.0)
    axes.plot(times, depth[kept], color=drawing.LOSS, linewidth=0.7)
    inside, closes = result.metrics["max_drawdown"], result.metrics["max_drawdown_close"]
    deepest = f"deepest {findings.percent(closes)}" + ("" if math.isnan(inside) else f", inside bars {findings.percent(inside)}")
    drawing.subtitle(axes, f"drawdown at closes ({deepest})")
    axes.set_ylabel("drawdown (%)")
    axes.set_ylim(min(1.05 * float(depth.min(initial=0.0)), -SHALLOWEST), 0.0)
    drawing.plain_numbers(axes.yaxis, 4)


def equity(result: Result) -> Figure:
    """Equity and buy-and-hold of the whole run, and the drawdown."""
    figure, panels = drawing.canvas([2.0, 1.0], 6.0, drawing.heading(result, "equity and drawdown"))
    rows = np.arange(result.time.size)
    draw_equity(panels[0], result, rows)
    draw_drawdown(panels[1], result, rows)
    drawing.date_axis(panels[1], *drawing.whole_run(result))
    return drawing.finish(figure, panels)
