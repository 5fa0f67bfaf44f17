"""Where a study's trials are kept, and what else is known of the bars it sees."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from backtest.optimization.arguments import Request
from backtest.optimization.optimize import Optimizer
from backtest.optimization.records import Trial

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


def open_study(optimizer: Optimizer, asked: Request) -> OpenedStudy:
    """Let an optimizer keep its trials in the study asked for, which is made when it is not there.

    The optimizer is told of what else saw these bars: trials of other studies, those that were pruned, looks at the holdout.
    Raises InputError when the storage cannot be opened, or holds a study of that name that asks for something else.
    """
    from backtest.optimization.storages import DEFAULT_STORAGE, open_storage
    from backtest.optimization.study import join_study

    where = asked.storage or DEFAULT_STORAGE
    store = join_study(optimizer, open_storage(where), asked.study)
    return OpenedStudy(store.name, shown(where))


def shown(storage: str) -> str:
    """A storage as it may be printed: without the password of its address."""
    return re.sub(r"(//[^/@:]*):[^/@]*@", r"\1:***@", storage)


def open_kept(study: str, storage: str | None) -> KeptTrials:
    """The store of a study that is there. Raises InputError when it is not."""
    from backtest.optimization.storages import DEFAULT_STORAGE, open_storage
    from backtest.optimization.study import load_study

    return load_study(open_storage(storage or DEFAULT_STORAGE), study)
