"""A sweep over two settings as a map: one metric by shade and, where there is room, by number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from backtest.metrics import METRICS
from engine.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# More cells than this a side leave no room for numbers.
_NUMBERED = 14


def heat_map(table: pd.DataFrame, x: str, y: str, metric: str = "total_return") -> Figure:
    """One metric of a `bt.sweep` table over the settings `x` and `y`; cells that were not run stay blank.

    Where other settings vary too, a cell shows their median, and the title says so. Fractions are shown in percent. The shades
    run from dark (low) to light (high), so that the map reads in grey; a line marks where the metric is zero. Raises InputError for a
    column that the table does not have.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # here: `import backtest` should not wait for it
    from matplotlib.figure import Figure

    for name in (x, y, metric):
        if name not in table.columns:
            raise InputError(f"{name!r} is refused: it must be a column of the sweep, {', '.join(map(str, table.columns))}")
    cells = table.pivot_table(index=y, columns=x, values=metric, aggfunc="median", dropna=False)
    known = METRICS.get(metric)
    fraction = known is not None and known.unit.startswith("fraction")
    values = cells.to_numpy(np.float64) * (100.0 if fraction else 1.0)
    width, height = (min(11.0, 3.0 + 0.55 * count) for count in (values.shape[1], values.shape[0]))
    figure = Figure(figsize=(max(width, 6.0), max(height, 4.0)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    image = axes.imshow(values, origin="lower", aspect="auto", cmap="cividis")
    figure.colorbar(image, ax=axes, label=f"{metric.replace('_', ' ')}{', %' if fraction else ''}")
    for axis, names, label in ((axes.xaxis, cells.columns, x), (axes.yaxis, cells.index, y)):
        step = max(1, -(-len(names) // 12))
        axis.set_ticks(range(0, len(names), step), [_short(name) for name in names[::step]])
        axis.set_label_text(label)
    finite = values[np.isfinite(values)]
    if max(values.shape) <= _NUMBERED:
        middle = float(np.median(finite)) if finite.size else 0.0
        for (row, column), value in np.ndenumerate(values):
            if np.isfinite(value):
                shade = "black" if value > middle else "white"
                axes.text(column, row, f"{value:.3g}", ha="center", va="center", color=shade, fontsize=8)
    if min(values.shape) > 1 and finite.size and finite.min() < 0.0 < finite.max():
        axes.contour(values, levels=[0.0], colors="white", linewidths=1.5)
    simulated = "SIMULATED: " if table.attrs.get("simulated") else ""
    others = len(table) > np.isfinite(values).sum()
    axes.set_title(f"{simulated}{metric.replace('_', ' ')} over {x} and {y}{', median over the other settings' if others else ''}")
    return figure


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)
