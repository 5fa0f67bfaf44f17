"""What is asked of several parameters together."""

from __future__ import annotations

import pytest

from backtest.configuration import Configuration
from engine.errors import InputError
from engine.strategies.adaptive_grid_parameters import AdaptiveGrid


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"kama_fast": 30}, "kama_fast = 30 is refused: it must be below kama_slow = 30"),
        ({"kama_fast": 2, "kama_slow": 2}, "kama_fast = 2 is refused: it must be below kama_slow = 2"),
        ({"resume_z_threshold": -3.5}, "halt_z_threshold = -3.0 is refused: it must not be above resume_z_threshold = -3.5"),
    ],
)
def test_a_broken_rule_is_one_sentence(values: dict[str, float], words: str) -> None:
    with pytest.raises(InputError) as told:
        AdaptiveGrid(**values)
    assert str(told.value) == words


def test_what_may_be_equal_may() -> None:
    assert AdaptiveGrid(halt_z_threshold=-1.0).resume_z_threshold == -1.0
    assert AdaptiveGrid(kama_fast=29).kama_slow == 30


def test_assignments_are_judged_together() -> None:
    """Either alone would break the rule against the default of the other."""
    made = Configuration().set("halt_z_threshold=0", "resume_z_threshold=1")
    assert (made.strategy.halt_z_threshold, made.strategy.resume_z_threshold) == (0.0, 1.0)
    assert Configuration().set("kama_fast=40", "kama_slow=50").strategy.kama_fast == 40
