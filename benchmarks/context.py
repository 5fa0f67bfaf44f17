"""How a run of the benchmarks was asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Context:
    """quick: the short run of continuous integration. data_dir: real bars. say: told what is being measured, in a few words."""

    quick: bool = False
    data_dir: Path | None = None
    say: Callable[[str], None] = lambda _: None

    def rounds(self, quick: int, whole: int) -> int:
        """Rounds of a short and of a whole run."""
        return quick if self.quick else whole
