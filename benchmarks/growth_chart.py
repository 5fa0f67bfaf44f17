"""The picture of growth: time against each size, both on logarithmic axes, with the line that is linear growth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.growth import GROUP
from benchmarks.rows import Row

_PREFIX = "seconds_at_"


def write_growth_chart(rows: Sequence[Row], folder: Path) -> Path | None:
    """Write `growth.png` into `folder`; None without rows of growth."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter, NullLocator, StrMethodFormatter

    found = [row for row in rows if row.group == GROUP]
    if not found:
        return None
    figure = Figure(figsize=(3.4 * len(found), 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, row in zip(figure.subplots(1, len(found), squeeze=False)[0], found, strict=True):
        points = [(int(name.removeprefix(_PREFIX)), value) for name, value in row.counts.items() if name.startswith(_PREFIX)]
        sizes, seconds = zip(*points, strict=True)
        linear = [seconds[0] * size / sizes[0] for size in sizes]
        axes.loglog(sizes, [1e3 * second for second in seconds], "o-", label="measured")
        axes.loglog(sizes, [1e3 * second for second in linear], "--", color="0.6", label="linear from the first")
        axes.set_title(f"{row.name}: exponent {row.value:.2f}", fontsize=10)
        axes.set_xlabel(row.name)
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes], rotation=45)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        axes.grid(visible=True, which="both", alpha=0.2)
    axes = figure.axes[0]
    axes.set_ylabel("processor time, ms")
    axes.legend(fontsize=8)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "growth.png", dpi=110)
    return folder / "growth.png"
