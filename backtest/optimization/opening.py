"""Where a study's trials are kept, and what else is known of the bars it sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from backtest.optimization.arguments import Request, study_name
from backtest.optimization.optimize import Optimizer
from backtest.optimization.records import MemoryStore, Trial
from engine.errors import InputError

# Windows that a study can have: -1 is the search over all of them.
WINDOWS = range(-1, 50)


class KeptTrials(Protocol):
    """What looking at a study, writing it out and pruning it need of a store."""

    def trials(self, window: int) -> list[Trial]:
        """All trials of a window."""
        ...

    def drop(self, window: int, numbers: Sequence[int]) -> None:
        """Forget these trials of the search; how many were run stays known."""
        ...

    def dropped(self, window: int) -> int:
        """How many trials of a window were forgotten so far."""
        ...


@dataclass(frozen=True)
class OpenedStudy:
    """The study an optimizer keeps its trials in, and how a person finds its storage again (empty: nothing outlives the process)."""

    name: str
    where: str = ""


_IN_MEMORY: dict[tuple[str, str], MemoryStore] = {}


def open_study(optimizer: Optimizer, asked: Request) -> OpenedStudy:
    """Let an optimizer keep its trials in the study asked for, which is made when it is not there.

    The optimizer is told of what else saw these bars: trials of other studies, those that were pruned, looks at the holdout.
    """
    name = asked.study or study_name(asked)
    store = _IN_MEMORY.setdefault((asked.storage or "", name), MemoryStore())
    optimizer.store = store
    optimizer.seen = sum(store.dropped(window) for window in WINDOWS)
    return OpenedStudy(name)


def open_kept(study: str, storage: str | None) -> KeptTrials:
    """The store of a study that is there. Raises InputError when it is not."""
    found = _IN_MEMORY.get((storage or "", study))
    if found is None:
        raise InputError(f"study {study} is not known in {storage or 'the default storage'}")
    return found
