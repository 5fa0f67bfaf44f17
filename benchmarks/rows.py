"""A row of the benchmarks: one figure with its ratio, how sure that is, and what is needed to compare it with another run's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from statistics import median
from typing import Any

from benchmarks.timing import Samples, quartiles


@dataclass(frozen=True)
class Row:
    """One figure.

    value, wall, best: in `unit`; medians over the rounds of processor and of wall time, and the best round; `wall` and `best` are
    None for what is no time. ratio, low, high: median and quartiles over the rounds of the figure against its calibration. seconds:
    processor time of one sample. tolerance: by which share the ratio may grow before it counts as a regression, None: it is not
    judged. limit: a value that may not be passed whatever a baseline says. counts: what happened beside it, such as events a bar.
    """

    group: str
    name: str
    unit: str
    value: float
    wall: float | None = None
    best: float | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    rounds: int = 1
    seconds: float = 0.0
    tolerance: float | None = None
    limit: float | None = None
    counts: Mapping[str, float | None] = field(default_factory=dict)
    note: str = ""

    @property
    def key(self) -> str:
        """What finds the same row in another run."""
        return f"{self.group}: {self.name}"

    def to_json(self) -> dict[str, Any]:
        """The row as plain values, floats to six digits."""
        return {name: _short(value) for name, value in asdict(self).items() if value not in (None, "", {})}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Row:
        """The row again. Fields that a later version dropped are passed over."""
        return cls(**{name: value for name, value in values.items() if name in cls.__dataclass_fields__})


def timed(group: str, name: str, unit: str, samples: Samples, scale: float, **more: Any) -> Row:
    """The row of some samples. `scale` turns seconds into `unit`."""
    low, middle, high = samples.quartiles()
    row = Row(group, name, unit, scale * median(samples.process), scale * median(samples.wall), scale * min(samples.process))
    return replace(
        row, ratio=middle, low=low, high=high, rounds=len(samples.process), seconds=median(samples.process) * samples.repeats, **more
    )  # fmt: skip


def valued(group: str, name: str, unit: str, values: list[float], **more: Any) -> Row:
    """The row of a figure that is a ratio or a size itself, with one value a round."""
    low, middle, high = quartiles(values)
    return Row(group, name, unit, middle, ratio=middle, low=low, high=high, rounds=len(values), **more)


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {name: _short(one) for name, one in value.items() if one is not None}
    return value
