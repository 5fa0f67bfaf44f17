"""The search space: which parameters are searched, over which ranges, on which scale.

A set of parameters is a row of float64, one number a dimension: reals and whole numbers as they are, switches and words by
their place in `values`.
"""

from __future__ import annotations

import difflib
import math
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np

from engine.errors import InputError
from engine.parameters import Parameters


@dataclass(frozen=True)
class Dimension:
    """One searched parameter.

    low, high: the range, both ends included, in the parameter's unit; of a switch or word the first and last place in `values`.
    log: searched by its logarithm. integer: whole numbers only. values: what a switch or word can be, None for a number.
    Raises InputError for a range that is empty, or a logarithm of what is not above zero.
    """

    name: str
    low: float
    high: float
    log: bool = False
    integer: bool = False
    values: tuple[Any, ...] | None = None

    def __post_init__(self) -> None:
        if self.values is not None and (len(self.values) < 2 or (self.low, self.high) != (0, len(self.values) - 1)):
            raise InputError(f"search values of {self.name} = {self.values!r} are refused: there must be at least two")
        shown = f"search range of {self.name} = {self.low!r} to {self.high!r} is refused"
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise InputError(f"{shown}: the low end must be below the high end, both finite")
        if self.log and self.low <= 0.0:
            raise InputError(f"{shown}: a logarithmic range must begin above 0")
        if self.integer and (self.low != round(self.low) or self.high != round(self.high)):
            raise InputError(f"{shown}: the ends of a whole-number range must be whole")

    @classmethod
    def choice(cls, name: str, values: Sequence[Any]) -> Dimension:
        """A switch or a word."""
        return cls(name, 0.0, len(values) - 1.0, integer=True, values=tuple(values))

    def clip(self, value: Any) -> np.ndarray:
        """The nearest allowed numbers, float64 like `value`."""
        inside = np.clip(np.asarray(value, dtype=np.float64), self.low, self.high)
        return np.asarray(np.rint(inside) if self.integer else inside)

    def _scaled_ends(self) -> tuple[float, float]:
        """Ends of the range on its scale; whole numbers reach half a step further, so that each has its share."""
        margin = 0.5 if self.integer else 0.0
        low, high = self.low - margin, self.high + margin
        return (math.log(low), math.log(high)) if self.log else (low, high)

    def from_unit(self, u: Any) -> np.ndarray:
        """Numbers of the range from numbers of [0, 1], like `u`; evenly on the scale, each whole number with its share."""
        low, high = self._scaled_ends()
        scaled = low + np.asarray(u, dtype=np.float64) * (high - low)
        return self.clip(np.exp(scaled) if self.log else scaled)

    def to_unit(self, value: Any) -> np.ndarray:
        """Where numbers of the range lie in [0, 1]; `from_unit` gives them back, reals to rounding."""
        low, high = self._scaled_ends()
        clipped = self.clip(value)
        return np.asarray(((np.log(clipped) if self.log else clipped) - low) / (high - low))

    def decoded(self, value: float) -> Any:
        """The parameter's own value of a number of this dimension: a float, an int, or one of `values`."""
        if self.values is not None:
            return self.values[round(value)]
        return round(value) if self.integer else float(value)

    def encoded(self, value: Any) -> float:
        """The number of a parameter's own value. Raises InputError for a word that is not among `values`."""
        if self.values is None:
            return float(value)
        if value not in self.values:
            raise InputError(f"{self.name} = {value!r} is refused: it must be one of {', '.join(map(str, self.values))}")
        return float(self.values.index(value))


Space = tuple[Dimension, ...]


def from_unit(space: Space, unit: np.ndarray) -> np.ndarray:
    """Sets [sets, dimensions] from points of the unit cube of the same shape."""
    return np.column_stack([dimension.from_unit(unit[:, k]) for k, dimension in enumerate(space)])


def to_unit(space: Space, sets: np.ndarray) -> np.ndarray:
    """Points of the unit cube [sets, dimensions] of sets of the same shape."""
    return np.column_stack([dimension.to_unit(sets[:, k]) for k, dimension in enumerate(space)])


def decoded(space: Space, row: np.ndarray) -> dict[str, Any]:
    """A set [dimensions] as parameters by name."""
    return {dimension.name: dimension.decoded(float(value)) for dimension, value in zip(space, row, strict=True)}


def encoded(space: Space, parameters: Mapping[str, Any]) -> np.ndarray:
    """Parameters by name as a set, float64 [dimensions]; names that are not searched are passed over."""
    return np.array([dimension.encoded(parameters[dimension.name]) for dimension in space], dtype=np.float64)


def _kind(annotation: Any) -> Any:
    """The type of a field without its `| None`."""
    if get_origin(annotation) in (Union, types.UnionType):
        return next(one for one in get_args(annotation) if one is not type(None))
    return annotation


def _check_allowed(strategy: type[Parameters], dimension: Dimension) -> None:
    """Both ends must be values the parameter itself allows."""
    for end in (dimension.low, dimension.high):
        value = dimension.decoded(end)
        for limit in strategy.model_fields[dimension.name].metadata:
            for name, broken in (("ge", "__lt__"), ("gt", "__le__"), ("le", "__gt__"), ("lt", "__ge__")):
                bound = getattr(limit, name, None)
                if bound is not None and getattr(float(value), broken)(float(bound)):
                    allowed = strategy.ranges()[dimension.name]
                    raise InputError(f"search range of {dimension.name} is refused at {value!r}: it must be {allowed}")


def _dimension(strategy: type[Parameters], name: str, span: Sequence[Any]) -> Dimension:
    """The dimension of one parameter over `span`: two ends of a number, the values of a switch or word."""
    field = strategy.model_fields[name]
    kind = _kind(field.annotation)
    if kind is bool or get_origin(kind) is Literal:
        known = (False, True) if kind is bool else get_args(kind)
        wrong = [value for value in span if value not in known or (kind is bool and not isinstance(value, bool))]
        if wrong:
            raise InputError(f"search values of {name} are refused at {wrong[0]!r}: they must be among {', '.join(map(str, known))}")
        return Dimension.choice(name, [value for value in known if value in span])
    numbers = all(isinstance(end, (int, float, np.integer, np.floating)) and not isinstance(end, bool) for end in span)
    if kind not in (int, float) or len(span) != 2 or not numbers:
        raise InputError(f"search range of {name} = {list(span)!r} is refused: it must be two numbers, the low and the high end")
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    dimension = Dimension(name, float(span[0]), float(span[1]), log=bool(extra.get("log")), integer=kind is int)
    _check_allowed(strategy, dimension)
    return dimension


def search_space(strategy: type[Parameters], overrides: Mapping[str, Sequence[Any] | None] | None = None) -> Space:
    """The dimensions of a strategy in the order of its declarations.

    Searched is what declares a search range. overrides: other ranges `(low, high)` or values by name, also of parameters that
    declare none; None leaves one out. The scale stays the declared one. Raises InputError for unknown names, ranges beyond what
    the parameter allows, and when nothing is left to search.
    """
    wanted = dict(overrides or {})
    for name in wanted:
        if name not in strategy.model_fields:
            close = difflib.get_close_matches(name, list(strategy.model_fields), n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise InputError(f"{name} is not a parameter of {strategy.__name__}{hint}")
    space = []
    for name, field in strategy.model_fields.items():
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        declared: Any = extra.get("search")
        span = wanted.get(name, declared)
        if span is not None:
            space.append(_dimension(strategy, name, span))
    if not space:
        raise InputError(f"nothing is left to search: no parameter of {strategy.__name__} has a search range")
    return tuple(space)
