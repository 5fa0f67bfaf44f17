"""The search space: made from the declarations, overridden, and mapped to the unit cube and back."""

from typing import ClassVar, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtest.optimization.space import Dimension, decoded, encoded, from_unit, search_space, to_unit
from engine.errors import InputError
from engine.parameters import Parameters, parameter
from engine.strategies.adaptive_grid_parameters import AdaptiveGrid
from engine.strategies.static_grid_parameters import StaticGrid


class Example(Parameters):
    """One parameter of every kind."""

    name: ClassVar[str] = "example"

    window: int = parameter(10, "a window", ge=1, le=100, search=(5, 30))
    size: float = parameter(0.1, "a size", gt=0.0, le=1.0, search=(0.01, 0.5), log=True)
    limit: float | None = parameter(None, "a limit", ge=0.0, search=(0.0, 2.0))
    switch: bool = parameter(True, "a switch", search=(False, True))
    mode: Literal["fast", "slow", "off"] = parameter("fast", "a word")
    fixed: int = parameter(3, "not searched", ge=0, le=9)


def test_dimensions_come_from_the_declarations_in_their_order() -> None:
    assert search_space(Example) == (
        Dimension("window", 5.0, 30.0, integer=True),
        Dimension("size", 0.01, 0.5, log=True),
        Dimension("limit", 0.0, 2.0),
        Dimension("switch", 0.0, 1.0, integer=True, values=(False, True)),
    )


@pytest.mark.parametrize("strategy", [AdaptiveGrid, StaticGrid])
def test_every_declared_range_of_the_strategies_is_a_space(strategy: type[Parameters]) -> None:
    space = search_space(strategy)
    declared = [name for name, field in strategy.model_fields.items() if field.json_schema_extra["search"]]
    assert [dimension.name for dimension in space] == declared
    for u in (0.0, 0.37, 1.0):
        strategy(**decoded(space, from_unit(space, np.full((1, len(space)), u))[0]))
    defaults = strategy().model_dump()
    assert decoded(space, encoded(space, defaults)) == {name: defaults[name] for name in declared}


def test_ranges_are_overridden_by_name() -> None:
    space = search_space(Example, {"window": (10, 12), "size": None, "fixed": (0, 4), "mode": ("slow", "off"), "switch": None})
    assert space == (
        Dimension("window", 10.0, 12.0, integer=True),
        Dimension("limit", 0.0, 2.0),
        Dimension("mode", 0.0, 1.0, integer=True, values=("slow", "off")),
        Dimension("fixed", 0.0, 4.0, integer=True),
    )


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"windov": (5, 9)}, "windov is not a parameter of Example; did you mean window?"),
        ({"window": (0, 9)}, "search range of window is refused at 0: it must be at least 1 and at most 100"),
        ({"window": (5, 101)}, "search range of window is refused at 101"),
        ({"size": (0.0, 0.5)}, "a logarithmic range must begin above 0"),
        ({"window": (9, 9)}, "the low end must be below the high end"),
        ({"window": (9.5, 12)}, "the ends of a whole-number range must be whole"),
        ({"window": (9, float("inf"))}, "both finite"),
        ({"window": (9,)}, r"search range of window = \[9\] is refused: it must be two numbers"),
        ({"window": (True, 9)}, "it must be two numbers"),
        ({"switch": (0, 1)}, "search values of switch are refused at 0: they must be among False, True"),
        ({"switch": (True,)}, "there must be at least two"),
        ({"mode": ("fast", "medium")}, "search values of mode are refused at 'medium': they must be among fast, slow, off"),
        (dict.fromkeys(("window", "size", "limit", "switch")), "nothing is left to search"),
    ],
)
def test_bad_ranges_are_told_in_one_sentence(overrides: dict, words: str) -> None:
    with pytest.raises(InputError, match=words.replace("?", r"\?")):
        search_space(Example, overrides)


def test_a_bound_that_is_not_allowed_itself_is_refused() -> None:
    with pytest.raises(InputError, match=r"step is refused at 0\.5: it must be above 0 and below 0\.5"):
        search_space(StaticGrid, {"step": (0.1, 0.5)})


@pytest.mark.parametrize("log", [False, True])
def test_each_whole_number_has_its_share(log: bool) -> None:
    dimension = Dimension("n", 2.0, 9.0, log=log, integer=True)
    values, counts = np.unique(dimension.from_unit((np.arange(80_000) + 0.5) / 80_000), return_counts=True)
    assert values.tolist() == [2, 3, 4, 5, 6, 7, 8, 9]
    edges = np.arange(1.5, 10.0)
    shares = np.diff(np.log(edges) if log else edges)
    np.testing.assert_allclose(counts / 80_000, shares / shares.sum(), atol=1e-4)


def test_the_middle_of_a_logarithmic_range_is_the_geometric_mean() -> None:
    assert Dimension("x", 0.01, 100.0, log=True).from_unit(0.5) == pytest.approx(1.0)
    assert Dimension("x", 0.01, 100.0).from_unit(0.5) == pytest.approx(50.005)


DIMENSIONS = st.sampled_from([*search_space(Example), *search_space(AdaptiveGrid), Dimension("n", 1.0, 1000.0, log=True, integer=True)])


@given(DIMENSIONS, st.floats(0.0, 1.0))
def test_the_unit_cube_and_back(dimension: Dimension, u: float) -> None:
    value = dimension.from_unit(u)
    assert dimension.low <= value <= dimension.high
    assert dimension.clip(value) == value
    assert 0.0 <= dimension.to_unit(value) <= 1.0
    again = dimension.from_unit(dimension.to_unit(value))
    if dimension.integer:
        assert again == value
    else:
        assert again == pytest.approx(float(value), rel=1e-9, abs=1e-12)
    assert dimension.encoded(dimension.decoded(float(value))) == value


def test_clip_rounds_whole_numbers_and_keeps_the_range() -> None:
    dimension = Dimension("n", 2.0, 9.0, integer=True)
    assert dimension.clip([1.0, 2.4, 5.6, 12.0]).tolist() == [2.0, 2.0, 6.0, 9.0]
    assert Dimension("x", -5.0, -1.5).clip([-7.0, -2.25]).tolist() == [-5.0, -2.25]


def test_rows_are_sets() -> None:
    space = search_space(Example)
    unit = np.random.default_rng(1).random((5, 4))
    sets = from_unit(space, unit)
    assert sets.shape == (5, 4)
    np.testing.assert_allclose(from_unit(space, to_unit(space, sets)), sets, rtol=1e-12)
    values = decoded(space, sets[0])
    assert [type(value) for value in values.values()] == [int, float, float, bool]
    np.testing.assert_array_equal(encoded(space, {**values, "fixed": 3}), sets[0])


def test_a_word_that_is_not_searched_is_refused() -> None:
    space = search_space(Example, {"mode": ("slow", "off")})
    with pytest.raises(InputError, match="mode = 'fast' is refused: it must be one of slow, off"):
        encoded(space, Example().model_dump() | {"limit": 1.0})
